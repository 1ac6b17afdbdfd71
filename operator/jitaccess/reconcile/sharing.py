"""One live read for everybody who was waiting when it began: as true as a read of one's own, at the price of one."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedReads(Generic[K, V]):
    """Reads by key; whoever asks while one is under way shares the next, which begins after they asked."""

    def __init__(self, read: Callable[[K], Awaitable[V]]) -> None:
        self._read = read
        self._next: dict[K, asyncio.Task[V]] = {}
        self._running: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """What a read that begins from now on says; what it raises is raised for all who share it."""
        waiting = self._next.get(key)
        if waiting is None:
            waiting = self._next[key] = asyncio.create_task(self._in_turn(key))
        # Who gives up waiting must not end it for the others.
        return await asyncio.shield(waiting)

    async def _in_turn(self, key: K) -> V:
        while running := self._running.get(key):
            await asyncio.wait([running])
        ours = self._running[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._running.get(key) is ours:
                del self._running[key]
