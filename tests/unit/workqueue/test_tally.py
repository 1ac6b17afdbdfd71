"""The tally: what takes room, through lists that are old, records that may have been written, and leaders that change."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.usage import DAY, Held, Taken, grant_held
from jitaccess.workqueue.tally import Asked, Tally, as_asked
from unit.examples import ALICE, BOB, HOUR, NAMESPACE, T0, active_status, policy, request

LIMITED = policy(limits={"activePerRequester": 2, "activeInTotal": 3, "requestsPerDay": 2})
UNTIL = T0 + HOUR


def active(name: str, who: str = ALICE) -> AccessRequest:
    return request(name=name, uid=f"u-{name}", requester=who, status=active_status())


def pending(name: str, who: str = ALICE, created: datetime = T0, **fields: Any) -> AccessRequest:
    return request(name=name, uid=f"u-{name}", requester=who, created=created, **fields)


def holds(*requests: AccessRequest) -> list[Held]:
    return [grant for each in requests if (grant := grant_held(each))]


@pytest.fixture
def tally() -> Tally:
    """A tally that knows the policy, and that nothing is active."""
    made = Tally()
    counted(made)
    return made


def counted(tally: Tally, *there: AccessRequest, days: dict[str, Asked] | None = None, under: AccessPolicy = LIMITED) -> None:
    tally.expect(under.ref)
    tally.listed_days(under.uid, days or {})
    tally.listed(under.ref, holds(*there))


def numbers(tally: Tally, asking: AccessRequest, now: datetime = T0) -> tuple[int, int, int]:
    usage = tally.usage(asking, LIMITED, now)
    return usage.of_requester.number, usage.in_total.number, usage.in_a_day.number


def test_nothing_is_known_before_it_was_listed() -> None:
    tally = Tally()
    assert not tally.knows(LIMITED)
    tally.expect(LIMITED.ref)
    assert not tally.knows(LIMITED), "the list is still being read"
    tally.unlisted(LIMITED.ref)
    assert not tally.knows(LIMITED), "it could not be read"
    counted(tally)
    assert tally.knows(LIMITED)
    tally.reset()
    assert not tally.knows(LIMITED), "another may have led since"


def test_each_persons_grants_and_all_of_them_are_counted(tally: Tally) -> None:
    for each in (active("a"), active("b"), active("c", BOB)):
        tally.see(each)
    assert numbers(tally, pending("x")) == (2, 3, 0)
    assert numbers(tally, pending("x", BOB)) == (1, 3, 0)
    assert tally.usage(pending("x"), LIMITED, T0).in_total == Taken(3, UNTIL, Key(NAMESPACE, "a"))


def test_a_name_in_capitals_is_the_same_person(tally: Tally) -> None:
    tally.see(active("a", ALICE.upper()))
    assert numbers(tally, pending("x")) == (1, 1, 0)


def test_a_grant_takes_room_from_before_its_record_is_written(tally: Tally) -> None:
    tally.begin(pending("a"), UNTIL)
    assert numbers(tally, pending("x")) == (1, 1, 0)
    assert numbers(tally, pending("a")) == (0, 0, 0), "but none from itself"
    tally.see(active("a"))
    assert numbers(tally, pending("x")) == (1, 1, 0), "recorded, it is counted once"
    tally.release(Key(NAMESPACE, "a"))
    assert numbers(tally, pending("x")) == (1, 1, 0)


def test_what_is_under_way_when_a_leadership_ends_takes_room_in_the_next(tally: Tally) -> None:
    tally.begin(pending("a"), UNTIL)
    tally.begin(pending("b"), UNTIL)
    tally.answered(Key(NAMESPACE, "b"))  # by an outage, so nobody knows; the list of the next leadership will
    tally.reset()
    counted(tally)
    assert numbers(tally, pending("x")) == (1, 1, 0)


def test_room_is_given_back_where_nothing_was_recorded(tally: Tally) -> None:
    tally.begin(pending("a"), UNTIL)
    tally.release(Key(NAMESPACE, "a"))
    assert numbers(tally, pending("x")) == (0, 0, 0)


def test_what_has_ended_takes_no_room(tally: Tally) -> None:
    tally.see(active("a"))
    tally.forget(Key(NAMESPACE, "a"))
    assert numbers(tally, pending("x")) == (0, 0, 0)


def test_what_ends_or_begins_while_the_list_is_read_is_known_better_than_the_list() -> None:
    tally = Tally()
    tally.expect(LIMITED.ref)
    tally.see(active("begun"))
    tally.forget(Key(NAMESPACE, "ended"))
    tally.listed_days(LIMITED.uid, {})
    tally.listed(LIMITED.ref, holds(active("ended"), active("other")))
    assert numbers(tally, pending("x")) == (2, 2, 0)


def test_policies_without_limits_leave_nothing_behind() -> None:
    tally = Tally()
    tally.see(active("a"))
    tally.ask(pending("b"), policy(), "WaitingForApproval")
    assert (tally._grants, tally._days, tally._beginning) == ({}, {}, {})


def test_requests_count_for_their_day_until_it_is_over(tally: Tally) -> None:
    for number in range(2):
        tally.ask(pending(f"r{number}", created=T0 + number * HOUR), LIMITED, "WaitingForApproval")

    def asked_at(moment: datetime) -> int:
        return numbers(tally, pending("x", created=moment), moment)[2]

    assert asked_at(T0 + DAY - timedelta(seconds=1)) == 2
    assert asked_at(T0 + DAY) == 1, "exactly a day after the first"
    assert asked_at(T0 + DAY + HOUR) == 0
    assert numbers(tally, pending("x", BOB)) == (0, 0, 0), "each person has a day of their own"


@pytest.mark.parametrize(
    ("reason", "number"),
    [("DailyLimitReached", 0), ("PolicyRecreated", 0), ("LimitReached", 1), ("TicketMissing", 1), ("WaitingForApproval", 1)],
)
def test_what_the_limit_itself_refused_is_none_of_the_day(tally: Tally, reason: str, number: int) -> None:
    tally.ask(pending("r"), LIMITED, reason)
    assert numbers(tally, pending("x"))[2] == number


def test_a_request_is_not_counted_against_itself_when_it_is_looked_at_again(tally: Tally) -> None:
    tally.ask(pending("r"), LIMITED, "WaitingForApproval")
    assert numbers(tally, pending("r"))[2] == 0


def test_days_that_are_over_take_no_memory() -> None:
    tally = Tally()
    old = {f"u-{n}": as_asked(pending(f"r{n}", f"user-{n}", created=T0 + n * HOUR)) for n in range(100)}
    counted(tally, days=old)
    numbers(tally, pending("x", created=T0 + 100 * HOUR), T0 + 100 * HOUR)
    days = tally._days[LIMITED.uid]
    assert len(days.all) == len(days.of) == 47, "those of the last two days"
