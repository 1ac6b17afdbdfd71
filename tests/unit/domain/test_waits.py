"""What approved access waits for: its window, its start; and how long it may wait."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.circumstances import NOTHING_AROUND, Case, Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.recorded import State
from jitaccess.domain.recording import Outcome, next_step
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.verdicts import Verdict
from jitaccess.domain.waits import WAITING, WAITS
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.status import request_status
from unit.examples import ALICE, BOB, CAROL, HOUR, MS, T0, active_status, approved_by, policy, request, request_manifest

# T0 is Wednesday 2026-07-01 02:10 UTC, 04:10 in Berlin.
OFFICE = [{"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}]
OPENS, CLOSES = datetime(2026, 7, 1, 6, tzinfo=UTC), datetime(2026, 7, 1, 16, tzinfo=UTC)
IN_OFFICE, TILL_SIX = {"windows": OFFICE}, {"windows": OFFICE, "endWithWindow": True}
APPROVED: dict[str, Any] = {"approvals": approved_by(BOB)}
START = datetime(2026, 7, 3, 8, tzinfo=UTC)  # two days later, a Friday
LATER: dict[str, Any] = {"startTime": "2026-07-03T08:00:00Z"}
SCHEDULABLE = {"allowScheduling": True}
WAITED = {"conditions": [{"type": "Granted", "status": "False", "reason": "OutsideWindow", "message": "opens Mon 08:00 CEST"}]}


def scheduled(by: tuple[str, ...] = (BOB,), **status: Any) -> dict[str, Any]:
    """The status of a request that was decided for later."""
    approvals = [{"by": user, "note": "ok", "at": "2026-07-01T02:11:00.000Z"} for user in by]
    return {"state": "Scheduled", "settled": False, "approvals": approvals, "startsAt": "2026-07-03T08:00:00.000Z"} | status


def judged(verdict: Verdict) -> tuple[State, str]:
    return verdict.state, verdict.reason


@pytest.mark.parametrize(
    ("fields", "under", "when", "state", "reason"),
    [
        pytest.param(APPROVED, IN_OFFICE, OPENS - MS, State.PENDING, "OutsideWindow", id="the-last-millisecond-before-it-opens"),
        pytest.param(APPROVED, IN_OFFICE, OPENS, State.ACTIVE, "Granted", id="the-first-millisecond-inside"),
        pytest.param(APPROVED, IN_OFFICE, CLOSES - MS, State.ACTIVE, "Granted", id="the-last-millisecond-inside"),
        pytest.param(APPROVED, IN_OFFICE, CLOSES, State.PENDING, "OutsideWindow", id="the-first-millisecond-outside"),
        pytest.param({}, IN_OFFICE, T0, State.PENDING, "WaitingForApproval", id="who-is-not-approved-waits-for-people"),
        pytest.param(
            {},
            {"requiredApprovals": 0, "approvers": None} | IN_OFFICE,
            T0,
            State.PENDING,
            "OutsideWindow",
            id="without-approvals-too",
        ),
        pytest.param(
            APPROVED | {"denials": approved_by(CAROL)}, IN_OFFICE, T0, State.DENIED, "DeniedByApprover", id="denied-outside"
        ),
        pytest.param(
            APPROVED | {"revocations": approved_by(ALICE)},
            IN_OFFICE,
            T0,
            State.WITHDRAWN,
            "WithdrawnByRequester",
            id="withdrawn-outside",
        ),
        pytest.param(APPROVED | {"duration": "5h"}, IN_OFFICE, T0, State.DENIED, "DurationTooLong", id="not-allowed-outside"),
        pytest.param(
            APPROVED,
            IN_OFFICE | {"pendingTimeout": "1h"},
            T0 + HOUR - MS,
            State.PENDING,
            "OutsideWindow",
            id="till-its-time-is-up",
        ),
        pytest.param(
            APPROVED,
            IN_OFFICE | {"pendingTimeout": "1h"},
            T0 + HOUR,
            State.TIMED_OUT,
            "PendingTimeout",
            id="its-time-is-up-unseen",
        ),
        pytest.param(
            APPROVED | {"status": WAITED},
            IN_OFFICE | {"pendingTimeout": "1h"},
            T0 + HOUR,
            State.TIMED_OUT,
            "OutsideWindow",
            id="its-time-is-up",
        ),
        pytest.param(
            APPROVED | {"status": active_status()},
            IN_OFFICE,
            T0 + MS,
            State.ACTIVE,
            "Granted",
            id="what-has-begun-goes-on-outside",
        ),
    ],
)
def test_access_begins_inside_a_window_only(
    fields: dict[str, Any], under: dict[str, Any], when: datetime, state: State, reason: str
) -> None:
    verdict = decide(request(**fields), policy(**under), when)
    assert judged(verdict) == (state, reason), verdict.message
    assert (verdict.grant is not None) is (state is State.ACTIVE)


def test_who_waits_for_a_window_is_told_and_looked_at_when_it_opens() -> None:
    verdict = decide(request(**APPROVED), policy(**IN_OFFICE), T0)
    assert (verdict.message, verdict.wake_at, verdict.starts_at) == ("opens Wed 08:00 CEST", OPENS, OPENS)
    assert verdict.approved


def test_who_waits_in_vain_is_looked_at_when_the_time_is_up_and_told_what_it_waited_for() -> None:
    short = policy(**IN_OFFICE, pendingTimeout="1h")
    verdict = decide(request(**APPROVED), short, T0)
    assert (verdict.wake_at, verdict.starts_at) == (T0 + HOUR, OPENS)
    late = decide(request(**APPROVED, status=WAITED), short, T0 + HOUR)
    assert late.message == "approved, but never granted: opens Mon 08:00 CEST"


@pytest.mark.parametrize(
    ("under", "when", "asked", "end"),
    [
        pytest.param(TILL_SIX, CLOSES - HOUR / 2, "1h", CLOSES, id="at-the-close"),
        pytest.param(TILL_SIX, CLOSES - HOUR, "1h", CLOSES, id="exactly-as-long-as-asked"),
        pytest.param(TILL_SIX, CLOSES - 2 * HOUR, "1h", CLOSES - HOUR, id="as-asked-where-that-is-earlier"),
        pytest.param(TILL_SIX, CLOSES - MS, "1h", CLOSES, id="a-millisecond"),
        pytest.param(IN_OFFICE, CLOSES - HOUR / 2, "1h", CLOSES + HOUR / 2, id="as-asked-where-the-policy-does-not-say-so"),
        pytest.param({"endWithWindow": True}, CLOSES, "1h", CLOSES + HOUR, id="as-asked-where-there-is-no-window"),
    ],
)
def test_access_ends_with_its_window_where_the_policy_says_so(
    under: dict[str, Any], when: datetime, asked: str, end: datetime
) -> None:
    verdict = decide(request(**APPROVED, duration=asked), policy(**under), when)
    assert verdict.grant
    assert (verdict.grant.granted_at, verdict.grant.expires_at, verdict.wake_at) == (when, end, end)


def test_the_end_of_what_has_begun_is_the_one_on_record_whatever_the_windows_are_now() -> None:
    verdict = decide(request(**APPROVED, status=active_status()), policy(**TILL_SIX), T0 + HOUR / 2)
    assert verdict.grant
    assert verdict.grant.expires_at == T0 + HOUR


@pytest.mark.parametrize(
    ("fields", "under", "when", "state", "reason"),
    [
        pytest.param({}, {}, T0, State.PENDING, "WaitingForApproval", id="it-is-decided-first"),
        pytest.param(APPROVED, {}, T0, State.SCHEDULED, "Scheduled", id="approved-it-is-scheduled"),
        pytest.param(APPROVED, {}, START - MS, State.TIMED_OUT, "PendingTimeout", id="the-time-to-decide-is-not-longer"),
        pytest.param(
            APPROVED,
            {"pendingTimeout": "72h"},
            START - MS,
            State.SCHEDULED,
            "Scheduled",
            id="a-millisecond-before-it-is-scheduled",
        ),
        pytest.param(APPROVED, {"pendingTimeout": "72h"}, START, State.ACTIVE, "Granted", id="approved-at-its-start-it-begins"),
        pytest.param(APPROVED | {"startTime": "2026-06-30T00:00:00Z"}, {}, T0, State.ACTIVE, "Granted", id="a-start-in-the-past"),
        pytest.param(APPROVED, IN_OFFICE, T0, State.SCHEDULED, "Scheduled", id="outside-a-window-now-does-not-matter"),
        pytest.param(
            APPROVED, {"allowScheduling": False}, T0, State.DENIED, "SchedulingNotAllowed", id="where-it-is-not-allowed"
        ),
        pytest.param(
            {"startTime": "2026-06-30T00:00:00Z"},
            {"allowScheduling": False},
            T0,
            State.DENIED,
            "SchedulingNotAllowed",
            id="nor-in-the-past",
        ),
        pytest.param({"startTime": "2026-07-31T02:10:00Z"}, {}, T0, State.PENDING, "WaitingForApproval", id="thirty-days-ahead"),
        pytest.param({"startTime": "2026-07-31T02:10:00.001Z"}, {}, T0, State.DENIED, "StartTooFar", id="a-millisecond-too-far"),
        pytest.param({"startTime": "soon"}, {}, T0, State.FAILED, "InvalidSpec", id="at-no-time"),
        # Scheduled.
        pytest.param({"status": scheduled()}, {}, START - MS, State.SCHEDULED, "Scheduled", id="scheduled-till-its-start"),
        pytest.param({"status": scheduled()}, {}, START, State.ACTIVE, "Granted", id="at-its-start-it-begins"),
        pytest.param(
            {"status": scheduled()}, {}, START + 24 * HOUR - MS, State.ACTIVE, "Granted", id="late-it-begins-all-the-same"
        ),
        pytest.param(
            {"status": scheduled()}, {}, START + 24 * HOUR, State.TIMED_OUT, "PendingTimeout", id="a-day-late-it-does-not"
        ),
        pytest.param(
            {"status": scheduled()},
            {"pendingTimeout": "1s"},
            START - MS,
            State.SCHEDULED,
            "Scheduled",
            id="a-shorter-pending-time",
        ),
        pytest.param(
            {"status": scheduled() | WAITED},
            IN_OFFICE,
            START + 24 * HOUR,
            State.TIMED_OUT,
            "OutsideWindow",
            id="no-window-in-time",
        ),
        pytest.param(
            {"status": scheduled(), "denials": approved_by(BOB)}, {}, T0, State.DENIED, "DeniedByApprover", id="denied-afterwards"
        ),
        pytest.param(
            {"status": scheduled(), "revocations": approved_by(CAROL)},
            {},
            START,
            State.DENIED,
            "DeniedByApprover",
            id="revoked-at-its-start",
        ),
        pytest.param(
            {"status": scheduled(), "revocations": approved_by(ALICE)},
            {},
            T0,
            State.WITHDRAWN,
            "WithdrawnByRequester",
            id="withdrawn",
        ),
        pytest.param(
            {"status": scheduled(), "metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}},
            {},
            T0,
            State.WITHDRAWN,
            "RequestDeleted",
            id="deleted",
        ),
        pytest.param({"status": scheduled()}, {"maxDuration": "59m"}, T0, State.DENIED, "DurationTooLong", id="narrowed-since"),
        pytest.param(
            {"status": scheduled()}, {"allowScheduling": False}, T0, State.DENIED, "SchedulingNotAllowed", id="forbidden-since"
        ),
        pytest.param(
            {"status": scheduled()}, {"requiredApprovals": 2}, T0, State.DENIED, "ApprovalsMissing", id="too-few-by-now"
        ),
        pytest.param(
            {"status": scheduled(), "approvals": approved_by(BOB, CAROL)},
            {"requiredApprovals": 2},
            T0,
            State.DENIED,
            "ApprovalsMissing",
            id="an-approval-after-the-decision-does-not-count",
        ),
        pytest.param(
            {"status": scheduled(by=(BOB, CAROL))},
            {"requiredApprovals": 2},
            START,
            State.ACTIVE,
            "Granted",
            id="as-many-as-by-now",
        ),
        pytest.param(
            {"status": active_status(START)},
            {"allowScheduling": False},
            START + MS,
            State.ACTIVE,
            "Granted",
            id="what-has-begun-goes-on",
        ),
    ],
)
def test_a_start_is_decided_now_and_begins_then(
    fields: dict[str, Any], under: dict[str, Any], when: datetime, state: State, reason: str
) -> None:
    asked = {**LATER, **({} if "approvals" in fields or "status" not in fields else APPROVED), **fields}
    verdict = decide(request(**asked), policy(**SCHEDULABLE | under), when)
    assert judged(verdict) == (state, reason), verdict.message
    assert (verdict.grant is not None) is (state is State.ACTIVE)
    assert (verdict.starts_at is not None) is (state is State.SCHEDULED)


def test_what_is_scheduled_is_looked_at_at_its_start_and_its_time_counts_from_there() -> None:
    verdict = decide(request(**APPROVED, **LATER), policy(**SCHEDULABLE), T0)
    assert (verdict.message, verdict.wake_at) == ("begins 2026-07-03T08:00:00.000Z", START)
    begun = decide(request(**APPROVED, **LATER, status=scheduled()), policy(**SCHEDULABLE), START + 5 * MS)
    assert begun.grant
    assert (begun.grant.granted_at, begun.grant.expires_at) == (START + 5 * MS, START + 5 * MS + HOUR)


def test_outside_a_window_at_its_start_it_waits_on() -> None:
    saturday = START + 24 * HOUR
    asked = request(**APPROVED, startTime="2026-07-04T08:00:00Z", status=scheduled())
    verdict = decide(asked, policy(**SCHEDULABLE, **IN_OFFICE, pendingTimeout="72h"), saturday)
    assert (verdict.state, verdict.reason, verdict.message) == (State.SCHEDULED, "OutsideWindow", "opens Mon 08:00 CEST")
    assert verdict.wake_at == verdict.starts_at == datetime(2026, 7, 6, 6, tzinfo=UTC)


@pytest.mark.parametrize("given", ["", approved_by(BOB)], ids=["though-nobody-had-to-approve", "after-an-approval"])
def test_a_role_that_changed_while_it_was_scheduled_is_not_what_was_decided(given: str) -> None:
    shown = {"role": {"uid": "r-1", "hash": "0123456789abcdef", "rules": [], "risks": [], "hints": []}}
    under = policy(**SCHEDULABLE, requiredApprovals=1 if given else 0)
    asked = request(**LATER, approvals=given, status=scheduled((BOB,) if given else ()) | shown)
    same = decide(asked, under, START, Circumstances(ShownRole("r-1", "0123456789abcdef", ())))
    changed = decide(asked, under, START, Circumstances(ShownRole("r-1", "fedcba9876543210", ())))
    assert judged(same) == (State.ACTIVE, "Granted")
    assert judged(changed) == (State.DENIED, "RoleChanged")


def test_the_record_of_what_is_scheduled_has_its_start_and_waits_on_from_there() -> None:
    under, manifest = policy(**SCHEDULABLE), request_manifest(**APPROVED, **LATER)
    asked = parse_request(manifest)
    status = request_status(next_step(asked, Outcome(decide(asked, under, T0), under), T0).recorded)
    assert (status["state"], status["settled"], status["startsAt"]) == ("Scheduled", False, "2026-07-03T08:00:00.000Z")
    assert status["pendingUntil"] == "2026-07-04T08:00:00.000Z"
    assert [(each["type"], each["status"], each["reason"]) for each in status["conditions"]] == [
        ("Approved", "True", "Approved"),
        ("Granted", "False", "Scheduled"),
        ("Reconciling", "True", "Scheduled"),
    ]
    assert [(each["state"], each["reason"]) for each in status["history"]] == [
        ("Pending", "Requested"),
        ("Pending", "Approved"),
        ("Scheduled", "Scheduled"),
    ]
    again = parse_request(manifest | {"status": status})
    assert next_step(again, Outcome(decide(again, under, START - MS), under), START - MS).recorded == again.recorded


def test_the_record_of_what_waits_for_a_window_has_its_opening() -> None:
    under, asked = policy(**IN_OFFICE), request(**APPROVED)
    recorded = next_step(asked, Outcome(decide(asked, under, T0), under), T0).recorded
    assert (recorded.state, recorded.starts_at, recorded.due) == (State.PENDING, OPENS, OPENS)
    approved, granted = recorded.condition("Approved"), recorded.condition("Granted")
    assert approved
    assert granted
    assert (approved.status, granted.status, granted.reason) == ("True", "False", "OutsideWindow")


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
def test_no_wait_concerns_a_policy_that_says_nothing(wait: Any) -> None:
    assert wait(Case(request(), policy(), T0, NOTHING_AROUND)) is None
    assert len(WAITS) == len(WAITING)


def test_times_to_wait_are_of_the_pending_time() -> None:
    verdict = decide(
        request(**APPROVED, **LATER, status=scheduled()), policy(**SCHEDULABLE, pendingTimeout="1h"), START + timedelta(hours=1)
    )
    assert verdict.state is State.TIMED_OUT
