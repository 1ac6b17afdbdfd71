"""What Kopf's handlers do with what they are told."""

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from typing import Any

import kopf
import pytest

from jitaccess.app.unreadable import Unreadable
from jitaccess.app.watch import Watch
from jitaccess.domain.model import Key
from jitaccess.domain.recorded import State
from jitaccess.kube.credentials import Connection
from jitaccess.manifests.grant import grant_key
from jitaccess.manifests.kinds import ACCESS_POLICY, ACCESS_REQUEST, CLUSTER_ACCESS_REQUEST, REQUEST_KINDS, RequestKind
from jitaccess.manifests.locks import parse_lock
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import CLUSTER_ROLE_BINDINGS, LOCKS, NAMESPACES, POLICIES, REQUESTS
from jitaccess.workqueue.schedule import Schedule, Target
from team import PATIENCE
from unit.examples import ALICE, UID, empty_store, lock_manifest, request_manifest

R, P = Target(REQUESTS, Key("team-a", "r")), Target(POLICIES, Key("team-a", "debug"))


LOCK = Target(LOCKS, Key("", "lock-1"))


class Desk:
    """A watch with what it writes to."""

    def __init__(self) -> None:
        self.seen: list[Target] = []
        self.leads = True
        self.store = empty_store()
        self.schedule = Schedule(self._fire, lambda: datetime.now(UTC))
        self.relisted = 0
        self.watch = Watch(self.store, self.schedule, Unreadable(), self._on_list, lambda: self.leads)

    def _on_list(self) -> None:
        self.relisted += 1

    async def _fire(self, target: Target) -> None:
        self.seen.append(target)

    async def fired(self) -> list[Target]:
        """What was to be looked at."""
        running = asyncio.create_task(self.schedule.run())
        await asyncio.sleep(0)
        while self.schedule.waiting or self.schedule._running:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await self.schedule.stop(PATIENCE)
        await running
        return self.seen


def lock_body(version: str, **parts: Any) -> kopf.Body:
    """A lock on alice as the API server tells it."""
    manifest = lock_manifest(ALICE, **parts)
    return kopf.Body(manifest | {"metadata": manifest["metadata"] | {"resourceVersion": version}})  # type: ignore[arg-type]


def body(name: str, version: str = "5", more: dict[str, Any] | None = None, **parts: Any) -> kopf.Body:
    """An object as the API server tells it, with more metadata."""
    metadata = {"namespace": "team-a", "name": name, "uid": "u", "resourceVersion": version, **(more or {})}
    raw: Any = {"metadata": {**metadata, "creationTimestamp": "2026-11-24T12:00:00Z"}, "spec": {}, **parts}
    return kopf.Body(raw)


@pytest.mark.parametrize(
    ("leads", "looks"), [pytest.param(True, [R], id="the leader looks"), pytest.param(False, [], id="a standby forgets")]
)
async def test_what_leaves_the_watch(leads: bool, looks: list[Target]) -> None:
    desk = Desk()
    desk.leads = False
    await desk.watch.request_changed(ACCESS_REQUEST, type="ADDED", body=body("r"))
    assert len(desk.store.requests[REQUESTS]) == 1, "a standby knows what is open"
    assert desk.store.requests[REQUESTS].take(R.key) is None, "but keeps nothing of it that only who looks would need"
    desk.leads = leads
    await desk.watch.request_changed(ACCESS_REQUEST, type="DELETED", body=body("r"))
    assert len(desk.store.requests[REQUESTS]) == len(looks), "the leader needs it until the access has ended"
    assert await desk.fired() == looks


LATER = "2026-11-24T13:00:00.000Z"
DEFAULTED = {"observedGeneration": -1}
RECORDED = {"revision": 1, "state": "Pending"}
BEGUN = {"revision": 2, "state": "Active", "grantedAt": "2026-11-24T12:00:00.000Z", "expiresAt": LATER}
APPROVED = {"annotations": {"jitaccess.dev/approvals": "bob: ok\n"}}


@pytest.mark.parametrize(
    ("leads", "type", "told", "looks", "planned"),
    [
        pytest.param(True, None, body("r"), True, False, id="nobody has looked at it yet"),
        pytest.param(True, None, body("r", status=DEFAULTED), True, False, id="likewise, as the CRD says it"),
        pytest.param(True, None, body("r", status=RECORDED), False, False, id="it waits for its approvers"),
        pytest.param(True, None, body("r", status=RECORDED, more=APPROVED), True, False, id="approved meanwhile"),
        pytest.param(True, None, body("r", status=BEGUN), False, True, id="active, so its end is planned"),
        pytest.param(True, "ADDED", body("r", status=BEGUN), True, False, id="what is no listing is looked at"),
        pytest.param(False, "ADDED", body("r"), False, False, id="a standby remembers, and plans nothing"),
    ],
)
async def test_of_what_is_listed_only_what_waits_for_us_is_looked_at(
    leads: bool, type: str | None, told: kopf.Body, looks: bool, planned: bool
) -> None:
    desk = Desk()
    desk.leads = leads
    await desk.watch.request_changed(ACCESS_REQUEST, type=type, body=told)
    assert (R in desk.schedule._news, R in desk.schedule._deadlines) == (looks, planned)
    assert desk.store.requests[REQUESTS].get(R.key), "and it is known in any case"


async def test_what_has_changed_between_two_listings_is_looked_at() -> None:
    desk = Desk()
    await desk.watch.request_changed(ACCESS_REQUEST, type=None, body=body("r", status=RECORDED))
    await desk.watch.request_changed(ACCESS_REQUEST, type=None, body=body("r", "6", status=RECORDED | {"revision": 2}))
    assert await desk.fired() == [R]


async def test_each_handler_can_be_called_as_kopf_calls_it() -> None:
    desk = Desk()
    handlers = desk.watch.registry(Connection("https://nowhere", ssl.create_default_context()))._watching.get_all_handlers()
    assert len(handlers) == 6, "two kinds of requests, the bindings in namespaces, two kinds of policies, locks"
    for handler in handlers:
        told = body("r")
        given: Any = {"type": "ADDED", "body": told, "meta": told.metadata, "annotations": {}, "labels": {}}
        # What else Kopf passes by name must not get in the way of a parameter of ours.
        others = dict.fromkeys(("resource", "event", "logger", "memo", "param", "name", "namespace", "uid", "spec"))
        call: Any = handler.fn
        await call(**given, **others)
    assert len(await desk.fired()) == 6


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": "5", "labels": labels}}


def looked_at(name: str) -> Target:
    return Target(NAMESPACES, Key("", name))


async def test_a_namespace_is_looked_at_when_it_comes_or_its_labels_change() -> None:
    desk = Desk()
    for name in ("a", "b"):
        await desk.watch.namespace_heard(None, namespace(name, env="prod"))
    desk.watch.namespaces_listed({Key("", "a"), Key("", "b")})
    assert await desk.fired() == [], "the first list is for the sweep, which follows it"
    desk = again(desk)
    await desk.watch.namespace_heard("MODIFIED", namespace("a", env="prod"))
    await desk.watch.namespace_heard("MODIFIED", namespace("b", env="dev"))
    await desk.watch.namespace_heard("ADDED", namespace("c"))
    assert await desk.fired() == [looked_at("b"), looked_at("c")], "what else changes in a namespace is nobody's business"


async def test_a_namespace_that_goes_is_looked_at_and_forgotten() -> None:
    desk = Desk()
    await desk.watch.namespace_heard(None, namespace("a"))
    desk.watch.namespaces_listed({Key("", "a")})
    await desk.watch.namespace_heard("DELETED", namespace("a"))
    assert await desk.fired() == [looked_at("a")]
    assert len(desk.store.namespaces) == 0


async def test_a_standby_remembers_namespaces_and_looks_at_none() -> None:
    desk = Desk()
    desk.leads = False
    desk.watch.namespaces_listed(set())
    await desk.watch.namespace_heard("ADDED", namespace("a"))
    assert len(desk.store.namespaces) == 1
    assert await desk.fired() == [], "who begins to lead looks at every policy"


async def test_what_a_list_lacks_is_forgotten() -> None:
    desk = Desk()
    for name in ("a", "b"):
        await desk.watch.namespace_heard(None, namespace(name))
    desk.watch.namespaces_listed({Key("", "b")})
    assert len(desk.store.namespaces) == 1


async def test_a_binding_of_the_cluster_is_heard_like_any_other() -> None:
    desk = Desk()
    labels = {"jitaccess.dev/request-uid": "u-1"}
    found = {"metadata": {"name": "jit-x", "uid": "b-1", "resourceVersion": "5", "labels": labels, "annotations": {}}}
    await desk.watch.binding_heard(CLUSTER_ACCESS_REQUEST, "ADDED", found)
    assert await desk.fired() == [Target(CLUSTER_ROLE_BINDINGS, Key("", "jit-x"))], "nobody's, as far as we know"


def known(kind: RequestKind, name: str, state: State, *, gone: bool = False) -> tuple[Desk, Key, str]:
    """A desk that knows one request of that kind; its key, and the name of its binding."""
    desk, space = Desk(), "" if kind.everywhere else "team-a"
    manifest = request_manifest(name, metadata={"namespace": space}, status=BEGUN | {"state": state.value})
    seen = parse_request(manifest)
    requests = desk.store.requests[kind.resource]
    requests.see(seen, hint=False)
    requests.bound(seen.key, "b-1")
    if gone:
        requests.unbound(seen.key)
    return desk, seen.key, grant_key(seen.key, seen.uid).name


@pytest.mark.parametrize("kind", REQUEST_KINDS, ids=lambda kind: kind.resource.plural)
@pytest.mark.parametrize(
    ("state", "gone", "listed", "looks"),
    [
        pytest.param(State.ACTIVE, False, False, True, id="its binding was deleted while nobody looked"),
        pytest.param(State.ACTIVE, False, True, False, id="its binding is there"),
        pytest.param(State.ACTIVE, True, False, False, id="its end is being recorded"),
        pytest.param(State.PENDING, False, False, False, id="it has none yet"),
    ],
)
async def test_who_lacks_a_binding_in_a_list_of_them_is_looked_at(
    kind: RequestKind, state: State, gone: bool, listed: bool, looks: bool
) -> None:
    desk, key, binding = known(kind, "r", state, gone=gone)
    there = [Key(key.namespace, binding)] if listed else []
    desk.watch.bindings_listed(kind, {Key("", "somebody-elses"), *there})
    assert desk.relisted == 1, "and how those that are there have changed is for the sweep, which follows each list"
    assert await desk.fired() == ([Target(kind.resource, key)] if looks else [])


@pytest.mark.parametrize("kind", REQUEST_KINDS, ids=lambda kind: kind.resource.plural)
@pytest.mark.parametrize("what", [None, "ADDED"], ids=["listed", "told"])
@pytest.mark.parametrize(
    ("uid", "looks"), [pytest.param("b-2", True, id="it is another one"), pytest.param("b-1", False, id="it is the same")]
)
async def test_a_binding_that_was_replaced_is_looked_at_now_and_again_once_its_end_is_recorded(
    kind: RequestKind, what: str | None, uid: str, looks: bool
) -> None:
    desk, key, binding = known(kind, "r", State.ACTIVE)
    labels, annotations = {"jitaccess.dev/request-uid": UID}, {"jitaccess.dev/request": "r"}
    space = {"namespace": key.namespace} if key.namespace else {}
    metadata = {**space, "name": binding, "uid": uid, "resourceVersion": "5", "labels": labels, "annotations": annotations}
    await desk.watch.binding_heard(kind, what, {"metadata": metadata})
    assert await desk.fired() == ([Target(kind.resource, key)] if looks else [])
    assert desk.store.requests[kind.resource].take_another(key) == (Key(key.namespace, binding) if looks else None)


def again(desk: Desk) -> Desk:
    """The same desk with a clock that runs anew."""
    fresh = Desk()
    fresh.store.namespaces = desk.store.namespaces
    fresh.watch._namespaces_known = True
    return fresh


UNREADABLE = [
    pytest.param(
        {"state": "Suspended"}, "its state 'Suspended' was written by a newer jitaccess", id="a state of a newer version"
    ),
    pytest.param({"state": "Active", "expiresAt": "soon"}, "its status cannot be read by this version", id="no time"),
    pytest.param({"history": [{"state": "Active"}]}, "its status cannot be read by this version", id="an entry without a time"),
    pytest.param({"approvals": ["bob"]}, "its status cannot be read by this version", id="another shape"),
]


@pytest.mark.parametrize(("status", "told"), UNREADABLE)
async def test_an_unreadable_request_is_told_once_and_skipped(
    status: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    for version in ("5", "6", "7"):
        await desk.watch.request_changed(ACCESS_REQUEST, type="MODIFIED", body=body("r", version, status=status))
    assert [record.levelno for record in caplog.records] == [logging.ERROR], caplog.messages
    assert caplog.messages[0].startswith(f"AccessRequest left alone: {told}")
    assert vars(caplog.records[0])["object"] == "AccessRequest team-a/r"
    assert len(desk.store.requests[REQUESTS]) == 0
    await desk.watch.request_changed(ACCESS_REQUEST, type="MODIFIED", body=body("r", "8"))
    await desk.watch.request_changed(ACCESS_REQUEST, type="MODIFIED", body=body("r", "9", status=status))
    assert len(caplog.records) == 2, "told again after it could be read"
    assert await desk.fired() == [R]


@pytest.mark.parametrize(
    ("leads", "names", "looks"),
    [
        pytest.param(True, ["lock-1"], [LOCK], id="the leader looks, and knows whom it was on"),
        pytest.param(False, [], [], id="a standby forgets"),
    ],
)
async def test_a_lock_that_leaves_the_watch(leads: bool, names: list[str], looks: list[Target]) -> None:
    desk = Desk()
    desk.leads = leads
    desk.store.locks.see(parse_lock(lock_manifest(ALICE)))
    await desk.watch.lock_changed(type="DELETED", body=lock_body("21"))
    assert (desk.store.locks.names(), await desk.fired()) == (names, looks)


async def test_a_lock_that_left_the_watch_after_it_was_settled_is_not_known_again() -> None:
    """It is reported as it was before, with the resourceVersion of what it is now."""
    desk = Desk()
    settled = lock_body("21", status={"state": "Lifted", "settled": True})
    desk.store.locks.see(parse_lock(settled))
    await desk.watch.lock_changed(type="DELETED", body=lock_body("21"))
    assert desk.store.locks.names() == []


def test_a_lock_that_is_settled_is_forgotten_whatever_was_reported_of_it() -> None:
    known = Desk().store.locks
    known.see(parse_lock(lock_body("21")))
    known.see(parse_lock(lock_body("21", status={"state": "Lifted", "settled": True})))
    assert known.names() == []


async def test_a_lock_is_looked_at_when_it_is_news() -> None:
    desk = Desk()
    await desk.watch.lock_changed(type="ADDED", body=lock_body("5"))
    await desk.watch.lock_changed(type="MODIFIED", body=lock_body("5"))
    assert (desk.store.locks.names(), await desk.fired()) == (["lock-1"], [LOCK])


async def test_a_policy_is_looked_at_when_it_is_news() -> None:
    desk = Desk()
    await desk.watch.policy_changed(ACCESS_POLICY, type="ADDED", body=body("debug"))
    await desk.watch.policy_changed(ACCESS_POLICY, type=None, body=body("debug", "4"))
    assert await desk.fired() == [P]
