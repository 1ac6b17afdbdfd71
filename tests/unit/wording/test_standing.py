"""What an approver sees of who asks: what else they have, and what others refused them lately."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import format_time
from jitaccess.wording.standing import LATELY, live_grants, recent_refusals, refusal
from unit.examples import ALICE, BOB, HOUR, T0, active_status, request

NOW = T0 + HOUR / 2


def ended(state: str, reason: str, by: str, ago: timedelta, **fields: Any) -> AccessRequest:
    """A request that was settled that long ago."""
    at = format_time(NOW - ago)
    entry = {"at": at, "state": state, "reason": reason, "message": "the policy is gone"} | ({"by": by} if by else {})
    signed = {"by": by, "note": "use staging", "at": at}
    decision = {"denial": signed} if state == "Denied" and by else {"revocation": signed} if by else {}
    return request(status={"state": state, "settled": True, "settledAt": at, "history": [entry], **decision}, **fields)


def test_live_grants_are_named_with_their_ends_the_last_to_end_first() -> None:
    soon, late = request(name="r-soon", status=active_status()), request(name="r-late", status=active_status(lasts=2 * HOUR))
    others = [request(name="r-pending"), ended("Denied", "DeniedByApprover", BOB, HOUR)]
    assert live_grants([soon, *others, late], NOW) == [
        "ClusterRole view, ends in 1h30m (r-late)",
        "ClusterRole view, ends in 30m (r-soon)",
    ]


def test_access_that_is_on_record_after_its_end_is_still_live() -> None:
    assert live_grants([request(status=active_status(lasts=HOUR / 4))], NOW) == [
        "ClusterRole view, should have ended 15m ago (alice-7f3k)"
    ]


@pytest.mark.parametrize(
    ("state", "reason", "by", "ago", "line"),
    [
        pytest.param("Denied", "DeniedByApprover", BOB, HOUR, f"Denied by {BOB} 1h ago: use staging", id="denied"),
        pytest.param("Revoked", "RevokedByApprover", BOB, HOUR, f"Revoked by {BOB} 1h ago: use staging", id="revoked"),
        pytest.param("Revoked", "PolicyNotFound", "", HOUR, "Revoked 1h ago: the policy is gone", id="by-the-operator"),
        pytest.param("Revoked", "RevokedByRequester", ALICE, HOUR, "", id="given-back-by-the-requester"),
        pytest.param("Withdrawn", "WithdrawnByRequester", ALICE, HOUR, "", id="withdrawn"),
        pytest.param("Expired", "DurationElapsed", "", HOUR, "", id="expired"),
        pytest.param(
            "Denied", "DeniedByApprover", BOB, LATELY, f"Denied by {BOB} 7d ago: use staging", id="lately-includes-its-end"
        ),
        pytest.param("Denied", "DeniedByApprover", BOB, LATELY + HOUR, "", id="long-ago"),
    ],
)
def test_what_others_refused_lately(state: str, reason: str, by: str, ago: timedelta, line: str) -> None:
    expected = [f"ClusterRole view, {line} (alice-7f3k)"] if line else []
    assert recent_refusals([ended(state, reason, by, ago), request(status=active_status())], NOW) == expected


def test_many_refusals_are_counted_and_the_newest_named() -> None:
    many = [ended("Denied", "DeniedByApprover", BOB, n * HOUR, name=f"r{n}") for n in (4, 1, 5, 3, 2)]
    lines = recent_refusals(many, NOW)
    assert [line.rpartition("(")[2] for line in lines[:3]] == ["r1)", "r2)", "r3)"]
    assert lines[3:] == ["and 2 more"]


@pytest.mark.parametrize(
    ("old", "words"),
    [
        pytest.param(request(), "", id="pending"),
        pytest.param(request(status=active_status()), "", id="active"),
        pytest.param(ended("Expired", "DurationElapsed", "", HOUR), "", id="expired-in-its-time"),
        pytest.param(ended("Revoked", "RevokedByApprover", BOB, HOUR), f"Revoked by {BOB} 1h ago: use staging", id="revoked"),
    ],
)
def test_how_a_request_ended_is_said_unless_it_ran_its_time(old: AccessRequest, words: str) -> None:
    assert refusal(old, NOW) == words
