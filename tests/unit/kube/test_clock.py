"""The clock: the API server's time, whatever the machine's own clock says, and never back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitaccess.kube.clock import SLEW, Clock

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
NOON_HEADER = "Thu, 01 Jan 2026 12:00:00 GMT"


class Machine:
    """A machine whose wall clock can be set, and API servers that keep the true time unless told otherwise.

    It begins at noon, both by its own clock and in truth; answers take no time.
    """

    def __init__(self) -> None:
        self.passed = 0.0
        self.wrong = 0.0  # by how much the wall clock is ahead of the truth
        self.clock = Clock(self._wall, lambda: 1000.0 + self.passed)

    def _wall(self) -> datetime:
        return NOON + timedelta(seconds=self.passed + self.wrong)

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds

    def answers(self, times: int = 1, *, ahead: float = 0.0) -> None:
        """An API server answers, with a clock that is ahead of the truth."""
        for _ in range(times):
            stamp = NOON + timedelta(seconds=self.passed + ahead)
            self.clock.observe(stamp.strftime("%a, %d %b %Y %H:%M:%S GMT"), 1000.0 + self.passed, 1000.0 + self.passed)

    def error(self) -> float:
        """By how much what the clock tells is ahead of the truth, in seconds."""
        return (self.clock.now() - NOON).total_seconds() - self.passed


@pytest.fixture
def machine() -> Machine:
    """A machine that has had one answer, right at a full second: the truth is between what it says and a second later."""
    made = Machine()
    made.answers()
    return made


def test_before_the_first_answer_the_machine_is_believed() -> None:
    machine = Machine()
    machine.wrong = -120.0
    assert machine.clock.now() == datetime(2026, 1, 1, 11, 58, 0, tzinfo=UTC)
    assert machine.clock.skew == 0.0, "nobody has contradicted it"


WALLS = [
    pytest.param(0.0, 0.0, 0.0, id="right: it is believed to the millisecond"),
    pytest.param(0.4, 0.4, 0.0, id="ahead by less than a Date header can tell: believed"),
    pytest.param(120.0, 1.0, 119.0, id="two minutes ahead: the end of the second that the header said"),
    pytest.param(-120.0, 0.0, -120.0, id="two minutes behind: the beginning of the second that the header said"),
    pytest.param(3600.0 * 24, 1.0, 86399.0, id="a day ahead"),
]


@pytest.mark.parametrize(("wrong", "error", "skew"), WALLS)
def test_a_wall_clock_is_believed_as_far_as_the_api_server_agrees(wrong: float, error: float, skew: float) -> None:
    machine = Machine()
    machine.wrong = wrong
    machine.answers()
    assert machine.error() == pytest.approx(error, abs=0.002)
    assert machine.clock.skew == pytest.approx(skew, abs=0.002)


@pytest.mark.parametrize(
    ("step", "error"),
    [
        pytest.param(-120.0, 0.0, id="set back"),
        pytest.param(-0.5, 0.0, id="set back by less than the header can tell: time goes on as it did"),
        pytest.param(120.0, 1.0, id="set forward: at most the rest of that second"),
    ],
)
def test_a_step_of_the_wall_clock_does_not_move_time(machine: Machine, step: float, error: float) -> None:
    assert machine.error() == pytest.approx(0.0, abs=0.002)
    machine.wrong = step
    assert machine.error() == pytest.approx(error, abs=0.002)
    machine.passes(600)
    assert machine.error() == pytest.approx(error, abs=0.07), "nor does it ten minutes later"


def test_many_answers_narrow_down_what_a_wrong_machine_knows() -> None:
    machine = Machine()
    machine.wrong = 120.0
    for _ in range(200):
        machine.answers()
        machine.passes(0.93)  # answers at all parts of a second
    assert machine.error() == pytest.approx(0.0, abs=0.03)
    machine.wrong = -120.0
    assert machine.error() == pytest.approx(0.0, abs=0.03), "the same from the other side"


def test_a_slow_answer_says_less(machine: Machine) -> None:
    machine.clock = Clock(machine._wall, lambda: 1000.0 + machine.passed)
    machine.wrong = -120.0
    # Asked 3 s before noon and answered at noon: the server wrote "noon" at some time between.
    machine.clock.observe(NOON_HEADER, 997.0, 1000.0)
    assert machine.error() == pytest.approx(0.0, abs=0.002), "not before what it said"
    machine.clock = Clock(machine._wall, lambda: 1000.0 + machine.passed)
    machine.wrong = 120.0
    machine.clock.observe(NOON_HEADER, 997.0, 1000.0)
    assert machine.error() == pytest.approx(4.0, abs=0.002), "nor later than it can have been"


def test_a_suspended_machine_wakes_up_in_the_present(machine: Machine) -> None:
    machine.passes(3600)  # CLOCK_BOOTTIME goes on
    machine.wrong = -3600.0  # and the wall clock has not been set yet
    assert machine.error() == pytest.approx(0.0, abs=0.002)


def test_one_stray_answer_changes_nothing(machine: Machine) -> None:
    for ahead in (3600.0, -3600.0, 5.0, 3600.0, -3600.0, 5.0):
        machine.answers(ahead=ahead)  # several API servers, of which none agrees with another
    assert machine.error() == pytest.approx(0.0, abs=0.002)
    machine.answers(2, ahead=3600.0)
    machine.answers()
    machine.answers(2, ahead=3600.0)
    assert machine.error() == pytest.approx(0.0, abs=0.002), "nor do two, where a third one contradicts them"


def test_three_answers_that_agree_are_believed(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.answers(3, ahead=30.0)
    assert machine.error() == pytest.approx(30.0, abs=0.002)
    assert [record.getMessage() for record in caplog.records] == ["the API server's clock has moved by about 29.0 s"]


def test_time_never_goes_back_with_the_api_servers_and_a_grant_gets_no_longer(machine: Machine) -> None:
    machine.answers(3, ahead=30.0)
    began = machine.clock.now()
    machine.answers(3)  # it was wrong, and is right again
    assert machine.clock.now() >= began
    machine.passes(3600)
    told = (machine.clock.now() - began).total_seconds()
    assert told == pytest.approx(3599.64, abs=0.01), "an hour of access is an hour and 0.36 s at most"


def test_a_quartz_that_runs_fast_is_corrected_for_ever() -> None:
    machine = Machine()
    machine.wrong = -600.0  # no NTP: the wall clock is no help
    fast = 1 + 50e-6  # 50 ppm: 4.3 s a day
    clock = Clock(machine._wall, lambda: machine.passed * fast)
    for _ in range(30 * 24 * 6):  # 30 days, an answer every ten minutes and a bit
        machine.passes(600.37)
        stamp = NOON + timedelta(seconds=machine.passed)
        clock.observe(stamp.strftime("%a, %d %b %Y %H:%M:%S GMT"), machine.passed * fast, machine.passed * fast)
        clock.now()
    ahead = (clock.now() - NOON).total_seconds() - machine.passed
    assert abs(ahead) < 2.0, f"after 30 days the clock is {ahead:.1f} s ahead; uncorrected it would be 130 s"


NO_DATES = [
    pytest.param("", id="none"),
    pytest.param("yesterday", id="words"),
    pytest.param("Thu, 01 Jan 99999 12:00:00 GMT", id="no such year"),
    pytest.param("Thu, 32 Jan 2026 12:00:00 GMT", id="no such day"),
]


@pytest.mark.parametrize("header", NO_DATES)
def test_what_is_no_date_says_nothing(header: str) -> None:
    machine = Machine()
    machine.wrong = 120.0
    machine.clock.observe(header, 1000.0, 1000.0)
    assert machine.clock.now() == datetime(2026, 1, 1, 12, 2, 0, tzinfo=UTC), "as before any answer"


def test_a_date_without_a_zone_is_utc() -> None:
    machine = Machine()
    machine.wrong = -120.0
    machine.clock.observe("Thu, 01 Jan 2026 12:00:00 -0000", 1000.0, 1000.0)
    assert machine.error() == pytest.approx(0.0, abs=0.002)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d{1,3}:\d\d:\d\d (GMT|-0000|[+-]\d{4})"))
def test_no_header_brings_it_down(header: str) -> None:
    machine = Machine()
    machine.clock.observe(header, 1000.0, 1000.0)
    assert machine.clock.now().tzinfo is UTC


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("passes"), st.floats(0, 5000)),
            st.tuples(st.just("set"), st.floats(-90000, 90000)),
            st.tuples(st.just("answers"), st.floats(-90000, 90000)),
        ),
        max_size=40,
    )
)
def test_it_never_goes_back_and_never_runs_slow(steps: list[tuple[str, float]]) -> None:
    machine = Machine()
    machine.answers()
    last, at = machine.clock.now(), machine.passed
    for what, amount in steps:
        if what == "passes":
            machine.passes(amount)
        elif what == "set":
            machine.wrong = amount
        else:
            machine.answers(3, ahead=amount)
        now = machine.clock.now()
        least = (machine.passed - at) * (1 - SLEW) - 0.002
        assert (now - last).total_seconds() >= least, f"{what} {amount}: {last} -> {now} in {machine.passed - at} s"
        last, at = now, machine.passed
