#!/usr/bin/env python3
"""Mounts another server than OpenSSH's and does what people do with a mount.

usage: try_server.py SFTPFS SERVER TRANSPORT LIBSSH_SERVER

SERVER is dropbear, proftpd, tinysshd, asyncssh, paramiko or libssh. Runs as root in namespaces of
its own, which take with them whatever is left (tests/servers/CMakeLists.txt), and on a /root of its
own.
"""
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
BIG_BYTES = 12 << 20
PATIENCE_S = 30
LIBSSH_SERVER = sys.argv[4]


def run(*words, **options):
    subprocess.run([str(word) for word in words], check=True, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nobody listens at port {port}")


class Scene:
    """Keys and directories of one try."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.root = self.directory / "root"
        self.mount = self.directory / "mount"
        self.programs = self.directory / "programs"
        for made in (self.root, self.mount, self.programs):
            made.mkdir()
        self.directory.chmod(0o755)
        self.user_key = self.make_key("user", "ed25519")
        self.host_key = self.make_key("host", "ecdsa")
        self.authorized = self.directory / "authorized_keys"
        self.authorized.write_bytes(self.public(self.user_key))
        self.known = self.directory / "known_hosts"

    def make_key(self, name, kind, *more):
        path = self.directory / name
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path, *more)
        return path

    @staticmethod
    def public(key):
        return pathlib.Path(f"{key}.pub").read_bytes()

    def know(self, port):
        kind, blob = self.public(self.host_key).decode().split()[:2]
        self.known.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")


def start_dropbear(scene):
    home = pathlib.Path("/root/.ssh")
    home.mkdir(mode=0o700)
    (home / "authorized_keys").write_bytes(scene.authorized.read_bytes())
    host_key = scene.directory / "dropbear_key"
    run("dropbearconvert", "openssh", "dropbear", scene.make_key("pem", "ecdsa", "-m", "PEM"),
        host_key, stderr=subprocess.DEVNULL)
    scene.host_key = scene.directory / "pem"
    port = free_port()
    server = subprocess.Popen(["dropbear", "-F", "-E", "-r", host_key, "-p", f"127.0.0.1:{port}",
                               "-P", scene.directory / "pid"])
    return server, port


def start_proftpd(scene):
    port = free_port()
    keys = scene.directory / "rfc4716_keys"
    with keys.open("wb") as out:
        run("ssh-keygen", "-e", "-f", f"{scene.user_key}.pub", stdout=out)
    pem = scene.make_key("pem", "ecdsa", "-m", "PEM")
    scene.host_key = pem
    state = scene.directory / "state"
    state.mkdir(mode=0o755)
    config = scene.directory / "proftpd.conf"
    # From 1.3.8c on they are not built in.
    folder = pathlib.Path("/usr/lib/proftpd")
    modules = "\n".join(f"LoadModule {name}.c" for name in ("mod_delay", "mod_ls", "mod_xfer")
                        if (folder / f"{name}.so").exists())
    config.write_text(f"""
ModulePath {folder}
{modules}
LoadModule mod_sftp.c
ServerType standalone
DefaultAddress 127.0.0.1
UseReverseDNS off
Port {port}
User root
Group root
RootLogin on
RequireValidShell off
UseFtpUsers off
PidFile {state}/pid
ScoreboardFile {state}/scoreboard
DelayTable none
WtmpLog off
SystemLog {state}/log
AllowOverwrite on
AllowStoreRestart on
Umask 022
SFTPEngine on
SFTPHostKey {pem}
SFTPAuthMethods publickey
SFTPAuthorizedUserKeys file:{keys}
""", encoding="ascii")
    return subprocess.Popen(["proftpd", "--nodaemon", "--quiet", "-c", config]), port


class Inetd:
    """Gives each guest a server of its own, whose standard input and output the connection is."""

    def __init__(self, *words):
        self.words = words
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.servers = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                guest = self.socket.accept()[0]
            except OSError:  # closed by kill()
                return
            with guest:
                self.servers.append(subprocess.Popen(self.words, stdin=guest, stdout=guest))

    def kill(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for server in self.servers:
            server.kill()

    def wait(self):
        for server in self.servers:
            server.wait()


def start_tinysshd(scene):
    home = pathlib.Path("/root/.ssh")
    home.mkdir(mode=0o700)
    (home / "authorized_keys").write_bytes(scene.authorized.read_bytes())
    keys = scene.directory / "tinyssh_keys"
    run("tinysshd-makekey", keys)
    scene.host_key = scene.directory / "tinyssh_key"
    public = subprocess.run(["tinysshd-printkey", keys], check=True, capture_output=True)
    pathlib.Path(f"{scene.host_key}.pub").write_bytes(public.stdout)
    server = Inetd("tinysshd", "-x", "sftp=/usr/lib/openssh/sftp-server", str(keys))
    return server, server.socket.getsockname()[1]


def start_python(script):
    def start(scene):
        words = [sys.executable, "-W", "ignore", scene.programs / script, scene.host_key,
                 scene.authorized]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        return server, int(server.stdout.readline())
    return start


def start_libssh(scene):
    words = [scene.programs / "libssh_server", scene.host_key, f"{scene.user_key}.pub"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    return server, int(server.stdout.readline())


SERVERS = {
    "dropbear": start_dropbear,
    "proftpd": start_proftpd,
    "tinysshd": start_tinysshd,
    "asyncssh": start_python("asyncssh_server.py"),
    "paramiko": start_python("paramiko_server.py"),
    "libssh": start_libssh,
}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def use(scene, truncates):
    mount, root = scene.mount, scene.root
    # Reading and listing.
    (root / "there").write_text("text\n")
    (root / "directory").mkdir()
    for number in range(200):
        (root / "directory" / f"file{number}").write_text(str(number))
    assert (mount / "there").read_text() == "text\n"
    assert len(os.listdir(mount / "directory")) == 200
    assert (mount / "directory" / "file77").read_text() == "77"
    assert not (mount / "absent").exists()
    # A large file in both directions.
    blob = os.urandom(BIG_BYTES)
    (mount / "big").write_bytes(blob)
    assert (root / "big").read_bytes() == blob
    (root / "other").write_bytes(blob[::-1])
    assert digest(mount / "other") == hashlib.sha256(blob[::-1]).hexdigest()
    # In the middle, at the end, and shorter.
    with (mount / "big").open("r+b", buffering=0) as file:
        file.seek(1000)
        file.write(b"middle")
        os.fsync(file.fileno())
    with (mount / "big").open("ab") as file:
        file.write(b"end")
    expected = blob[:1000] + b"middle" + blob[1006:] + b"end"
    assert (root / "big").read_bytes() == expected
    os.truncate(mount / "big", 5000)
    found = (root / "big").read_bytes()
    assert found == expected[:5000] if truncates else len(found) == 5000
    # As editors save: written beside and renamed over.
    (mount / "there.new").write_text("newer\n")
    os.replace(mount / "there.new", mount / "there")
    assert (root / "there").read_text() == "newer\n"
    assert (mount / "there").read_text() == "newer\n"
    # Names, modes, times, space.
    (mount / "made").mkdir()
    os.chmod(mount / "there", 0o640)
    os.utime(mount / "there", (1_000_000_000, 1_000_000_000))
    found = os.stat(root / "there")
    assert (found.st_mode & 0o777, found.st_mtime) == (0o640, 1_000_000_000)
    assert os.statvfs(mount).f_bsize > 0
    (mount / "big").unlink()
    (mount / "made").rmdir()
    assert not (root / "big").exists() and not (root / "made").exists()


def main(sftpfs, name, transport):
    with tempfile.TemporaryDirectory(prefix="sftpfs-servers-") as directory:
        scene = Scene(directory)
        # The source tree may lie in the /root that is covered next.
        sftpfs = shutil.copy2(sftpfs, scene.directory / "sftpfs")
        shutil.copy2(LIBSSH_SERVER, scene.programs / "libssh_server")
        for script in HERE.glob("*_server.py"):
            shutil.copy2(script, scene.programs)
        # Whoever logs in as root gets this one.
        run("mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", "/root")
        server, port = SERVERS[name](scene)
        try:
            wait_for_port(port)
            scene.know(port)
            options = (f"port={port},transport={transport},IdentityFile={scene.user_key},"
                       f"UserKnownHostsFile={scene.known},StrictHostKeyChecking=yes,"
                       "IdentitiesOnly=yes,IdentityAgent=none,ConnectTimeout=20")
            run(sftpfs, "-F", "/dev/null", f"root@127.0.0.1:{scene.root}", scene.mount, "-o",
                options, timeout=PATIENCE_S)
            # Paramiko's own function for it empties the file first.
            use(scene, truncates=name != "paramiko")
            run("umount", scene.mount, timeout=PATIENCE_S)
        finally:
            # Nobody may wait for a server that is gone, not even who clears up.
            subprocess.run(["umount", "-l", scene.mount], check=False, stderr=subprocess.DEVNULL)
            server.kill()
            server.wait()
    print(f"{name}, transport={transport}: works")


main(*sys.argv[1:4])
