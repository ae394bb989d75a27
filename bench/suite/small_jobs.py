"""Jobs in which time is spent waiting: small requests at random places, names, first bytes."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time

from . import data
from .jobs import Job

PAGE = 4096
FIO_MIB = 32


def run_fio(*options):
    """What fio(1) says of its one group, as {'read': {...}, 'write': {...}}."""
    done = subprocess.run(['fio', '--output-format=json', '--name=job', f'--bs={PAGE}',
                           '--ioengine=psync', '--group_reporting', '--allow_file_create=0',
                           '--randseed=20', *options],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout[done.stdout.index('{'):])['jobs'][0]


class RandomRead(Job):
    unit = 'reads/s'
    rtts = (0, 20)
    counts_wire = True

    def __init__(self, sizes, jobs, reads_each):
        super().__init__(sizes)
        self.jobs = jobs
        self.reads_each = reads_each
        self.name = f'random-read-{jobs}'
        self.title = f'random 4 KiB reads, {jobs} at a time'

    def size_bytes(self, contender, rtt_ms):
        return FIO_MIB * data.MIB

    def amount(self, sample):
        return self.jobs * self.reads_each

    def run(self, sample):
        path = sample.target.path / self.file_name(sample.size_bytes)
        result = run_fio('--rw=randread', f'--filename={path}', '--thread',
                         f'--numjobs={self.jobs}', f'--size={sample.size_bytes}',
                         f'--io_size={self.reads_each * PAGE}')['read']
        if result['total_ios'] != self.amount(sample):
            raise ValueError(f'{self.name}: fio made {result["total_ios"]} reads')
        sample.figures['mean_ms'] = result['clat_ns']['mean'] / 1e6
        return result['runtime'] / 1000

    def check(self, sample):
        # The pages that fio has read, and what lies between them.
        name = self.file_name(sample.size_bytes)
        sample.checksums.compare(sample.served / name, sample.target.path / name, self.name)


class RandomWrite(Job):
    name = 'random-write'
    title = 'random 4 KiB writes and fsync'
    unit = 'writes/s'
    rtts = (0, 20)
    writes = 2048

    def size_bytes(self, contender, rtt_ms):
        return FIO_MIB * data.MIB

    def amount(self, sample):
        return self.writes

    def options(self, path, size_bytes):
        return ['--rw=randwrite', f'--filename={path}', f'--size={size_bytes}',
                f'--io_size={self.writes * PAGE}', '--verify=pattern', '--verify_pattern=%o',
                '--do_verify=0', '--verify_state_save=0', '--end_fsync=1']

    def before(self, sample):
        name = self.file_name(sample.size_bytes)
        shutil.copyfile(sample.served / name, sample.served / 'random.bin')
        shutil.copyfile(sample.served / name, sample.scratch / 'expected.bin')
        run_fio(*self.options(sample.scratch / 'expected.bin', sample.size_bytes))

    def run(self, sample):
        result = run_fio(*self.options(sample.target.path / 'random.bin', sample.size_bytes))
        return max(result['write']['runtime'], result['job_runtime']) / 1000

    def check(self, sample):
        sample.target.wait_settled('random.bin', sample.size_bytes)
        expected = data.sha256(sample.scratch / 'expected.bin')
        if data.sha256(sample.served / 'random.bin') != expected:
            raise ValueError(f'{self.name}: the server holds other bytes')

    def after(self, sample):
        (sample.served / 'random.bin').unlink(missing_ok=True)
        (sample.scratch / 'expected.bin').unlink(missing_ok=True)


class Appends(Job):
    name = 'appends'
    title = '64 appends of 4 KiB and close'
    unit = 'appends/s'
    rtts = (0, 20)
    appends = 64

    def prepare(self, served, contender, rtt_ms):
        pass

    def amount(self, sample):
        return self.appends

    def before(self, sample):
        sample.scratch_bytes = os.urandom(self.appends * PAGE)

    def run(self, sample):
        path = sample.target.path / 'appended.log'
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for i in range(self.appends):
            os.write(descriptor, sample.scratch_bytes[i * PAGE:(i + 1) * PAGE])
        os.close(descriptor)
        sample.target.wait_settled('appended.log', self.appends * PAGE)

    def check(self, sample):
        if (sample.served / 'appended.log').read_bytes() != sample.scratch_bytes:
            raise ValueError(f'{self.name}: the server holds other bytes')

    def after(self, sample):
        (sample.served / 'appended.log').unlink(missing_ok=True)


class FirstByte(Job):
    name = 'first-byte'
    title = 'open, first byte and close of a file'
    unit = 'ms'
    rtts = (0, 20)
    lower_is_better = True
    files = 12

    def prepare(self, served, contender, rtt_ms):
        for i in range(self.files):
            data.prepare_file(served / 'first' / f'file-{i}', data.MIB)

    def run(self, sample):
        times = []
        sample.first_bytes = []
        for i in range(self.files):
            begin = time.monotonic()
            with open(sample.target.path / 'first' / f'file-{i}', 'rb', buffering=0) as file:
                sample.first_bytes.append(file.read(1))
            times.append(time.monotonic() - begin)
        return statistics.median(times)

    def amount(self, sample):
        return 1

    def check(self, sample):
        for i, byte in enumerate(sample.first_bytes):
            with open(sample.served / 'first' / f'file-{i}', 'rb') as file:
                if file.read(1) != byte:
                    raise ValueError(f'{self.name}: another first byte')


class StatUnderLoad(Job):
    unit = 'ms'
    rtts = (20,)
    lower_is_better = True
    names = 150

    def __init__(self, sizes, writes):
        super().__init__(sizes)
        self.writes = writes
        self.name = 'stat-upload' if writes else 'stat-download'
        self.title = f'stat of a name while a file is {"written" if writes else "read"}'

    def prepare(self, served, contender, rtt_ms):
        self.source(served, self.size_bytes(contender, rtt_ms))
        data.prepare_directories(served / 'names', self.names)

    def amount(self, sample):
        return 1

    def load_command(self, sample):
        name = self.file_name(sample.size_bytes)
        there = sample.target.path
        if self.writes:
            command = f'dd if={sample.served / name} of={there}/written.bin bs=1M conv=fsync'
        else:
            # What has been read is dropped from the page cache, so that each pass loads the link.
            command = f'dd if={there / name} of=/dev/null bs=1M iflag=nocache'
        return f'while {command} status=none; do :; done'

    def run(self, sample):
        load = subprocess.Popen(['sh', '-c', self.load_command(sample)], start_new_session=True)
        times = []
        try:
            time.sleep(1)  # the bulk reaches its speed
            for i in range(self.names):
                begin = time.monotonic()
                found = os.lstat(sample.target.path / 'names' / f'{i:05}' / 'name')
                times.append(time.monotonic() - begin)
                if found.st_size != 1:
                    raise ValueError(f'{self.name}: a size of {found.st_size}')
        finally:
            os.killpg(load.pid, signal.SIGTERM)  # a group of our own
            load.wait()
        times.sort()
        sample.figures['p99_ms'] = 1000 * times[len(times) * 99 // 100]
        return statistics.median(times)

    def after(self, sample):
        (sample.served / 'written.bin').unlink(missing_ok=True)


class StatNames(Job):
    """Names that a fresh mount has never seen, each looked up once."""
    unit = 'names/s'
    rtts = (0,)
    names = 10000

    def __init__(self, sizes, threads):
        super().__init__(sizes)
        self.threads = threads
        self.name = 'stat-names' if threads == 1 else f'stat-names-{threads}'
        self.title = f'stat of {self.names} names, {threads} at a time'
        self.found = []

    def prepare(self, served, contender, rtt_ms):
        data.prepare_names(served / 'many', self.names)

    def amount(self, sample):
        return self.names

    def look_up(self, folder, first):
        for i in range(first, self.names, self.threads):
            self.found[i] = os.lstat(folder / f'name-{i:05}')

    def run(self, sample):
        self.found = [None] * self.names
        lookers = [threading.Thread(target=self.look_up, args=(sample.target.path / 'many', first))
                   for first in range(self.threads)]
        for looker in lookers:
            looker.start()
        for looker in lookers:
            looker.join()

    def check(self, sample):
        for i, found in enumerate(self.found):
            there = os.lstat(sample.served / 'many' / f'name-{i:05}')
            if found is None or (found.st_mode, found.st_size, int(found.st_mtime)) != \
                    (there.st_mode, there.st_size, int(there.st_mtime)):
                raise ValueError(f'{self.name}: name-{i:05} has other attributes')
