"""Child processes that end with the benchmark, and what they cost.

sshfs puts its ssh out of its own family (it forks twice). The benchmark makes itself the reaper
of such orphans, so that every process of a mount stays below it and can be counted.
"""
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TICKS_PER_S = os.sysconf('SC_CLK_TCK')
# OpenSSH 9.8 gave the serving process a name of its own.
ALIASES = {'sshd-session': 'sshd', 'sshd-auth': 'sshd'}
# What a connection costs besides the file system's own process; load generators do not count.
CARRIERS = ('ssh', 'sshd', 'sftp-server', 'cat')
LIBC = ctypes.CDLL(None, use_errno=True)


def adopt_orphans():
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def start(command, log, environment=None):
    """A child that gets SIGTERM when the benchmark dies; its output goes to the file `log`."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                            env=environment, preexec_fn=die_with_parent)


def wait_until(condition, timeout_s, what):
    """Polls `condition`; raises TimeoutError naming `what`."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: nothing after {timeout_s} s')
        time.sleep(0.01)


def stop(process, timeout_s=10):
    """Ends one child of ours, politely first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_stat(pid):
    """(parent, name, processor seconds with those of its reaped children), or None if gone."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8', errors='replace')
    except OSError:
        return None
    name = text[text.index('(') + 1:text.rindex(')')]
    fields = text[text.rindex(')') + 2:].split()
    return int(fields[1]), name, sum(int(f) for f in fields[11:15]) / TICKS_PER_S


def descendants(root_pid):
    """{pid: (name, processor seconds)} of everything below `root_pid`."""
    stats = {int(p.name): read_stat(p.name) for p in Path('/proc').iterdir() if p.name.isdigit()}
    stats = {pid: stat for pid, stat in stats.items() if stat}
    below = {root_pid}
    grew = True
    while grew:
        more = {pid for pid, stat in stats.items() if stat[0] in below} - below
        below |= more
        grew = bool(more)
    return {pid: stats[pid][1:] for pid in below - {root_pid} if pid in stats}


def cpu_by_name():
    """{process name: processor seconds} of everything that the benchmark has started."""
    sums = {}
    for name, seconds in descendants(os.getpid()).values():
        name = ALIASES.get(name, name)
        sums[name] = sums.get(name, 0.0) + seconds
    return sums


def cpu_by_role(daemon_name):
    """{role: processor seconds} of the file system's process and of what carries its bytes."""
    sums = cpu_by_name()
    roles = {name: sums.get(name, 0.0) for name in CARRIERS}
    roles['daemon'] = sums.get(daemon_name, 0.0) if daemon_name not in CARRIERS else 0.0
    return roles


def cpu_between(before, after):
    return {role: max(0.0, seconds - before.get(role, 0.0)) for role, seconds in after.items()}


def end_orphans(names):
    """Ends and reaps adopted children of the given names (what an unmount has left)."""
    for pid, (name, _) in descendants(os.getpid()).items():
        stat = read_stat(pid)
        if name in names and stat and stat[0] == os.getpid():
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def peak_rss_mib(pid):
    """0 when the process has gone."""
    try:
        lines = Path(f'/proc/{pid}/status').read_text(encoding='utf-8').splitlines()
    except OSError:
        return 0.0
    for line in lines:
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) / 1024
    return 0.0
