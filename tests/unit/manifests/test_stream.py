"""A stream read back: whatever was removed, changed, reordered or invented is found, and where; and nothing else is."""

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jitaccess.domain.recorded import Entry, PolicyVersion, RoleVersion, State
from jitaccess.manifests.checkpoint import Cursor, Head, checkpoint, cursor_text, new_stream, parse_cursor
from jitaccess.manifests.cloudevent import Event, canonical, event_hash, request_events
from jitaccess.manifests.evidence import Fault, Place, Report
from jitaccess.manifests.resources import REQUESTS
from jitaccess.manifests.stream import read_stream
from unit.examples import ALICE, BOB, T0, request

CLUSTER = "0c1d2e3f-0000-4000-8000-00000000000a"
STREAM = "5e5e5e5e-0000-4000-8000-000000000001"
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/events/checkpoint.v1.json").read_text())
HISTORY = (
    Entry(T0, State.PENDING, "Requested", "INC-42", ALICE, PolicyVersion("p-1", 3), RoleVersion("r-1", "aa")),
    Entry(T0 + timedelta(minutes=1), State.PENDING, "Approved", "ok", BOB),
    Entry(T0 + timedelta(minutes=1), State.ACTIVE, "Granted", "ClusterRole view until ..."),
    Entry(T0 + timedelta(hours=1), State.EXPIRED, "DurationElapsed", "its time was up"),
)


def uid(number: int) -> str:
    return str(uuid.UUID(int=number + 1, version=4))


def story(number: int, upto: int = 4) -> tuple[Event, ...]:
    """The events of a request."""
    asked = request(name=f"r{number}", uid=uid(number))
    return request_events(REQUESTS, replace(asked, recorded=replace(asked.recorded, history=HISTORY[:upto])), CLUSTER)


class Stream:
    """What a sink takes, written as the operator does."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cursor: Cursor = new_stream(STREAM)
        self.heads: dict[str, Head] = {}

    def send(self, *events: Event) -> None:
        for event in events:
            self.lines.append(canonical(event).decode())
            data = event["data"]
            self.heads[data["request"]["uid"]] = Head(data["index"], event_hash(event))

    def seal(self) -> None:
        event = checkpoint(self.cursor, "file", self.heads, CLUSTER, T0)
        self.cursor, self.heads = self.cursor.then(event, 0, ""), {}
        self.lines.append(canonical(event).decode())


def usual() -> list[str]:
    """Three requests, interleaved, with two checkpoints between and one at the end: lines 1 to 15."""
    stream, (a, b, c) = Stream(), (story(0), story(1), story(2))
    stream.send(a[0], b[0], a[1], a[2])
    stream.seal()  # line 5
    stream.send(b[1], b[2], c[0], a[3])
    stream.seal()  # line 10
    stream.send(c[1], c[2], b[3], c[3])
    stream.seal()  # line 15
    return stream.lines


def read(lines: list[str]) -> Report:
    return read_stream((Place("f", number), line) for number, line in enumerate(lines, 1))


def found(lines: list[str]) -> list[tuple[int, Fault]]:
    return [(finding.place.line, finding.fault) for finding in read(lines).findings]


def changed(line: str, change: Callable[[dict[str, Any]], Any]) -> str:
    event = json.loads(line)
    change(event)
    return canonical(event).decode()


def test_what_was_exported_is_as_it_was() -> None:
    report = read(usual())
    assert report.findings == []
    assert (report.events, len(report.stories), len(report.checkpoints), report.unvouched) == (12, 3, 3, 0)


def test_checkpoints_are_what_the_schema_says() -> None:
    events = [event for event in map(json.loads, usual()) if "audit" in event["type"]]
    assert [event["data"]["number"] for event in events] == [1, 2, 3]
    for event in events:
        Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event["data"])


@pytest.mark.parametrize("line", [line for line in range(1, 15) if line != 5])
def test_a_line_that_is_removed_is_missed(line: int) -> None:
    lines = usual()
    del lines[line - 1]
    assert Fault.REMOVED in [fault for _, fault in found(lines)]


@pytest.mark.parametrize("line", range(1, 16))
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda event: event["data"].update(reason="x"), id="data"),
        pytest.param(lambda event: event.update(time="2020-01-01T00:00:00.000Z"), id="attribute"),
        pytest.param(lambda event: event["data"].update(prevHash="sha256:" + "0" * 64), id="prevHash"),
        pytest.param(lambda event: event.update(more=1), id="something-added"),
    ],
)
def test_a_line_that_is_changed_is_found_unless_it_is_the_last_of_all(line: int, change: Any) -> None:
    lines = usual()
    lines[line - 1] = changed(lines[line - 1], change)
    if line == 15 and "prevHash" not in lines[14].partition("sha256:" + "0" * 64)[1] and found(lines) == []:
        return  # nothing follows the last checkpoint: whoever kept its hash knows
    places = [place for place, fault in found(lines) if fault in (Fault.CHANGED, Fault.INVENTED)]
    assert places, "it was not found"


@pytest.mark.parametrize("line", range(1, 15))
def test_two_lines_that_change_places_are_found_where_they_depend_on_each_other(line: int) -> None:
    lines = usual()
    first, second = (json.loads(text)["data"].get("request", {}).get("uid") for text in lines[line - 1 : line + 1])
    lines[line - 1 : line + 1] = reversed(lines[line - 1 : line + 1])
    independent = first and second and first != second  # of two requests: no order is promised between them
    assert bool(found(lines)) is not bool(independent)


def test_a_request_that_is_invented_is_found_by_the_next_checkpoint() -> None:
    lines = usual()
    invented = [canonical(event).decode() for event in story(7)]
    assert found(lines[:6] + invented + lines[6:]) == [(line, Fault.INVENTED) for line in range(7, 11)]


def test_an_event_that_is_invented_at_the_end_of_a_story_is_found() -> None:
    lines = usual()
    asked = request(name="r0", uid=uid(0))
    more = (*HISTORY, Entry(T0, State.EXPIRED, "BindingRestored", "x"))
    *_, invented = request_events(REQUESTS, replace(asked, recorded=replace(asked.recorded, history=more)), CLUSTER)
    assert found([*lines[:10], canonical(invented).decode(), *lines[10:]]) == [(11, Fault.INVENTED)]


def test_an_event_with_an_id_of_its_own_is_found() -> None:
    lines = usual()
    lines.insert(3, changed(lines[2], lambda event: event.update(id=str(uuid.uuid4()))))
    assert (4, Fault.CHANGED) in found(lines)


def test_another_event_with_the_id_of_one_before_is_found() -> None:
    lines = usual()
    lines.insert(6, changed(lines[0], lambda event: event["data"].update(reason="another")))
    assert found(lines) == [(7, Fault.CHANGED)]


def test_duplicates_are_no_harm() -> None:
    lines = usual()
    again = [*lines[:5], *lines[:5], *lines[5:10], *lines[3:10], *lines[10:], *lines]
    report = read(again)
    assert report.findings == []
    assert report.duplicates == len(again) - len(lines)


def test_what_stands_behind_the_last_checkpoint_is_counted() -> None:
    report = read(usual()[:-1])
    assert report.findings == []
    assert report.unvouched == 4


def test_an_end_that_was_cut_off_is_known_to_whoever_kept_a_checkpoint() -> None:
    lines = usual()
    last = read(lines).last_checkpoint
    assert last
    assert event_hash(last) in read(lines).checkpoints
    assert read(lines[:10]).findings == []
    assert event_hash(last) not in read(lines[:10]).checkpoints


@pytest.mark.parametrize("cut", [5, 10], ids=["after-the-first-checkpoint", "after-the-second"])
def test_a_later_file_alone_is_no_fault_and_says_what_it_lacks(cut: int) -> None:
    report = read(usual()[cut:])
    assert report.findings == []
    assert report.begun_before > 0


def test_a_file_that_begins_between_checkpoints_is_no_fault() -> None:
    report = read(usual()[7:])
    assert report.findings == []
    assert report.begun_before > 0


def test_without_its_first_checkpoint_a_stream_is_one_that_began_before() -> None:
    lines = usual()
    del lines[4]
    report = read(lines)
    assert (report.findings, report.first_checkpoint) == ([], 2)


def test_what_was_sent_before_a_crash_is_for_the_next_complete_checkpoint() -> None:
    stream, a, b = Stream(), story(0), story(1)
    stream.send(*a)
    stream.heads.clear()  # with the process that knew of it
    stream.send(*b)
    early = checkpoint(stream.cursor, "file", stream.heads, CLUSTER, T0, complete=False)
    stream.cursor, stream.heads = stream.cursor.then(early, 0, ""), {}
    stream.lines.append(canonical(early).decode())
    stream.send(*a)
    stream.seal()
    assert read(stream.lines).findings == []


def test_the_order_of_keys_and_blanks_prove_nothing() -> None:
    lines = [json.dumps(dict(reversed(json.loads(line).items())), indent=None) for line in usual()]
    assert read(lines).findings == []


def test_a_torn_line_is_no_harm_if_the_whole_follows() -> None:
    lines = usual()
    report = read([*lines[:2], lines[2][:40], *lines[2:]])
    assert (report.findings, report.torn) == ([], 1)
    assert found([*lines, lines[2][:40]]) == [(16, Fault.UNREADABLE)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param("not json", Fault.UNREADABLE, id="no-json"),
        pytest.param('{"type":"dev.jitaccess.request.v1.Granted"}', Fault.INVENTED, id="no-fields"),
        pytest.param('{"type":"dev.jitaccess.audit.v1.Checkpoint","data":{"stream":"x"}}', Fault.INVENTED, id="no-uuid"),
        pytest.param("[" * 100_000, Fault.UNREADABLE, id="nested-without-end"),
        pytest.param('{"type":"dev.jitaccess.request.v1.X","subject":"\\ud800","data":{}}', Fault.INVENTED, id="surrogates"),
    ],
)  # fmt: skip
def test_nonsense_is_found_and_does_no_harm(line: str, fault: Fault) -> None:
    assert found([*usual(), line]) == [(16, fault)]


def test_lines_of_others_are_counted_and_no_fault() -> None:
    report = read([*usual(), '{"level":"INFO"}', "[]", "3", '{"type": 3}', ""])
    assert (report.findings, report.foreign) == ([], 4)


def test_any_one_line_lost_moved_or_changed_at_random_is_found() -> None:
    dice = random.Random(7)
    for _ in range(200):
        lines = usual()
        index = dice.choice([index for index in range(14) if index != 4])
        if dice.random() < 0.5:
            del lines[index]
        else:
            text = lines[index]
            at = text.index('"name":"r') + 9 if '"name":"r' in text else text.index('"number":') + 9
            lines[index] = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
        assert found(lines), lines[index]


def test_a_cursor_is_read_as_it_was_written() -> None:
    stream = Stream()
    stream.send(*story(0))
    stream.seal()
    cursor = replace(stream.cursor, version=77, since="2026-07-01T02")
    assert parse_cursor(cursor_text(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"stream": "x"}'])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        parse_cursor(text)
