"""Where something stands in a file, and what was found there. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

Path = tuple[str | int, ...]


class Level(IntEnum):
    """How bad it is: an error keeps a policy from working, a warning is rarely meant, a note is worth knowing."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


class Key(str):
    """A key that somebody chose, of a map of labels for instance; written as `[key]` in a path, as the API server does."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file, and the line and column in it, both counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What the API server would not take, and in which field; `blocks` tells that it would then ask no CEL rule."""

    path: Path
    message: str
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule has found, where, in which object and field (empty where it is about none)."""

    place: Place
    message: str
    subject: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, by which rule, and how bad that is."""

    found: Found
    rule: str
    level: Level


def path_text(path: Sequence[str | int]) -> str:
    """A field as the API server names it: `spec.roles[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int | Key) else f".{part}" for part in path)
    return text.removeprefix(".")
