"""How things look: escaped text, tables that fit the terminal, colour only where it helps, and the machine formats."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import zip_longest
from typing import Any

import click
import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from jitaccess.domain.model import Manifest
from jitaccess.domain.recorded import State
from jitaccess.domain.text import printable

_STYLES = {
    State.PENDING: "yellow",
    State.SCHEDULED: "cyan",
    State.ACTIVE: "green",
    State.DENIED: "red",
    State.REVOKED: "red",
    State.FAILED: "red",
    State.EXPIRED: "dim",
    State.WITHDRAWN: "dim",
    State.TIMED_OUT: "dim",
}
_GAP = 2
UNLIMITED = 10_000  # columns, where the output is not a terminal: grep and awk want whole values


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `least` is how narrow it may get (0: never cut), `keep` how long it stays when there is no room (0: always).

    What stands in a column that wraps is never cut: it goes on, at a space, in the next line.
    """

    title: str
    least: int = 0
    keep: int = 0
    wraps: bool = False


@cache
def out() -> Console:
    """The console for results."""
    return _console(sys.stdout.isatty(), stderr=False)


@cache
def err() -> Console:
    """The console for progress, questions and errors."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(terminal: bool, stderr: bool) -> Console:
    plain: dict[str, Any] = {"color_system": None} if os.environ.get("NO_COLOR") else {}  # no bold and no dim either
    width = None if terminal else UNLIMITED
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width, **plain)


def escaped(text: str) -> str:
    """The text with everything made visible that could steer a terminal or hide in it."""
    return "".join(char if printable(char) else _visible(char) for char in text).encode("utf-8", "backslashreplace").decode()


def _visible(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def state_text(state: State, suffix: str = "") -> Text:
    """A state in its colour; the word says it too."""
    return Text(f"{state}{suffix}", style=_STYLES[state])


def styled(text: str, style: str) -> Text:
    """Escaped text in a style."""
    return Text(escaped(text), style=style)


def say(*parts: str | Text, indent: int = 0) -> None:
    """Print one line of results; strings are escaped, and wrapped under themselves on a terminal."""
    out().print(_line(parts, indent), soft_wrap=not out().is_terminal)


def note(*parts: str | Text) -> None:
    """Print one line beside the results: progress, hints."""
    err().print(_line(parts, 0), soft_wrap=not err().is_terminal)


def complain(message: str, hint: str = "") -> None:
    """Print an error and what to do next."""
    note(Text("error: ", style="bold red"), message)
    if hint:
        note(Text("  hint: ", style="dim"), hint)


def warn(message: str) -> None:
    """Print a warning beside the results."""
    note(Text("warning: ", style="bold red"), message)


def command(text: str) -> None:
    """Print a command to copy, unwrapped, beside the results."""
    err().print(Text(f"  {escaped(text)}", style="bold"), soft_wrap=True)


def _line(parts: Iterable[str | Text], indent: int) -> Text:
    return Text.assemble(" " * indent, *(part if isinstance(part, Text) else escaped(part) for part in parts))


def fields(pairs: Iterable[tuple[str, str | Text]], to_stderr: bool = False) -> None:
    """Print `name  value` lines; pairs without a value are left out."""
    shown = [(name, value) for name, value in pairs if value]
    indent = max((cell_len(name) for name, _ in shown), default=0) + _GAP
    for name, value in shown:
        hanging(styled(name, "dim"), value, indent, err() if to_stderr else out())


def hanging(name: Text, value: str | Text, indent: int, console: Console | None = None) -> None:
    """Print `name  value` with the value wrapped under itself, or below the name where there is no room beside it."""
    console = console or out()
    text = value if isinstance(value, Text) else Text(escaped(value))
    if indent > console.width // 2 and text:
        console.print(name, soft_wrap=True)
        name, indent = Text(), _GAP
    lines = text.wrap(console, console.width - indent) or [Text()]
    for line in lines:
        whole = Text.assemble(name, " " * (indent - name.cell_len), line)
        whole.rstrip()
        name = Text()
        console.print(whole, soft_wrap=True)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], width: int | None = None) -> Text:
    """A table that fits the width: columns get narrower, then the least important ones go."""
    cells = [[cell if isinstance(cell, Text) else Text(escaped(cell)) for cell in row] for row in rows]
    head = [Text(column.title, style="bold") for column in columns]
    natural = [max(row[i].cell_len for row in [head, *cells]) for i in range(len(columns))]
    words = [_longest_word([head, *cells], i) for i in range(len(columns))]
    firm = [replace(column, least=least) if column.wraps else column for column, least in zip(columns, words, strict=True)]
    widths = fitted(firm, natural, width or out().width)
    lines = [line for row in [head, *cells] for line in _wrapped(row, columns, widths)]
    return Text("\n").join(_table_line(line, widths) for line in lines)


def _longest_word(cells: Iterable[Sequence[Text]], column: int) -> int:
    return max((cell_len(word) for row in cells for word in row[column].plain.split()), default=0)


def _wrapped(row: Sequence[Text], columns: Sequence[Column], widths: Mapping[int, int]) -> list[list[Text]]:
    """The lines that a row takes: one, but for the columns that wrap."""
    parts = [
        cell.wrap(out(), widths[i]) if column.wraps and i in widths else [cell]
        for i, (cell, column) in enumerate(zip(row, columns, strict=True))
    ]
    return [list(line) for line in zip_longest(*parts, fillvalue=Text())]


def _table_line(row: Sequence[Text], widths: Mapping[int, int]) -> Text:
    line = Text()
    for i, wide in widths.items():
        cell = row[i].copy()
        cell.truncate(wide, overflow="ellipsis", pad=True)
        line.append_text(cell).append(" " * _GAP)
    line.rstrip()
    return line


def fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int]:
    """The columns that are shown (by index) and how wide, so that all fit as long as that is possible."""
    least = [min(column.least or wide, wide) for column, wide in zip(columns, natural, strict=True)]
    shown = list(range(len(columns)))
    while sum(least[i] + _GAP for i in shown) - _GAP > width and any(columns[i].keep for i in shown):
        shown.remove(min((i for i in shown if columns[i].keep), key=lambda i: columns[i].keep))
    widths = {i: natural[i] for i in shown}
    for _ in range(sum(widths.values()) + _GAP * (len(shown) - 1) - width):
        widest = max((i for i in shown if widths[i] > least[i]), key=lambda i: widths[i], default=None)
        if widest is None:
            break
        widths[widest] -= 1
    return widths


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table; what cannot fit at all is left to the terminal to wrap."""
    out().print(table(columns, rows), soft_wrap=True)


def dump(manifests: Manifest | Sequence[Manifest], form: str) -> None:
    """Print manifests as json, yaml or names, as kubectl does: several become a List, and managedFields are left out."""
    single = isinstance(manifests, dict)
    items: Sequence[Any] = [_without_managed_fields(each) for each in ([manifests] if single else manifests)]
    if form == "name":
        for item in items:
            click.echo(f"{item['kind'].lower()}.jitaccess.dev/{item['metadata']['name']}")
        return
    whole = items[0] if single else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}
    dump_value(whole, form)


def dump_value(value: Any, form: str) -> None:
    """Print a value as json or yaml."""
    click.echo(as_json(value, indent=2) if form == "json" else as_yaml(value))


def _without_managed_fields(manifest: Any) -> dict[str, Any]:
    metadata = {field: value for field, value in manifest["metadata"].items() if field != "managedFields"}
    return {field: metadata if field == "metadata" else value for field, value in manifest.items()}


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON in which whatever could steer a terminal is written as an escape: the same data, harmless to look at."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if _harmless(text.replace("\n", "")):
        return text
    return "".join(char if char == "\n" or _harmless(char) else json.dumps(char)[1:-1] for char in text)


def as_yaml(value: Any) -> str:
    """YAML in which whatever could steer a terminal is written as an escape."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    if not _harmless(text.replace("\n", "")):
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=120)
    return text.rstrip("\n")


def _harmless(text: str) -> bool:
    return printable(text) and text.encode("utf-8", "replace").decode() == text
