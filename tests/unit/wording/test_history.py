"""The history in words: what it is called, who it was, and times as people read them."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import format_time
from jitaccess.wording.history import HistoryLine, ends, timeline
from unit.examples import ALICE, BOB, HOUR, T0, request

NOW = T0 + timedelta(minutes=10)
ENTRY_AT = T0 + timedelta(minutes=5)


def recorded(state: str, reason: str, message: str = "", by: str = "", **status: Any) -> AccessRequest:
    """The request with one line of history."""
    entry = {"at": format_time(ENTRY_AT), "state": state, "reason": reason, "message": message, "by": by}
    return request(status={"state": state, "history": [entry]} | status)


def signed(by: str, note: str) -> dict[str, str]:
    return {"by": by, "note": note, "at": format_time(ENTRY_AT)}


@pytest.mark.parametrize(
    ("state", "reason", "what"),
    [
        pytest.param("Pending", "Requested", "Requested", id="asked"),
        pytest.param("Pending", "Approved", "Approved", id="approved"),
        pytest.param("Active", "Granted", "Active", id="granted"),
        pytest.param("Pending", "BindForbidden", "Bind forbidden", id="an-obstacle"),
        pytest.param("Pending", "RoleChanged", "Role changed", id="a-role-that-was-changed-before-anybody-approved"),
        pytest.param("Denied", "RoleChanged", "Denied", id="or-after-somebody-had"),
        pytest.param("Denied", "PolicyRecreated", "Denied", id="another-policy-of-that-name"),
        pytest.param("Active", "BindingRestored", "Binding restored", id="a-binding-put-back"),
        pytest.param("Active", "BindingEmptied", "Binding emptied", id="a-binding-without-subjects"),
        pytest.param("Active", "ExpiryUnguarded", "Expiry unguarded", id="only-the-operator-ends-it"),
        pytest.param("Active", "EndRefused", "End refused", id="an-end-that-is-refused"),
        pytest.param("Revoked", "GuardGone", "Revoked", id="an-end-without-its-job"),
        pytest.param("Expired", "DurationElapsed", "Expired", id="the-usual-end"),
    ],
)
def test_a_line_is_called_by_what_happened(state: str, reason: str, what: str) -> None:
    assert timeline(recorded(state, reason, "why"), NOW) == [HistoryLine(ENTRY_AT, what, "", "why")]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        pytest.param(
            recorded("Active", "Granted", "as written", expiresAt=format_time(T0 + HOUR)),
            "ClusterRole view until 03:10:00",
            id="granted-until-a-local-time",
        ),
        pytest.param(
            recorded("Active", "Granted", "as written"), "as written", id="the-operators-words-where-the-end-is-missing"
        ),
        pytest.param(
            recorded("TimedOut", "PendingTimeout", "as written", pendingUntil=format_time(T0), requiredApprovals=2),
            "no decision until 02:10:00 (0 of 2 approvals)",
            id="nobody-answered",
        ),
        pytest.param(
            recorded(
                "TimedOut",
                "PendingTimeout",
                "as written",
                pendingUntil=format_time(T0 - 24 * HOUR),
                requiredApprovals=1,
                approvals=[signed(BOB, "ok")],
            ),
            "approved, but not granted until 2026-06-30 02:10:00",
            id="approved-and-not-granted-in-time",
        ),
        pytest.param(
            recorded("TimedOut", "PendingTimeout", "as written"), "as written", id="and-where-the-record-has-no-deadline"
        ),
        pytest.param(
            recorded("Denied", "DeniedByApprover", f"{BOB}: not today", BOB, denial=signed(BOB, "not today")),
            "not today",
            id="a-denial-is-its-note",
        ),
        pytest.param(recorded("Denied", "DeniedByApprover", BOB, BOB, denial=signed(BOB, "")), "", id="a-denial-without-a-note"),
        pytest.param(
            recorded("Revoked", "RevokedByApprover", "x", BOB, denial=signed(BOB, "first no"), revocation=signed(BOB, "stop")),
            "stop",
            id="of-access-that-ended-the-revocation",
        ),
        pytest.param(
            recorded("Denied", "DeniedByApprover", "x", BOB, denial=signed(BOB, "no"), revocation=signed(BOB, "stop")),
            "no",
            id="of-a-request-that-was-refused-the-denial",
        ),
        pytest.param(
            recorded("Denied", "DeniedByApprover", f"{BOB}: no", BOB), f"{BOB}: no", id="the-operators-words-without-either"
        ),
        pytest.param(
            recorded("Pending", "Requested", f"{ALICE}: a reason that begins with a name", ALICE),
            f"{ALICE}: a reason that begins with a name",
            id="a-reason-is-whole-whatever-it-begins-with",
        ),
        pytest.param(recorded("Pending", "Approved", f"{BOB}: ok", BOB), f"{BOB}: ok", id="and-so-is-a-note"),
    ],
)
def test_what_is_said_comes_from_the_record(about: AccessRequest, said: str) -> None:
    assert timeline(about, NOW)[0].said == said


def test_the_timeline_begins_before_the_operator_wrote_anything() -> None:
    assert timeline(request(), NOW) == [HistoryLine(T0, "Requested", ALICE, "INC-42 pods crash looping")]


REFUSED = {"type": "Granted", "status": "True", "reason": "EndRefused", "message": "no"}


@pytest.mark.parametrize(
    ("about", "words"),
    [
        pytest.param(
            recorded("Active", "Granted", expiresAt=format_time(NOW + timedelta(minutes=43))), "ends in 43m", id="in-time"
        ),
        pytest.param(
            recorded("Active", "Granted", expiresAt=format_time(NOW - timedelta(seconds=5))),
            "should have ended 5s ago",
            id="past-its-end-and-still-on-record",
        ),
        pytest.param(
            recorded("Active", "Granted", expiresAt=format_time(NOW)), "should have ended 0s ago", id="the-exact-end-is-the-end"
        ),
        pytest.param(
            recorded("Active", "EndRefused", expiresAt=format_time(NOW + HOUR), conditions=[REFUSED]),
            "should have ended 5m ago",
            id="revoked-before-its-end-but-the-end-is-refused",
        ),
        pytest.param(
            recorded("Active", "Granted", expiresAt=format_time(NOW + HOUR), conditions=[REFUSED]),
            "should have ended",
            id="since-when-is-not-on-record",
        ),
        pytest.param(request(), "", id="nothing-is-granted"),
    ],
)
def test_what_has_not_ended_is_not_called_over(about: AccessRequest, words: str) -> None:
    assert ends(about, NOW) == words
