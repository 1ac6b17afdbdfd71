"""What has been told, remembered in one small ConfigMap: written before each attempt, so that nothing is told twice.

A mark is kept for as long as its notice could still be told, and what a place did not take stands beside them, so that whoever
leads next goes on with it. Only the leader can write, and only on top of what was read: an overtaken replica cannot mark, and
so sends nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.notices import Occasion
from jitaccess.domain.text import format_time, parse_time
from jitaccess.kube.api import Cluster, Conflict
from jitaccess.manifests.kinds import REQUEST_KINDS
from jitaccess.manifests.resources import CONFIG_MAPS, Resource
from jitaccess.publish.notify.notice import Notice

STATE = Key("jitaccess-system", "jitaccess-notified")  # deploy/components/notifications
FIELD = "notified.json"
MOST_LEFT = 200  # notices that the next leader is told of
MOST_MARKS = 20_000  # 17 bytes each; etcd takes 1.5 MB
SLACK = timedelta(minutes=2)  # between clocks

_KINDS = {kind.resource.kind: kind.resource for kind in REQUEST_KINDS}


class NoMemory(Exception):
    """What has been told cannot be remembered, so nothing may be told."""


@dataclass(frozen=True, slots=True)
class Left:
    """A notice that some place did not take: enough to make it anew from the request as it is then."""

    resource: Resource
    key: Key
    uid: str
    occasion: Occasion
    channel: str
    mark: str
    due: datetime


class Marks:
    """The marks as this replica knows them; `load` once it leads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._found: Manifest | None = None
        self._marks: dict[str, datetime] = {}

    def __contains__(self, mark: str) -> bool:
        return mark in self._marks

    async def load(self) -> tuple[Left, ...]:
        """Read what has been told; returns what was left. NoMemory if there is nothing to read."""
        self._found = await self._cluster.find(CONFIG_MAPS, STATE)
        if self._found is None:
            raise NoMemory(f"there is no ConfigMap {STATE}: apply deploy/components/notifications")
        state = _state(self._found)
        self._marks = {mark: at for at, marks in _told(state) for mark in marks}
        left = tuple(each for each in map(_left, _list(state, "left")) if each)
        for each in left:
            self._marks.pop(each.mark, None)  # it was tried, and not taken
        return left

    async def write(self, told: Iterable[Notice], left: Iterable[Notice], now: datetime, patience: timedelta) -> None:
        """Remember what is about to be told, and what waits for another try. Conflict if another has written since.

        What is told is marked before anybody tries; after an error, nothing of it may be tried.
        """
        if self._found is None:
            raise NoMemory(f"ConfigMap {STATE} was not read yet")
        marks = {mark: at for mark, at in self._marks.items() if at > now - patience - SLACK}
        marks |= {notice.mark: notice.due for notice in told}
        if len(marks) > MOST_MARKS:
            raise NoMemory(f"more than {MOST_MARKS} messages in {patience}")
        wanted = {**self._found, "data": {**(self._found.get("data") or {}), FIELD: _written(marks, list(left))}}
        try:
            self._found = await self._cluster.replace(CONFIG_MAPS, STATE, wanted)
        except Conflict:
            self._found = None  # somebody's annotation, or another leader: read it again
            raise
        self._marks = marks

    def untold(self, notices: Iterable[Notice]) -> None:
        """These were marked and then not taken, or not tried: they may be tried again."""
        for notice in notices:
            self._marks.pop(notice.mark, None)

    @property
    def known(self) -> bool:
        """Whether they have been read, and nobody has written since as far as we know."""
        return self._found is not None


def _written(marks: Mapping[str, datetime], left: list[Notice]) -> str:
    minutes: dict[str, list[str]] = {}
    for mark, at in marks.items():
        minutes.setdefault(format_time(at.replace(second=0, microsecond=0)), []).append(mark)
    told = {minute: " ".join(of) for minute, of in sorted(minutes.items())}
    return json.dumps({"told": told, "left": [_left_over(notice) for notice in left[:MOST_LEFT]]}, separators=(",", ":"))


def _left_over(notice: Notice) -> dict[str, str]:
    key = notice.request.key
    return {
        "kind": notice.resource.kind,
        "namespace": key.namespace,
        "name": key.name,
        "uid": notice.request.uid,
        "occasion": notice.occasion.value,
        "channel": notice.address.channel,
        "mark": notice.mark,
        "due": format_time(notice.due),
    }


def _left(entry: Any) -> Left | None:
    try:
        return Left(
            _KINDS[entry["kind"]],
            Key(entry["namespace"], entry["name"]),
            entry["uid"],
            Occasion(entry["occasion"]),
            entry["channel"],
            entry["mark"],
            parse_time(entry["due"]),
        )
    except (KeyError, TypeError, ValueError):
        return None  # not as we write it


def _state(found: Manifest) -> Mapping[str, Any]:
    """What is on record; nothing where somebody has written something else there."""
    try:
        state = json.loads((found.get("data") or {}).get(FIELD) or "{}")
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def _list(state: Mapping[str, Any], field: str) -> list[Any]:
    found = state.get(field)
    return found if isinstance(found, list) else []


def _told(state: Mapping[str, Any]) -> Iterable[tuple[datetime, list[str]]]:
    told = state.get("told")
    for minute, marks in told.items() if isinstance(told, dict) else ():
        try:
            at = parse_time(minute)
        except ValueError:
            continue
        yield at + timedelta(minutes=1), str(marks).split()
