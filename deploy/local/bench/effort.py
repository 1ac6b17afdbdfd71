"""How much is measured: the short run of CI, the usual one of about ten minutes, and the full one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """How many of everything; `repeats` is how often each thing is measured, to have a median and a spread."""

    repeats: int = 3
    rounds: int = 20  # of what is measured one at a time, in each repeat
    rate: int = 60  # lives in each repeat at ten a second
    bursts: tuple[int, ...] = (300,)
    endings: int = 300
    spread: int = 150  # ends over the spread's seconds, beside as many approvals
    spread_seconds: float = 30.0
    spreads: int = 1  # repeats of that
    sizes: tuple[int, ...] = (100, 2_000)  # how many are active
    overdue: tuple[int, int] = (2_000, 200)  # how many are active, and how many more are overdue at the start
    settled: int = 2_000
    namespaces: int = 2_000
    calls: int = 600
    lives: int = 20


USUAL = Effort()
FULL = Effort(spreads=3, rounds=34, rate=100, bursts=(300, 1_000), sizes=(100, 2_000, 10_000), settled=20_000)
SHORT = Effort(
    repeats=1,
    rounds=10,
    rate=10,
    bursts=(40,),
    endings=40,
    spread=10,
    spread_seconds=3.0,
    sizes=(50,),
    overdue=(30, 10),
    settled=50,
    namespaces=12,
    calls=32,
    lives=5,
)
