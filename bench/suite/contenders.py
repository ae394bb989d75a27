"""What is compared: mounts (sftpfs, sshfs, rclone) and the pipes that are their limit.

A contender opens a target for one sample. Every target can read(name) and write(name, source);
mounts have a path besides, and everything that can be done with one.
"""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from . import data, processes

MOUNT_TIMEOUT_S = 30
GCM = 'aes128-gcm@openssh.com'
# Where a plain dd over sshfs needs most of a minute, less is moved: its rate does not depend on
# the amount, because it keeps half a MiB under way whatever there is to read.
SLOW_SHARE = {20: 4, 50: 8, 100: 16, 200: 16}


class Contender:
    """`yardstick`: neither ours nor a limit. `transport`: whose limit is ours."""

    is_mount = True
    is_limit = False

    def __init__(self, name, transport=None, slow_reader=False):
        self.name = name
        self.transport = transport
        self.slow_reader = slow_reader
        self.version = ''

    @property
    def ours(self):
        return self.is_mount and self.transport is not None

    def divisor(self, rtt_ms):
        return SLOW_SHARE.get(rtt_ms, 1) if self.slow_reader else 1


class Mount:
    """A mounted directory and the process behind it."""

    def __init__(self, path, pid, served, settles_late):
        self.path = Path(path)
        self.pid = pid
        self.served = served
        self.settles_late = settles_late
        self.daemon_name = processes.read_stat(pid)[1]

    def read(self, name):
        data.dd(f'if={self.path / name}', 'of=/dev/null')

    def write(self, name, source, size_bytes):
        data.dd(f'if={source}', f'of={self.path / name}', f'count={size_bytes // data.MIB}',
                'conv=fsync')
        self.wait_settled(name, size_bytes)

    def wait_settled(self, name, size_bytes):
        """Until the server really has it: rclone's fsync answers before."""
        if not self.settles_late:
            return
        target = self.served / name
        processes.wait_until(lambda: target.exists() and target.stat().st_size == size_bytes,
                             600, f'{name} on the server')

    def peak_rss_mib(self):
        return processes.peak_rss_mib(self.pid)

    def contents(self, name):
        """What the timed reads have left in the page cache."""
        return self.path / name


def is_mounted(mountpoint):
    return f' {mountpoint} fuse' in Path('/proc/self/mounts').read_text(encoding='utf-8')


def unmount(mountpoint):
    if subprocess.run(['fusermount3', '-u', mountpoint], capture_output=True,
                      check=False).returncode != 0:
        subprocess.run(['fusermount3', '-uz', mountpoint], capture_output=True, check=False)


class MountContender(Contender):
    """A programme that mounts: `command(server, link, mountpoint, scratch)`."""

    def __init__(self, name, command, transport=None, slow_reader=False, settles_late=False):
        super().__init__(name, transport, slow_reader)
        self.command = command
        self.settles_late = settles_late

    @contextlib.contextmanager
    def opened(self, server, link, scratch, _job):
        mountpoint = Path(tempfile.mkdtemp(prefix='mount-', dir=scratch))
        command, environment = self.command(server, link, mountpoint, scratch)
        with tempfile.TemporaryFile() as log:
            process = processes.start(command, log, environment)
            try:
                processes.wait_until(lambda: process.poll() is not None or is_mounted(mountpoint),
                                     MOUNT_TIMEOUT_S, f'{self.name}: mounting')
                if process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f'{self.name} did not mount: '
                                       + log.read().decode(errors='replace').strip())
                os.statvfs(mountpoint)  # waits for FUSE_INIT
                yield Mount(mountpoint, process.pid, server.folder / 'served', self.settles_late)
            finally:
                if is_mounted(mountpoint):
                    unmount(mountpoint)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                processes.stop(process)
                processes.end_orphans({'ssh'})
                if is_mounted(mountpoint):
                    unmount(mountpoint)
                mountpoint.rmdir()


def source_of(server):
    return f'{server.user}@127.0.0.1:{server.folder}/served'


def sftpfs(name, program, transport, options):
    def command(server, link, mountpoint, _scratch):
        words = server.options(link.port) + options
        return [program, '-f', source_of(server), str(mountpoint), '-o', ','.join(words)], None

    return MountContender(name, command, transport)


def sshfs(name, program, options):
    def command(server, link, mountpoint, _scratch):
        words = server.options(link.port) + options
        # The user's own configuration must not decide.
        return [program, '-f', '-F', '/dev/null', source_of(server), str(mountpoint), '-o',
                ','.join(words)], None

    return MountContender(name, command, slow_reader=True)


def rclone(name, program):
    def command(server, link, mountpoint, scratch):
        environment = dict(os.environ)
        settings = {'type': 'sftp', 'host': '127.0.0.1', 'port': link.port, 'user': server.user,
                    'key_file': server.folder / 'user_key', 'shell_type': 'unix',
                    'known_hosts_file': server.folder / 'known_hosts'}
        for key, value in settings.items():
            environment[f'RCLONE_CONFIG_SERVER_{key.upper()}'] = str(value)
        cache = Path(tempfile.mkdtemp(prefix='rclone-', dir=scratch))
        return [program, 'mount', f'server:{server.folder}/served', str(mountpoint), '--config',
                '/dev/null', '--cache-dir', str(cache), '--vfs-cache-mode', 'writes',
                '--vfs-write-back', '0'], environment

    return MountContender(name, command, settles_late=True)


class Pipe:
    """A target without a mount: raw_pipe, connected and waiting for its sign."""

    path = None
    daemon_name = 'raw_pipe'

    def __init__(self, process, local):
        self.process = process
        self.local = local
        self.pid = process.pid

    def go(self):
        self.process.stdin.write('go\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line != 'done\n':
            raise RuntimeError(f'raw_pipe: {line!r}')

    def read(self, _name):
        self.go()

    def write(self, _name, _source, _size_bytes):
        self.go()

    def peak_rss_mib(self):
        return 0.0  # its mapping of the file says nothing

    def contents(self, _name):
        return self.local


class PipeContender(Contender):
    """raw_pipe with a transport's options over so many connections."""

    is_mount = False
    is_limit = True

    def __init__(self, name, program, transport, options, sessions):
        super().__init__(name, transport)
        self.program = program
        self.options = options
        self.sessions = sessions

    @contextlib.contextmanager
    def opened(self, server, link, scratch, job):
        size = job.size_bytes(self, link.rtt_ms)
        local = Path(scratch) / 'pipe.bin'
        remote = server.folder / 'served' / job.file_name(size)
        if job.direction == 'put':
            remote = server.folder / 'served' / 'written.bin'
            remote.touch()
            shutil.copyfile(job.source(server.folder / 'served', size), local)
        else:
            with open(local, 'wb') as file:
                file.truncate(size)
        # More than any link here carries in a round trip; a big window on a short link only costs.
        window_mib = max(4, link.rtt_ms // 2)
        command = [self.program, job.direction, str(local), str(self.sessions), str(window_mib),
                   f'{server.user}@127.0.0.1:{remote}', '-o',
                   ','.join(server.options(link.port) + self.options)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, preexec_fn=processes.die_with_parent)
        try:
            line = process.stdout.readline()
            if line != 'ready\n':
                raise RuntimeError(f'raw_pipe did not begin: {line!r}')
            yield Pipe(process, local)
        finally:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            processes.stop(process)
            process.stdout.close()
            processes.end_orphans({'ssh'})
            local.unlink()


class Cat:
    """A target without SFTP: ssh and cat(1)."""

    path = None
    daemon_name = 'ssh'
    pid = 0

    def __init__(self, command, served, local):
        self.command = command
        self.served = served
        self.local = local

    def read(self, name):
        with open(self.local, 'wb') as out:
            subprocess.run([*self.command, f'cat {self.served / name}'], stdout=out, check=True)

    def write(self, name, source, size_bytes):
        with subprocess.Popen(['head', '-c', str(size_bytes), source],
                              stdout=subprocess.PIPE) as head:
            subprocess.run([*self.command, f'cat > {self.served / name}'], stdin=head.stdout,
                           check=True)

    def peak_rss_mib(self):
        return 0.0

    def contents(self, _name):
        return self.local


class CatContender(Contender):
    """`ssh host cat`: what the connection carries without any protocol in it."""

    is_mount = False
    is_limit = True

    @contextlib.contextmanager
    def opened(self, server, link, scratch, _job):
        local = Path(scratch) / 'cat.bin'
        options = [word for option in server.options(link.port) for word in ('-o', option)]
        command = ['ssh', '-F', '/dev/null', '-o', f'Ciphers={GCM}', *options,
                   f'{server.user}@127.0.0.1']
        try:
            yield Cat(command, server.folder / 'served', local)
        finally:
            local.unlink(missing_ok=True)


def make_contenders(build, sftpfs_options):
    """All of them, in the order of the table."""
    program = str(build / 'src/app/sftpfs')
    pipe = str(build / 'bench/raw_pipe')
    over_ssh = ['transport=ssh', f'Ciphers={GCM}']
    libssh2 = ['transport=libssh2']
    chosen = [
        sftpfs('sftpfs', program, 'libssh2', libssh2 + sftpfs_options),
        sftpfs('sftpfs-ssh', program, 'ssh', over_ssh + sftpfs_options),
        sshfs('sshfs', shutil.which('sshfs') or 'sshfs', []),
        sshfs('sshfs-tuned', shutil.which('sshfs') or 'sshfs',
              [f'Ciphers={GCM}', 'max_conns=4']),
        rclone('rclone', shutil.which('rclone') or 'rclone'),
        PipeContender('raw', pipe, 'libssh2', libssh2, 1),
        PipeContender('raw-x4', pipe, 'libssh2', libssh2, 4),
        PipeContender('raw-ssh', pipe, 'ssh', over_ssh, 1),
        PipeContender('raw-ssh-x4', pipe, 'ssh', over_ssh, 4),
        CatContender('ssh-cat'),
    ]
    return {contender.name: contender for contender in chosen}


def versions():
    """{programme: its first line about itself}, of those that are here."""
    found = {}
    for name, command in {'sshfs': ['sshfs', '-V'], 'rclone': ['rclone', 'version'],
                          'ssh': ['ssh', '-V'], 'fio': ['fio', '--version']}.items():
        if shutil.which(command[0]) is None:
            continue  # not among those that were measured
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found[name] = ((done.stdout + done.stderr).strip().splitlines() or ['unknown'])[0]
    found['measured'] = time.strftime('%Y-%m-%d %H:%M')
    return found
