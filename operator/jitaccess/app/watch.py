"""Kopf's part: thin handlers that say which object, never what to do; and the settings that make Kopf write nothing."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import kopf

from jitaccess.domain.model import Key
from jitaccess.kube.credentials import Connection
from jitaccess.manifests.grant import GRANT_SELECTOR, REQUEST_NAME
from jitaccess.manifests.parse import parse_policy, parse_request
from jitaccess.manifests.resources import Resource, Scope
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

LONGEST_BACKOFF = 30.0


class EndlessBackoffs:
    """1, 2, 4 ... 30, 30 ... seconds, anew for each iteration: an API server away for an hour does not end the operator."""

    def __iter__(self) -> Iterator[float]:
        return (min(2.0**attempt, LONGEST_BACKOFF) for attempt in itertools.count())


class NoDiffBase(kopf.DiffBaseStorage):
    """Kopf's memory of the last handled state, in annotations: we keep none."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None, ignored_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is stored."""


class NoProgress(kopf.ProgressStorage):
    """Kopf's memory of handlers that must be retried, in annotations: ours are never retried by Kopf."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        """Nothing is stored."""

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Nothing is stored."""

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Nothing is stored."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Nothing is stored."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def settings(scopes: tuple[Scope, ...]) -> kopf.OperatorSettings:
    """Kopf's settings: no writes, no scanning, no posting, server-side selectors, and no end of patience (DESIGN section 6)."""
    tuned = kopf.OperatorSettings()
    tuned.persistence.diffbase_storage = NoDiffBase()
    tuned.persistence.progress_storage = NoProgress()
    tuned.posting.enabled = False
    tuned.scanning.disabled = True
    tuned.peering.standalone = True
    tuned.queueing.idle_timeout = 0.01
    tuned.watching.chunk_size = 500
    tuned.watching.connect_timeout = 10
    tuned.networking.connect_timeout = 10
    tuned.networking.request_timeout = 30
    tuned.networking.error_backoffs = EndlessBackoffs()
    for scope in scopes:
        tuned.watching.field_selectors[scope.request.group, scope.request.plural] = "status.settled!=true"
        tuned.watching.label_selectors[scope.binding.group, scope.binding.plural] = GRANT_SELECTOR
    return tuned


def registry(
    scopes: tuple[Scope, ...],
    connection: Connection,
    store: Store,
    schedule: Schedule,
    relisted: Callable[[], None],
    leads: Callable[[], bool],
) -> kopf.OperatorRegistry:
    """Kopf's handlers for these scopes; `relisted` is called for each object that a fresh listing brings."""
    handlers = kopf.OperatorRegistry()
    logins = itertools.count()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Kopf closes the session and asks again when a token is refused; the new one reads the token anew.
        await asyncio.sleep(1.0 if next(logins) else 0.0)
        session = connection.session(aiohttp.ClientTimeout(total=None, sock_connect=10))
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

    for scope in scopes:
        _watch(handlers, scope, store, schedule, relisted, leads)
    return handlers


def _watch(
    handlers: kopf.OperatorRegistry,
    scope: Scope,
    store: Store,
    schedule: Schedule,
    relisted: Callable[[], None],
    leads: Callable[[], bool],
) -> None:
    def on(resource: Resource) -> Callable[[Any], Any]:
        return kopf.on.event(resource.group, resource.version, resource.plural, registry=handlers)

    @on(scope.request)
    async def request_changed(type: str | None, body: kopf.Body, **_: Any) -> None:
        request = parse_request(body)
        target = Target(scope.request, request.key)
        if type == "DELETED" and not leads():
            # Settled or gone, as the leader sees to; if it died over it, our sweep will. Else a standby remembers all history.
            store.forget(request.key)
            schedule.forget(target)
        elif store.get(request.key) if type == "DELETED" else store.see(request):
            schedule.soon(target)
        if type is None:
            relisted()

    @on(scope.policy)
    async def policy_changed(type: str | None, body: kopf.Body, **_: Any) -> None:
        policy = parse_policy(body)
        if store.see_policy(policy) or type == "DELETED":
            schedule.soon(Target(scope.policy, policy.key))

    @on(scope.binding)
    async def binding_changed(type: str | None, namespace: str | None, annotations: kopf.Annotations, **_: Any) -> None:
        key = Key(namespace or "", annotations.get(REQUEST_NAME, ""))
        known = store.get(key)
        if known and known.active and type in ("MODIFIED", "DELETED"):
            schedule.soon(Target(scope.request, key))
