"""The table for people, and the same for programs."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Row
from bench.machine import describe

WIDTH = 66
HEAD = f"{'':{WIDTH}}{'measured':>22}{'bare':>10}{'ratio':>20}{'goal':>10}"


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where the repeats went."""
    if not values:
        return ""
    middle = _short(median(values))
    return middle if len(values) == 1 else f"{middle} ({_short(min(values))}-{_short(max(values))})"


def lines(rows: Sequence[Row]) -> list[str]:
    """One line a row."""
    return [_line(row) for row in rows]


def document(results: Mapping[str, Mapping[str, Any]], effort: object) -> dict[str, object]:
    """Everything that was measured, with the machine it was measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe(),
        "effort": repr(effort),
        "parts": {name: {**result, "rows": [row.as_json() for row in result["rows"]]} for name, result in results.items()},
    }


def write(path: Path, content: Mapping[str, object]) -> None:
    """Write the figures as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(content, indent=1) + "\n")
    scratch.replace(path)


def _line(row: Row) -> str:
    goal = f"{row.goal}{' !' if row.missed else ''}" if row.goal else ""
    bare = _short(median(row.bare)) if row.bare else ""
    measured = f"{spread(row.ours)} {row.unit}"
    return f"{row.name:{WIDTH}}{measured:>22}{bare:>10}{spread(row.ratios):>20}{goal:>10}"


def _short(value: float) -> str:
    """Three digits that matter."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"
