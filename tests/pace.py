"""A clock that goes as slow as the machine, for promises in seconds."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from controlplane.plane import ControlPlane
from team import Place, eventually

LOST = "no longer leading: standing by"
NAP, ROUND = 0.02, 0.1  # seconds; where nothing else runs a round takes little more than its nap


class Pace:
    """An onlooker who naps and asks the API server, round after round; no round counts for more than a tenth of a second.

    So what passes while the machine stands still, or starves whoever answers, is a tenth of a second, and where nothing else
    runs the onlooker's seconds are those of the wall.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self._person = replace(plane.person(), _lines=[])  # a connection of its own
        self._rounds: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def seconds(self, since: datetime, until: datetime) -> float:
        """What passed between two times, in the onlooker's seconds."""
        start, end = since.timestamp(), until.timestamp()
        while not self._rounds or self._rounds[-1][1] < end:
            time.sleep(NAP)
        parts = ((max(began, start), min(ended, end), ended - began) for began, ended in self._rounds)
        return sum((to - frm) * min(1.0, ROUND / whole) for frm, to, whole in parts if to > frm)

    def since(self, moment: datetime) -> float:
        """What has passed since then, in the onlooker's seconds."""
        return self.seconds(moment, datetime.now(UTC))

    def _look_on(self) -> None:
        while not self._over.is_set():
            began = time.time()
            time.sleep(NAP)
            with contextlib.suppress(OSError, http.client.HTTPException):  # who does not listen keeps nobody waiting
                self._person.get("namespaces", "default")
            self._rounds.append((began, time.time()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._person.close()


def promptly(place: Place, bound: float, look: Callable[[], Any], what: str) -> None:
    """Wait until that is so; fail if it took more than so many of an onlooker's seconds, while the operator led all along."""
    before = leading(place)
    with Pace(place.plane) as pace:
        asked = datetime.now(UTC)
        eventually(look, what)
        took = pace.since(asked)
    led = before[-1:] == ["leading"] and leading(place) == before  # it may not have, where the machine stood still
    print(f"{what} after {took:.3f} s")
    assert took < bound or not led, f"expected within {bound:.0f} s, found after {took:.3f} s: {what}"


def leading(place: Place) -> list[str]:
    """What the operator has said of its leading since it was started."""
    return [entry["message"] for entry in place.system.log() if entry["message"] in ("leading", LOST)]
