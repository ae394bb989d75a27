"""The files that jobs move, and how their contents are compared."""
import hashlib
import os
import subprocess
from pathlib import Path

MIB = 1 << 20


def prepare_file(path, size_bytes):
    """Random bytes: neither compression nor holes can help. Made once."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'wb') as out:
        left = size_bytes
        while left > 0:
            count = min(MIB, left)
            out.write(os.urandom(count))
            left -= count
    return path


def prepare_names(folder, count):
    """Files of one byte each: what is asked for by name."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        path = folder / f'name-{i:05}'
        if not path.exists():
            path.write_bytes(b'x')


def prepare_directories(folder, count):
    """As prepare_names(), each in a directory of its own: one listing does not show them all."""
    for i in range(count):
        path = folder / f'{i:05}' / 'name'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'x')


def sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()


class Checksums:
    """SHA-256 of files that do not change, each worked out once."""

    def __init__(self):
        self.known = {}

    def of(self, path):
        if path not in self.known:
            self.known[path] = sha256(path)
        return self.known[path]

    def compare(self, expected_path, got_path, what):
        """Raises ValueError naming `what` when the contents differ."""
        expected, got = self.of(Path(expected_path)), sha256(got_path)
        if expected != got:
            raise ValueError(f'{what}: SHA-256 of {got_path} is {got}, not {expected}')


def drop_caches():
    """Cold caches, where this user may make them so."""
    os.sync()
    try:
        Path('/proc/sys/vm/drop_caches').write_text('3', encoding='utf-8')
    except OSError:
        return False
    return True


def dd(*operands):
    """Runs dd(1) with pieces of 1 MiB."""
    subprocess.run(['dd', 'bs=1M', 'status=none', *map(str, operands)], check=True)


def start_dd(*operands):
    """As dd(), beside what else is done."""
    return subprocess.Popen(['dd', 'bs=1M', 'status=none', *map(str, operands)])


def wait_for(processes):
    for process in processes:
        if process.wait() != 0:
            raise RuntimeError(f'{process.args[0]} failed')
