"""Files and standard output: whole lines, durable, whatever is in the way."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jitaccess.publish.audit import sinks
from jitaccess.publish.audit.sinks import LineSink, Worker
from jitaccess.publish.webhook import NotSent
from team import PATIENCE


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is slow is no sink that takes nothing."""
    monkeypatch.setattr(sinks, "PATIENCE", PATIENCE)


EVENTS: list[dict[str, Any]] = [{"id": "1", "reason": "a\nb"}, {"id": "2"}]


async def test_events_are_lines_at_the_end_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    sink = LineSink(path)
    await sink.put(EVENTS)
    await sink.put(EVENTS[:1])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [*EVENTS, EVENTS[0]]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_line_that_a_crash_has_torn_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"id": "0"}\n{"id":')
    await LineSink(path).put(EVENTS[:1])
    assert path.read_text().splitlines() == ['{"id": "0"}', '{"id":', '{"id":"1","reason":"a\\nb"}']


async def test_after_a_rotation_the_file_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    sink = LineSink(path)
    await sink.put(EVENTS[:1])
    path.rename(tmp_path / "audit.jsonl.1")
    await sink.put(EVENTS[1:])
    assert json.loads(path.read_text()) == EVENTS[1]


async def test_what_was_written_in_part_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"id": "0"}\n')
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        write(descriptor, bytes(data)[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jitaccess.publish.audit.sinks.os.write", full)
    with pytest.raises(NotSent, match="No space left"):
        await LineSink(path).put(EVENTS)
    assert path.read_text() == '{"id": "0"}\n'


@pytest.mark.parametrize("where", ["missing/audit.jsonl", "."], ids=["no-such-folder", "a-folder"])
async def test_a_file_that_cannot_be_written_is_an_outage(tmp_path: Path, where: str) -> None:
    with pytest.raises(NotSent, match=r"No such file|Is a directory"):
        await LineSink(tmp_path / where).put(EVENTS)


async def test_who_does_not_read_is_left_behind_and_heard_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PATIENCE", 0.05)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    sink = LineSink(fifo)
    with pytest.raises(NotSent, match="takes nothing"):
        await sink.put([{"id": "x" * 200_000}])
    with pytest.raises(NotSent, match="still has not taken"):
        await sink.put(EVENTS)
    assert (await asyncio.to_thread(fifo.read_bytes)).endswith(b'x"}\n')


async def test_a_worker_tells_what_went_wrong() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(NotSent, match="Input/output error"):
        await Worker("w").do(fail, PATIENCE)
