"""Medians, ratios, the table and the JSON file."""
import json
import os
import platform
import statistics
from pathlib import Path

COLUMNS = ('job', 'tool', 'median s', 'min-max s', 'rate', 'x sshfs', 'promise', 'daemon', 'ssh',
           'sshd', 'sftp-server', 'CPU s', 'RSS MiB')


def machine():
    model = ''
    for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
        if line.startswith('model name'):
            model = line.split(':', 1)[1].strip()
            break
    return {'kernel': platform.release(), 'cpu': model, 'cores': os.cpu_count(),
            'load': os.getloadavg()}


def summarize(samples, job, tool, baseline):
    """One row of figures; `samples`: [{'seconds', 'cpu': {role: s}, 'peak_rss_mib'}]."""
    seconds = [s['seconds'] for s in samples]
    median = statistics.median(seconds)
    roles = ('daemon', 'ssh', 'sshd', 'sftp-server')
    cpu = {role: statistics.median(s['cpu'][role] for s in samples) for role in roles}
    ratio = baseline / median if baseline else None
    return {
        'job': job.name, 'tool': tool.name, 'promises': tool.promises,
        'rounds': len(samples), 'median_s': median,
        'min_s': min(seconds), 'max_s': max(seconds), 'rate': job.amount / median,
        'unit': job.unit, 'ratio_to_baseline': ratio, 'promised_ratio': job.target,
        'cpu_s': cpu, 'cpu_total_s': sum(cpu.values()),
        'peak_rss_mib': max(s['peak_rss_mib'] for s in samples), 'samples': samples,
    }


def format_row(row):
    cpu = row['cpu_s']
    promise = ''
    if row['promises'] and row['ratio_to_baseline']:
        kept = row['ratio_to_baseline'] >= row['promised_ratio']
        promise = f'{row["promised_ratio"]:.1f} {"kept" if kept else "MISSED"}'
    ratio = row['ratio_to_baseline']
    return (row['job'], row['tool'], f'{row["median_s"]:.2f}',
            f'{row["min_s"]:.2f}-{row["max_s"]:.2f}', f'{row["rate"]:.0f} {row["unit"]}',
            f'{ratio:.2f}' if ratio else '', promise,
            *(f'{cpu[role]:.2f}' for role in ('daemon', 'ssh', 'sshd', 'sftp-server')),
            f'{row["cpu_total_s"]:.2f}', f'{row["peak_rss_mib"]:.1f}')


def format_table(rows):
    lines = [COLUMNS] + [format_row(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    left = {0, 1}

    def align(line):
        return '  '.join(cell.ljust(width) if i in left else cell.rjust(width)
                         for i, (cell, width) in enumerate(zip(line, widths))).rstrip()

    return '\n'.join([align(lines[0]), '  '.join('-' * w for w in widths)]
                     + [align(line) for line in lines[1:]])


def memory_lines(rows, limit_mib):
    """One line for each tool of ours: its peak beside the promise."""
    peaks = {}
    for row in rows:
        if row['promises']:
            peaks[row['tool']] = max(peaks.get(row['tool'], 0.0), row['peak_rss_mib'])
    return [f'peak RSS of {name}: {peak:.1f} MiB, promised at most {limit_mib} MiB: '
            f'{"kept" if peak <= limit_mib else "MISSED"}' for name, peak in peaks.items()]


def write_json(path, rows, tools, settings):
    document = {'machine': machine(), 'settings': settings,
                'tools': [{'name': t.name, 'program': t.program, 'version': t.version,
                           'options': t.options} for t in tools],
                'results': rows}
    Path(path).write_text(json.dumps(document, indent=2) + '\n', encoding='utf-8')
