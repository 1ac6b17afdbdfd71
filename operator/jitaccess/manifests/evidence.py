"""What a stream of exported events holds, and what is wrong with it: as values, for whoever reads one back. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from jitaccess.manifests.cloudevent import Event


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


class Fault(StrEnum):
    """What may be wrong with a stream."""

    REMOVED = "removed"
    CHANGED = "changed"
    REORDERED = "reordered"
    INVENTED = "invented"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a stream, and where it shows."""

    place: Place
    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Link:
    """What is kept of an event: where it was first met, its hash, and the hash that it names; not its body."""

    place: Place
    hash: str
    previous: str | None


@dataclass(slots=True)
class Story:
    """The events of one request, by their place in its history, and the last of them whole."""

    latest: Event
    links: dict[int, Link] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The request in words."""
        return str(self.latest["subject"])


@dataclass(slots=True)
class Report:
    """What a stream holds, and what is wrong with it.

    `unvouched`: events behind the last checkpoint, which only their own chains hold together. `begun_before`: requests whose
    first events are in no file that was read, where the stream does not begin with its first checkpoint.
    """

    stories: dict[str, Story] = field(default_factory=dict)  # by the UID of the request
    findings: list[Finding] = field(default_factory=list)
    checkpoints: dict[str, Place] = field(default_factory=dict)  # by their hash, in their order
    last_checkpoint: Event | None = None
    first_checkpoint: int = 0  # its number; 0 if there is none
    events: int = 0
    duplicates: int = 0
    unvouched: int = 0
    begun_before: int = 0
    torn: int = 0
    foreign: int = 0

    def find(self, place: Place, fault: Fault, message: str) -> None:
        """Note what is wrong."""
        self.findings.append(Finding(place, fault, message))
