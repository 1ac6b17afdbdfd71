"""Fields of a policy that meet in one request: each holds beside the others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.circumstances import NOTHING_AROUND, Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.recorded import State
from jitaccess.domain.recording import Outcome, next_step
from jitaccess.domain.usage import Taken, Usage
from unit.examples import ALICE, BOB, CAROL, DAVE, HOUR, MS, T0, approved_by, lines, locks, policy, request, stages_manifest

START = datetime(2026, 7, 3, 8, tzinfo=UTC)
TWO = stages_manifest(lead=1, security=1)
# Open until 09:20 on the day of the start, which is 11:20 in Berlin.
MORNING = {"windows": [{"from": "09:00", "to": "11:20", "timeZone": "Europe/Berlin"}], "endWithWindow": True}
FULL = Usage(of_requester=Taken(1, T0 + HOUR, Key("team-a", "other")))


def decided(under: AccessPolicy, asked: AccessRequest, around: Circumstances = NOTHING_AROUND) -> AccessRequest:
    """The request after a look at T0, as it is on record then."""
    return replace(asked, recorded=next_step(asked, Outcome(decide(asked, under, T0, around), under), T0).recorded)


def staged(**fields: Any) -> AccessRequest:
    """Approved by one of each stage, the second for less time, to begin in two days."""
    ledgers = {"lead": approved_by(BOB), "security": lines((CAROL, "[for 30m] go ahead"))}
    return request(stages=ledgers, startTime="2026-07-03T08:00:00Z", **fields)


@pytest.fixture
def under() -> AccessPolicy:
    """A policy of two stages that allows scheduling."""
    return policy(**TWO, allowScheduling=True)


def test_what_was_approved_in_stages_and_for_less_holds_at_the_start(under: AccessPolicy) -> None:
    waits = decided(under, staged())
    assert waits.state is State.SCHEDULED
    begun = decide(waits, under, START)
    assert begun.grant
    assert (begun.grant.granted_at, begun.grant.expires_at - START) == (START, HOUR / 2)


def test_a_stage_that_came_since_is_missed_at_the_start(under: AccessPolicy) -> None:
    waits = decided(under, staged())
    more = policy(**stages_manifest(lead=1, security=1, owner=1), allowScheduling=True)
    verdict = decide(waits, more, START)
    assert (verdict.state, verdict.reason) == (State.DENIED, "ApprovalsMissing")
    assert "stage owner" in verdict.message


@pytest.mark.parametrize("who", [BOB, CAROL, BOB.upper()])
def test_nothing_begins_while_somebody_who_approved_it_is_locked(under: AccessPolicy, who: str) -> None:
    waits = decided(under, staged())
    held = decide(waits, under, START, locks(who))
    assert (held.state, held.reason, held.grant) == (State.SCHEDULED, "ApproverLocked", None)
    assert decide(waits, under, START + HOUR).grant, "the lock is lifted"
    late = decide(waits, under, START + timedelta(hours=24), locks(who))
    assert late.state is State.TIMED_OUT


def test_a_locked_requester_loses_what_is_scheduled(under: AccessPolicy) -> None:
    verdict = decide(decided(under, staged()), under, T0 + HOUR, locks(ALICE))
    assert (verdict.state, verdict.reason) == (State.DENIED, "Locked")


@pytest.mark.parametrize(
    ("ledgers", "locked", "state"),
    [
        pytest.param(
            {"lead": approved_by(BOB), "security": approved_by(CAROL)}, BOB, State.PENDING, id="the only one of a stage"
        ),
        pytest.param({"lead": approved_by(BOB, DAVE), "security": approved_by(CAROL)}, BOB, State.ACTIVE, id="one of two"),
        pytest.param({"lead": approved_by(BOB), "security": approved_by(BOB, CAROL)}, BOB, State.PENDING, id="one in both"),
    ],
)
def test_a_locked_person_counts_in_no_stage(ledgers: dict[str, str], locked: str, state: State) -> None:
    verdict = decide(request(stages=ledgers), policy(**TWO), T0, locks(locked))
    assert verdict.state is state


@pytest.mark.parametrize(
    ("note", "begins", "lasts"),
    [
        pytest.param("ok", START, timedelta(hours=1), id="as-long-as-asked"),
        pytest.param("ok", START + HOUR, timedelta(minutes=20), id="until-the-window-closes"),
        pytest.param("[for 10m] ok", START + HOUR, timedelta(minutes=10), id="as-short-as-approved"),
        pytest.param("[for 30m] ok", START + HOUR, timedelta(minutes=20), id="the-window-closes-before-that"),
    ],
)
def test_the_earliest_of_all_ends_holds(note: str, begins: datetime, lasts: timedelta) -> None:
    asked = request(approvals=lines((BOB, note)), created=START - HOUR)
    verdict = decide(asked, policy(**MORNING), begins)
    assert verdict.grant
    assert verdict.grant.expires_at - begins == lasts


def test_room_is_asked_for_when_a_window_opens_and_not_before() -> None:
    limited = policy(**MORNING, limits={"activePerRequester": 1})
    asked = request(approvals=approved_by(BOB), created=START - 3 * HOUR, status={"observedGeneration": 1, "revision": 1})
    opens = START - HOUR
    around = Circumstances(usage=FULL)
    assert decide(asked, limited, opens - MS, around).reason == "OutsideWindow"
    full = decide(asked, limited, opens, around)
    assert (full.state, full.reason) == (State.DENIED, "LimitReached")


def test_a_suspended_policy_ends_what_is_scheduled(under: AccessPolicy) -> None:
    verdict = decide(decided(under, staged()), replace(under, suspended=True), T0 + HOUR)
    assert (verdict.state, verdict.reason) == (State.DENIED, "PolicySuspended")
