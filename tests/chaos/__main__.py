"""`make chaos`: every attack and many random schedules; says which promise held, how well, and how to replay what did not."""

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from chaos import faults, fenced_scenes, scenes, seeded, waves
from chaos.bounds import CALM, Case, overstay, too_long
from chaos.figures import Figures
from chaos.keeper import Keeper
from chaos.plane import FAKETIME, ChaosSystem

LIFE = range(1, 9)  # one more than a plain life has writes


class Run:
    """One run of everything, with its figures."""

    def __init__(self, system: ChaosSystem, seed: int) -> None:
        self.system = system
        self.seed = seed
        self.figures = Figures()

    def scene(self, name: str, act: Callable[[Keeper], Case], *, replicas: int = 1, fake_clock: bool = False) -> None:
        """Play one scene with fresh operators, and judge it."""
        start = time.monotonic()
        with Keeper(self.system, replicas=replicas, fake_clock=fake_clock) as keeper:
            try:
                case = act(keeper)
            except AssertionError as failure:
                self.figures.violations += 1
                return self._say(name, [str(failure), *self._last_words()], start)
        self._say(f"{name}: at most {overstay(case):.2f} s too long", self.figures.add_case(case), start)

    def wave(self, wave: int, schedules: int, only: int | None = None) -> None:
        """Play one wave of random schedules, or only one of them."""
        start = time.monotonic()
        drawn = [plan for plan in waves.wave_of(self.seed, wave, last=schedules) if only in (None, plan.number)]
        replicas, disaster = waves.replicas_of(wave), waves.disaster_of(self.seed, wave)
        if disaster in waves.STEPS and not FAKETIME:
            print(f"skipped {disaster}: libfaketime is not installed (Debian: faketime); these schedules meet no disaster")
            disaster = "nothing"
        with Keeper(self.system, replicas=replicas, fake_clock=disaster in waves.STEPS) as keeper:
            try:
                outcome = waves.run_wave(self.system, keeper, drawn, disaster, self.seed)
            except AssertionError as failure:
                self.figures.violations += 1
                return self._say(f"schedules from {drawn[0].number}", [str(failure), *self._last_words()], start)
            errors = self.system.errors()
        self.figures.add_outcome(outcome)
        name = f"schedules {drawn[0].number} to {drawn[-1].number}, {replicas} replicas, {disaster}, {outcome.grants} grants"
        name += f": at most {outcome.overstay:.2f} s too long"
        self._say(name, [*map(str, outcome.violations), *errors], start)
        print(f"        {outcome.fenced} grants under second policies; met {dict(outcome.met)}")
        for plan in outcome.guilty():
            print(f"replay it: make chaos SEED={self.seed} ONLY={plan.number}")
            if only is not None or len(outcome.guilty()) == 1:
                print(plan)

    def bug(self, bug: seeded.Seeded) -> None:
        """Put one bug into the operator, which must be found."""
        start = time.monotonic()
        missed = seeded.find(self.system, [bug])
        self.figures.violations += len(missed)
        self._say(f"seeded bug {bug.bug}: found", missed, start)

    def _last_words(self) -> list[str]:
        return [f"{replica.identity} said: {replica.process.log_tail(10)}" for replica in self.system.replicas]

    def _say(self, name: str, found: Sequence[str], start: float) -> None:
        print(f"{'BROKEN' if found else 'held  '}  {name} ({time.monotonic() - start:.0f} s)", flush=True)
        for line in found:
            print(f"        {line}", flush=True)


def attacks(run: Run) -> None:
    """Everything that is no dice."""
    for replicas in (1, 2):
        name = f"killed at each write, before and after it, {replicas} replicas"
        run.scene(name, lambda keeper: scenes.deaths(run.system, keeper, _rows(faults.DEADLY)), replicas=replicas)
    run.scene("each other fault at each write", lambda _: scenes.troubles(run.system, _rows(faults.HARMLESS)))
    run.scene("an end that is refused", lambda _: scenes.refused_end(run.system))
    run.scene("an end that nobody answers", lambda _: scenes.hanging_end(run.system))
    run.scene("connections that carry nothing", lambda keeper: scenes.frozen(run.system, keeper))
    run.scene("a binding restored from backup", lambda _: scenes.restored(run.system))
    run.scene("watches and lists that nobody can decode", lambda keeper: scenes.garbled(run.system, keeper))
    run.scene("three at once where there is room for one", lambda _: fenced_scenes.more_than_there_may_be(run.system))
    run.scene("one of two stages", lambda _: fenced_scenes.one_of_two_stages(run.system))
    run.scene("a lock on somebody who has access and waits", lambda _: fenced_scenes.locked(run.system))
    run.scene("a lock on somebody who approved", lambda _: fenced_scenes.on_the_word_of_the_locked(run.system))
    run.scene("a suspended policy", lambda _: fenced_scenes.suspended(run.system))
    run.scene("churn from nine connections in turn", lambda _: _churn(run, 1))
    run.scene("churn from nine connections at once", lambda _: _churn(run, 9))
    run.scene("nobody there at the end", lambda keeper: scenes.nobody_there(run.system, keeper))
    if not FAKETIME:
        print("skipped clock steps: libfaketime is not installed (Debian: faketime)")
        return
    for offset in ("-120s", "+120s"):

        def step(keeper: Keeper, offset: str = offset) -> Case:
            return scenes.clock_step(run.system, keeper, offset)

        def born(keeper: Keeper, offset: str = offset) -> Case:
            return scenes.wrong_clock_from_birth(run.system, keeper, offset)

        run.scene(f"clock set by {offset}", step, fake_clock=True)
        run.scene(f"killed, and the successor's clock is off by {offset}", born, fake_clock=True)


def _churn(run: Run, at_once: int) -> Case:
    case, rate = scenes.churn(run.system, lasts="10s", seconds=15, at_once=at_once)
    print(f"        {rate:.0f} writes a second on one request")
    assert too_long(case) <= CALM, f"expected at most {CALM:.0f} s too long, whatever else was wrong: {overstay(case):.3f} s"
    return case


def _rows(kinds: Iterable[str]) -> list[tuple[int, str]]:
    return scenes.everywhere(list(kinds), LIFE)


def main() -> int:
    """Run, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--only", type=int, default=None, metavar="SCHEDULE")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"SEED={seed} SCHEDULES={options.schedules}", flush=True)
    with ChaosSystem() as system:
        run = Run(system, seed)
        if options.only is not None:
            run.wave(options.only // waves.WAVE, options.only + 1, options.only)
        else:
            attacks(run)
            for bug in seeded.playable(seeded.SEEDED):
                run.bug(bug)
            for wave in range(-(-options.schedules // waves.WAVE)):
                run.wave(wave, options.schedules)
    print(run.figures.table())
    return 1 if run.figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
