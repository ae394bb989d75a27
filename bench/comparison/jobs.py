"""The jobs that are timed. Each gets a fresh mount and says how much it did."""
import os
import random
import subprocess
import time
from pathlib import Path

MIB = 1 << 20
STAT_SEED = 20


class Job:
    """`amount` in `unit`; `relayed` jobs go through the delaying relay; `target` is the ratio
    to sshfs that the project promises."""

    def __init__(self, name, run, amount, unit, target, relayed=False, after=None):
        self.name = name
        self.run = run
        self.amount = amount
        self.unit = unit
        self.target = target
        self.relayed = relayed
        self.after = after or (lambda served: None)


def dd(*operands):
    subprocess.run(['dd', 'bs=1M', 'status=none', *operands], check=True)


def prepare_file(path, size_mib):
    """Random bytes: neither compression nor holes can help."""
    if path.exists():
        return
    with open(path, 'wb') as out:
        for _ in range(size_mib):
            out.write(os.urandom(MIB))


def prepare_names(folder, count):
    folder.mkdir(exist_ok=True)
    for i in range(count):
        (folder / f'name-{i:05}').touch()


def read_job(name, size_mib, target, relayed=False):
    def run(mount):
        dd(f'if={mount}/{file_name(size_mib)}', 'of=/dev/null')

    return Job(name, run, size_mib, 'MiB/s', target, relayed)


def write_job(name, size_mib, target, source):
    def run(mount):
        dd(f'if={source}', f'of={mount}/written.bin', f'count={size_mib}', 'conv=fsync')

    def verify(served):
        written = served / 'written.bin'
        subprocess.run(['cmp', '-n', str(size_mib * MIB), source, written], check=True)
        if written.stat().st_size != size_mib * MIB:
            raise RuntimeError(f'{written} has {written.stat().st_size} bytes')
        written.unlink()

    return Job(name, run, size_mib, 'MiB/s', target, after=verify)


def stat_job(name, count, target):
    # In no order that a listing would give, so that every name is asked for by itself.
    order = list(range(count))
    random.Random(STAT_SEED).shuffle(order)

    def run(mount):
        for i in order:
            os.lstat(f'{mount}/names/name-{i:05}')

    return Job(name, run, count, 'stat/s', target)


def file_name(size_mib):
    return f'data-{size_mib}.bin'


def make_jobs(served, sequential_mib, relayed_mib, names, rtt_ms):
    """Creates what the jobs read below `served` and yields the jobs of the project's promise."""
    for size_mib in {sequential_mib, relayed_mib}:
        prepare_file(served / file_name(size_mib), size_mib)
    prepare_names(served / 'names', names)
    source = served / file_name(sequential_mib)
    return {
        'read': read_job(f'read {sequential_mib} MiB', sequential_mib, 1.0),
        'write': write_job(f'write {sequential_mib} MiB', sequential_mib, 1.0, source),
        'read-relay': read_job(f'read {relayed_mib} MiB, {rtt_ms} ms', relayed_mib, 5.0,
                               relayed=True),
        'stat': stat_job(f'stat {names} names', names, 1.2),
    }


def drop_caches(served):
    """Cold caches where that is allowed; then the server's own are warmed again, because the
    disk is not what is compared."""
    os.sync()
    try:
        Path('/proc/sys/vm/drop_caches').write_text('3', encoding='utf-8')
    except OSError:
        return False
    for path in served.glob('*.bin'):
        dd(f'if={path}', 'of=/dev/null')
    for entry in os.scandir(served / 'names'):
        entry.stat(follow_symlinks=False)
    return True


def timed(job, mount):
    """Seconds of one run."""
    begin = time.monotonic()
    job.run(mount)
    return time.monotonic() - begin
