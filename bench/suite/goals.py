"""What the project has promised, judged by the rows of one run."""
from . import report

OURS = {'libssh2': 'sftpfs', 'ssh': 'sftpfs-ssh'}
PAGE = 4096


class Judge:
    """Collects verdicts; a goal whose rows have not been measured is left out."""

    def __init__(self, rows):
        self.rows = rows
        self.verdicts = []

    def row(self, job, rtt_ms, contender):
        return report.find(self.rows, job, rtt_ms, contender)

    def add(self, text, measured, kept):
        self.verdicts.append({'text': text, 'measured': measured, 'kept': kept,
                              'verdict': 'kept' if kept else 'MISSED'})

    def at_least(self, text, value, least):
        if value is not None:
            self.add(f'{text} ≥ {least}', report.number(value), value >= least)

    def at_most(self, text, value, most):
        if value is not None:
            self.add(f'{text} ≤ {most}', report.number(value), value <= most)

    def figure(self, job, rtt_ms, contender, key, scale=1.0):
        row = self.row(job, rtt_ms, contender)
        return None if row is None or row.get(key) is None else row[key] * scale


def judge_bulk(judge, rtts):
    for rtt in rtts:
        for job in ('read', 'write'):
            for transport, name in OURS.items():
                judge.at_least(f'{job} at {rtt} ms over {transport}, of the limit',
                               judge.figure(job, rtt, name, 'of_limit'), 0.90)
    for rtt, least in ((20, 15), (100, 30)):
        judge.at_least(f'read at {rtt} ms, times sshfs', judge.figure('read', rtt, 'sftpfs',
                                                                      'x_sshfs'), least)
    for rtt in rtts:
        judge.at_least(f'read at {rtt} ms, times rclone',
                       judge.figure('read', rtt, 'sftpfs', 'x_rclone'), 1)
    judge.at_least('write at 50 ms, times sshfs', judge.figure('write', 50, 'sftpfs', 'x_sshfs'), 2)


def judge_loopback(judge):
    for job in ('read', 'write'):
        judge.at_least(f'{job} on loopback over libssh2, times sshfs',
                       judge.figure(job, 0, 'sftpfs', 'x_sshfs'), 1.3)
        judge.at_most(f'{job} on loopback over libssh2, CPU s/GiB of the daemon',
                      judge.figure(job, 0, 'sftpfs', 'daemon_cpu_s_per_gib'), 2.4)
        judge.at_least(f'{job} on loopback over ssh, times sshfs-tuned',
                       judge.figure(job, 0, 'sftpfs-ssh', 'x_tuned'), 1.2)
        ours, tuned = (judge.figure(job, 0, name, 'cpu_s_per_gib')
                       for name in ('sftpfs-ssh', 'sshfs-tuned'))
        if ours and tuned:
            judge.at_most(f'{job} on loopback over ssh, CPU of sshfs-tuned', ours / tuned, 0.8)
    for job, how in (('stat-names', 'one at a time'), ('stat-names-4', '4 at a time')):
        judge.at_least(f'stat of new names on loopback, {how}, times sshfs',
                       judge.figure(job, 0, 'sftpfs', 'x_sshfs'), 1.2)


def judge_small(judge):
    rtt = 20
    judge.at_most('random read at 20 ms, 1 job: round trips each',
                  judge.figure('random-read-1', rtt, 'sftpfs', 'mean_ms', 1 / rtt), 1.1)
    judge.at_least('random read at 20 ms, 32 jobs: in flight',
                   judge.figure('random-read-32', rtt, 'sftpfs', 'value', rtt / 1000), 20)
    judge.at_least('random read at 20 ms, 32 jobs: times sshfs',
                   judge.figure('random-read-32', rtt, 'sftpfs', 'x_sshfs'), 3)
    for job in ('random-read-1', 'random-read-32'):
        row = judge.row(job, rtt, 'sftpfs')
        if row:
            judge.at_most(f'{job}: bytes on the wire per byte asked for',
                          row['wire_bytes'] / (row['amount'] * PAGE), 1.5)
    for job in ('stat-download', 'stat-upload'):
        judge.at_most(f'{job} at 20 ms: round trips, median',
                      judge.figure(job, rtt, 'sftpfs', 'value', 1 / rtt), 2)
        judge.at_most(f'{job} at 20 ms: round trips, p99',
                      judge.figure(job, rtt, 'sftpfs', 'p99_ms', 1 / rtt), 4)
    judge.at_most('copy inside the mount: MiB on the wire',
                  judge.figure('copy', rtt, 'sftpfs', 'wire_bytes', 1 / (1 << 20)), 1)
    judge.at_most('warm re-read: MiB on the wire',
                  judge.figure('reread', rtt, 'sftpfs', 'wire_bytes', 1 / (1 << 20)), 0.1)


def judge_all(rows):
    judge = Judge(rows)
    judge_bulk(judge, sorted({row['rtt_ms'] for row in rows}))
    judge_loopback(judge)
    judge_small(judge)
    return judge.verdicts
