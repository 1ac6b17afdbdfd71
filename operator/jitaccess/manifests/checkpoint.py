"""Checkpoints of an audit stream, and the cursor that remembers how far a sink has come, both ways. Pure.

A checkpoint names the last event of each request that was sent since the checkpoint before, and that checkpoint's hash.
The cursor is written before the checkpoint is sent: what was decided to be sent is sent, also after a crash.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.text import format_time, hour_of
from jitaccess.manifests.cloudevent import SPEC_VERSION, Event, event_hash, source_of

CHECKPOINT_TYPE = "dev.jitaccess.audit.v1.Checkpoint"
CHECKPOINT_SCHEMA = "https://jitaccess.dev/events/checkpoint.v1.json"
CURSORS = Key("jitaccess-system", "jitaccess-audit")  # the ConfigMap with the cursors of all sinks
# How much earlier than it was heard of a request may have been settled, by the clock of whoever settled it.
OVERLAP = timedelta(minutes=5)
MOST_HOURS = 48  # that are asked for one by one; after a longer pause all settled requests are looked through


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a request that was sent: its place in the history, and its hash."""

    index: int
    hash: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink has come: its last checkpoint, and the resourceVersion up to which everything on record was sent before it.

    `since` is the hour from which on requests may have been settled that were not sent yet; empty: from the beginning.
    """

    stream: str
    number: int = 0
    hash: str = ""
    version: int = 0
    since: str = ""
    event: Event | None = None  # the last checkpoint, to be sent again by whoever takes over

    def then(self, event: Event, version: int, since: str) -> "Cursor":
        """The cursor after that checkpoint; it never goes back."""
        return Cursor(self.stream, self.number + 1, event_hash(event), max(version, self.version), max(since, self.since), event)


def new_stream(name: str) -> Cursor:
    """The cursor of a sink that has taken nothing yet; `name` is random, and names the stream for ever."""
    return Cursor(str(uuid.UUID(name)))


def checkpoint(
    cursor: Cursor, sink: str, heads: Mapping[str, Head], cluster: str, now: datetime, *, complete: bool = True
) -> Event:
    """The checkpoint that follows the one in the cursor; `heads` by the UID of the request.

    It is not `complete` while what another operator may have sent since the checkpoint before is still being sent again.
    """
    number = cursor.number + 1
    return {
        "specversion": SPEC_VERSION,
        "id": checkpoint_id(cursor.stream, number),
        "source": source_of(cluster),
        "type": CHECKPOINT_TYPE,
        "subject": f"audit/{sink}",
        "time": format_time(now),
        "datacontenttype": "application/json",
        "dataschema": CHECKPOINT_SCHEMA,
        "data": {
            "stream": cursor.stream,
            "sink": sink,
            "number": number,
            "prevHash": cursor.hash or None,
            "complete": complete,
            "heads": [{"uid": uid, "index": head.index, "hash": head.hash} for uid, head in sorted(heads.items())],
        },
    }


def checkpoint_id(stream: str, number: int) -> str:
    """The id of a checkpoint: the same whenever it is sent."""
    return str(uuid.uuid5(uuid.UUID(stream), str(number)))


def cursor_text(cursor: Cursor) -> str:
    """The cursor as it stands in the ConfigMap."""
    kept = {"stream": cursor.stream, "number": cursor.number, "hash": cursor.hash}
    return json.dumps(kept | {"version": cursor.version, "since": cursor.since, "event": cursor.event}, sort_keys=True)


def parse_cursor(text: str) -> Cursor:
    """Read a cursor; ValueError if it is none."""
    try:
        kept = json.loads(text)
        return Cursor(
            str(uuid.UUID(kept["stream"])),
            int(kept["number"]),
            str(kept["hash"]),
            int(kept["version"]),
            str(kept["since"]),
            kept["event"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a cursor: {type(error).__name__}: {error}") from error


def cursors_in(config_map: Manifest) -> Mapping[str, str]:
    """The cursors in the ConfigMap, by the name of the sink, unread."""
    return config_map.get("data") or {}


def hours_from(since: str, now: datetime) -> Iterator[str] | None:
    """Each hour (status.settledIn) from that one on, and the next, as a clock may be ahead; None where they are too many."""
    if not since:
        return None
    first = datetime.strptime(f"{since}+0000", "%Y-%m-%dT%H%z")
    hours = int((now - first) / timedelta(hours=1)) + 2
    if not 0 < hours <= MOST_HOURS:
        return None
    return (hour_of(first + timedelta(hours=number)) for number in range(hours))
