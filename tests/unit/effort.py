"""What something costs, compared with what ran beside it: seconds say more of the machine than of the code."""

import time
from collections.abc import Callable, Iterable

TRIES = 3  # something else may have held up one of them


def grows_evenly(whole: Callable[[], object], parts: Iterable[Callable[[], object]]) -> bool:
    """Whether ten times as much costs about ten times as much: the whole no more than five times its ten parts, one by one."""
    pieces = list(parts)
    assert len(pieces) == 10, "what grows as its square costs ten times as much in one piece"
    for _ in range(TRIES):
        apart, together = _cost(*pieces), _cost(whole)
        print(f"{apart:.2f} s of CPU in ten parts, {together:.2f} s as a whole")
        if together < 5 * apart:
            return True
    return False


def _cost(*works: Callable[[], object]) -> float:
    began = time.process_time()
    for work in works:
        work()
    return time.process_time() - began
