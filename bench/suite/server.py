"""A private sshd on loopback with keys that live as long as the benchmark, and the relay."""
import contextlib
import getpass
import os
import signal
import socket
import subprocess
from pathlib import Path

from . import processes

SFTP_SERVERS = ('/usr/lib/openssh/sftp-server', '/usr/libexec/openssh/sftp-server',
                '/usr/lib/ssh/sftp-server')
PRIVILEGE_SEPARATION = Path('/run/sshd')

CONFIG = '''
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
MaxStartups 100
Subsystem sftp {sftp_server}
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


class Server:
    """Where mounts go: host, port, keys and the folder that is served."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.user = getpass.getuser()

    def options(self, port):
        """-o options that both programmes understand; `port` may be a relay's."""
        return [f'port={port}', f'IdentityFile={self.folder}/user_key',
                f'UserKnownHostsFile={self.folder}/known_hosts', 'StrictHostKeyChecking=yes']

    def trust(self, port):
        key = (self.folder / 'host_key.pub').read_text(encoding='utf-8').split()[:2]
        with open(self.folder / 'known_hosts', 'a', encoding='utf-8') as known:
            known.write(f'[127.0.0.1]:{port} {" ".join(key)}\n')


@contextlib.contextmanager
def running_server(folder, sftp_server=None):
    """Starts sshd with everything it needs below `folder`."""
    sftp_server = sftp_server or next((s for s in SFTP_SERVERS if os.path.exists(s)), None)
    sshd = '/usr/sbin/sshd'
    if sftp_server is None or not os.path.exists(sshd):
        raise RuntimeError('no sshd or sftp-server here: apt-get install openssh-server')
    for key in ('host_key', 'user_key'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', folder / key],
                       check=True)
    server = Server(folder, free_port())
    (folder / 'sshd_config').write_text(
        CONFIG.format(port=server.port, folder=folder, sftp_server=sftp_server),
        encoding='utf-8')
    server.trust(server.port)
    made = os.geteuid() == 0 and not PRIVILEGE_SEPARATION.exists()
    if made:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    log_path = folder / 'sshd.log'
    with open(log_path, 'wb') as log:
        process = processes.start([sshd, '-D', '-e', '-f', folder / 'sshd_config'], log)
    try:
        processes.wait_until(lambda: process.poll() is not None or listens(server.port), 10,
                             'sshd')
        if process.poll() is not None:
            raise RuntimeError('sshd ended: ' + log_path.read_text(errors='replace'))
        yield server
    finally:
        processes.stop(process)
        if made:
            with contextlib.suppress(OSError):
                PRIVILEGE_SEPARATION.rmdir()


class Link:
    """How the server is reached: directly, or through a relay that delays and counts."""

    def __init__(self, port, rtt_ms, process=None):
        self.port = port
        self.rtt_ms = rtt_ms
        self.process = process

    def wire_bytes(self):
        """Bytes that have crossed the link so far, in both directions; None without a relay."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGUSR1)
        counts = dict(word.split('=') for word in self.process.stdout.readline().split())
        return int(counts['bytes_to_server']) + int(counts['bytes_to_client'])


@contextlib.contextmanager
def running_link(relay, server, rtt_ms, counted):
    """A link with this round trip; `counted` wants a relay even where there is no delay."""
    if rtt_ms == 0 and not counted:
        yield Link(server.port, 0)
        return
    process = subprocess.Popen([relay, '0', str(server.port), '--rtt-ms', str(rtt_ms)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               preexec_fn=processes.die_with_parent)
    try:
        line = process.stdout.readline()  # "relaying 127.0.0.1:PORT to 127.0.0.1:PORT"
        words = line.split()
        if len(words) < 2 or ':' not in words[1]:
            raise RuntimeError(f'{relay} does not say where it listens: {line!r}')
        port = int(words[1].rsplit(':', 1)[1])
        server.trust(port)
        yield Link(port, rtt_ms, process)
    finally:
        processes.stop(process)
        process.stdout.close()
