"""Ledger lines, decisions, descriptions and the auditor's record."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jitaccess.cli.api.errors import ExitCode, UsageError
from jitaccess.cli.api.ledger import added_line, checked_text
from jitaccess.cli.commands.exporting import CSV_COLUMNS, cell, record
from jitaccess.cli.commands.waiting import CODES
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import State
from jitaccess.manifests.parse import parse_ledger, parse_request
from jitaccess.wording.decisions import decisions
from jitaccess.wording.describe import how_long, outcome, progress, timeline, when

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def asked(annotations: dict[str, str] | None = None, **status: Any) -> AccessRequest:
    manifest: dict[str, Any] = {
        "metadata": {
            "name": "r1",
            "namespace": "team-a",
            "uid": "u",
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-24T11:55:00Z",
            "annotations": annotations or {},
        },
        "spec": {
            "policyRef": {"name": "debug"},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "duration": "1h",
            "reason": "INC-42",
            "requester": "alice",
        },
    }
    return parse_request(manifest | ({"status": status} if status else {}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, "bob: ok", id="the-first-line"),
        pytest.param("carol: yes", "carol: yes\nbob: ok", id="a-second-line"),
        pytest.param("", "\nbob: ok", id="an-empty-ledger-keeps-what-the-api-server-compares"),
    ],
)
def test_a_decision_is_one_line_at_the_end(before: str | None, after: str) -> None:
    ledger = added_line(before, "bob", "ok")
    assert ledger == after
    assert parse_ledger(ledger)[-1].by == "bob"


@pytest.mark.parametrize("text", ["a\nb", "a\u2028b", "\u202e", "\x1b[0m", "x" * 1025])
def test_notes_that_the_api_server_would_refuse_are_refused_before(text: str) -> None:
    with pytest.raises(UsageError):
        checked_text(text, "note")


def test_decisions_carry_the_times_that_were_recorded() -> None:
    ledgers = {"jitaccess.dev/approvals": "bob: go\ncarol: me too", "jitaccess.dev/revocations": "alice: done"}
    history = [{"at": "2026-11-24T11:58:00Z", "state": "Revoked", "reason": "RevokedByRequester", "by": "alice"}]
    approvals = [{"by": "bob", "note": "go", "at": "2026-11-24T11:56:00Z"}]
    request = asked(ledgers, state="Revoked", settled=True, approvals=approvals, history=history)
    assert [(d.verb, d.by, d.note, d.at) for d in decisions(request)] == [
        ("approved", "bob", "go", datetime(2026, 11, 24, 11, 56, tzinfo=UTC)),
        ("approved", "carol", "me too", None),
        ("revoked", "alice", "done", datetime(2026, 11, 24, 11, 58, tzinfo=UTC)),
    ]


def test_when_is_the_time_that_matters_now() -> None:
    assert when(asked(), NOW) == "asked 5m ago"
    active = asked(state="Active", grantedAt="2026-11-24T11:58:00Z", expiresAt="2026-11-24T12:43:00Z")
    assert when(active, NOW) == "ends in 43m"
    late = asked(state="Active", grantedAt="2026-11-24T10:58:00Z", expiresAt="2026-11-24T11:59:55Z")
    assert when(late, NOW) == "should have ended 5s ago", "what has not ended is not called over, nor in time"
    assert when(asked(state="Denied", settledAt="2026-11-24T11:58:00Z"), NOW) == "ended 2m ago"


def test_a_revoked_grant_says_when_it_really_ended() -> None:
    times: dict[str, Any] = {
        "grantedAt": "2026-11-24T11:56:00Z",
        "expiresAt": "2026-11-24T12:56:00Z",
        "settledAt": "2026-11-24T11:58:00Z",
    }
    assert "(2m ago)" in how_long(asked(None, state="Revoked", **times), NOW)


def test_an_end_that_is_refused_is_said_instead_of_a_time() -> None:
    refused = {
        "type": "Granted",
        "status": "True",
        "reason": "EndRefused",
        "message": "should have ended (the time is up), but its deletion is refused: no",
        "lastTransitionTime": "2026-11-24T11:59:56Z",
    }
    times: dict[str, Any] = {"grantedAt": "2026-11-24T10:58:00Z", "expiresAt": "2026-11-24T11:59:55Z"}
    said = outcome(asked(state="Active", conditions=[refused], **times), None, NOW)
    assert said == "should have ended (the time is up), but its deletion is refused: no (should have ended 5s ago)"


@pytest.mark.parametrize(
    ("state", "reason", "event"),
    [
        pytest.param("Pending", "Requested", "Requested", id="asked"),
        pytest.param("Pending", "Approved", "Approved", id="approved"),
        pytest.param("Active", "Granted", "Active", id="granted"),
        pytest.param("Active", "BindingRestored", "BindingRestored", id="an-incident"),
        pytest.param("Pending", "BindForbidden", "BindForbidden", id="an-obstacle"),
        pytest.param("Revoked", "GuardGone", "Revoked", id="an-end"),
    ],
)
def test_a_line_of_the_history_is_called_what_happened(state: str, reason: str, event: str) -> None:
    entry = {"at": "2026-11-24T11:58:00Z", "state": state, "reason": reason, "message": "why"}
    assert timeline(asked(state=state, history=[entry])) == [(datetime(2026, 11, 24, 11, 58, tzinfo=UTC), event, "", "why")]


def test_progress_is_shown_where_more_than_one_approval_is_needed() -> None:
    one = {"jitaccess.dev/approvals": "bob: ok\nalice: me"}
    assert progress(asked(one, state="Pending", requiredApprovals=2)) == " 1/2"
    assert progress(asked(one, state="Pending", requiredApprovals=1)) == ""


def test_an_end_by_somebody_says_who_and_what_they_wrote() -> None:
    history = [
        {"at": "2026-11-24T11:58:00Z", "state": "Denied", "reason": "DeniedByApprover", "by": "bob", "message": "bob: not today"}
    ]
    request = asked(state="Denied", settled=True, history=history)
    assert outcome(request, None, NOW) == "by bob: not today"
    assert timeline(request) == [(datetime(2026, 11, 24, 11, 58, tzinfo=UTC), "Denied", "bob", "not today")]


def test_the_timeline_begins_before_the_operator_wrote_anything() -> None:
    assert timeline(asked()) == [(datetime(2026, 11, 24, 11, 55, tzinfo=UTC), "Requested", "alice", "INC-42")]


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
    assert set(CSV_COLUMNS) <= set(record(asked()))


def test_every_state_has_its_exit_code() -> None:
    assert set(CODES) == set(State)
    assert {state for state, code in CODES.items() if code == ExitCode.NO} == {
        State.DENIED,
        State.REVOKED,
        State.WITHDRAWN,
        State.FAILED,
    }
    assert CODES[State.TIMED_OUT] == ExitCode.TIMED_OUT
