"""The auditors' record."""

import gc
import tracemalloc
from collections import Counter
from datetime import timedelta
from typing import Any, cast

import pytest

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.connect import Connection
from jitaccess.cli.api.deletions import read_deletion
from jitaccess.cli.api.errors import Outage
from jitaccess.cli.api.session import Session
from jitaccess.cli.app import run
from jitaccess.cli.commands.records import CSV_COLUMNS, cell, gap, record, row
from jitaccess.domain.text import format_time
from jitaccess.manifests.gone import RECORD, last_record
from unit.cli.server import Server
from unit.examples import ALICE, BOB, HOUR, NAME, T0, active_status, approved_by, lines, request, request_manifest

AT = format_time(T0)
RULES = [
    {"verbs": ["get", "list"], "groups": [""], "resources": ["pods"]},
    {"verbs": ["get", "list"], "groups": ["apps"], "resources": ["deployments"]},
    {"verbs": ["delete"], "groups": [""], "resources": ["pods"]},
]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("=HYPERLINK(1)", "'=HYPERLINK(1)", id="a-formula-is-not-run"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="nor-the-old-kind"),
        pytest.param("-1+1", "'-1+1", id="nor-a-sum"),
        pytest.param("a\x1b[2J", "a\\x1b[2J", id="control-characters-are-visible"),
        pytest.param(None, "", id="nothing-is-empty"),
    ],
)
def test_cells_are_harmless_in_a_spreadsheet(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_record_and_a_gap_fill_the_same_columns() -> None:
    deletion = read_deletion({"metadata": {"namespace": "a", "creationTimestamp": AT}, "involvedObject": {}})
    assert len(row(record(request()))) == len(row(gap(deletion))) == len(CSV_COLUMNS) == len(set(CSV_COLUMNS))


def test_a_gap_has_every_column_of_a_record_and_says_only_what_is_known() -> None:
    event = {
        "metadata": {"namespace": "team-a", "creationTimestamp": AT},
        "involvedObject": {"name": "alice-7f3k", "uid": "u"},
        "lastTimestamp": None,
        "message": "the record of this request was deleted: alice asked for view",
    }
    known = gap(read_deletion(event))
    assert set(known) == set(record(request()))
    assert {column: value for column, value in known.items() if value} == {
        "namespace": "team-a",
        "name": "alice-7f3k",
        "uid": "u",
        "state": "Deleted",
        "message": "the record of this request was deleted: alice asked for view",
        "settledAt": AT,
        "endReason": "RequestDeleted",
    }


def test_a_gap_has_the_facts_that_the_operator_left_in_its_event() -> None:
    approval = {"by": BOB, "note": "ok", "at": AT}
    asked = {"requesterGroups": ["developers"], "approvals": approved_by(BOB)}
    gone = request(status=active_status() | {"approvals": [approval]}, **asked)
    event = {"metadata": {"namespace": "team-a", "creationTimestamp": AT, "annotations": {RECORD: last_record(gone)}}}
    found = gap(read_deletion(event | {"involvedObject": {"name": NAME}}))
    same = (
        "requester",
        "requesterGroups",
        "policyKind",
        "policy",
        "roleKind",
        "role",
        "duration",
        "reason",
        "approvals",
        "binding",
    )
    times = ("requestedAt", "grantedAt", "expiresAt")
    assert {field: found[field] for field in (*same, *times)} == {field: record(gone)[field] for field in (*same, *times)}
    assert (found["state"], found["settledAt"]) == ("Deleted", AT)
    assert dict(zip(CSV_COLUMNS, row(found), strict=True))["approver"] == BOB


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param("{", {}, id="no-json"),
        pytest.param("[" * 100_000, {}, id="too-deep"),
        pytest.param('["alice"]', {}, id="a-list"),
        pytest.param('{"requester": 5, "role": "view"}', {"role": "view"}, id="a-number-for-a-name"),
        pytest.param('{"state": "Expired", "uid": "x", "settledAt": "x"}', {}, id="what-the-event-says-itself"),
        pytest.param('{"approvals": [{"approver": "bob"}], "requesterGroups": [1]}', {}, id="lists-of-another-shape"),
        pytest.param('{"approvals": "bob", "requesterGroups": {}}', {}, id="no-lists"),
    ],
)
def test_an_event_that_somebody_forged_breaks_no_export(text: str, known: dict[str, Any]) -> None:
    event = {"metadata": {"namespace": "a", "creationTimestamp": AT, "annotations": {RECORD: text}}, "involvedObject": {}}
    deletion = read_deletion(event)
    assert deletion.known == known
    assert len(row(gap(deletion))) == len(CSV_COLUMNS)


def test_a_record_is_what_the_operator_recorded() -> None:
    approval = {"by": BOB, "note": "ok", "at": AT}
    ended = {"at": AT, "state": "Revoked", "reason": "RevokedByRequester", "message": ALICE, "by": ALICE}
    more = {
        "state": "Revoked",
        "settledAt": format_time(T0 + timedelta(minutes=30)),
        "requiredApprovals": 1,
        "policy": {"uid": "p-1", "generation": 3},
        "role": {"uid": "r-1", "hash": "0123456789abcdef", "rules": RULES, "omittedRules": 1, "risks": ["read Secrets"]},
        "revocation": {"by": ALICE, "note": "done", "at": AT},
        "approvals": [approval],
        "conditions": [{"type": "Granted", "status": "False", "reason": "RevokedByRequester", "message": ALICE}],
        "history": [ended],
    }
    asked = {"requesterGroups": ["developers", "system:authenticated"], "approvals": approved_by(BOB), "ticket": "INC-42"}
    whole = record(request(revocations=f"{ALICE}: done", status=active_status(T0, HOUR) | more, **asked))
    assert whole == {
        "namespace": "team-a",
        "name": "alice-7f3k",
        "uid": "1a2b3c4d-0000-4000-8000-000000000001",
        "requester": ALICE,
        "requesterGroups": ["developers", "system:authenticated"],
        "policyKind": "AccessPolicy",
        "policy": "prod-debug",
        "policyUid": "p-1",
        "policyGeneration": 3,
        "roleKind": "ClusterRole",
        "role": "view",
        "roleUid": "r-1",
        "roleHash": "0123456789abcdef",
        "roleAllows": "get, list: pods, deployments in apps; delete: pods; and 1 more rule",
        "roleRules": RULES,
        "roleOmittedRules": 1,
        "roleRisks": ["read Secrets"],
        "roleHints": [],
        "duration": "1h",
        "reason": "INC-42 pods crash looping",
        "ticket": "INC-42",
        "startTime": "",
        "state": "Revoked",
        "message": ALICE,
        "requestedAt": "2026-07-01T02:10:00.000Z",
        "grantedAt": "2026-07-01T02:10:00.000Z",
        "expiresAt": "2026-07-01T03:10:00.000Z",
        "settledAt": "2026-07-01T02:40:00.000Z",
        "endReason": "RevokedByRequester",
        "endedBy": ALICE,
        "endNote": "done",
        "emergency": False,
        **dict.fromkeys(("reviewDue", "review", "reviewedBy", "reviewedAt", "reviewNote"), ""),
        "requiredApprovals": 1,
        "approvals": [{"approver": BOB, "approvedAt": AT, "approvalNote": "ok"}],
        "binding": "jit-alice-7f3k-1a2b3c4d",
        "decisions": [
            {"verb": "approved", "by": BOB, "note": "ok", "at": AT},
            {"verb": "revoked", "by": ALICE, "note": "done", "at": AT},
        ],
        "history": [ended],
    }


def cells(**fields: Any) -> dict[str, str]:
    """The row of a request, by column; only what is there."""
    return {column: text for column, text in zip(CSV_COLUMNS, row(record(request(**fields))), strict=True) if text}


def test_each_fact_of_an_approval_has_its_own_column() -> None:
    people = [f"{name}@example.com" for name in ("bob", "carol", "dave", "erin")]
    signed = [{"by": by, "note": f"note {n}", "at": AT} for n, by in enumerate(people)]
    ledger = lines(*((each["by"], each["note"]) for each in signed))
    found = cells(approvals=ledger, status=active_status() | {"approvals": signed, "requiredApprovals": 4})
    for n, suffix in enumerate(("", "2", "3")):
        expected = (people[n], AT, f"note {n}")
        assert tuple(found[f"{fact}{suffix}"] for fact in ("approver", "approvedAt", "approvalNote")) == expected
    assert found["decisions"].count("approved by ") == 4, "more than have columns are in the last one"


@pytest.mark.parametrize(
    ("state", "reason", "field", "ledger", "by", "note"),
    [
        pytest.param("Denied", "DeniedByApprover", "denial", "denials", BOB, "use staging", id="denied"),
        pytest.param("Revoked", "RevokedByApprover", "revocation", "revocations", BOB, "enough", id="revoked"),
        pytest.param("Withdrawn", "WithdrawnByRequester", "revocation", "revocations", ALICE, "", id="withdrawn"),
        pytest.param("Expired", "DurationElapsed", "", "", "", "", id="expired"),
    ],
)
def test_who_ended_it_and_why_are_columns(state: str, reason: str, field: str, ledger: str, by: str, note: str) -> None:
    entry = {"at": AT, "state": state, "reason": reason, "message": "m"} | ({"by": by} if by else {})
    signed = {field: {"by": by, "note": note, "at": AT}} if field else {}
    decided = {ledger: f"{by}: {note}"} if ledger else {}
    status = {"state": state, "settled": True, "settledAt": AT, "history": [entry], **signed}
    found = cells(status=status, **decided)
    assert [found.get(column, "") for column in ("endReason", "endedBy", "endNote", "settledAt")] == [reason, by, note, AT]


def test_what_has_not_ended_has_no_end() -> None:
    entry = {"at": AT, "state": "Active", "reason": "Granted", "message": "m"}
    found = cells(status=active_status() | {"history": [entry]})
    assert {"endReason", "endedBy", "endNote", "settledAt"}.isdisjoint(found)


def test_a_line_without_a_name_is_somebodys() -> None:
    assert cells(denials="no name")["decisions"] == "denied by somebody: no name"


PAGE, PAGES = 50, 20


class Endless(Server):
    """A server with many pages of requests, of which the last cannot be had; it keeps count of what was asked and written."""

    def get(self, path: str, **query: Any) -> Any:
        """A page of requests, by the number in its continue token."""
        if path.endswith("/events"):
            return {"items": [], "metadata": {"resourceVersion": "1"}}
        number = int(query.get("continue", 0))
        self.asked.append(str(number))
        if number == PAGES:
            raise Outage("the API server cannot answer now")
        items = [request_manifest(f"r-{number:02}-{n:03}", uid=f"{number}-{n}") for n in range(PAGE)]
        return {"items": items, "metadata": {"resourceVersion": "1", "continue": str(number + 1)}}


def test_jsonl_is_written_as_it_is_read_in_constant_memory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Endless(ALICE, [])
    monkeypatch.setattr(Session, "client", Client(cast(Connection, server)))
    written, sizes, held = Counter[int](), Counter[int](), dict[int, int]()  # by how many pages had been asked for

    def echo(line: str) -> None:
        page = len(server.asked)
        written[page] += 1
        sizes[page] += len(line)
        if written[page] == PAGE and page in (3, PAGES):
            gc.collect()  # what others have left lying about is no matter
            held[page] = tracemalloc.get_traced_memory()[0]

    monkeypatch.setattr("jitaccess.cli.commands.exporting.click.echo", echo)
    tracemalloc.start()
    try:
        assert run(["export", "-o", "jsonl", "--since", "2026-01-01"]) == 1
    finally:
        tracemalloc.stop()
    assert written == dict.fromkeys(range(1, PAGES + 1), PAGE), "no line waits for a later page"
    kept, since = held[PAGES] - held[3], sum(sizes[page] for page in range(4, PAGES + 1))
    assert kept < since / 4, f"what was written is not kept: {kept} more bytes are held for {since} that were written since"
    err = capsys.readouterr().err
    assert f"this is not the whole record: {PAGES * PAGE} requests had been read when it broke off" in err
    assert "the API server cannot answer now" in err
