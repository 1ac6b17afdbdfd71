"""Sees objects come, change and go, with the moment on two clocks and etcd's revision."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import aiohttp

from bench.calls import Client, Object
from controlplane.patience import PATIENCE


@dataclass(frozen=True, slots=True)
class Seen:
    """When something was seen for the first time: monotonic, wall clock, and the revision in which it happened."""

    moment: float
    wall: float
    revision: int


def kind_of_event(event: Object) -> str:
    """ADDED, MODIFIED or DELETED."""
    return str(event["type"])


def state_of_request(event: Object) -> str:
    """The state on record; empty before the first."""
    return str((event["object"].get("status") or {}).get("state", ""))


def holder_of_lease(event: Object) -> str:
    """`held` or `free`."""
    return "held" if (event["object"].get("spec") or {}).get("holderIdentity") else "free"


class Watcher:
    """One watch; `label` says what is told apart beside the name."""

    def __init__(self, client: Client, path: str, label: Callable[[Object], str] = kind_of_event) -> None:
        self._client = client
        self._path = path
        self._label = label
        self._seen: dict[tuple[str, str], asyncio.Future[Seen]] = {}

    async def __aenter__(self) -> Self:
        listed = await self._client.call("GET", f"{self._path}?limit=1")
        begun = asyncio.Event()
        self._task = asyncio.create_task(self._run(listed["metadata"]["resourceVersion"], begun))
        await begun.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def first(self, label: str, name: str) -> "asyncio.Future[Seen]":
        """The first time that an object of that name is seen so."""
        return self._seen.setdefault((label, name), asyncio.get_running_loop().create_future())

    async def all(self, label: str, names: Iterable[str]) -> list[Seen]:
        """The first times of many, once the last of them has been seen; TimeoutError if one never is."""
        async with asyncio.timeout(PATIENCE):
            return [await self.first(label, name) for name in names]

    def forget(self) -> None:
        """Everything is new again."""
        self._seen.clear()

    async def _run(self, version: str, begun: asyncio.Event) -> None:
        query = {"watch": "1", "resourceVersion": version}
        try:
            forever = aiohttp.ClientTimeout(total=None)
            async with self._client.session.get(self._path, params=query, timeout=forever) as response:
                begun.set()
                async for line in response.content:
                    self._note(line)
        finally:
            begun.set()

    def _note(self, line: bytes) -> None:
        moment, wall = time.perf_counter(), time.time()
        event = json.loads(line)
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            raise RuntimeError(f"the watch of {self._path} ended: {event}")
        metadata = event["object"]["metadata"]
        future = self.first(self._label(event), metadata["name"])
        if not future.done():
            future.set_result(Seen(moment, wall, int(metadata["resourceVersion"])))
