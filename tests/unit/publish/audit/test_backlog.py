"""What waits for a sink: nothing is forgotten, and nothing is said to be sent that may not be."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jitaccess.manifests.resources import REQUESTS
from jitaccess.publish.audit.backlog import LAG, MOST_BODIES, Backlog, Waiting
from unit.examples import KEY, T0, UID, request

ASKED = request()
ONE = Waiting(REQUESTS, KEY, UID, 2, 50, "2026-07-01T02", ASKED, heard=3.0)


@pytest.fixture
def backlog() -> Backlog:
    made = Backlog()
    made.version, made.since = 10, "2026-07-01T00"
    made.all_scanned()
    return made


def test_what_is_added_twice_waits_once_from_the_earlier_entry_on_by_the_later_word(backlog: Backlog) -> None:
    backlog.add(ONE)
    backlog.add(replace(ONE, start=3, version=60, request=None))
    assert backlog.take(8, 0.0) == [replace(ONE, request=None)]


def test_what_was_not_taken_is_put_back_behind_the_others_with_what_came_meanwhile(backlog: Backlog) -> None:
    other = replace(ONE, uid="2")
    backlog.add(ONE)
    backlog.add(other)
    (first,) = backlog.take(1, 0.0)
    backlog.add(replace(ONE, start=4, version=70))
    backlog.put_back(first)
    assert backlog.take(8, 0.0) == [other, ONE]


def test_the_age_is_that_of_the_oldest_that_has_not_arrived(backlog: Backlog) -> None:
    assert backlog.age(9.0) == 0.0
    backlog.add(ONE)
    backlog.add(replace(ONE, heard=5.0))
    (waiting,) = backlog.take(1, 0.0)
    assert backlog.age(9.0) == 6.0
    backlog.sent(waiting)
    assert backlog.age(9.0) == 0.0


def test_what_is_not_due_waits(backlog: Backlog) -> None:
    backlog.add(replace(ONE, due=5.0))
    assert backlog.take(8, 4.9) == []
    assert backlog.next_due() == 5.0
    assert not backlog.has_sent(UID)
    assert len(backlog.take(8, 5.0)) == 1


def test_before_all_is_scanned_a_request_is_sent_from_its_first_entry_on() -> None:
    backlog = Backlog()
    backlog.add(ONE)
    assert backlog.take(8, 0.0) == [replace(ONE, start=0)]


def test_before_all_is_scanned_what_was_sent_since_is_not_sent_again() -> None:
    backlog = Backlog()
    backlog.add(ONE)
    backlog.sent(backlog.take(8, 0.0)[0])
    backlog.add(ONE)
    assert backlog.take(8, 0.0) == [ONE]


def test_all_that_a_scan_has_found_must_be_sent_again_before_we_have_caught_up() -> None:
    backlog = Backlog()
    backlog.found(ONE)
    backlog.found(replace(ONE, uid="2"))
    backlog.all_scanned()
    backlog.add(replace(ONE, uid="new"))
    first, second, new = backlog.take(8, 0.0)
    backlog.sent(first)
    seen = [backlog.caught_up]
    backlog.put_back(second)
    seen.append(backlog.caught_up)
    backlog.refused(second.uid)
    seen.append(backlog.caught_up)
    assert seen == [False, False, True], "who refuses holds up nobody, nor does what is new"
    backlog.put_back(new)


def test_a_scan_adds_nothing_that_was_sent_since() -> None:
    backlog = Backlog()
    backlog.add(ONE)
    (waiting,) = backlog.take(8, 0.0)
    assert not backlog.has_sent(UID)
    backlog.sent(waiting)
    assert backlog.has_sent(UID)
    backlog.found(ONE)
    assert backlog.size == 0


def test_only_so_many_bodies_are_kept(backlog: Backlog) -> None:
    for number in range(MOST_BODIES + 5):
        backlog.add(replace(ONE, uid=str(number)))
    taken = backlog.take(MOST_BODIES + 5, 0.0)
    assert sum(waiting.request is not None for waiting in taken) == MOST_BODIES
    for waiting in taken:
        backlog.sent(waiting)
    backlog.add(ONE)
    assert backlog.take(1, 0.0)[0].request is not None, "there is room again"


def test_a_version_is_reached_once_no_write_before_it_can_be_under_way(backlog: Backlog) -> None:
    backlog.mark(100, 1000.0, T0)
    assert backlog.reached(1000.0 + LAG - 0.1) == (10, "2026-07-01T00")
    assert backlog.reached(1000.0 + LAG) == (100, "2026-07-01T02")


def test_what_waits_holds_back_what_is_reached(backlog: Backlog) -> None:
    backlog.add(ONE)
    backlog.mark(100, 1000.0, T0 + timedelta(hours=5))
    assert backlog.reached(2000.0) == (49, "2026-07-01T02")
    (waiting,) = backlog.take(1, 0.0)
    assert backlog.reached(2000.0) == (49, "2026-07-01T02"), "on its way is not there"
    backlog.sent(waiting)
    assert backlog.reached(2000.0) == (100, "2026-07-01T07")


def test_nothing_is_reached_before_all_is_scanned() -> None:
    backlog = Backlog()
    backlog.version, backlog.since = 10, "2026-07-01T00"
    backlog.mark(100, 0.0, T0)
    assert backlog.reached(5000.0) == (10, "2026-07-01T00")
