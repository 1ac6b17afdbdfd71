"""The auditors' record."""

from datetime import timedelta

import pytest

from jitaccess.cli.api.deletions import read_deletion
from jitaccess.cli.commands.exporting import CSV_COLUMNS, cell, gap, record
from jitaccess.domain.text import format_time
from unit.examples import ALICE, BOB, HOUR, T0, active_status, approved_by, request

AT = format_time(T0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("=HYPERLINK(1)", "'=HYPERLINK(1)", id="a-formula-is-not-run"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="nor-the-old-kind"),
        pytest.param("-1+1", "'-1+1", id="nor-a-sum"),
        pytest.param("a\x1b[2J", "a\\x1b[2J", id="control-characters-are-visible"),
        pytest.param(None, "", id="nothing-is-empty"),
        pytest.param([{"verb": "denied", "by": "", "note": "x", "at": ""}], "denied by somebody: x", id="a-line-without-a-name"),
    ],
)
def test_cells_are_harmless_in_a_spreadsheet(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_record_has_every_column() -> None:
    assert set(CSV_COLUMNS) <= set(record(request()))


def test_a_gap_has_every_column_of_a_record_and_says_only_what_is_known() -> None:
    event = {
        "metadata": {"namespace": "team-a", "creationTimestamp": AT},
        "involvedObject": {"name": "alice-7f3k", "uid": "u"},
        "lastTimestamp": None,
        "message": "the record of this request was deleted: alice asked for view",
    }
    row = gap(read_deletion(event))
    assert set(row) == set(record(request()))
    assert {column: value for column, value in row.items() if value} == {
        "namespace": "team-a",
        "name": "alice-7f3k",
        "uid": "u",
        "state": "Deleted",
        "message": "the record of this request was deleted: alice asked for view",
        "settledAt": AT,
    }


def test_a_record_is_what_the_operator_recorded() -> None:
    approval = {"by": BOB, "note": "ok", "at": AT}
    ended = {"at": AT, "state": "Revoked", "reason": "RevokedByRequester", "message": ALICE, "by": ALICE}
    more = {
        "state": "Revoked",
        "settledAt": format_time(T0 + timedelta(minutes=30)),
        "requiredApprovals": 1,
        "policy": {"uid": "p-1", "generation": 3},
        "role": {"uid": "r-1", "hash": "0123456789abcdef", "rules": []},
        "approvals": [approval],
        "conditions": [{"type": "Granted", "status": "False", "reason": "RevokedByRequester", "message": ALICE}],
        "history": [ended],
    }
    row = record(request(approvals=approved_by(BOB), revocations=f"{ALICE}: done", status=active_status(T0, HOUR) | more))
    assert row == {
        "namespace": "team-a",
        "name": "alice-7f3k",
        "uid": "1a2b3c4d-0000-4000-8000-000000000001",
        "requester": ALICE,
        "policy": "prod-debug",
        "policyUid": "p-1",
        "policyGeneration": 3,
        "roleKind": "ClusterRole",
        "role": "view",
        "roleHash": "0123456789abcdef",
        "duration": "1h",
        "reason": "INC-42 pods crash looping",
        "state": "Revoked",
        "message": ALICE,
        "requestedAt": "2026-07-01T02:10:00.000Z",
        "grantedAt": "2026-07-01T02:10:00.000Z",
        "expiresAt": "2026-07-01T03:10:00.000Z",
        "settledAt": "2026-07-01T02:40:00.000Z",
        "requiredApprovals": 1,
        "binding": "jit-alice-7f3k-1a2b3c4d",
        "decisions": [
            {"verb": "approved", "by": BOB, "note": "ok", "at": AT},
            {"verb": "revoked", "by": ALICE, "note": "done", "at": AT},
        ],
        "history": [ended],
    }
