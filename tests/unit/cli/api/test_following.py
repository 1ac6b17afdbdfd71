"""Following through outages: nothing is lost, nothing is invented, and nobody is asked a hundred thousand times a second."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitaccess.cli.api.errors import NotFound, Outage, Unreadable
from jitaccess.cli.api.following import Change, Follower
from jitaccess.domain.model import Key, Manifest
from unit.cli.clock import Clock
from unit.examples import request_manifest

R1, R2 = request_manifest("r1"), request_manifest("r2")
DOWN = Outage("down")


def changed(manifest: dict[str, Any], version: str, state: str = "Active") -> dict[str, Any]:
    return manifest | {"metadata": manifest["metadata"] | {"resourceVersion": version}, "status": {"state": state}}


def event(kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": manifest}


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
BROKEN = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd is away"}}

List = list[dict[str, Any]] | Outage
Watch = Sequence[dict[str, Any] | Outage]


@dataclass
class Script:
    """A source that goes through lists and watches as written; the last of each is what there is from then on."""

    lists: list[List]
    watches: list[Watch] = field(default_factory=lambda: [()])
    asked: list[str] = field(default_factory=list)

    def listed(self) -> tuple[list[Manifest], str]:
        """The next list."""
        self.asked.append("list")
        found = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(found, Outage):
            raise found
        return list(found), "100"

    def events(self, version: str, seconds: int) -> Iterator[Any]:
        """The next watch."""
        self.asked.append(f"watch {version}")
        for each in self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]:
            if isinstance(each, Outage):
                raise each
            yield each


def words(changes: Iterator[Change], number: int) -> list[str]:
    """The first so many changes, in a word each."""
    return [_word(change) for change in itertools.islice(changes, number)]


def _word(change: Change) -> str:
    if change.listed or change.trouble:
        return "listed" if change.listed else change.trouble
    return f"{'-' if change.gone else '+'}{change.manifest['metadata']['name']}"


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        pytest.param(
            Script([[R1], [R2]], [[DOWN]]),
            ["+r1", "listed", "down", "-r1", "+r2", "listed"],
            id="what-vanished-between-two-lists-is-reported",
        ),
        pytest.param(
            Script([[R1, R2], [R1, changed(R2, "11")]], [[GONE]]),
            ["+r1", "+r2", "listed", "+r2", "listed"],
            id="what-did-not-change-is-not-told-again",
        ),
        pytest.param(
            Script([[R1]], [[event("MODIFIED", changed(R1, "11")), event("DELETED", changed(R1, "12")), event("BOOKMARK", R1)]]),
            ["+r1", "listed", "+r1", "-r1"],
            id="changes-as-they-come",
        ),
        pytest.param(
            Script([[R1], DOWN, DOWN, [R1]], [[BROKEN]]),
            ["+r1", "listed", "the API server ended the watch: etcd is away", "down", "down", "listed"],
            id="an-outage-is-reported-and-its-end-too",
        ),
        pytest.param(Script([[], [R1]], [[GONE]]), ["listed", "+r1", "listed"], id="an-empty-list-is-a-list"),
    ],
)
def test_what_happens_is_reported(script: Script, seen: list[str]) -> None:
    assert words(Follower(script, None).changes(), len(seen)) == seen


def test_who_has_no_time_left_is_told_what_there_is_all_the_same() -> None:
    assert words(Follower(Script([[R1]]), 0.0).changes(), 9) == ["+r1", "listed"]


def test_a_server_that_cannot_be_reached_at_first_is_an_error() -> None:
    with pytest.raises(Outage, match="down"):
        words(Follower(Script([DOWN]), None).changes(), 1)
    assert words(Follower(Script([DOWN, [R1]]), None, patient=True).changes(), 2) == ["down", "+r1"]


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param([GONE], id="a-watch-that-only-has-errors"),
        pytest.param([], id="a-watch-that-ends-at-once"),
        pytest.param([DOWN], id="a-connection-that-breaks"),
    ],
)
def test_nobody_is_asked_in_a_busy_loop(clock: Clock, watch: Watch) -> None:
    script = Script([[R1]], [watch])
    for _ in Follower(script, 60.0).changes():
        pass
    assert len(script.asked) < 30, "a minute of it"
    assert clock.slept[:4] == [1.0, 2.0, 4.0, 8.0]
    assert clock.now == 60.0, "and no longer than it may last"


def test_news_means_that_the_server_is_well_again(clock: Clock) -> None:
    script = Script([[R1]], [[GONE], [GONE], [event("MODIFIED", changed(R1, "11")), GONE], [GONE]])
    for _ in itertools.islice(Follower(script, None).changes(), 9):
        pass
    assert clock.slept[:4] == [1.0, 2.0, 1.0, 2.0]


def test_a_watch_goes_on_where_it_was(clock: Clock) -> None:
    script = Script([[R1]], [[event("MODIFIED", changed(R1, "11"))], [event("BOOKMARK", changed(R1, "15"))], []])
    words(Follower(script, 20.0).changes(), 9)
    assert script.asked[:4] == ["list", "watch 100", "watch 11", "watch 15"]


def test_one_request_that_does_not_exist_is_an_error_and_one_that_is_deleted_is_gone() -> None:
    alone = Key("team-a", "r1")
    with pytest.raises(NotFound, match="there is no request r1"):
        words(Follower(Script([[]]), None, alone=alone).changes(), 1)
    follower = Follower(Script([[R1], []], [[DOWN]]), None, alone=alone)
    assert words(follower.changes(), 4) == ["+r1", "listed", "down", "-r1"]


def test_what_cannot_be_read_stops_no_list_but_a_follower_of_it_alone() -> None:
    newer = changed(R1, "11", "Suspended")
    first, second = itertools.islice(Follower(Script([[newer, R2]]), None).changes(), 2)
    assert (first.request, second.request is None) == (None, False)
    assert "request r1 cannot be read" in first.unreadable
    with pytest.raises(Unreadable):
        next(Follower(Script([[newer]]), None, alone=Key("team-a", "r1")).changes())
