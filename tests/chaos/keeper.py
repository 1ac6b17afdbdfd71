"""Keeps operators alive as a Deployment would: whoever dies is replaced, and the time without a leader goes into the journal."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from chaos.plane import RUN, ChaosSystem, Replica
from controlplane.patience import PATIENCE

_LOOK_EVERY = 0.03


class Keeper:
    """`with Keeper(system, replicas=2):` there are so many operators, and one leads.

    With `free_lease` a dead leader's Lease is released for it, so that the next need not wait until it runs out.
    """

    def __init__(
        self,
        system: ChaosSystem,
        *,
        replicas: int = 1,
        free_lease: bool = True,
        program: Sequence[str] = RUN,
        fake_clock: bool = False,
    ) -> None:
        self.system = system
        self._replicas = replicas
        self._free_lease = free_lease
        self._program = program
        self._fake_clock = fake_clock
        self._stop = threading.Event()
        self._present = threading.Event()
        self._present.set()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        try:
            for _ in range(self._replicas):
                self._launch()
            self.leader()
        except BaseException:
            self._dismiss_all()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        self._dismiss_all()

    def _dismiss_all(self) -> None:
        for replica in list(self.system.replicas):
            replica.process.kill()
            self.system.free_lease(replica)
            self.system.dismiss(replica)

    def leader(self) -> Replica:
        """The operator that leads, once there is one."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.system.leader()) is None:
            if time.monotonic() > deadline:
                tails = [replica.process.log_tail(5) for replica in self.system.replicas]
                raise AssertionError(f"expected an operator that leads within {PATIENCE:.0f} s; their last words: {tails}")
            time.sleep(_LOOK_EVERY)
        return found

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Whoever dies now is not replaced before the block ends."""
        self._present.clear()
        try:
            yield
        finally:
            self._present.set()

    def warm(self) -> None:
        """Wait until all operators are there, one leading, the others standing by."""
        leader, deadline = self.leader(), time.monotonic() + PATIENCE
        others = [replica for replica in self.system.replicas if replica is not leader]
        while len(others) < self._replicas - 1 or not all(map(self.system.stands_by, others)):
            if time.monotonic() > deadline:
                raise AssertionError(f"expected {self._replicas} operators within {PATIENCE:.0f} s, found {len(others) + 1}")
            time.sleep(_LOOK_EVERY)
            leader = self.leader()
            others = [replica for replica in self.system.replicas if replica is not leader]

    def _launch(self) -> None:
        self.system.launch(self._program, fake_clock=self._fake_clock)

    def _keep(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            if self._present.is_set() and (dead := [replica for replica in self.system.replicas if not replica.process.running]):
                self._replace(dead)

    def _replace(self, dead: list[Replica]) -> None:
        with self.system.journal.during("an operator was dead"):
            while dead or self.system.leader() is None:
                for replica in dead:
                    self._replace_one(replica)
                if self._stop.wait(_LOOK_EVERY):
                    return
                dead = [replica for replica in self.system.replicas if not replica.process.running]

    def _replace_one(self, dead: Replica) -> None:
        if self._free_lease:
            self.system.free_lease(dead)
        self.system.dismiss(dead)
        self._launch()
