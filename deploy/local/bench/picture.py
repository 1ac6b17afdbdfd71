"""The growth curves as an SVG: what stays flat while the number of active grants grows, and what does not."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import log10
from statistics import median
from typing import Any

# The name of the row after "N active: ", the title of its panel, and the limit that is drawn.
PANELS = (
    ("start -> first new decision", "start → first new decision (s)", 3.0),
    ("operator CPU of a start", "operator CPU of a start (s)", None),
    ("resident memory", "resident memory (MB)", 150.0),
    ("approval -> binding, p50", "approval → binding, p50 (ms)", None),
)
_WIDE, _HIGH, _GAP, _LEFT, _TOP = 300, 150, 70, 60, 50
_STYLE = (
    "text{font:12px sans-serif;fill:#444}.title{font-weight:bold}.ours{stroke:#2563eb;fill:none;stroke-width:2}"
    ".dot{fill:#2563eb}.range{stroke:#2563eb;stroke-width:1}.goal{stroke:#dc2626;stroke-dasharray:5 4}.axis{stroke:#999}"
    "rect{fill:#fff}"
)
Point = tuple[int, Sequence[float]]


def points(rows: Iterable[Mapping[str, Any]], name: str) -> list[Point]:
    """The repeats of one figure by how many were active, smallest first."""
    found = []
    for row in rows:
        match = re.fullmatch(rf"(\d+) active: {re.escape(name)}", row["name"])
        if match:
            found.append((int(match[1]), row["ours"]))
    return sorted(found)


def draw(rows: Sequence[Mapping[str, Any]]) -> str:
    """The picture of the rows of the part `growth`, as they are in the JSON."""
    panels = [_panel(number, title, limit, points(rows, name)) for number, (name, title, limit) in enumerate(PANELS)]
    wide, high = 2 * (_WIDE + _GAP) + _LEFT, 2 * (_HIGH + _GAP) + _TOP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">'
    frame = f'<style>{_STYLE}</style><rect width="{wide}" height="{high}"/>'
    caption = f'<text x="{_LEFT}" y="{high - 12}">active grants; dots are medians, bars all repeats, dashed lines goals</text>'
    return "\n".join([head, frame, *panels, caption, "</svg>", ""])


def _panel(number: int, title: str, limit: float | None, found: Sequence[Point]) -> str:
    left, top = _LEFT + number % 2 * (_WIDE + _GAP), _TOP + number // 2 * (_HIGH + _GAP)
    most = max([limit or 0.0, *(max(values) for _, values in found)], default=1.0) * 1.15 or 1.0
    sizes = [size for size, _ in found]

    def x(size: int) -> float:
        reach = log10(max(sizes)) - log10(min(sizes)) if len(sizes) > 1 else 1.0
        return left + 20 + (_WIDE - 40) * (log10(size) - log10(min(sizes))) / reach

    def y(value: float) -> float:
        return top + _HIGH * (1 - value / most)

    parts = [f'<text class="title" x="{left}" y="{top - 12}">{title}</text>', _axes(left, top, most)]
    if limit:
        parts.append(f'<line class="goal" x1="{left}" x2="{left + _WIDE}" y1="{y(limit):.1f}" y2="{y(limit):.1f}"/>')
    middles = [(x(size), y(median(values))) for size, values in found]
    parts.append(f'<polyline class="ours" points="{" ".join(f"{at:.1f},{how:.1f}" for at, how in middles)}"/>')
    for size, values in found:
        parts.append(_dot(x(size), [y(value) for value in (min(values), median(values), max(values))]))
        parts.append(f'<text x="{x(size):.1f}" y="{top + _HIGH + 16}" text-anchor="middle">{size:,}</text>')
    return "\n".join(parts)


def _dot(at: float, heights: Sequence[float]) -> str:
    low, middle, high = heights
    bar = f'<line class="range" x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    return f'{bar}<circle class="dot" cx="{at:.1f}" cy="{middle:.1f}" r="4"/>'


def _axes(left: int, top: int, most: float) -> str:
    base = top + _HIGH
    lines = f'<path class="axis" fill="none" d="M{left} {top}V{base}H{left + _WIDE}"/>'
    ticks = [0.0, most / 2.3, most / 1.15]
    return lines + "".join(
        f'<text x="{left - 6}" y="{base - _HIGH * tick / most + 4:.1f}" text-anchor="end">{tick:.3g}</text>' for tick in ticks
    )
