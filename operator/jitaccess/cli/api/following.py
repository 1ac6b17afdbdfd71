"""Following requests through outages: what is there, each change, what went meanwhile; never a busy loop, never a verdict.

A list comes first, and again whenever the watch cannot go on where it was: what the list no longer has is reported as gone.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from jitaccess.cli.api.errors import SEE_ALL, NotFound, Outage, Unreadable
from jitaccess.cli.api.reading import read_request
from jitaccess.domain.model import AccessRequest, Key, Manifest
from jitaccess.manifests.parse import key_of

WATCH_SECONDS = 50  # before a watch is opened anew: a connection that died silently is noticed by then
_PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between attempts while the server is away, or answers without telling anything
_GONE = 410  # the server no longer knows what has changed since
_LASTING = 1.0  # seconds; a watch that ends sooner and said nothing is as good as none


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was learned.

    A request as it is now (`gone`: as it was last, it is not among those that are followed any more), or None and either why it
    cannot be read, or what the trouble is: then nothing is known until the next list. `listed` says that all there is has been
    reported, and that there is no trouble.
    """

    request: AccessRequest | None
    manifest: Manifest
    gone: bool = False
    trouble: str = ""
    unreadable: str = ""
    listed: bool = False


class Source(Protocol):
    """Where changes come from."""

    def listed(self) -> tuple[list[Manifest], str]:
        """What there is, and the resourceVersion of that list."""

    def events(self, version: str, seconds: int) -> Iterator[Any]:
        """The events of a watch from there on; ends after so many seconds."""


class Follower:
    """Yields the changes of what a source has until a time (time.monotonic; None: for ever).

    With `alone`, it is about that one request: NotFound where it does not exist, Unreadable where it cannot be read. An outage
    before the first list is raised, unless `patient`; every later one is reported, and the source is asked again.
    """

    def __init__(self, source: Source, until: float | None, *, alone: Key | None = None, patient: bool = False) -> None:
        self._source = source
        self._until = until
        self._alone = alone
        self._raises = not patient
        self._known: dict[Key, Change] = {}
        self._attempt = 0

    def changes(self) -> Iterator[Change]:
        """Everything that is learned, as it is learned; what there is at first, however little time is left."""
        while True:
            try:
                version = yield from self._list()
                yield from self._watch(version)
            except Outage as outage:
                if self._raises:
                    raise
                yield Change(None, {}, trouble=outage.message)
            if self._time_left() <= 0:
                return
            self._pause()

    def _list(self) -> Generator[Change, None, str]:
        items, version = self._source.listed()
        if self._alone and not items and self._alone not in self._known:
            raise NotFound(f"there is no request {self._alone.name} {_where(self._alone)}", SEE_ALL)
        self._raises = False
        there = {key_of(item) for item in items}
        for key in [key for key in self._known if key not in there]:
            yield replace(self._known.pop(key), gone=True)
        for item in items:
            known = self._known.get(key_of(item))
            if known is None or known.manifest["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                yield self._seen(item)
        yield Change(None, {}, listed=True)
        return version

    def _watch(self, version: str) -> Iterator[Change]:
        while (left := self._time_left()) > 0:
            began, told = time.monotonic(), False
            for event in self._source.events(version, max(1, min(WATCH_SECONDS, round(left)))):
                if event.get("type") == "ERROR":
                    _complain(event.get("object") or {})
                    return
                version, told, self._attempt = event["object"]["metadata"]["resourceVersion"], True, 0
                if event["type"] == "DELETED":
                    change = self._seen(event["object"])
                    self._known.pop(key_of(event["object"]), None)
                    yield replace(change, gone=True)
                elif event["type"] != "BOOKMARK":
                    yield self._seen(event["object"])
            if not told and time.monotonic() - began < _LASTING:
                return
            self._attempt = 0

    def _seen(self, manifest: Manifest) -> Change:
        """What of many cannot be read is reported and stops nothing."""
        try:
            change = Change(read_request(manifest), manifest)
        except Unreadable as error:
            if self._alone:
                raise
            change = Change(None, manifest, unreadable=error.message)
        self._known[key_of(manifest)] = change
        return change

    def _pause(self) -> None:
        time.sleep(max(0.0, min(_PAUSES[min(self._attempt, len(_PAUSES) - 1)], self._time_left())))
        self._attempt += 1

    def _time_left(self) -> float:
        return float(WATCH_SECONDS) if self._until is None else self._until - time.monotonic()


def _where(key: Key) -> str:
    return f"in namespace {key.namespace}" if key.namespace else "for the whole cluster"


def _complain(status: Manifest) -> None:
    if status.get("code") != _GONE:
        raise Outage(f"the API server ended the watch: {status.get('message') or status.get('reason') or 'it does not say why'}")
