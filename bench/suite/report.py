"""Medians, ratios, tables and the JSON file."""
import json
import os
import platform
import statistics
from pathlib import Path

COLUMNS = ('job', 'RTT ms', 'contender', 'result', 'range', 'x sshfs', 'x tuned', 'of limit',
           'CPU s/GiB', 'daemon', 'RSS MiB', 'more')


def machine():
    model = ''
    for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
        if line.startswith('model name'):
            model = line.split(':', 1)[1].strip()
            break
    return {'kernel': platform.release(), 'cpu': model, 'cores': os.cpu_count(),
            'load': os.getloadavg()}


def median_of(samples, key):
    values = [sample[key] for sample in samples if key in sample]
    return statistics.median(values) if values else None


def summarize(job, rtt_ms, contender, samples):
    """One row of figures."""
    def value(sample):
        if job.lower_is_better:
            return 1000 * sample['seconds']
        return sample['amount'] / sample['seconds']

    values = sorted(value(sample) for sample in samples)
    roles = samples[0]['cpu'].keys()
    cpu = {role: statistics.median(sample['cpu'][role] for sample in samples) for role in roles}
    row = {
        'job': job.name, 'title': job.title, 'unit': job.unit, 'rtt_ms': rtt_ms,
        'contender': contender.name, 'ours': contender.ours, 'transport': contender.transport,
        'is_limit': contender.is_limit, 'lower_is_better': job.lower_is_better,
        'value': statistics.median(values), 'min': values[0], 'max': values[-1],
        'amount': samples[0]['amount'], 'cpu_s': cpu, 'cpu_total_s': sum(cpu.values()),
        'peak_rss_mib': max(sample['peak_rss_mib'] for sample in samples), 'samples': samples,
    }
    if job.unit == 'MiB/s':
        row['cpu_s_per_gib'] = row['cpu_total_s'] * 1024 / row['amount']
        row['daemon_cpu_s_per_gib'] = cpu['daemon'] * 1024 / row['amount']
    for key in ('wire_bytes', 'mean_ms', 'p99_ms'):
        if median_of(samples, key) is not None:
            row[key] = median_of(samples, key)
    return row


def find(rows, job, rtt_ms, contender):
    for row in rows:
        if (row['job'], row['rtt_ms'], row['contender']) == (job, rtt_ms, contender):
            return row
    return None


def times_better(row, other):
    """How many times better `row` is; None where there is nothing to compare with."""
    if row is None or other is None or not row['value'] or not other['value']:
        return None
    if row['lower_is_better']:
        return other['value'] / row['value']
    return row['value'] / other['value']


def limit_of(rows, row):
    """The best pipe of the same transport in the same job; None where none has run."""
    pipes = [other for other in rows
             if other['is_limit'] and other['transport'] == row['transport'] and other['transport']
             and (other['job'], other['rtt_ms']) == (row['job'], row['rtt_ms'])]
    return max(pipes, key=lambda other: other['value'], default=None)


def add_ratios(rows):
    for row in rows:
        place = (row['job'], row['rtt_ms'])
        row['x_sshfs'] = times_better(row, find(rows, *place, 'sshfs'))
        row['x_tuned'] = times_better(row, find(rows, *place, 'sshfs-tuned'))
        row['x_rclone'] = times_better(row, find(rows, *place, 'rclone'))
        row['of_limit'] = times_better(row, limit_of(rows, row)) if row['ours'] else None


def number(value, digits=2):
    if value is None:
        return ''
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.{digits}f}'


def more(row):
    """What only some jobs have."""
    said = []
    if 'mean_ms' in row:
        said.append(f'{row["mean_ms"]:.1f} ms each')
    if 'p99_ms' in row:
        said.append(f'p99 {row["p99_ms"]:.0f} ms')
    if 'wire_bytes' in row:
        said.append(f'{row["wire_bytes"] / (1 << 20):.2f} MiB on the wire')
    return ', '.join(said)


def cells(row):
    return (row['title'], str(row['rtt_ms']), row['contender'],
            f'{number(row["value"])} {row["unit"]}', f'{number(row["min"])}–{number(row["max"])}',
            number(row['x_sshfs']), number(row['x_tuned']), number(row['of_limit']),
            number(row.get('cpu_s_per_gib')), number(row.get('daemon_cpu_s_per_gib')),
            number(row['peak_rss_mib'], 0), more(row))


def text_table(rows):
    lines = [COLUMNS] + [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    left = {0, 2, 11}

    def align(line):
        return '  '.join(cell.ljust(width) if i in left else cell.rjust(width)
                         for i, (cell, width) in enumerate(zip(line, widths))).rstrip()

    return '\n'.join([align(lines[0]), '  '.join('-' * w for w in widths)]
                     + [align(line) for line in lines[1:]])


def markdown_table(columns, lines):
    out = ['| ' + ' | '.join(columns) + ' |', '|' + '---|' * len(columns)]
    out += ['| ' + ' | '.join(line) + ' |' for line in lines]
    return '\n'.join(out)


def write_markdown(path, rows, goals, document):
    """The whole result for people."""
    host = document['machine']
    text = [f'# Results of {document["versions"]["measured"]}', '',
            f'Made by `{document["command"]}`, which writes this file, on {host["cores"]} cores '
            f'({host["cpu"]}, Linux {host["kernel"]}) that had other work, too '
            f'(load {host["load"][0]:.1f} at the end): compare within a row, not between runs. '
            f'Medians of {document["rounds"]}. The [README](README.md) says what is what.', '',
            '## Goals', '',
            markdown_table(('goal', 'measured', ''),
                           [(goal['text'], goal['measured'], goal['verdict'])
                            for goal in goals]), '']
    for name in dict.fromkeys((row['job'], row['rtt_ms']) for row in rows):
        some = [row for row in rows if (row['job'], row['rtt_ms']) == name]
        text += [f'## {some[0]["title"]}, {name[1]} ms', '',
                 markdown_table(COLUMNS[2:], [cells(row)[2:] for row in some]), '']
    Path(path).write_text('\n'.join(text), encoding='utf-8')


def write_json(path, document):
    Path(path).write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')
