"""What waits to be told: in order, folded in a storm, put off while nobody answers, given up when it is late."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from jitaccess.domain.notices import Occasion
from jitaccess.manifests.resources import REQUESTS
from jitaccess.publish.notify.channels import Address
from jitaccess.publish.notify.notice import Notice
from jitaccess.publish.notify.outbox import FIRST, KEPT, MOST_AT_ONCE, SINGLE, Outbox, Parcel
from unit.examples import T0, request

CHAT = Address("chat")
SECOND = timedelta(seconds=1)
PATIENCE = timedelta(minutes=10)


def notices(count: int, address: Address = CHAT, due: datetime = T0) -> list[Notice]:
    """Notices of as many requests."""
    return [
        Notice(REQUESTS, request(name=f"r{number}", uid=f"{number:032x}"), Occasion.REQUESTED, address, due)
        for number in range(count)
    ]


def filled(found: Iterable[Notice]) -> Outbox:
    """An outbox with these."""
    outbox = Outbox()
    for notice in found:
        assert outbox.put(notice)
    return outbox


def turns(outbox: Outbox, now: datetime = T0) -> dict[Address, list[Parcel]]:
    """Who is told what now."""
    return dict(outbox.turns(now))


def test_a_few_are_told_one_by_one_in_order() -> None:
    waiting = notices(SINGLE)
    [parcels] = turns(filled(waiting)).values()
    assert [parcel.single for parcel in parcels] == waiting


def test_many_at_once_are_the_first_few_and_one_message_for_the_rest() -> None:
    waiting = notices(17)
    [parcels] = turns(filled(waiting)).values()
    assert [parcel.single for parcel in parcels[:FIRST]] == waiting[:FIRST]
    assert parcels[FIRST].counts == {(Occasion.REQUESTED, "team-a"): 14}
    assert len(parcels) == FIRST + 1


def test_what_is_too_much_to_keep_is_counted() -> None:
    [parcels] = turns(filled(notices(KEPT + 7))).values()
    assert parcels[-1].counts[Occasion.REQUESTED, "team-a"] == KEPT + 7 - FIRST


def test_a_place_has_one_turn_at_a_time_and_a_pause_behind_it() -> None:
    outbox = filled(notices(1))
    assert turns(outbox)
    outbox.put(notices(2)[1])
    assert not turns(outbox)
    outbox.told(CHAT, T0, storm=False)
    assert not turns(outbox, T0)
    assert turns(outbox, T0 + SECOND)


def test_what_was_not_taken_is_tried_again_in_order_and_ever_less_often() -> None:
    waiting, pauses = notices(SINGLE), []
    outbox, now = filled(waiting), T0
    for _ in range(8):
        [parcels] = turns(outbox, now).values()
        assert [parcel.single for parcel in parcels] == waiting
        pauses.append(outbox.failed(CHAT, parcels, now).total_seconds())
        assert not turns(outbox, now)
        now += timedelta(seconds=pauses[-1])
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert outbox.refused() == waiting


def test_a_storm_that_was_not_taken_is_folded_again() -> None:
    outbox = filled(notices(KEPT + 7))
    [parcels] = turns(outbox).values()
    outbox.failed(CHAT, parcels[1:], T0)
    [again] = turns(outbox, T0 + 2 * SECOND).values()
    assert sum(parcel.counts.total() for parcel in again) == KEPT + 7 - 1


def test_what_is_late_is_given_up_and_the_rest_stays() -> None:
    old, new = notices(2), notices(3, due=T0 + PATIENCE)[2:]
    outbox = filled([*old, *new])
    assert outbox.late(T0 + PATIENCE, PATIENCE) == old
    assert outbox.everything() == new


def test_one_channel_that_hangs_leaves_room_for_others() -> None:
    people = [notices(1, Address("requester", f"p{number}@example.com"))[0] for number in range(20)]
    outbox = filled([*people, *notices(1)])
    found = turns(outbox)
    assert CHAT in found
    assert len(found) == MOST_AT_ONCE + 1


def test_a_channel_that_failed_is_tried_with_one_message() -> None:
    people = [Address("requester", f"p{number}@example.com") for number in range(20)]
    outbox = filled(notices(1, each)[0] for each in people)
    for address, parcels in turns(outbox).items():
        outbox.failed(address, parcels, T0)
    later = T0 + timedelta(minutes=2)
    [address] = turns(outbox, later)
    outbox.told(address, later, storm=False)
    assert len(turns(outbox, later)) == MOST_AT_ONCE


def test_what_was_forgotten_meanwhile_is_no_error() -> None:
    outbox = filled(notices(1))
    [parcels] = turns(outbox).values()
    outbox.clear()
    assert outbox.failed(CHAT, parcels, T0) == timedelta(0)
    outbox.told(CHAT, T0, storm=False)
    assert len(outbox) == 0
