#!/usr/bin/env python3
"""Executes every command of README.md and docs/: each works, and mounts are there afterwards.

usage: commands_test.py BUILD_DIR

Taken are the lines of fenced blocks marked sh, what their comments offer instead ("or ..."), lines
of fstab in unmarked blocks, and commands between backticks. A command that is not executed has its
reason in NOT_EXECUTED; any other is executed, so it has to work. In blocks marked console commands
follow a "$ ", and what is shown below them has to be what they say, but for figures and dates.

Everything happens in namespaces of its own: /usr/local, /mnt, /etc/passwd and the helpers' folder
are covered there, and user@host is a private sshd of this machine. Needs root. BUILD_DIR must be
build/release, which is the one that README speaks of; through sudo its owner builds.
"""
import os
import pwd
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DIR = '/mnt/data'
CONTENT = 'what the server has\n'
LONGEST_S = 600
SOON_S = 30

NOT_EXECUTED = {
    'sudo scripts/test': 'is what runs this test',
    'scripts/install-deps --bench': 'changes the machine; its other half has run before this test',
    'perf record': 'names a tool; there is no more to execute',
    'ssh host cat': 'names what bench/run does; Bench.RunsEveryJob runs it',
    'journalctl -t sftpfs': 'needs a journal; system.boot reads it',
    'sftpfsctl explain': 'is executed with an argument',
}
# bench/run as RESULTS.md quotes it takes an hour: Bench.RunsEveryJob runs its short form.
NOT_EXECUTED_PREFIXES = ('bench/run ',)
PROGRAMS = {'sudo', 'sftpfs', 'sftpfsctl', 'mount', 'umount', 'fusermount3', 'ssh', 'man',
            'journalctl', 'cmake', 'systemctl', 'perf', 'findmnt', 'bench/run'}
BUILDERS = {'cmake', 'scripts/package'}


class Failed(Exception):
    pass


def pages():
    return [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def split_comment(line):
    """A command without its comment, and the one that its comment offers instead."""
    command, _, comment = line.partition(' #')
    offered = re.match(r' or ([\w./-]+ -.*)$', comment)
    return [command.strip()] + ([offered.group(1).strip()] if offered else [])


def commands_of(text):
    """("run", "fstab" or "show", words) in the order of the page; "show" has the answer as well."""
    found = []
    for block in re.finditer(r'^```(\w*)\n(.*?)^```|`([^`\n]+)`', text, re.M | re.S):
        kind, lines, inline = block.groups()
        if inline is not None:
            first = inline.split()[0] if inline.split() else ''
            if ' ' in inline and (first in PROGRAMS or first.startswith('scripts/')):
                found.append(('run', inline))
        elif kind == 'sh':
            found += [('run', command) for line in lines.splitlines() if line.strip()
                      for command in split_comment(line)]
        elif kind == 'console':
            found += [('show', each) for each in re.split(r'^\$ ', lines, flags=re.M)[1:]]
        elif not kind:
            found += [('fstab', line) for line in lines.splitlines()
                      if re.search(r'\s(fuse\.)?sftpfs\s.*\s0\s+0$', line)]
    return found


def is_executed(command):
    return command not in NOT_EXECUTED and not command.startswith(NOT_EXECUTED_PREFIXES)


def must(condition, message):
    if not condition:
        raise Failed(message)


def output(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


def bind(source, target):
    output('mount', '--bind', str(source), str(target))


class Scene:
    """The private sshd, the account `user`, ssh's knowledge of `host`, and covered folders."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / 'data'
        self.home = folder / 'home'
        self.data.mkdir()
        (self.data / 'file').write_text(CONTENT, encoding='utf-8')
        (self.data / 'file').chmod(0o644)
        (self.home / '.ssh').mkdir(parents=True, mode=0o700)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != 'SSH_AUTH_SOCK'},
            'HOME': str(self.home), 'LC_ALL': 'C.UTF-8', 'XDG_RUNTIME_DIR': str(folder),
            'SFTPFS_PROGRAM': str(ROOT / 'build/release/src/app/sftpfs'),
            'PATH': '/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin'}
        self.server = None

    def cover(self):
        self.cover_helpers()
        accounts = Path('/etc/passwd').read_text(encoding='utf-8')
        accounts = re.sub(r'^(root:.*):/root:', rf'\1:{self.home}:', accounts, flags=re.M)
        mine = self.folder / 'passwd'
        names = [f'{name}:x:0:0::{self.home}:/bin/sh\n' for name in ('user', 'joe')]
        mine.write_text(accounts.rstrip('\n') + '\n' + ''.join(names), encoding='utf-8')
        mine.chmod(0o644)
        bind(mine, '/etc/passwd')
        for target in ('/usr/local', '/mnt'):
            output('mount', '-t', 'tmpfs', '-o', 'mode=755', 'sftpfs-docs', target)
        Path(DIR).mkdir()

    def cover_helpers(self):
        """Links to all that is there. What installing adds goes beside them, unseen elsewhere."""
        sbin = Path('/sbin').resolve()
        original, cover = self.folder / 'sbin_original', self.folder / 'sbin'
        original.mkdir()
        cover.mkdir()
        bind(sbin, original)
        for entry in original.iterdir():
            if re.fullmatch(r'u?mount\.(fuse\.)?sftpfs', entry.name):
                continue
            target = Path(os.path.realpath(sbin / entry.name))
            inside = target.is_relative_to(sbin)
            target = original / target.relative_to(sbin) if inside else target
            (cover / entry.name).symlink_to(target)
        bind(cover, sbin)

    def start_server(self):
        for key in (self.folder / 'host_key', self.home / '.ssh/id_ed25519'):
            output('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(key))
        Path('/run/sshd').mkdir(mode=0o755, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        config = self.folder / 'sshd_config'
        config.write_text(
            f'Port {port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\n'
            f'AuthorizedKeysFile {self.home}/.ssh/id_ed25519.pub\nPidFile none\nStrictModes no\n'
            'PermitRootLogin yes\nPasswordAuthentication no\nUseDNS no\n'
            'Subsystem sftp internal-sftp\n', encoding='utf-8')
        self.server = subprocess.Popen(
            ['/usr/sbin/sshd', '-D', '-f', str(config), '-E', str(self.folder / 'sshd.log')])
        key = (self.folder / 'host_key.pub').read_text(encoding='utf-8').split()[:2]
        (self.home / '.ssh/known_hosts').write_text(
            f'[127.0.0.1]:{port} {" ".join(key)}\n', encoding='utf-8')
        (self.home / '.ssh/config').write_text(
            f'Host host\n  HostName 127.0.0.1\n  Port {port}\n', encoding='utf-8')
        wait_until(lambda: listens(port), 'sshd listens')

    def words(self, command):
        """The command with this machine's names in place of a page's."""
        command = command.replace('host:/data', f'host:{self.data}')
        command = command.replace('host:/path /mountpoint', f'host:{self.data} {DIR}')
        command = command.replace('/root/.ssh/', f'{self.home}/.ssh/')
        command = re.sub(r'\bDIR$', DIR, command)
        whole = re.fullmatch(r'umount -\w|fusermount3 -u|mount -o remount|'
                             r'sftpfsctl (status|stats|flush)', command)
        return f'{command} {DIR}' if whole else command

    def run(self, command):
        options = {'env': self.environment}
        if command.split()[0] in BUILDERS:
            options = self.as_owner()
        command = command.removeprefix('sudo ')
        result = subprocess.run(shlex.split(command), cwd=ROOT, check=False, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=LONGEST_S, **options)
        must(result.returncode == 0, f'ended with {result.returncode}:\n{result.stdout}')
        return result.stdout

    def as_owner(self):
        """Through sudo: he has ccache's store, and to him built files have to belong."""
        owner = os.stat(ROOT)
        if os.environ.get('SUDO_UID') != str(owner.st_uid):
            return {'env': {**self.environment, 'HOME': os.environ.get('HOME', '/root')}}
        home = pwd.getpwuid(owner.st_uid).pw_dir
        return {'env': {**self.environment, 'HOME': home}, 'user': owner.st_uid,
                'group': owner.st_gid, 'extra_groups': []}


def wait_until(condition, what):
    deadline = time.monotonic() + SOON_S
    while not condition():
        must(time.monotonic() < deadline, f'in vain: {what}')
        time.sleep(0.02)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def serves():
    return os.path.ismount(DIR) and (Path(DIR) / 'file').read_text(encoding='utf-8') == CONTENT


def unmount():
    if os.path.ismount(DIR):
        output('umount', DIR)


def execute_run(scene, command):
    for part in scene.words(command).split(' && '):
        first, *rest = part.removeprefix('sudo ').split()
        changes_mount = first in ('umount', 'fusermount3', 'sftpfsctl') or 'remount' in part
        needs_mount = part.endswith(' ' + DIR) and changes_mount
        mounts = first in ('sftpfs', 'mount') and part.endswith(' ' + DIR)
        if needs_mount and not os.path.ismount(DIR):
            scene.run(f'sftpfs user@host:{scene.data} {DIR}')
        if not needs_mount:
            unmount()
        if part == 'ssh -s host sftp':
            part = 'ssh -o BatchMode=yes -s host sftp'
        if part == 'sftpfs -f':
            execute_foreground(scene)
            continue
        shown = scene.run(part)
        if part.startswith('sudo cmake'):
            owner = os.stat(ROOT)
            os.chown(ROOT / 'build/release/install_manifest.txt', owner.st_uid, owner.st_gid)
        if mounts:
            must(serves(), 'nothing is mounted afterwards')
        if first in ('umount', 'fusermount3'):
            wait_until(lambda: not os.path.ismount(DIR), 'it is unmounted')
        if first == 'sftpfsctl' and rest[0] not in ('flush', 'loglevel', 'ops', 'list'):
            must(shown.strip(), 'says nothing')
        if first == 'scripts/demo':
            scene.run('scripts/demo --stop')


def execute_foreground(scene):
    words = ['sftpfs', '-f', f'user@host:{scene.data}', DIR]
    with subprocess.Popen(words, env=scene.environment) as daemon:
        try:
            wait_until(serves, 'the foreground process has mounted')
            unmount()
            must(daemon.wait(SOON_S) == 0, f'ended with {daemon.returncode}')
        finally:
            daemon.kill()


def alike(text):
    """Lines without figures, dates and the width of columns."""
    text = re.sub(r'\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b', 'Mon', text)
    return [' '.join(re.sub(r'[\d.]+', '0', line).split()) for line in text.splitlines()]


def execute_show(scene, command_and_answer):
    command, _, answer = command_and_answer.partition('\n')
    words = scene.words(command)
    if not words.startswith('sftpfs ') and not os.path.ismount(DIR):
        scene.run(f'sftpfs user@host:{scene.data} {DIR}')
    shown = scene.run(words).replace(str(scene.data), '/data')
    must(alike(shown) == alike(answer.rstrip()), f'the page shows something else than:\n{shown}')


def execute_fstab(scene, line):
    unmount()
    source, rest = line.split(None, 1)
    source = re.sub(r':/data$', f':{scene.data}', source)
    table = scene.folder / 'fstab'
    table.write_text(f'{source} {rest}\n'.replace('/root/.ssh/', f'{scene.home}/.ssh/'),
                     encoding='utf-8')
    scene.run(f'mount -T {table} {DIR}')
    must(serves(), 'nothing is mounted afterwards')
    unmount()


EXECUTE = {'run': execute_run, 'show': execute_show, 'fstab': execute_fstab}


def main():
    build = Path(sys.argv[1]).resolve()
    if build != ROOT / 'build/release':
        sys.exit(f'{sys.argv[0]}: {build} is not the build that README speaks of')
    if os.environ.get('SFTPFS_DOCS_STAGE') != 'inside':
        os.execvpe('unshare', ['unshare', '--mount', '--pid', '--fork', '--kill-child',
                               '--mount-proc', '--propagation', 'private', sys.executable,
                               *sys.argv], {**os.environ, 'SFTPFS_DOCS_STAGE': 'inside'})
    problems, done = [], set()
    with tempfile.TemporaryDirectory(prefix='sftpfs-docs-') as place:
        folder = Path(place)
        folder.chmod(0o755)
        # What is mounted below it goes with the namespace, and must not be removed with it.
        output('mount', '-t', 'tmpfs', '-o', 'mode=755', 'sftpfs-docs', place)
        scene = Scene(folder)
        scene.cover()
        scene.start_server()
        try:
            for page in pages():
                for kind, command in commands_of(page.read_text(encoding='utf-8')):
                    if command in done or not is_executed(command):
                        continue
                    done.add(command)
                    begin = time.monotonic()
                    try:
                        EXECUTE[kind](scene, command)
                    except (Failed, OSError, subprocess.SubprocessError) as error:
                        problems.append(f'{page.relative_to(ROOT)}: {command}\n  {error}')
                    name = command.split('\n', 1)[0]
                    print(f'{time.monotonic() - begin:6.1f} s  {name}', flush=True)
                unmount()
        finally:
            scene.server.kill()
            scene.server.wait()
            subprocess.run(['umount', '-l', place], check=False)
    for problem in problems:
        print(problem)
    must_have = {'sftpfs user@host:/data /mnt/data', 'sudo scripts/demo'}
    if not must_have <= done:
        print(f'not found in the pages: {", ".join(sorted(must_have - done))}')
    return 1 if problems or not must_have <= done else 0


if __name__ == '__main__':
    sys.exit(main())
