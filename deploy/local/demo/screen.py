"""How the story looks on the terminal: 80 to 100 columns, and colours only where they are welcome."""

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

from demo.script import Outcome, Scene, Step

NARROW, WIDE = 80, 100
BOLD, DIM, RED, GREEN = "1", "2", "31", "32"


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Colours on a terminal that can show them, unless NO_COLOR is set (https://no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def folded(line: str, width: int, indent: str = "  ") -> str:
    """Break a long line between words; what fits stays as it is, aligned columns too."""
    if len(line) <= width:
        return line
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


class Screen:
    """Writes scenes, commands and their output."""

    def __init__(self, stream: TextIO = sys.stdout, *, width: int | None = None, colour: bool | None = None) -> None:
        self._stream = stream
        self._width = width or max(NARROW, min(WIDE, shutil.get_terminal_size((WIDE, 24)).columns))
        self._colour = wants_colour(stream, os.environ) if colour is None else colour

    def scene(self, number: int, scene: Scene) -> None:
        """Announce a scene."""
        self._write("", self._paint(f"--- {number}. {scene.title}", BOLD))
        self.say(scene.text)

    def say(self, text: str) -> None:
        """Write a paragraph for the reader."""
        self._write(*(folded(line, self._width, "") for line in text.splitlines()))

    def verbatim(self, text: str) -> None:
        """Write what is to be copied: nothing is folded."""
        self._write("", text)

    def command(self, step: Step) -> None:
        """Show a command before its outcome is known."""
        first, *rest = step.command.splitlines()
        self._write("", *(self._paint(line, BOLD) for line in (f"{step.who}$ {first}", *rest)))

    def outcome(self, step: Step, outcome: Outcome) -> None:
        """Show what a command printed; blank lines around it are left out."""
        colour = RED if step.refused else ""
        for line in outcome.output.strip().splitlines():
            self._write(self._paint(folded(line.expandtabs(), self._width), colour))

    def verdict(self, text: str, *, good: bool) -> None:
        """Write the last word."""
        colour = GREEN if good else RED
        self._write("", *(self._paint(folded(line, self._width), colour) for line in text.splitlines()))

    def aside(self, text: str) -> None:
        """Write what is not part of the story."""
        self._write("", *(self._paint(folded(line, self._width), DIM) for line in text.splitlines()))

    def _paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour and code and text else text

    def _write(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._stream, flush=True)
