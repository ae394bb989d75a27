"""One sample: a fresh connection, cold caches, one job, one contender."""
import subprocess
import time

from . import data, jobs, processes, server, small_jobs


class Sizes:
    """How much the bulk jobs move: on the bare loopback, and over a longer link."""

    def __init__(self, near_mib, far_mib):
        self.near_mib = near_mib
        self.far_mib = far_mib


class Sample:
    """What a job needs while it runs, and what is measured of it."""

    def __init__(self, target, served, scratch, size_bytes, checksums):
        self.target = target
        self.served = served
        self.scratch = scratch
        self.size_bytes = size_bytes
        self.checksums = checksums
        self.figures = {}
        self.first_bytes = []
        self.scratch_bytes = b''

    @staticmethod
    def run_program(command):
        subprocess.run([str(word) for word in command], check=True)


def make_jobs(sizes, quick):
    """All jobs by name, in the order of the table."""
    reads = 8 if quick else 100
    if quick:
        small_jobs.RandomWrite.writes = 64
        small_jobs.StatUnderLoad.names = 10
        small_jobs.StatNames.names = 40
        small_jobs.StatNames.rtts = (0, 20)
    made = [jobs.Read(sizes), jobs.Write(sizes), jobs.TwoFiles(sizes), jobs.Mixed(sizes),
            small_jobs.RandomRead(sizes, 1, reads), small_jobs.RandomRead(sizes, 32, reads),
            small_jobs.RandomWrite(sizes), small_jobs.Appends(sizes), small_jobs.FirstByte(sizes),
            small_jobs.StatUnderLoad(sizes, writes=False),
            small_jobs.StatUnderLoad(sizes, writes=True),
            small_jobs.StatNames(sizes, 1), small_jobs.StatNames(sizes, 4),
            jobs.Reread(sizes), jobs.Copy(sizes)]
    return {job.name: job for job in made}


def can(contender, job):
    """Pipes do nothing but move one file."""
    return contender.is_mount or job.direction is not None


def measure(bench, job, contender, rtt_ms):
    """{'seconds', 'cpu', ...} of one run; raises when it fails or a byte differs."""
    served = bench.server.folder / 'served'
    job.prepare(served, contender, rtt_ms)
    size_bytes = job.size_bytes(contender, rtt_ms)
    if bench.on_disk:
        data.drop_caches()
    with server.running_link(bench.relay, bench.server, rtt_ms, job.counts_wire) as link, \
            contender.opened(bench.server, link, bench.scratch, job) as target:
        sample = Sample(target, served, bench.scratch, size_bytes, bench.checksums)
        try:
            job.before(sample)
            measured = timed(job, sample, link)
            measured['peak_rss_mib'] = target.peak_rss_mib()
            job.check(sample)
        finally:
            job.after(sample)
    measured['amount'] = job.amount(sample)
    measured.update(sample.figures)
    return measured


def timed(job, sample, link):
    cpu_before = processes.cpu_by_role(sample.target.daemon_name)
    wire_before = link.wire_bytes()
    begin = time.monotonic()
    told = job.run(sample)
    seconds = time.monotonic() - begin
    wire_after = link.wire_bytes()
    cpu_after = processes.cpu_by_role(sample.target.daemon_name)
    measured = {'seconds': seconds if told is None else told,
                'cpu': processes.cpu_between(cpu_before, cpu_after)}
    if job.counts_wire and wire_before is not None:
        measured['wire_bytes'] = wire_after - wire_before
    return measured
