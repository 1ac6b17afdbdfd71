"""What is on record, held against what is there: three lists, page by page, and a look only at what differs.

The same comparison when a replica begins to lead, and every few minutes for what no event told of. It needs no memory of ours.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.locks import Locks
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Manifest, PolicyRef, RoleRef
from jitaccess.domain.recorded import DeliveredAs, ObjectRef, State
from jitaccess.domain.recording import Outcome, next_step
from jitaccess.domain.risk import RiskTable
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.rules import seen_from
from jitaccess.domain.verdicts import Grant, grant_of
from jitaccess.kube.api import Cluster, Outage
from jitaccess.manifests.grant import GRANT_SELECTOR, binding_manifest, grant_key, is_same, kept_by
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.parse import key_of, parse_request
from jitaccess.manifests.resources import JOBS, OPEN_REQUESTS
from jitaccess.manifests.status import UnknownState
from jitaccess.reconcile.facts import place_of, read_role
from jitaccess.reconcile.leftovers import incomplete
from jitaccess.reconcile.sweep import CountLeftover, end_if_over, remove_job_if_over, request_of
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Open, Store

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Difference:
    """What a comparison came to: the requests to look at, and the UIDs of the bindings of those that are as they should be."""

    look: set[Key] = field(default_factory=set)
    bindings: dict[Key, str] = field(default_factory=dict)
    due: dict[Key, datetime] = field(default_factory=dict)  # when each open request is to be looked at though nothing happens
    uids: dict[Key, str] = field(default_factory=dict)

    def recreated(self, known: Mapping[Key, Open]) -> set[Key]:
        """The requests that are other ones than those we know under their names."""
        return {key for key, uid in self.uids.items() if key in known and known[key].uid != uid}


@dataclass(frozen=True, slots=True)
class Expected:
    """The binding and the Job that an active request should have: of ten thousand, no more is kept than that."""

    grant: Grant
    job: ObjectRef | None

    @property
    def request(self) -> Key:
        """The request."""
        return self.grant.request


@dataclass(frozen=True, slots=True)
class LiveReads:
    """The policies and roles that the requests of one comparison name, each read live when it is first needed."""

    cluster: Cluster
    table: RiskTable
    policies: dict[PolicyRef, AccessPolicy | None] = field(default_factory=dict)
    labels: dict[str, Mapping[str, str] | None] = field(default_factory=dict)
    roles: dict[tuple[RoleRef, str], ShownRole | None] = field(default_factory=dict)
    _locks: list[Locks] = field(default_factory=list)

    async def policy(self, ref: PolicyRef, namespace: str) -> AccessPolicy | None:
        """The policy of that kind and key, as a request in that namespace meets it."""
        if ref not in self.policies:
            self.policies[ref] = await self.cluster.policy(ref)
        policy = self.policies[ref]
        if policy is None or policy.selector is None:
            return policy
        if namespace not in self.labels:
            self.labels[namespace] = await self.cluster.labels(namespace)
        return seen_from(policy, namespace, self.labels[namespace])

    async def role(self, role: RoleRef, namespace: str) -> ShownRole | None:
        """The role as people would be shown it; None if it is not there or may not be read."""
        where = place_of(role, namespace)
        if where not in self.roles:
            self.roles[where] = (await read_role(self.cluster, *where, self.table.shown)).shown
        return self.roles[where]

    async def locks(self) -> Locks:
        """The locks that hold; Outage where that is not known."""
        if not self._locks:
            self._locks.append(await self.cluster.locks())
        if self._locks[0].unknown:
            raise Outage(f"whether anybody is locked is not known: {self._locks[0].unknown}")
        return self._locks[0]


async def compare(
    cluster: Cluster,
    kind: RequestKind,
    now: Callable[[], datetime],
    reads: LiveReads | None = None,
    count: CountLeftover = lambda _resource, _ended: None,
) -> Difference:
    """Compare every open request with its binding and its Job; with `reads` also with what its policy and role allow now.

    Access that nobody explains, and Jobs of settled requests, are ended on the way; `count` learns of the access.
    """
    difference = Difference()
    active: dict[Key, Expected] = {}
    async for request in _open_requests(cluster, kind):
        difference.uids[request.key] = request.uid
        recorded = request.recorded
        due = recorded.due
        if due is None or (reads and not await _is_quiet(request, reads, now())):
            difference.look.add(request.key)
        if due:
            difference.due[request.key] = due
        if request.state is State.ACTIVE and recorded.granted_at and recorded.expires_at:
            grant = grant_of(request, recorded.granted_at, recorded.expires_at)
            active[grant_key(request.key, request.uid)] = Expected(grant, recorded.job)
    await _compare_bindings(cluster, kind, active, difference, partial(end_if_over, cluster, kind, now=now, count=count))
    identities = [(expected.grant, expected.job) for expected in active.values() if _is_identity(expected)]
    difference.look |= await incomplete(cluster, kind, identities, now)
    if kind.job_guard:
        await _compare_jobs(cluster, kind, active, difference)
    return difference


def apply(difference: Difference, kind: RequestKind, store: Store, schedule: Schedule) -> None:
    """Plan what a comparison came to: deadlines, looks at what differs or that only one of us knows, and the bindings' UIDs."""
    requests = store.requests[kind.resource]
    known = dict(requests.all())
    for key, due in difference.due.items():
        schedule.at(Target(kind.resource, key), due)
    for key, binding in difference.bindings.items():
        requests.bound(key, binding)
    listed = difference.due.keys() | difference.look
    for key in difference.look | (known.keys() ^ listed) | difference.recreated(known):
        schedule.soon(Target(kind.resource, key))


def _is_identity(expected: Expected) -> bool:
    return expected.grant.delivered_as is DeliveredAs.IDENTITY


async def _open_requests(cluster: Cluster, kind: RequestKind) -> AsyncIterator[AccessRequest]:
    async for item in cluster.list_objects(kind.resource, fieldSelector=OPEN_REQUESTS):
        await asyncio.sleep(0)  # a page is long, and whatever else there is to do goes in between
        try:
            yield parse_request(item)
        except UnknownState as error:
            log.warning("request left alone: %s", error, extra={"request": str(key_of(item))})


async def _is_quiet(request: AccessRequest, reads: LiveReads, now: datetime) -> bool:
    """Whether a look at the request, with its policy and role as they are, would find nothing to do or to record."""
    namespace = request.key.namespace
    policy, role = await reads.policy(request.policy, namespace), await reads.role(request.role, namespace)
    verdict = decide(request, policy, now, Circumstances(role, locks=await reads.locks()))
    begins_or_ends = verdict.state is not request.state or (verdict.grant is not None and request.state is not State.ACTIVE)
    return not begins_or_ends and next_step(request, Outcome(verdict, policy, role), now).recorded == request.recorded


async def _compare_bindings(
    cluster: Cluster,
    kind: RequestKind,
    active: Mapping[Key, Expected],
    difference: Difference,
    end: Callable[[Manifest], Awaitable[bool]],
) -> None:
    missing = dict(active)
    async for binding in cluster.list_objects(kind.binding, labelSelector=GRANT_SELECTOR):
        expected = missing.pop(key_of(binding), None)
        if expected is None:
            await end(binding)
        # What keeps a binding from going by itself is told; of an identity's, what goes is the identity.
        elif (_is_identity(expected) or not kept_by(binding)) and is_same(
            binding, binding_manifest(kind, expected.grant, expected.job)
        ):
            difference.bindings[expected.request] = binding["metadata"]["uid"]
        else:
            difference.look.add(expected.request)
    difference.look |= {expected.request for expected in missing.values()}


async def _compare_jobs(cluster: Cluster, kind: RequestKind, active: Mapping[Key, Expected], difference: Difference) -> None:
    missing = {key: expected for key, expected in active.items() if expected.job and not _is_identity(expected)}
    async for job in cluster.list_metadata(JOBS, labelSelector=GRANT_SELECTOR):
        expected = missing.get(key_of(job))
        if expected and expected.job and expected.job.uid == job["metadata"]["uid"]:
            del missing[key_of(job)]
        elif expected is None and key_of(job) not in active and request_of(job)[0] not in difference.due:
            await remove_job_if_over(cluster, kind, job)
    difference.look |= {expected.request for expected in missing.values()}
