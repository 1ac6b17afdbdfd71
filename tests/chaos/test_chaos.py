"""The real operator under faults, in a minute and a half; `make chaos` runs the same for longer, with another seed."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chaos import scenes, seeded, waves
from chaos.bounds import CALM, Case, overstay, too_long
from chaos.faults import KILL_AFTER
from chaos.judge import judge
from chaos.keeper import Keeper
from chaos.plane import FAKETIME, ChaosSystem

SEED = int(os.environ.get("CHAOS_SEED", "1"))
SCHEDULES = 8
MOST_WAVES = 12
LIFE = range(1, 8)  # the writes of a life
FENCED = ("counts-nothing", "deaf-to-locks", "deaf-to-suspensions")
NEEDS_FAKETIME = pytest.mark.skipif(
    not FAKETIME, reason="libfaketime is not installed: nothing sets the operator's clock (Debian: faketime)"
)


@pytest.fixture(scope="module")
def system() -> Iterator[ChaosSystem]:
    """A control plane of its own; each test brings its operators."""
    with ChaosSystem() as system:
        yield system


def violations(case: Case) -> list[str]:
    """What the judge says of a case in which something happened."""
    assert case.history.requests, "the audit log tells of no request: nothing was tested"
    return [str(violation) for violation in judge(case)]


def bindings(case: Case) -> int:
    """How many bindings there were."""
    return sum(len(request.bindings) for request in case.history.requests.values())


def test_whoever_dies_at_any_write_is_replaced_and_every_promise_holds(system: ChaosSystem) -> None:
    with Keeper(system, replicas=2) as keeper:
        case = scenes.deaths(system, keeper, [(nth, KILL_AFTER) for nth in LIFE])
    killed = [disturbance for disturbance in case.journal.disturbances if KILL_AFTER in disturbance.what]
    assert len(killed) >= len(LIFE) - 1, f"expected an operator killed at each write, found {killed}"
    assert violations(case) == []


def test_random_people_and_random_faults_break_no_promise(system: ChaosSystem) -> None:
    grants = fenced = 0
    for wave in range(MOST_WAVES):  # on a slow machine less begins before somebody takes it back, and one is not enough
        drawn = waves.wave_of(SEED, wave, SCHEDULES)
        with Keeper(system, replicas=2) as keeper:
            outcome = waves.run_wave(system, keeper, drawn, "leader killed", SEED)
            assert system.errors() == []
        told = "\n".join([*map(str, outcome.violations), *map(str, outcome.guilty())])
        assert not outcome.violations, f"seed {SEED}:\n{told}"
        print(f"met: {dict(outcome.met)}")
        grants, fenced = grants + outcome.grants, fenced + outcome.fenced
        if grants >= SCHEDULES / 2 and fenced:
            return
    many = f"{grants} and {fenced} in {MOST_WAVES * SCHEDULES}"
    raise AssertionError(f"expected a grant in most schedules, and one under limits or stages, found {many}: nothing was tested")


def test_a_requester_who_writes_as_fast_as_possible_gains_nothing(system: ChaosSystem) -> None:
    with Keeper(system):
        case, rate = scenes.churn(system, lasts="8s", seconds=11)
    print(f"{rate:.0f} writes a second on one request")
    assert bindings(case) == 1, "one grant, one binding"
    assert too_long(case) <= CALM, f"{overstay(case):.3f} s, of which the machine excuses but a part"
    assert violations(case) == []


def test_an_end_that_is_refused_is_said_loudly_and_a_restored_binding_does_not_stay(system: ChaosSystem) -> None:
    with Keeper(system), ThreadPoolExecutor() as pool:
        refused, restored = pool.map(lambda scene: scene(system), (scenes.refused_end, scenes.restored))
    assert bindings(refused) == 1, "there was a grant to end"
    assert violations(refused) == []
    assert bindings(restored) == 2, "the grant's, and the restored one"
    assert violations(restored) == []


@NEEDS_FAKETIME
@pytest.mark.parametrize("offset", [pytest.param("-120s", id="set-back"), pytest.param("+120s", id="set-ahead")])
def test_a_clock_that_is_set_in_the_middle_of_a_grant_makes_it_no_longer(system: ChaosSystem, offset: str) -> None:
    with Keeper(system, fake_clock=True) as keeper:
        case = scenes.clock_step(system, keeper, offset)
    assert bindings(case) == 1, "one grant, one binding"
    assert violations(case) == []


@NEEDS_FAKETIME
def test_a_successor_whose_clock_is_two_minutes_slow_ends_a_grant_on_time(system: ChaosSystem) -> None:
    with Keeper(system, fake_clock=True) as keeper:
        case = scenes.wrong_clock_from_birth(system, keeper, "-120s")
    assert bindings(case) == 1, "one grant, one binding"
    assert violations(case) == []


# Several in one operator, each with a scene of its own, and none of which disturbs another's. `make chaos` has each alone, and
# those that take a minute. The clock's needs libfaketime, as the tests above say.
@pytest.mark.parametrize(
    "bugs",
    [
        pytest.param(("record-after-binding", "deaf-to-strays", "called-over", *FENCED), id="order-strays-and-fences"),
        pytest.param(
            ("later-end", "deaf-to-revocations", "one-stage-is-enough", *(["believes-its-clock"] if FAKETIME else [])), id="ends"
        ),
    ],
)
def test_each_bug_in_the_operator_is_found(system: ChaosSystem, bugs: tuple[str, ...]) -> None:
    chosen = [each for each in seeded.SEEDED if each.bug in bugs]
    assert len(chosen) == len(bugs)
    assert seeded.find(system, chosen) == []
