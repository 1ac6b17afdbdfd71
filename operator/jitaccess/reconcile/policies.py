"""Policies: their lists become RBAC, their roles are looked at, and what depends on them is looked at again."""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from jitaccess.domain.model import AccessPolicy, Key, OfferedRole, PolicyRecorded, PolicyRef, RoleRef
from jitaccess.domain.obstacles import name_taken
from jitaccess.domain.recorded import DeliveredAs
from jitaccess.domain.recording import merged_conditions
from jitaccess.domain.rules import Objection
from jitaccess.kube.api import Conflict, Refused
from jitaccess.manifests.derived import derived_manifests, derived_names, is_derived
from jitaccess.manifests.grant import Object
from jitaccess.manifests.kinds import PolicyKind
from jitaccess.manifests.parse import key_of, parse_policy
from jitaccess.manifests.resources import ROLE_BINDINGS, ROLES, Resource
from jitaccess.manifests.status import policy_status
from jitaccess.publish.events import News
from jitaccess.reconcile.facts import read_role
from jitaccess.reconcile.identities import lacking
from jitaccess.reconcile.making import make_same
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.removal import NotEnded, remove
from jitaccess.workqueue.schedule import Target
from jitaccess.workqueue.store import Version, version_of_policy

log = logging.getLogger(__name__)

Ready = tuple[bool, str, str]


# Why a policy is not in force although nothing failed: there is nothing to try again before it, or a role, changes.
_SETTLED = ("Invalid", "PersistentRisk")
LONGEST_RETRY = 300.0


class PolicyReconciler:
    """Reconciles the policies of one kind."""

    def __init__(self, tools: Tools, kind: PolicyKind) -> None:
        self._tools = tools
        self._kind = kind
        self._cluster = tools.cluster
        self._schedule = tools.schedule
        self._known = tools.store.policies[kind.resource]

    async def reconcile(self, key: Key) -> None:
        """Make the derived Roles, the status and the open requests agree with the policy as it is now."""
        policy = await self._cluster.policy(PolicyRef(self._kind.resource.kind, key))
        # First of all, whatever becomes of the rest: what a narrower policy no longer allows must end.
        self._wake_dependents(key, version_of_policy(policy) if policy else None)
        if policy is None or policy.deleting:
            await self._withdraw(key)
            return self._known.forget(key)
        roles = await asyncio.gather(*(self._look_at(role, key.namespace) for role in policy.roles))
        try:
            ready = await self._put_in_force(policy, roles)
            await self._record(policy, ready, roles)
        except (Conflict, Refused, NotEnded) as error:
            delay = self._schedule.retry(self._target(key))
            log.log(_level(error), "policy put off: %s", error, extra={"policy": str(key), "retry_seconds": round(delay, 1)})
            return
        # Once more: what was found out about the roles is on record only now, and what changed in them is news to every grant.
        if policy.recorded.roles and _versions(roles) != _versions(policy.recorded.roles):
            self._wake_dependents(key, None)
        if ready[1] in _SETTLED or (ready[0] and not _missing(roles)):
            self._schedule.done(self._target(key))
        else:
            self._schedule.retry(self._target(key), LONGEST_RETRY)

    async def _look_at(self, role: RoleRef, namespace: str) -> OfferedRole:
        return OfferedRole(role, (await read_role(self._cluster, role, namespace, self._tools.table.shown)).shown)

    async def _put_in_force(self, policy: AccessPolicy, roles: Sequence[OfferedRole]) -> Ready:
        refusal = _refusal(policy, roles) or await self._undeliverable(policy)
        if refusal:
            await self._withdraw(policy.key)
            return refusal
        for role, binding in derived_manifests(policy, self._kind):
            for resource, wanted in ((ROLES, role), (ROLE_BINDINGS, binding)):
                try:
                    taken = await self._ensure(resource, wanted)
                except Refused as error:
                    return False, "Refused", f"the {resource.kind} {wanted['metadata']['name']} was refused: {error}"
                if taken:
                    return False, taken.reason, taken.message
        return True, "InForce", _summary(policy, roles)

    async def _undeliverable(self, policy: AccessPolicy) -> Ready | None:
        """Why nothing could be granted under the policy in the way it says; tried again now and then."""
        problem = await lacking(self._cluster) if policy.delivery is DeliveredAs.IDENTITY else None
        return (False, problem.reason, problem.message) if problem else None

    async def _ensure(self, resource: Resource, wanted: Object) -> Objection | None:
        """Make the object exist exactly like that; returns why it cannot be, None when it does."""
        key = key_of(wanted)
        found = await self._cluster.find(resource, key)
        if found and not is_derived(found):
            return name_taken(resource.kind, key.name)
        await make_same(self._cluster, resource, found, wanted)
        return None

    async def _withdraw(self, key: Key) -> None:
        """Take the rights that a policy gave away again: bindings first."""
        for resource in (ROLE_BINDINGS, ROLES):
            for name in derived_names(key):
                await remove(self._cluster, resource, Key(key.namespace, name), is_derived)

    async def _record(self, policy: AccessPolicy, ready: Ready, roles: Sequence[OfferedRole]) -> None:
        in_force, reason, message = ready
        wanted = {
            "Ready": ("True" if in_force else "False", reason, message),
            "RolesFound": _roles_found(roles),
            "Stalled": _stalled(ready, roles),
        }
        conditions = merged_conditions(policy.recorded.conditions, wanted, policy.generation, self._tools.now())
        recorded = PolicyRecorded(policy.generation, tuple(roles), conditions)
        if recorded == policy.recorded:
            return
        # Not on top of another spec than the one that was looked at; what others write beside it does not matter.
        same = {"op": "test", "path": "/metadata/generation", "value": policy.generation}
        status = policy_status(policy, recorded)
        written = await self._cluster.write_status(self._kind.resource, policy.key, policy.uid, status, same)
        if written is not None:
            self._known.see(parse_policy(written))
        level = logging.INFO if in_force else logging.WARNING
        log.log(level, "policy %s", reason, extra={"policy": str(policy.key), "reason": reason, "note": message})
        self._tools.publisher.tell(News(self._kind.resource, policy.key, policy.uid, reason, message, not in_force))

    def _wake_dependents(self, policy: Key, version: Version | None) -> None:
        """Look again at the requests that name the policy, unless they were looked at for this very version of it."""
        if self._known.heed(policy, version):
            for resource, request in self._tools.store.under(PolicyRef(self._kind.resource.kind, policy)):
                self._schedule.soon(Target(resource, request))

    def _target(self, key: Key) -> Target:
        return Target(self._kind.resource, key)


def _level(error: Exception) -> int:
    return logging.DEBUG if isinstance(error, Conflict) else logging.WARNING


def _refusal(policy: AccessPolicy, roles: Sequence[OfferedRole]) -> Ready | None:
    if policy.invalid:
        return False, "Invalid", policy.invalid
    risky = _risky(roles)
    if risky and not policy.allow_persistent_risk:
        return False, "PersistentRisk", f"{risky}: set allowPersistentRisk: true to offer them all the same, or offer other roles"
    return None


def _risky(roles: Sequence[OfferedRole]) -> str:
    named = _named((offered.role, offered.shown.risks) for offered in roles if offered.shown)
    return f"these roles allow what outlives a grant: {named}" if named else ""


def _hinted(roles: Sequence[OfferedRole]) -> str:
    named = _named((offered.role, offered.shown.hints) for offered in roles if offered.shown)
    return f"look at what these roles may leave behind: {named}" if named else ""


def _named(found: Iterable[tuple[RoleRef, tuple[str, ...]]]) -> str:
    return "; ".join(f"{role} ({', '.join(words)})" for role, words in found if words)


def _versions(roles: Iterable[OfferedRole]) -> set[tuple[RoleRef, str, str, tuple[str, ...]]]:
    """What of the offered roles matters to requests and grants."""
    shown = [(offered.role, offered.shown) for offered in roles]
    return {(role, now.uid, now.digest, now.risks) if now else (role, "", "", ()) for role, now in shown}


def _missing(roles: Sequence[OfferedRole]) -> str:
    missing = ", ".join(str(offered.role) for offered in roles if offered.shown is None)
    return f"not there, or not readable by the operator (ClusterRole jitaccess-grantable-roles): {missing}" if missing else ""


def _roles_found(roles: Sequence[OfferedRole]) -> tuple[str, str, str]:
    missing = _missing(roles)
    return ("False", "RolesNotFound", missing) if missing else ("True", "AllFound", "every role that it offers is there")


def _stalled(ready: Ready, roles: Sequence[OfferedRole]) -> tuple[str, str, str]:
    """Whether people must put something right: only then does it come to an end, however long one waits."""
    in_force, reason, message = ready
    if not in_force:
        return "True", reason, message
    missing = _missing(roles)
    return ("True", "RolesNotFound", missing) if missing else ("False", reason, "nothing is to be put right")


def _summary(policy: AccessPolicy, roles: Sequence[OfferedRole]) -> str:
    parts = ["requests are accepted"]
    if missing := _missing(roles):
        parts.append(missing)
    if policy.allow_persistent_risk and (risky := _risky(roles)):
        parts.append(risky)
    if hinted := _hinted(roles):
        parts.append(hinted)
    return "; ".join(parts)
