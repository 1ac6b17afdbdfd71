"""Limits: how much is taken, when there is room again, and what that says to a request."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import Key
from jitaccess.domain.recorded import Recorded, State
from jitaccess.domain.usage import DAY, Held, Taken, Usage, asked, held
from unit.examples import ALICE, BOB, HOUR, MS, T0, active_status, approved_by, policy, request

SECOND = timedelta(seconds=1)
ENDS = T0 + 20 * timedelta(minutes=1)


def grant(name: str, until: datetime, namespace: str = "team-a") -> Held:
    return Held(Key(namespace, name), ALICE, until)


@pytest.mark.parametrize(
    ("ends", "limit", "expected"),
    [
        pytest.param([], 1, Taken(0), id="nothing-is-taken"),
        pytest.param([3], 2, Taken(1), id="the-last-room-is-free"),
        pytest.param([3], None, Taken(1), id="no-limit-is-never-reached"),
        pytest.param([3, 1, 2], 3, Taken(3, T0 + 1 * HOUR, Key("team-a", "g1")), id="room-comes-with-the-first-end"),
        pytest.param([3, 1, 2], 2, Taken(3, T0 + 2 * HOUR, Key("team-a", "g2")), id="above-a-lowered-limit-two-must-end"),
    ],
)
def test_grants_take_room_until_enough_of_them_end(ends: list[int], limit: int | None, expected: Taken) -> None:
    grants = [grant(f"g{hours}", T0 + hours * HOUR) for hours in ends]
    assert held(len(grants), limit, grants) == expected


@pytest.mark.parametrize(
    ("ages", "limit", "expected"),
    [
        pytest.param([], 1, Taken(0), id="the-first-of-the-day"),
        pytest.param([timedelta(0)], 1, Taken(1, T0 + DAY), id="of-the-same-second"),
        pytest.param([DAY - SECOND], 1, Taken(1, T0 + SECOND), id="a-second-less-than-a-day-before"),
        pytest.param([DAY], 1, Taken(0), id="exactly-a-day-before-is-another-day"),
        pytest.param([DAY + SECOND], 1, Taken(0), id="more-than-a-day-before"),
        pytest.param([-SECOND], 1, Taken(1, T0 + SECOND + DAY), id="made-later-and-looked-at-before"),
        pytest.param([3 * HOUR, HOUR, 2 * HOUR], 2, Taken(3, T0 - 2 * HOUR + DAY), id="room-when-enough-are-a-day-old"),
        pytest.param([3 * HOUR, HOUR], 3, Taken(2), id="the-last-of-the-day"),
    ],
)
def test_requests_count_for_a_day_to_the_second(ages: list[timedelta], limit: int, expected: Taken) -> None:
    assert asked([T0 - age for age in ages], T0, limit) == expected


FULL = Usage(of_requester=Taken(1, ENDS, Key("team-a", "alice-1")))
FULL_IN_ALL = Usage(in_total=Taken(2, ENDS, Key("team-a", "bob-1")))
FULL_ELSEWHERE = Usage(in_total=Taken(2, ENDS, Key("team-b", "secret")))
FULL_DAY = Usage(in_a_day=Taken(10, T0 + HOUR))
LIMITS = {"limits": {"activePerRequester": 1, "activeInTotal": 2, "requestsPerDay": 10}}
SEEN = {"status": {"revision": 1, "observedGeneration": 1, "state": "Pending", "settled": False}}
AT, LATER = "2026-07-01T02:30:00.000Z", "2026-07-01T03:10:00.000Z"


@pytest.mark.parametrize(
    ("usage", "fields", "state", "said"),
    [
        pytest.param(
            FULL,
            {},
            State.DENIED,
            f"{ALICE} has 1 of 1 grant under AccessPolicy prod-debug; room again at {AT}, when alice-1 ends",
            id="one-persons-room-is-full-at-the-first-look",
        ),
        pytest.param(
            FULL_IN_ALL,
            {},
            State.DENIED,
            f"everybody together have 2 of 2 grants under AccessPolicy prod-debug; room again at {AT}, when bob-1 ends",
            id="everybodys-room-is-full-at-the-first-look",
        ),
        pytest.param(
            FULL_ELSEWHERE,
            {},
            State.DENIED,
            f"everybody together have 2 of 2 grants under AccessPolicy prod-debug; room again at {AT}",
            id="what-ends-in-another-namespace-is-not-named",
        ),
        pytest.param(
            replace(FULL_IN_ALL, of_requester=Taken(1, ENDS - SECOND, Key("team-a", "alice-1"))),
            {},
            State.DENIED,
            f"everybody together have 2 of 2 grants under AccessPolicy prod-debug; room again at {AT}, when bob-1 ends",
            id="where-both-are-full-there-is-room-when-both-have-some",
        ),
        pytest.param(
            replace(FULL, in_total=Taken(2, ENDS, Key("team-a", "alice-1"))),
            {},
            State.DENIED,
            f"{ALICE} has 1 of 1 grant under AccessPolicy prod-debug; room again at {AT}, when alice-1 ends",
            id="what-frees-both-is-ones-own",
        ),
        pytest.param(
            FULL_DAY,
            {},
            State.DENIED,
            f"{ALICE} has made 10 of 10 requests under AccessPolicy prod-debug within 24h; room again at {LATER}",
            id="the-day-is-full-at-the-first-look",
        ),
        pytest.param(Usage(), {}, State.PENDING, "needs 1 approval from Group leads", id="room-for-the-first"),
        pytest.param(
            None, {}, State.PENDING, "needs 1 approval from Group leads", id="what-was-not-counted-speaks-against-nothing"
        ),
        pytest.param(FULL, SEEN, State.PENDING, "needs 1 approval from Group leads", id="who-waits-is-not-asked-on-the-way"),
        pytest.param(
            FULL_DAY, SEEN, State.PENDING, "needs 1 approval from Group leads", id="who-was-let-in-stays-one-of-the-day"
        ),
        pytest.param(
            FULL_DAY,
            {**SEEN, "approvals": approved_by(BOB)},
            State.ACTIVE,
            "ClusterRole view until 2026-07-01T03:10:00.000Z",
            id="the-day-is-not-asked-when-access-begins",
        ),
        pytest.param(
            FULL,
            {**SEEN, "approvals": approved_by(BOB)},
            State.DENIED,
            f"{ALICE} has 1 of 1 grant under AccessPolicy prod-debug; room again at {AT}, when alice-1 ends",
            id="room-is-asked-again-when-access-begins",
        ),
        pytest.param(
            replace(FULL, of_requester=Taken(1, T0 - MS, Key("team-a", "alice-1"))),
            {},
            State.DENIED,
            f"{ALICE} has 1 of 1 grant under AccessPolicy prod-debug; room again once alice-1 has ended, whose time is up",
            id="a-grant-that-should-have-ended-takes-room-until-it-has",
        ),
        pytest.param(FULL, {"startTime": "2026-07-01T08:00:00Z"}, None, "", id="what-begins-later-is-asked-then"),
    ],
)
def test_what_limits_say(usage: Usage | None, fields: dict[str, Any], state: State | None, said: str) -> None:
    verdict = decide(request(**fields), policy(**LIMITS, allowScheduling=True), T0, Circumstances(usage=usage))
    if state is None:
        assert verdict.state is not State.DENIED
    else:
        assert (verdict.state, verdict.message) == (state, said)


@pytest.mark.parametrize("usage", [FULL, FULL_IN_ALL, FULL_DAY])
def test_no_limit_ends_access_that_has_begun(usage: Usage) -> None:
    going_on = request(approvals=approved_by(BOB), status=active_status())
    verdict = decide(going_on, policy(**LIMITS), T0 + MS, Circumstances(usage=usage))
    assert (verdict.state, verdict.reason) == (State.ACTIVE, "Granted")


@pytest.mark.parametrize("usage", [FULL, FULL_IN_ALL, FULL_DAY])
def test_a_policy_without_limits_goes_by_no_count(usage: Usage) -> None:
    verdict = decide(request(), policy(), T0, Circumstances(usage=usage))
    assert (verdict.state, verdict.reason) == (State.PENDING, "WaitingForApproval")


def test_what_nobody_has_looked_at_is_unseen_and_nothing_else() -> None:
    assert (Recorded().unseen, request(**SEEN).recorded.unseen) == (True, False)
