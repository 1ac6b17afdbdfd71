"""One HTTP session with the API server: calls, pages of lists, streams of changes. What they mean: api.py."""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import aiohttp

from jitaccess.domain.model import Manifest
from jitaccess.kube.answers import Conflict, Expired, NotFound, Outage, Refused, Unpatchable, failure, object_in
from jitaccess.kube.clock import uptime
from jitaccess.manifests.resources import Resource

PAGE = 200
Body = Manifest | Sequence[Manifest] | None
# A silence longer than `sock_read` is the end of a stream: who leads must know soon, and elsewhere the server sends bookmarks.
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
FOLLOW_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=180)
OBJECTS = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
LONGEST_EVENT = 1 << 20  # half of what aiohttp then takes as one line; etcd takes no object above 1.5 MB
METADATA_EVENTS = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# What a call can come to besides `ok` and `abandoned`; that something is not there is an answer.
OUTCOMES: Mapping[type[Exception], str] = {
    Expired: "expired",
    Outage: "outage",
    Refused: "refused",
    Conflict: "conflict",
    Unpatchable: "conflict",
}


class Calls:
    """Reads and writes through one HTTP session, which the caller opens and closes; writes only while `may_write`.

    `observe` learns of each answer: its Date header, and when (`uptime`) it was asked for and came; `count` of each call, and in
    a word of what came of it.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        may_write: Callable[[], bool] = lambda: True,
        observe: Callable[[str, float, float], None] = lambda _date, _sent, _received: None,
        count: Callable[[str, str], None] = lambda _verb, _outcome: None,
    ) -> None:
        self._session = session
        self._server = server
        self._may_write = may_write
        self._observe = observe
        self._count = count

    async def items(
        self, resource: Resource, selectors: Mapping[str, str], accept: str, namespace: str = ""
    ) -> AsyncIterator[Manifest]:
        """The objects of a kind, page by page."""
        async for page in self.pages(resource, selectors, accept, namespace):
            for item in page.get("items") or []:
                yield item

    async def pages(
        self, resource: Resource, selectors: Mapping[str, str], accept: str, namespace: str = ""
    ) -> AsyncIterator[Manifest]:
        """The pages of a list."""
        query = {**selectors, "limit": str(PAGE)}
        restarted = False
        while True:
            try:
                page = await self.call("GET", resource.path(namespace=namespace), query=query, accept=accept)
            except Expired:
                # The list took longer than the API server remembers: from the start, once. What was told already is told again.
                if restarted or not query.pop("continue", ""):
                    raise
                restarted = True
                continue
            except NotFound as error:
                raise Outage(f"{resource.plural} are not served: {error}") from error
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def stream(
        self, path: str, query: Mapping[str, str], accept: str = OBJECTS, patience: aiohttp.ClientTimeout = WATCH_TIMEOUT
    ) -> AsyncGenerator[Manifest]:
        """The events of a watch as they come; Expired when it must begin anew, Outage when it breaks."""
        call = f"WATCH {path}"
        with self._counted("WATCH"):
            try:
                async with self._session.get(
                    f"{self._server}{path}",
                    params={"watch": "1", **query},
                    timeout=patience,
                    headers={"Accept": accept},
                    read_bufsize=LONGEST_EVENT,
                ) as response:
                    if response.status >= 300:
                        raise failure(response.status, call, await response.read())
                    async for line in response.content:
                        event = object_in(call, line)
                        if event.get("type") not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
                            gone = (event.get("object") or {}).get("code") == 410
                            raise (Expired if gone else Outage)(f"{call}: {event}")
                        yield event
            except (aiohttp.ClientError, TimeoutError, OSError, NotFound) as error:
                raise Outage(f"{call}: {type(error).__name__}: {error}") from error

    async def call(
        self, verb: str, path: str, body: Body = None, *, query: Mapping[str, str] | None = None, accept: str = ""
    ) -> dict[str, Any]:
        """Make one call; returns the object that is the answer."""
        # Asked here, at the last moment: a process that slept through its lease has no right to what it had decided before.
        if verb != "GET" and "dryRun" not in (query or {}) and not self._may_write():
            raise Outage(f"{verb} {path}: not the leader")
        with self._counted(verb):
            return await self._call(verb, path, body, query or {}, accept)

    async def _call(self, verb: str, path: str, body: Body, query: Mapping[str, str], accept: str) -> dict[str, Any]:
        kind = "application/json-patch+json" if verb == "PATCH" else "application/json"
        headers = {"Accept": accept or "application/json"} | ({"Content-Type": kind} if body is not None else {})
        data = json.dumps(body, separators=(",", ":")).encode() if body is not None else None
        sent = uptime()
        try:
            async with self._session.request(
                verb, f"{self._server}{path}", data=data, params=query, headers=headers, allow_redirects=False
            ) as response:
                self._observe(response.headers.get("Date", ""), sent, uptime())
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Outage(f"{verb} {path}: {type(error).__name__}: {error}") from error
        if response.status >= 300:
            raise failure(response.status, f"{verb} {path}", text)
        return object_in(f"{verb} {path}", text)

    @contextlib.contextmanager
    def _counted(self, verb: str) -> Iterator[None]:
        outcome = "abandoned"  # by whoever did not wait for its end; of a watch that is a usual one
        try:
            yield
            outcome = "ok"
        except (NotFound, Outage, Refused, Conflict, Unpatchable) as error:
            outcome = next((word for kind, word in OUTCOMES.items() if isinstance(error, kind)), "ok")
            raise
        finally:
            self._count(verb, outcome)
