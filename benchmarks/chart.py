"""A small line chart as SVG."""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 48, 56
COLOURS = ("#c2410c", "#2563eb", "#059669")


class Line(NamedTuple):
    """`points` are thousands of lines of code, and seconds."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(title: str, lines: Sequence[Line]) -> str:
    widest = max(x for line in lines for x, _ in line.points)
    step = _round_step(max(y for line in lines for _, y in line.points) / 5)
    highest = step * 5.5

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            round(LEFT + x / widest * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - y / highest * (HEIGHT - TOP - BOTTOM), 1),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" role="img" aria-label="{title}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="16" fill="#111827">{title}</text>',
    ]
    for number in range(6):
        left, y = at(0, step * number)
        parts.append(f'<line x1="{left}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end" fill="#6b7280">{step * number:g} s</text>')
    for x, _ in lines[0].points:
        place, floor = at(x, 0)
        parts.append(f'<text x="{place}" y="{floor + 20}" text-anchor="middle" fill="#6b7280">{x:.0f}k</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle" fill="#6b7280">lines of code</text>')
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in line.points]
        path = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
        y = TOP + 8 + 20 * number
        parts.append(f'<rect x="{LEFT + 16}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 36}" y="{y}" fill="#111827">{line.name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _round_step(step: float) -> float:
    """The next larger of 1, 2, 5, 10 ... times a power of ten."""
    power = 10.0 ** (len(str(int(step))) - 1 if step >= 1 else -2)
    return next(power * factor for factor in (1, 2, 5, 10, 20, 50, 100) if power * factor >= step)
