"""Kopf's part: thin handlers that say which object, never what to do; and the settings that make Kopf write nothing."""

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import aiohttp
import kopf

from jitaccess.app.sight import Sight
from jitaccess.app.unreadable import Unreadable
from jitaccess.domain.model import AccessRequest, Key, Manifest
from jitaccess.kube.credentials import Connection
from jitaccess.manifests.grant import GRANT_SELECTOR, REQUEST_NAME, REQUEST_UID, grant_key, grant_name
from jitaccess.manifests.kinds import POLICY_KINDS, REQUEST_KINDS, PolicyKind, RequestKind
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.parse import is_there, key_of, parse_policy, parse_request
from jitaccess.manifests.resources import LOCKS, NAMESPACES, OPEN, OPEN_REQUESTS, Resource
from jitaccess.manifests.status import UnknownState
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

LONGEST_BACKOFF = 30.0
# Kopf handles what a page lists all at once, each with a task of its own: what else there is to do waits for that.
CHUNK = 100
# Kopf's watcher of what we may not read ends for good; what comes with a component is followed by ourselves (following.py).
WATCHED_BINDINGS = tuple(kind.binding for kind in REQUEST_KINDS if not kind.component)
WATCHED = (*(kind.resource for kind in (*REQUEST_KINDS, *POLICY_KINDS)), LOCKS, *WATCHED_BINDINGS)


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


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: no writes, no scanning, no posting, server-side selectors, and no end of patience (DESIGN section 6)."""
    tuned = kopf.OperatorSettings()
    tuned.persistence.diffbase_storage = NoDiffBase()
    tuned.persistence.progress_storage = NoProgress()
    tuned.posting.enabled = False
    tuned.scanning.disabled = True
    tuned.peering.standalone = True
    tuned.queueing.idle_timeout = 0.01
    tuned.watching.chunk_size = CHUNK
    tuned.watching.connect_timeout = 10
    tuned.networking.connect_timeout = 10
    tuned.networking.request_timeout = 30
    tuned.networking.error_backoffs = EndlessBackoffs()
    tuned.process.ultimate_exiting_timeout = None  # when Kopf stops, that is not yet the end of the process
    for kind in REQUEST_KINDS:
        tuned.watching.field_selectors[kind.resource.group, kind.resource.plural] = OPEN_REQUESTS
    tuned.watching.field_selectors[LOCKS.group, LOCKS.plural] = OPEN
    for binding in WATCHED_BINDINGS:
        tuned.watching.label_selectors[binding.group, binding.plural] = GRANT_SELECTOR
    return tuned


class Watch:
    """What Kopf's handlers do with what they are told: remember it, and say which object is to be looked at."""

    def __init__(
        self,
        store: Store,
        schedule: Schedule,
        unreadable: Unreadable,
        relisted: Callable[[], None],
        leads: Callable[[], bool],
    ) -> None:
        self._store = store
        self._schedule = schedule
        self._unreadable = unreadable
        self._relisted = relisted
        self.sight = Sight(WATCHED, relisted)
        self._leads = leads
        self._namespaces_known = False

    def registry(self, connection: Connection) -> kopf.OperatorRegistry:
        """The handlers for every kind, to begin with nothing that is watched; `relisted` is called for all that is listed."""
        self.sight.begin()
        handlers = kopf.OperatorRegistry()
        logins = itertools.count()

        @kopf.on.login(registry=handlers)
        async def login(**_: Any) -> kopf.AiohttpSession:
            # Kopf closes the session and asks again when a token is refused; the new one reads the token anew.
            await asyncio.sleep(1.0 if next(logins) else 0.0)
            session = connection.session(aiohttp.ClientTimeout(total=None, sock_connect=10), self.sight.trace())
            return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

        for kind in REQUEST_KINDS:
            _on(kind.resource, handlers)(partial(self.request_changed, kind))
            if kind.binding in WATCHED_BINDINGS:
                _on(kind.binding, handlers)(partial(self.binding_changed, kind))
        for policy_kind in POLICY_KINDS:
            _on(policy_kind.resource, handlers)(partial(self.policy_changed, policy_kind))
        _on(LOCKS, handlers)(self.lock_changed)
        return handlers

    async def request_changed(self, kind: RequestKind, type: str | None, body: kopf.Body, **_: Any) -> None:
        """A request was made, changed or deleted, or is no longer open."""
        if type is None:
            self._relisted()
        target = Target(kind.resource, Key(body.metadata.namespace or "", body.metadata.name or ""))
        try:
            request = parse_request(body)
        except UnknownState as error:
            self._unreadable.tell(target, error)
            return
        self._unreadable.clear(target)
        requests = self._store.requests[kind.resource]
        if type == "DELETED" and not self._leads():
            # Settled or gone, as the leader sees to; if it died over it, our sweep will. Else a standby remembers all history.
            requests.forget(request.key)
            self._schedule.forget(target)
        elif type == "DELETED":
            if requests.get(request.key):
                requests.see_deleted(request)
                self._schedule.soon(target)
        elif not self._leads():
            requests.see(request, hint=False)  # whoever begins to lead compares everything, and looks at what waits first
        elif type is None and requests.get(request.key) is None:
            self._listed(target, request)
        elif requests.see(request):
            self._schedule.soon(target)

    def _listed(self, target: Target, request: AccessRequest) -> None:
        """A listing has brought a request that we do not know: what waits for us is looked at, the rest is for the sweep."""
        requests = self._store.requests[target.resource]
        requests.see(request, hint=False)
        known = requests.get(request.key)
        if known and known.waits:
            self._schedule.soon(target)
        elif known and known.until:
            self._schedule.at(target, known.until)

    async def policy_changed(self, kind: PolicyKind, type: str | None, body: kopf.Body, **_: Any) -> None:
        """A policy was made, changed or deleted."""
        policy = parse_policy(body)
        if self._store.policies[kind.resource].see(policy) or type == "DELETED":
            self._schedule.soon(Target(kind.resource, policy.key))

    async def lock_changed(self, type: str | None, body: kopf.Body, **_: Any) -> None:
        """Somebody was locked, a lock was lifted, or one holds no longer (which the watch reports as deleted)."""
        lock, known = parse_lock(body), self._store.locks
        # One that is settled or gone is reported as it was before that: the leader reads it, and knows then whom it was on.
        if type == "DELETED" and not self._leads():
            known.forget(lock.name)
        elif type == "DELETED" or known.see(lock):
            self._schedule.soon(Target(LOCKS, Key("", lock.name)))

    async def binding_changed(
        self, kind: RequestKind, type: str | None, meta: kopf.Meta, annotations: kopf.Annotations, labels: kopf.Labels, **_: Any
    ) -> None:
        """A binding with our label appeared, changed or went: ours as expected, ours as it should not be, or nobody's."""
        key = Key(meta.namespace or "", annotations.get(REQUEST_NAME, ""))
        requests, binding = self._store.requests[kind.resource], Key(meta.namespace or "", meta.name or "")
        known, uid = requests.get(key), labels.get(REQUEST_UID, "")
        if known and known.active and known.uid == uid and binding.name == grant_name(key, uid):
            another = known.binding not in ("", meta.uid)
            if another and type != "DELETED" and self._leads():
                requests.note_another(key, binding)  # its end may be under way, and be of the one that we know
            if another or type in ("MODIFIED", "DELETED"):
                self._schedule.soon(Target(kind.resource, key))
            elif not known.binding:
                requests.bound(key, meta.uid or "")
        elif type in ("ADDED", "MODIFIED"):  # what a listing brings is for the sweep, which follows it
            self._schedule.soon(Target(kind.binding, binding))

    async def binding_heard(self, kind: RequestKind, what: str | None, binding: Manifest) -> None:
        """The same, of a binding that we follow ourselves."""
        meta = kopf.Body({"metadata": binding["metadata"]}).metadata
        await self.binding_changed(kind, what, meta, meta.annotations, meta.labels)

    def bindings_listed(self, kind: RequestKind, listed: Collection[Key]) -> None:
        """All bindings of grants were listed: who lacks theirs is looked at; how the others are, the sweep sees that follows."""
        for key, known in self._store.requests[kind.resource].all():
            if known.active and not known.gone and grant_key(key, known.uid) not in listed:
                self._schedule.soon(Target(kind.resource, key))
        self._relisted()

    async def namespace_heard(self, what: str | None, namespace: Manifest) -> None:
        """A namespace was listed, or it came, went or changed; what is first seen in a list is for the sweep, which follows."""
        metadata, known = namespace["metadata"], self._store.namespaces
        if what == "DELETED" or not is_there(namespace):
            known.forget(metadata["name"])
            news = True
        else:
            news = known.see(metadata["name"], metadata.get("labels") or {}, first=not self._namespaces_known)
        if news and self._leads():
            self._schedule.soon(Target(NAMESPACES, key_of(namespace)))

    def namespaces_listed(self, listed: Collection[Key]) -> None:
        """All namespaces were listed: what is not among them is gone."""
        names = {key.name for key in listed}
        for name in self._store.namespaces.gone(names):
            self._store.namespaces.forget(name)
        self._namespaces_known = True
        self._relisted()


def _on(resource: Resource, handlers: kopf.OperatorRegistry) -> Callable[[Any], Any]:
    return kopf.on.event(resource.group, resource.version, resource.plural, registry=handlers, id=resource.plural)
