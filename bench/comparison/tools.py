"""What is compared: sshfs, sftpfs and variants of them with options of their own; mounting."""
import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from . import processes

MOUNT_TIMEOUT_S = 30


class Tool:
    """`promises`: the project's promises are about this one, not about a yardstick."""

    def __init__(self, name, program, options=(), promises=False):
        self.name = name
        self.promises = promises
        self.program = program
        self.options = list(options)
        done = subprocess.run([program, '-V'], capture_output=True, text=True, check=False)
        self.version = ((done.stdout + done.stderr).strip().splitlines() or ['unknown'])[0]
        self.is_sshfs = 'SSHFS' in done.stdout + done.stderr

    def command(self, server, port, mountpoint):
        options = server.options(port) + self.options
        # The user's own configuration must not decide; sftpfs would take -F for the wish to
        # run ssh(1).
        plain = ['-F', '/dev/null'] if self.is_sshfs else []
        return [self.program, '-f', *plain, f'{server.user}@127.0.0.1:{server.folder}/served',
                str(mountpoint), '-o', ','.join(options)]


def is_mounted(mountpoint):
    return f' {mountpoint} fuse' in Path('/proc/self/mounts').read_text(encoding='utf-8')


def unmount(mountpoint):
    if subprocess.run(['fusermount3', '-u', mountpoint], capture_output=True,
                      check=False).returncode != 0:
        subprocess.run(['fusermount3', '-uz', mountpoint], capture_output=True, check=False)


class Mount:
    def __init__(self, path, pid):
        self.path = path
        self.pid = pid

    def peak_rss_mib(self):
        return processes.peak_rss_mib(self.pid)


@contextlib.contextmanager
def mounted(tool, server, port):
    """Mounts the served folder; at the end nothing of it is left."""
    mountpoint = Path(tempfile.mkdtemp(prefix='sftpfs-bench-mount-'))
    with tempfile.TemporaryFile() as log:
        process = processes.start(tool.command(server, port, mountpoint), log)
        try:
            processes.wait_until(lambda: process.poll() is not None or is_mounted(mountpoint),
                                 MOUNT_TIMEOUT_S, f'{tool.name}: mounting')
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f'{tool.name} did not mount: '
                                   + log.read().decode(errors='replace').strip())
            os.statvfs(mountpoint)  # waits for FUSE_INIT
            yield Mount(mountpoint, process.pid)
        finally:
            if is_mounted(mountpoint):
                unmount(mountpoint)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            processes.stop(process)
            processes.end_orphans({'ssh'})
            if is_mounted(mountpoint):
                unmount(mountpoint)
            mountpoint.rmdir()
