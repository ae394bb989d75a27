"""Speed over round trip time as an SVG, without any library."""
import math
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 460, 330
LEFT, TOP, RIGHT, BOTTOM = 56, 34, 12, 42
COLOURS = {'sftpfs': '#0b6', 'sftpfs-ssh': '#07c', 'sshfs': '#c22', 'sshfs-tuned': '#e80',
           'rclone': '#95c', 'limit': '#888'}


def points_of(rows, job):
    """{contender: [(rtt, rate)]}; the best pipe of all is the limit."""
    lines = {}
    for row in rows:
        if row['job'] != job:
            continue
        if not row['is_limit']:
            lines.setdefault(row['contender'], {})[row['rtt_ms']] = row['value']
        elif row['transport']:
            limit = lines.setdefault('limit', {})
            limit[row['rtt_ms']] = max(limit.get(row['rtt_ms'], 0), row['value'])
    return {name: sorted(points.items()) for name, points in lines.items()}


class Panel:
    """One diagram: the rate on a logarithmic axis, round trips evenly spaced."""

    def __init__(self, lines, title, left):
        self.lines = lines
        self.title = title
        self.left = left
        self.rtts = sorted({rtt for points in lines.values() for rtt, _ in points})
        rates = [rate for points in lines.values() for _, rate in points]
        self.low = math.floor(math.log10(min(rates)))
        self.high = math.ceil(math.log10(max(rates)))

    def place(self, rtt, rate):
        steps = max(1, len(self.rtts) - 1)
        across = self.rtts.index(rtt) / steps * (WIDTH - LEFT - RIGHT)
        up = (math.log10(rate) - self.low) / max(1, self.high - self.low)
        return (self.left + LEFT + across, HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM))

    def axes(self):
        out = [f'<text x="{self.left + LEFT}" y="20" font-weight="bold">{escape(self.title)}'
               ' (MiB/s over round trip in ms)</text>']
        for power in range(self.low, self.high + 1):
            _, y = self.place(self.rtts[0], 10 ** power)
            out.append(f'<line x1="{self.left + LEFT}" x2="{self.left + WIDTH - RIGHT}" '
                       f'y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
            out.append(f'<text x="{self.left + LEFT - 6}" y="{y + 4:.1f}" '
                       f'text-anchor="end">{10 ** power:g}</text>')
        for rtt in self.rtts:
            x, _ = self.place(rtt, 10 ** self.low)
            out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" '
                       f'text-anchor="middle">{rtt}</text>')
        return out

    def curves(self):
        out = []
        for name, points in self.lines.items():
            places = [self.place(*point) for point in points]
            path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
            dash = ' stroke-dasharray="5 3"' if name == 'limit' else ''
            colour = COLOURS.get(name, '#000')
            out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash} '
                       f'points="{path}"/>')
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
                    for x, y in places]
        return out


def legend(names):
    out = []
    for i, name in enumerate(names):
        x = LEFT + i * 130
        out.append(f'<circle cx="{x}" cy="{HEIGHT + 4}" r="4" fill="{COLOURS.get(name, "#000")}"/>')
        out.append(f'<text x="{x + 8}" y="{HEIGHT + 8}">{escape(name)}</text>')
    return out


def write_svg(path, rows):
    """Nothing is written where there is no bulk job to draw."""
    panels = []
    names = {}
    for job, title in (('read', 'Sequential read'), ('write', 'Sequential write and fsync')):
        lines = points_of(rows, job)
        if lines:
            panels.append(Panel(lines, title, len(panels) * WIDTH))
            names.update(dict.fromkeys(lines))
    if not panels:
        return
    body = [part for panel in panels for part in panel.axes() + panel.curves()] + legend(names)
    size = f'width="{len(panels) * WIDTH}" height="{HEIGHT + 20}"'
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
        '<rect width="100%" height="100%" fill="#fff"/>' + '\n'.join(body) + '</svg>\n',
        encoding='utf-8')
