"""Requests and policies in words."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.text import format_time
from jitaccess.wording.describe import (
    how_long,
    not_ready,
    outcome,
    policy_of,
    progress,
    times_out,
    warnings,
    when,
    who_decides,
)
from unit.examples import BOB, HOUR, T0, active_status, approved_by, policy, request

NOW = T0 + timedelta(minutes=10)


def condition(reason: str, message: str, kind: str = "Granted", status: str = "False") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def active(*conditions: dict[str, str], lasts: timedelta = HOUR) -> AccessRequest:
    return request(status=active_status(lasts=lasts) | {"conditions": list(conditions)})


def settled(state: str, **status: Any) -> AccessRequest:
    return request(status={"state": state, "settledAt": format_time(NOW - timedelta(minutes=2))} | status)


SEEN = {"revision": 1, "state": "Pending", "conditions": [condition("WaitingForApproval", "needs 1 approval")]}
REFUSED = condition("EndRefused", "should have ended (the time is up), but its deletion is refused: no", status="True")
UNGUARDED = condition("JobRefused", "only the operator ends this access: no", "ExpiryGuarded")
LATE = timedelta(minutes=9, seconds=55)


def begins_at(moment: timedelta, state: str, *conditions: dict[str, str]) -> AccessRequest:
    """A request that is approved, and begins so long after it was made."""
    status = {"revision": 1, "state": state, "startsAt": format_time(T0 + moment), "conditions": list(conditions)}
    return (
        request(status=status, startTime=format_time(T0 + moment), approvals=approved_by(BOB))
        if state == "Scheduled"
        else (
            request(status=status | {"approvals": [{"by": BOB, "note": "ok", "at": format_time(T0)}]}, approvals=approved_by(BOB))
        )
    )


LATER = begins_at(4 * HOUR, "Scheduled", condition("Scheduled", "begins 2026-07-01T06:10:00.000Z"))
WAITS = begins_at(4 * HOUR, "Pending", condition("OutsideWindow", "opens Wed 08:10 CEST"))
LATER_WAITS = begins_at(4 * HOUR, "Scheduled", condition("OutsideWindow", "opens Wed 08:10 CEST"))
MISSED = begins_at(timedelta(minutes=5), "Scheduled", condition("Scheduled", "begins 2026-07-01T02:15:00.000Z"))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        pytest.param(request(status=SEEN), "asked 10m ago", id="pending"),
        pytest.param(request(), "asked 10m ago, not looked at yet", id="an-operator-that-does-not-look"),
        pytest.param(request(created=NOW), "asked 0s ago", id="an-operator-that-still-may"),
        pytest.param(LATER, "begins in 3h50m", id="scheduled"),
        pytest.param(WAITS, "begins in 3h50m", id="outside-a-window"),
        pytest.param(MISSED, "should have begun 5m ago", id="an-operator-that-begins-nothing"),
        pytest.param(active(), "ends in 50m", id="active"),
        pytest.param(active(lasts=LATE), "should have ended 5s ago", id="active-past-its-end"),
        pytest.param(active(REFUSED, lasts=LATE), "should have ended 5s ago", id="an-end-that-is-refused"),
        pytest.param(active(UNGUARDED), "ends in 50m, unguarded", id="active-and-only-the-operator-ends-it"),
        pytest.param(settled("Denied"), "ended 2m ago", id="settled"),
        pytest.param(settled("Expired", conditions=[UNGUARDED]), "ended 2m ago", id="settled-without-a-guard-is-over-too"),
    ],
)
def test_when_is_the_time_that_matters_now(about: AccessRequest, words: str) -> None:
    assert when(about, NOW) == words


ENDED_BY_BOB = {"at": format_time(T0), "state": "Denied", "reason": "DeniedByApprover", "by": BOB, "message": f"{BOB}: no"}
GONE = {"at": format_time(T0), "state": "Revoked", "reason": "GuardGone", "message": "Job x is gone"}


@pytest.mark.parametrize(
    ("about", "under", "words"),
    [
        pytest.param(request(created=NOW), None, "not looked at yet", id="before-the-operator"),
        pytest.param(LATER, None, "begins 06:10:00 (in 3h50m)", id="scheduled"),
        pytest.param(WAITS, None, "approved, opens Wed 08:10 CEST (in 3h50m)", id="outside-a-window"),
        pytest.param(LATER_WAITS, None, "approved, opens Wed 08:10 CEST (in 3h50m)", id="scheduled-and-outside-a-window"),
        pytest.param(request(created=NOW), policy(), "needs 1 approval from Group leads", id="foreseen-from-the-policy"),
        pytest.param(request(created=NOW), policy(requiredApprovals=0), "not looked at yet", id="nothing-to-foresee"),
        pytest.param(request(), None, "not looked at yet: is the operator running?", id="the-operator-is-late"),
        pytest.param(
            request(),
            policy(),
            "not looked at yet: is the operator running? (needs 1 approval from Group leads)",
            id="late-and-what-is-foreseen",
        ),
        pytest.param(
            request(approvals=approved_by(BOB), status=SEEN),
            policy(),
            f"approved by {BOB}; the operator has not acted on that yet",
            id="enough-approvals",
        ),
        pytest.param(
            request(denials=f"{BOB}: no", status=active_status()),
            None,
            f"denied by {BOB}; the operator has not acted on that yet (ends in 50m)",
            id="an-end-that-was-asked-for-and-did-not-come",
        ),
        pytest.param(
            request(status={"state": "Pending", "conditions": [condition("BindForbidden", "add it")]}),
            policy(),
            "add it",
            id="an-obstacle-in-the-operators-words",
        ),
        pytest.param(active(), None, "ClusterRole view until 03:10:00 (in 50m)", id="active"),
        pytest.param(active(lasts=LATE), None, "should have ended 5s ago: no end is on record yet", id="past-its-end"),
        pytest.param(
            active(REFUSED, lasts=LATE),
            None,
            "should have ended 5s ago: the API server refuses the end, which is tried again and again",
            id="an-end-that-is-refused",
        ),
        pytest.param(
            active(condition("RoleNotFound", "there is no Role x: create it")),
            None,
            "there is no Role x: create it (ends in 50m)",
            id="active-without-its-binding",
        ),
        pytest.param(
            settled("Denied", history=[ENDED_BY_BOB], denial={"by": BOB, "note": "no", "at": format_time(T0)}),
            None,
            f"by {BOB}: no",
            id="who-and-what-they-wrote",
        ),
        pytest.param(
            settled("Denied", history=[ENDED_BY_BOB], denial={"by": BOB, "note": "", "at": format_time(T0)}),
            None,
            f"by {BOB}",
            id="who-and-no-word-more",
        ),
        pytest.param(settled("Revoked", history=[GONE]), None, "Job x is gone", id="nobodys-decision"),
        pytest.param(
            settled("Failed", conditions=[condition("InvalidSpec", "spec.duration: no")]),
            None,
            "spec.duration: no",
            id="a-record-without-a-history",
        ),
    ],
)
def test_an_outcome_is_one_sentence(about: AccessRequest, under: AccessPolicy | None, words: str) -> None:
    assert outcome(about, under, NOW) == words


@pytest.mark.parametrize(
    ("about", "said"),
    [
        pytest.param(active(), [], id="all-is-well"),
        pytest.param(active(UNGUARDED), ["only the operator ends this access: no"], id="no-job-behind-it"),
        pytest.param(
            active(REFUSED, UNGUARDED),
            ["should have ended (the time is up), but its deletion is refused: no", "only the operator ends this access: no"],
            id="an-end-that-is-refused-comes-first",
        ),
        pytest.param(
            active(condition("JobRefused", "", "ExpiryGuarded")), ["JobRefused"], id="the-reason-where-there-is-no-sentence"
        ),
        pytest.param(settled("Expired", conditions=[UNGUARDED]), [], id="what-is-over-needs-no-warning"),
    ],
)
def test_access_that_somebody_should_look_after_comes_with_a_warning(about: AccessRequest, said: list[str]) -> None:
    assert warnings(about) == said


@pytest.mark.parametrize(
    ("about", "words"),
    [
        pytest.param(request(), "1h from the moment it is granted", id="before-it-is-granted"),
        pytest.param(settled("Denied"), "1h", id="never-granted"),
        pytest.param(active(), "1h, 02:10:00 to 03:10:00 (in 50m)", id="active"),
        pytest.param(
            settled("Revoked", grantedAt=format_time(T0), expiresAt=format_time(T0 + HOUR)),
            "1h, 02:10:00 to 02:18:00 (2m ago)",
            id="revoked-is-when-it-really-ended",
        ),
    ],
)
def test_how_long(about: AccessRequest, words: str) -> None:
    assert how_long(about, NOW) == words


@pytest.mark.parametrize(
    ("required", "shown"), [pytest.param(2, " 1/2", id="of-two"), pytest.param(1, "", id="one-needs-no-count")]
)
def test_progress_is_shown_where_more_than_one_approval_is_needed(required: int, shown: str) -> None:
    asked = request(approvals=approved_by(BOB), status={"state": "Pending", "requiredApprovals": required})
    assert progress(asked) == shown


def test_a_pending_request_says_when_it_times_out() -> None:
    until = format_time(NOW + HOUR)
    assert times_out(request(status={"state": "Pending", "pendingUntil": until}), NOW) == "times out in 1h"
    assert times_out(request(), NOW) == "", "not on record yet"
    assert times_out(settled("Denied", pendingUntil=until), NOW) == ""


@pytest.mark.parametrize(
    ("required", "words"),
    [
        pytest.param(0, "no approval needed", id="none"),
        pytest.param(1, "1 approval from Group leads", id="one"),
        pytest.param(2, "2 approvals from Group leads", id="two"),
    ],
)
def test_who_decides(required: int, words: str) -> None:
    assert who_decides(policy(requiredApprovals=required)) == words


def test_a_policy_that_one_may_not_read_is_named() -> None:
    assert policy_of(request(), policy()) == "prod-debug: 1 approval from Group leads"
    assert policy_of(request(), None) == "prod-debug (gone, or not yours to read)"


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        pytest.param([], "not looked at yet: is the operator running?", id="nobody-said"),
        pytest.param([condition("InForce", "all is well", "Ready", "True")], "", id="in-force"),
        pytest.param([condition("RoleNotFound", "there is no Role x", "Ready")], "there is no Role x", id="not-in-force"),
        pytest.param([condition("RoleNotFound", "", "Ready")], "RoleNotFound", id="without-a-sentence"),
    ],
)
def test_why_a_policy_is_not_in_force(conditions: list[dict[str, str]], why: str) -> None:
    assert not_ready(policy(status={"conditions": conditions}), NOW) == why
