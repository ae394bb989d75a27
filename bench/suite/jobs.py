"""The base of all jobs, and those that move much: whole files in either direction."""
from . import data

DEFAULT_RTTS = (0, 20, 50, 100, 200)


class Job:
    """One thing that is timed. Subclasses say what is prepared, done and compared.

    prepare(served)      once for all: makes the files it needs
    before(sample)       untimed, on the fresh mount
    run(sample)          timed; may return the seconds itself
    check(sample)        untimed: raises ValueError when any byte differs
    after(sample)        untimed: removes what run() has made
    """

    name = ''
    title = ''
    unit = 'MiB/s'
    rtts = DEFAULT_RTTS
    direction = None     # what a pipe would do for it: get or put; None: only mounts can
    counts_wire = False  # the bytes on the link are part of the result
    lower_is_better = False
    reads_far = True     # slow readers move less of it

    def __init__(self, sizes):
        self.sizes = sizes

    def size_bytes(self, contender, rtt_ms):
        """How much this contender moves."""
        size_mib = self.sizes.near_mib if rtt_ms == 0 else self.sizes.far_mib
        divisor = contender.divisor(rtt_ms) if self.reads_far else 1
        return max(1, size_mib // divisor) * data.MIB

    def file_name(self, size_bytes):
        return f'data-{size_bytes // data.MIB}.bin'

    def source(self, served, size_bytes):
        return data.prepare_file(served / self.file_name(size_bytes), size_bytes)

    def amount(self, sample):
        return sample.size_bytes / data.MIB

    def prepare(self, served, contender, rtt_ms):
        self.source(served, self.size_bytes(contender, rtt_ms))

    def before(self, sample):
        pass

    def run(self, sample):
        raise NotImplementedError

    def check(self, sample):
        pass

    def after(self, sample):
        pass


class Read(Job):
    name = 'read'
    title = 'sequential read'
    direction = 'get'

    def run(self, sample):
        sample.target.read(self.file_name(sample.size_bytes))

    def check(self, sample):
        name = self.file_name(sample.size_bytes)
        sample.checksums.compare(sample.served / name, sample.target.contents(name), self.name)


class Write(Job):
    name = 'write'
    title = 'sequential write and fsync'
    direction = 'put'
    reads_far = False

    def run(self, sample):
        sample.target.write('written.bin', self.source(sample.served, sample.size_bytes),
                            sample.size_bytes)

    def check(self, sample):
        source = self.source(sample.served, sample.size_bytes)
        sample.checksums.compare(source, sample.served / 'written.bin', self.name)

    def after(self, sample):
        (sample.served / 'written.bin').unlink(missing_ok=True)


class TwoFiles(Job):
    name = 'two-files'
    title = 'two files read at once'
    rtts = (0, 20)

    def names(self, sample):
        return [f'half-{i}-{sample.size_bytes // data.MIB}.bin' for i in range(2)]

    def prepare(self, served, contender, rtt_ms):
        size = self.size_bytes(contender, rtt_ms)
        for i in range(2):
            data.prepare_file(served / f'half-{i}-{size // data.MIB}.bin', size // 2)

    def run(self, sample):
        data.wait_for([data.start_dd(f'if={sample.target.path / name}', 'of=/dev/null')
                       for name in self.names(sample)])

    def check(self, sample):
        for name in self.names(sample):
            sample.checksums.compare(sample.served / name, sample.target.path / name, self.name)


class Mixed(Job):
    name = 'mixed'
    title = 'one file read while another is written'
    rtts = (0, 20)

    def amount(self, sample):
        return 2 * sample.size_bytes / data.MIB

    def run(self, sample):
        name = self.file_name(sample.size_bytes)
        path = sample.target.path
        data.wait_for([
            data.start_dd(f'if={path / name}', 'of=/dev/null'),
            data.start_dd(f'if={sample.served / name}', f'of={path}/written.bin', 'conv=fsync')])
        sample.target.wait_settled('written.bin', sample.size_bytes)

    def check(self, sample):
        name = self.file_name(sample.size_bytes)
        sample.checksums.compare(sample.served / name, sample.target.path / name, self.name)
        sample.checksums.compare(sample.served / name, sample.served / 'written.bin', self.name)

    def after(self, sample):
        (sample.served / 'written.bin').unlink(missing_ok=True)


class Reread(Job):
    name = 'reread'
    title = 'an unchanged file read again'
    rtts = (20,)
    counts_wire = True

    def size_bytes(self, contender, rtt_ms):
        return min(super().size_bytes(contender, rtt_ms), 64 * data.MIB)

    def before(self, sample):
        sample.target.read(self.file_name(sample.size_bytes))

    def run(self, sample):
        sample.target.read(self.file_name(sample.size_bytes))

    def check(self, sample):
        name = self.file_name(sample.size_bytes)
        sample.checksums.compare(sample.served / name, sample.target.contents(name), self.name)


class Copy(Job):
    name = 'copy'
    title = 'copy inside the mount'
    rtts = (20,)
    counts_wire = True

    def run(self, sample):
        name = self.file_name(sample.size_bytes)
        sample.run_program(['cp', sample.target.path / name, sample.target.path / 'copied.bin'])
        sample.target.wait_settled('copied.bin', sample.size_bytes)

    def check(self, sample):
        name = self.file_name(sample.size_bytes)
        sample.checksums.compare(sample.served / name, sample.served / 'copied.bin', self.name)

    def after(self, sample):
        (sample.served / 'copied.bin').unlink(missing_ok=True)
