"""What only the clock says: reminders, escalations, ends that are near; and requests whose first message a crash has swallowed.

Open requests are looked at now and then, in small portions; a request is read only when somebody is to be told of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.notices import BY_THE_CLOCK, Notify, Occasion
from jitaccess.domain.recorded import State
from jitaccess.kube.api import Cluster
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import Resource
from jitaccess.publish.notify.channels import Channels, address_of
from jitaccess.publish.notify.notice import Notice, mark_of
from jitaccess.workqueue.store import Open, Store

PORTION = 500  # requests that are looked at before others have their turn


@dataclass(frozen=True, slots=True)
class _Call:
    """Something that some channel may be told of an open request, since `due`."""

    notify: Notify
    occasion: Occasion
    due: datetime


class Timely:
    """Finds the notices that are due; `told` says of a mark whether it is done with, or about to be."""

    def __init__(self, cluster: Cluster, store: Store, told: Callable[[str], bool]) -> None:
        self._cluster = cluster
        self._store = store
        self._told = told
        self._passed: dict[str, datetime] = {}  # marks of what turned out to concern nobody, so that it is read once

    async def due(self, channels: Channels, now: datetime) -> AsyncIterator[Notice]:
        """Every notice that is due, and not too late."""
        self._passed = {mark: due for mark, due in self._passed.items() if due + channels.patience > now}
        for resource, requests in self._store.requests.items():
            for number, (key, known) in enumerate(requests.all()):
                if number % PORTION == PORTION - 1:
                    await asyncio.sleep(0)
                calls = [call for call in self._calls(channels, known, now) if not self._done(known, call)]
                for notice in await self._notices(channels, resource, key, known, calls) if calls else ():
                    yield notice

    def _calls(self, channels: Channels, known: Open, now: datetime) -> Iterator[_Call]:
        policy = self._store.policy(known.policy)
        for notify in channels.wanted(policy) if policy else ():
            for occasion in (*BY_THE_CLOCK, Occasion.REQUESTED):
                due = _due(notify, occasion, known)
                if due and due <= now < due + channels.patience:
                    yield _Call(notify, occasion, due)

    def _done(self, known: Open, call: _Call) -> bool:
        mark = mark_of(known.uid, call.occasion, call.notify.channel)
        return mark in self._passed or self._told(mark)

    async def _notices(self, channels: Channels, resource: Resource, key: Key, known: Open, calls: list[_Call]) -> list[Notice]:
        found = await self._cluster.find(resource, key)
        request = parse_request(found) if found else None
        if request is None or request.uid != known.uid or request.recorded.unseen:
            return []
        made = [_notice(channels, resource, request, call) for call in calls]
        for call, notice in zip(calls, made, strict=True):
            if notice is None:
                self._passed[mark_of(known.uid, call.occasion, call.notify.channel)] = call.due
        return [notice for notice in made if notice]


def _due(notify: Notify, occasion: Occasion, known: Open) -> datetime | None:
    if occasion is Occasion.REQUESTED:
        return known.asked if occasion in notify.when else None
    return notify.due(occasion, known.asked, known.until)


def _notice(channels: Channels, resource: Resource, request: AccessRequest, call: _Call) -> Notice | None:
    """The notice, as the request is now; None where there is nothing to tell, or nobody."""
    recorded, address = request.recorded, address_of(channels, request, call.notify.channel)
    wanted = State.ACTIVE if call.occasion is Occasion.ENDING else State.PENDING
    short = call.occasion is Occasion.ENDING and recorded.granted_at is not None and recorded.granted_at >= call.due
    if address is None or request.state is not wanted or short:
        return None
    first = recorded.history[0] if call.occasion is Occasion.REQUESTED and recorded.history else None
    return Notice(resource, request, call.occasion, address, call.due, first)
