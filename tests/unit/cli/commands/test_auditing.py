"""The exported record read back: faults with their lines, one line a grant, and what of the cluster is missing."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.domain.recorded import Entry, PolicyVersion, RoleVersion, State
from jitaccess.manifests.cloudevent import canonical, event_hash, request_events
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import REQUESTS
from jitaccess.manifests.status import request_status
from unit.cli.server import Server
from unit.examples import ALICE, BOB, CAROL, HOUR, request_manifest
from unit.manifests.test_stream import usual

NOW = datetime.now(UTC).replace(microsecond=0)
CLUSTER = "0c1d2e3f-0000-4000-8000-00000000000a"
UIDS = {name: f"00000000-0000-4000-8000-{number:012d}" for number, name in enumerate(("one", "two", "three"))}


def recorded(name: str, *, ago: timedelta, granted: bool = True, over: bool = True, **spec: Any) -> dict[str, Any]:
    """A request of that long ago as the API server has it."""
    at = NOW - ago
    manifest = request_manifest(name, uid=UIDS[name], created=at, **spec)
    asked = Entry(
        at, State.PENDING, "Requested", spec.get("reason", "INC-42"), ALICE, PolicyVersion("p", 3), RoleVersion("r", "aa")
    )
    approved = Entry(at, State.PENDING, "Approved", "ok", BOB)
    history = [asked, approved, Entry(at, State.ACTIVE, "Granted")] if granted else [asked]
    history += [Entry(at + HOUR, State.EXPIRED, "DurationElapsed")] if granted and over else []
    history += [] if granted else [Entry(at, State.DENIED, "DeniedByApprover", "no", CAROL)]
    value = replace(parse_request(manifest).recorded, state=history[-1].state, history=tuple(history))
    if granted:
        value = replace(value, granted_at=at, expires_at=at + HOUR)
    return manifest | {"status": request_status(value)}


ONE = recorded("one", ago=timedelta(days=2), roleRef={"kind": "ClusterRole", "name": "edit"})
TWO = recorded("two", ago=timedelta(days=50))
DENIED = recorded("three", ago=timedelta(days=1), granted=False, requester=CAROL)


def lines(*manifests: dict[str, Any]) -> list[str]:
    events = [event for each in manifests for event in request_events(REQUESTS, parse_request(each), CLUSTER)]
    return [canonical(event).decode() for event in events]


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`kubectl jit audit` in a folder with audit.jsonl, beside a cluster with all three requests."""
    (tmp_path / "audit.jsonl").write_text("\n".join(lines(ONE, TWO, DENIED)) + "\n")
    server = Server(ALICE, [ONE, TWO, DENIED])
    monkeypatch.setattr(Session, "client", Client(cast(Connection, server)))
    monkeypatch.chdir(tmp_path)
    return lambda *words: run(["audit", *words])


def test_a_whole_file_is_said_to_be_and_its_last_checkpoint_told(
    audit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("stream.jsonl").write_text("\n".join(usual()) + "\n")
    assert audit("verify", "stream.jsonl") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "12 events of 3 requests, 3 checkpoints" in err
    digest = event_hash(json.loads(usual()[-1]))
    assert f"the last checkpoint is number 3 of 2026-07-01T02:10:00.000Z: {digest}" in err
    assert audit("verify", "stream.jsonl", "--checkpoint", digest) == 0
    Path("cut.jsonl").write_text("\n".join(usual()[:10]) + "\n")
    assert audit("verify", "cut.jsonl") == 0
    assert audit("verify", "cut.jsonl", "--checkpoint", digest) == 3
    assert "it was cut off" in capsys.readouterr().out


def test_what_is_wrong_is_said_with_its_line(audit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    text = usual()
    del text[6]
    Path("stream.jsonl").write_text("\n".join(text) + "\n")
    assert audit("verify", "stream.jsonl") == 3
    out, err = capsys.readouterr()
    assert "removed: stream.jsonl, line " in out
    assert "2 findings" in err


def test_several_files_some_packed_are_one_stream(audit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    text = usual()
    with gzip.open("a.jsonl.gz", "wt") as packed:
        packed.write("\n".join(text[:7]) + "\n")
    Path("b.jsonl").write_text("\n".join(text[7:]) + "\n")
    assert audit("verify", "a.jsonl.gz", "b.jsonl") == 0
    assert "12 events" in capsys.readouterr().err
    assert audit("verify", "b.jsonl", "a.jsonl.gz") == 3


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"", b"\n\n"], ids=["not-utf-8", "empty", "blank"])
def test_a_file_of_nonsense_does_no_harm(audit: Callable[..., int], content: bytes) -> None:
    Path("x").write_bytes(content)
    assert audit("verify", "x") == (3 if content.strip() else 0)


def test_hostile_text_cannot_steer_the_terminal(audit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    evil = recorded("one", ago=timedelta(days=1), reason="x\x1b[2J\u202e")
    Path("x").write_text("\n".join([*lines(evil)[1:], '{"type":"dev.jitaccess.request.v1.\x1b[2J"}']) + "\n")
    assert audit("verify", "x") == 3
    assert audit("show", "x") == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err


def test_a_missing_file_is_an_error_with_its_name(audit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("verify", "nowhere.jsonl") == 1
    assert "nowhere.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("files", [("audit.jsonl",), ()], ids=["of-a-file", "of-the-cluster"])
@pytest.mark.parametrize(
    ("flags", "names"),
    [
        pytest.param((), ["one"], id="the-last-thirty-days"),
        pytest.param(("--since", "90d"), ["two", "one"], id="longer-oldest-first"),
        pytest.param(("--since", "90d", "--until", "10d"), ["two"], id="until"),
        pytest.param(("--all",), ["one", "three"], id="with-what-was-denied"),
        pytest.param(("--all", "--by", CAROL), ["three"], id="by-who-asked"),
        pytest.param(("--all", "--decided-by", CAROL), ["three"], id="by-who-decided"),
        pytest.param(("--since", "90d", "--role", "edit"), ["one"], id="by-role"),
        pytest.param(("--role", "clusterrole/view"), [], id="by-kind-and-role"),
    ],
)
def test_one_line_a_grant(
    audit: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    files: tuple[str, ...],
    flags: tuple[str, ...],
    names: list[str],
) -> None:
    assert audit("show", *files, *flags, "-o", "json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == names


def test_the_line_has_who_what_where_why_and_by_whose_approval(
    audit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("show", "audit.jsonl", "-n", "team-a") == 0
    head, line = capsys.readouterr().out.splitlines()
    began = (NOW - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = (NOW - timedelta(days=2) + HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert head.split() == [
        "GRANTED",
        "ENDED",
        "WHO",
        "ROLE",
        "NAMESPACE",
        "APPROVED",
        "BY",
        "OUTCOME",
        "REQUEST",
        "TICKET",
        "REASON",
    ]
    assert line.split()[:6] == [began, ended, ALICE, "edit", "team-a", BOB]
    assert "Expired: DurationElapsed" in line
    assert audit("show", "audit.jsonl", "-n", "team-b") == 0
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_as_it_was_exported_is_shown_with_a_warning(
    audit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x").write_text("\n".join(lines(ONE)[1:]) + "\n")
    assert audit("show", "x") == 0
    assert "not as they were exported" in capsys.readouterr().err


def test_missing_says_what_of_the_cluster_is_not_in_the_files(
    audit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("show", "--missing", "audit.jsonl") == 0
    assert "every request of the cluster is in the files" in capsys.readouterr().err
    other = recorded("three", ago=timedelta(days=1), granted=False, requester=BOB)
    Path("x").write_text("\n".join([*lines(ONE)[:2], *lines(other)]) + "\n")
    assert audit("show", "--missing", "x") == 3
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "accessrequests/team-a/one: of 4 events these are not in the files: 2, 3",
        "accessrequests/team-a/three: in the files these events are others than in the cluster: 0, 1",
        "accessrequests/team-a/two: nothing of it is in the files",
    ]
    assert audit("show", "--missing") == 2


def test_everywhere_is_the_whole_cluster_too(
    audit: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = recorded("three", ago=timedelta(hours=3))
    del wide["metadata"]["namespace"]
    monkeypatch.setattr(Session, "client", Client(cast(Connection, Server(ALICE, [ONE, TWO], wide=[wide]))))
    Path("x").write_text("\n".join(lines(ONE, TWO)) + "\n")
    assert audit("show", "--missing", "x") == 0
    assert audit("show", "--missing", "-A", "x") == 3
    assert "clusteraccessrequests/three: nothing of it is in the files" in capsys.readouterr().out
    assert audit("show", "-A", "-o", "json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["one", "three"]


def test_a_period_that_ends_before_it_begins_is_refused(audit: Callable[..., int]) -> None:
    assert audit("show", "--since", "1d", "--until", "2d") == 2
