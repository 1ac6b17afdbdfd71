"""An event loop whose clock a test holds: time passes only where everything waits, and then at once, however slow the machine.

For what waits for nothing but time and other tasks; an answer over a socket, or from a thread, may come too late for it.
"""

import asyncio
import selectors

MOST_TURNS = 20_000  # without any time passing; a task that waits costs one


class HeldLoop(asyncio.SelectorEventLoop):
    """One that skips the time in which nothing happens; it begins at 1000 seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        return self.now


class _Skipping(selectors.DefaultSelector):
    def __init__(self, loop: HeldLoop) -> None:
        super().__init__()
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        self._turns += 1
        if timeout and not ready:
            self._loop.now += timeout
            self._turns = 0
        if self._turns == MOST_TURNS:
            self._turns = 0  # for those who clean up
            raise AssertionError(f"{MOST_TURNS} turns of the loop in no time: something spins")
        return ready
