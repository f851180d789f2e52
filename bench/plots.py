"""Plots as SVG, from the figures of a benchmark."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, BAR, LEFT, RIGHT = 760, 26, 330, 70
COLORS = ("#3566a8", "#c4622d", "#3f8f5b", "#8a4fa3", "#777777")
_FONT = 'font-family="sans-serif" font-size="13"'
_NUMBER_WIDTH = 34
"""Width of a number with two decimals."""


def bars(title: str, rows: Sequence[tuple[str, float]], *, mark: float | None = None) -> str:
    """Return one bar for each value, with a line at `mark`."""
    height = 60 + BAR * len(rows)
    most = max([value for _, value in rows] + [mark or 0])
    scale = (WIDTH - LEFT - RIGHT) / most
    parts = [_text(16, 26, title, weight="bold")]
    for number, (label, value) in enumerate(rows):
        top = 44 + BAR * number
        parts.append(_text(LEFT - 10, top + 15, label, anchor="end"))
        color = COLORS[0] if "redstart" in label.lower() else COLORS[-1]
        parts.append(
            f'<rect x="{LEFT}" y="{top}" width="{value * scale:.1f}" height="{BAR - 7}" fill="{color}"/>'
        )
        end = LEFT + value * scale + 6
        # The number stands to the right of the line of the mark, which would cross it.
        if mark is not None and end <= LEFT + mark * scale < end + _NUMBER_WIDTH:
            end = LEFT + mark * scale + 6
        parts.append(_text(end, top + 15, f"{value:.2f}"))
    if mark is not None:
        at = LEFT + mark * scale
        parts.append(
            f'<line x1="{at:.1f}" y1="38" x2="{at:.1f}" y2="{height - 14}" stroke="black" stroke-dasharray="4"/>'
        )
    return _svg(height, parts)


def lines(title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return a line for each series of points, with axes that begin at 0."""
    height, left, bottom, top = 364, 90, 290, 50
    farthest = max(x for points in series.values() for x, _ in points)
    highest = max(y for points in series.values() for _, y in points) * 1.1
    parts = [_text(16, 26, title, weight="bold")]
    parts.append(f'<path d="M{left},{top} V{bottom} H{WIDTH - 20}" fill="none" stroke="black"/>')
    for part in (0.25, 0.5, 0.75, 1.0):
        x = left + part * (WIDTH - 20 - left)
        y = bottom - part * (bottom - top)
        parts.append(_text(x, bottom + 18, f"{part * farthest:,.0f}", anchor="end"))
        parts.append(_text(left - 8, y + 4, f"{part * highest:,.0f}", anchor="end"))
        parts.append(f'<line x1="{left}" y1="{y}" x2="{WIDTH - 20}" y2="{y}" stroke="#dddddd"/>')
    parts.append(_text(WIDTH - 20, bottom + 38, across, anchor="end"))
    parts.append(_text(left, top - 8, up))
    for number, (name, points) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        path = " ".join(
            f"{left + x / farthest * (WIDTH - 20 - left):.1f},{bottom - y / highest * (bottom - top):.1f}"
            for x, y in points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(_text(left + 10 + 170 * number, bottom + 62, name, color=color))
    return _svg(height, parts)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", color: str = "black"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{color}"'
    return f"<text {place} {_FONT}>{escape(text)}</text>"


def _svg(height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *parts, "</svg>", ""])
