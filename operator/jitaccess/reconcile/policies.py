"""Policies: their lists become RBAC (derived.py), their roles are looked at, and what depends on them is looked at again."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from jitaccess.domain.model import AccessPolicy, Key, OfferedRole, PolicyRecorded, PolicyRef, RoleRef
from jitaccess.domain.obstacles import component_missing
from jitaccess.domain.recorded import DeliveredAs
from jitaccess.domain.recording import merged_conditions
from jitaccess.domain.rules import in_force, selected
from jitaccess.kube.api import Conflict, Refused
from jitaccess.manifests.kinds import COMPONENTS, PolicyKind, reach_of
from jitaccess.manifests.parse import is_there, parse_policy
from jitaccess.manifests.resources import NAMESPACES, ROLES
from jitaccess.manifests.status import policy_status
from jitaccess.publish.events import News
from jitaccess.publish.notify.channels import channels_found
from jitaccess.reconcile.derived import Derived, Refusal
from jitaccess.reconcile.facts import read_role
from jitaccess.reconcile.identities import lacking
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.removal import NotEnded
from jitaccess.workqueue.schedule import Target
from jitaccess.workqueue.versions import Version, version_of_policy

log = logging.getLogger(__name__)

Ready = tuple[bool, str, str]


# Why a policy is not in force although nothing failed: there is nothing to try again before it, or a role, changes.
_SETTLED = ("Invalid", "PersistentRisk", "Suspended")
LONGEST_RETRY = 300.0


class PolicyReconciler:
    """Reconciles the policies of one kind."""

    def __init__(self, tools: Tools, kind: PolicyKind) -> None:
        self._tools = tools
        self._kind = kind
        self._cluster = tools.cluster
        self._schedule = tools.schedule
        self._known = tools.store.policies[kind.resource]
        self._namespaces = tools.store.namespaces
        self._derived = Derived(tools.cluster, kind, tools.installation.has)

    async def reconcile(self, key: Key) -> None:
        """Make what is derived, the status and the open requests agree with the policy as it is now."""
        policy = await self._cluster.policy(PolicyRef(self._kind.resource.kind, key))
        # First of all, whatever becomes of the rest: what a narrower policy no longer allows must end.
        self._wake_dependents(key, version_of_policy(policy) if policy else None)
        if policy is None or policy.deleting:
            await self._withdraw(key)
            return self._known.forget(key)
        roles = await asyncio.gather(*(self._look_at(role, policy) for role in policy.roles if not looked_up_later(role, policy)))
        mark = self._namespaces.mark()
        try:
            ready, refused = await self._put_in_force(policy, roles)
            await self._record(policy, ready, roles)
        except (Conflict, Refused, NotEnded) as error:
            delay = self._schedule.retry(self._target(key))
            log.log(_level(error), "policy put off: %s", error, extra={"policy": str(key), "retry_seconds": round(delay, 1)})
            return
        if policy.selector:
            # Their labels may be others than those that were listed, and whoever looked at them did not know of this policy yet.
            for name in self._namespaces.seen_since(mark):
                self._schedule.soon(Target(NAMESPACES, Key("", name)))
        # Once more: what was found out about the roles is on record only now, and what changed in them is news to every grant.
        if policy.recorded.roles and _versions(roles) != _versions(policy.recorded.roles):
            self._wake_dependents(key, None)
        if ready[1] in _SETTLED or (ready[0] and not refused and not _missing(roles)):
            self._schedule.done(self._target(key))
        else:
            self._schedule.retry(self._target(key), LONGEST_RETRY)

    async def recount(self, key: Key) -> None:
        """Put on record how many namespaces a policy selects now, as namespaces come and go."""
        policy = await self._cluster.policy(PolicyRef(self._kind.resource.kind, key))
        if policy is None or policy.selector is None or not in_force(policy):
            return  # a look at it is to come, and counts anew
        try:
            await self._write(policy, replace(policy.recorded, namespaces=self._namespaces.count(key)))
        except Conflict:
            self._schedule.soon(self._target(key))

    async def _look_at(self, role: RoleRef, policy: AccessPolicy) -> OfferedRole:
        table = self._tools.table.for_access(everywhere=reach_of(policy).requests.everywhere)
        return OfferedRole(role, (await read_role(self._cluster, role, policy.key.namespace, table.shown)).shown)

    async def _put_in_force(self, policy: AccessPolicy, roles: Sequence[OfferedRole]) -> tuple[Ready, Sequence[Refusal]]:
        refusal = _refusal(policy, roles) or self._lacking(policy) or await self._undeliverable(policy)
        if refusal:
            self._namespaces.deselect(policy.key)
            await self._derived.withhold(policy, await self._places(policy) if policy.emergency else ())
            return refusal, ()
        places = await self._places(policy)
        refusals = await self._derived.agree(policy, places)
        if policy.selector:
            self._namespaces.select(policy.key, places)
        failed = {each.namespace for each in refusals}
        if refusals and (policy.selector is None or "" in failed or failed == places):
            why = refusals[0].why
            return (False, why.reason, why.message), refusals
        return (True, "InForce", _summary(policy, roles, places, refusals)), refusals

    async def _undeliverable(self, policy: AccessPolicy) -> Ready | None:
        """Why nothing could be granted under the policy in the way it says; tried again now and then."""
        problem = await lacking(self._cluster) if policy.delivery is DeliveredAs.IDENTITY else None
        return (False, problem.reason, problem.message) if problem else None

    def _lacking(self, policy: AccessPolicy) -> Ready | None:
        component, installation = reach_of(policy).component, self._tools.installation
        if component and not installation.checked:
            raise Conflict("which components are installed is not known yet")
        if not component or installation.has(component):
            return None
        return False, "ComponentMissing", component_missing(component, COMPONENTS[component].kind).message

    async def _places(self, policy: AccessPolicy) -> set[str]:
        """The namespaces that the policy reaches; an empty one stands for the whole cluster."""
        selector = policy.selector
        if selector is None:
            return {policy.key.namespace}
        found = [each["metadata"] async for each in self._cluster.list_metadata(NAMESPACES) if is_there(each)]
        return {each["name"] for each in found if selector.selects(each["name"], each.get("labels") or {})}

    async def _withdraw(self, key: Key) -> None:
        await self._derived.withdraw(key)
        self._namespaces.deselect(key)

    async def _record(self, policy: AccessPolicy, ready: Ready, roles: Sequence[OfferedRole]) -> None:
        in_force, reason, message = ready
        wanted = {
            "Ready": ("True" if in_force else "False", reason, message),
            "RolesFound": _roles_found(roles),
            "Stalled": _stalled(ready, roles),
            **channels_found(self._tools.channels(), policy),
        }
        conditions = merged_conditions(policy.recorded.conditions, wanted, policy.generation, self._tools.now())
        namespaces = self._namespaces.count(policy.key) if policy.selector else None
        if not await self._write(policy, PolicyRecorded(policy.generation, tuple(roles), conditions, namespaces)):
            return
        level = logging.INFO if in_force else logging.WARNING
        log.log(level, "policy %s", reason, extra={"policy": str(policy.key), "reason": reason, "note": message})
        self._tools.publisher.tell(News(self._kind.resource, policy.key, policy.uid, reason, message, not in_force))

    async def _write(self, policy: AccessPolicy, recorded: PolicyRecorded) -> bool:
        """Write a record that is new, and not on top of another spec than the one that was looked at; False if it is not new."""
        if recorded == policy.recorded:
            return False
        same = {"op": "test", "path": "/metadata/generation", "value": policy.generation}
        status = policy_status(policy, recorded)
        written = await self._cluster.write_status(self._kind.resource, policy.key, policy.uid, status, same)
        if written is not None:
            self._known.see(parse_policy(written))
        return True

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
    if policy.suspended:
        return (
            False,
            "Suspended",
            "it is suspended: nobody may ask, and access under it has ended; spec.suspend: false resumes it",
        )
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


def looked_up_later(role: RoleRef, policy: AccessPolicy) -> bool:
    """Whether a role is another one in each namespace that the policy reaches, so that only a request tells which."""
    return role.kind == ROLES.kind and not policy.key.namespace


def _summary(policy: AccessPolicy, roles: Sequence[OfferedRole], places: set[str], refusals: Sequence[Refusal]) -> str:
    later = [str(role) for role in policy.roles if looked_up_later(role, policy)]
    parts = ["requests are accepted"] if places else [f"no namespace is selected yet: it selects {selected(policy)}"]
    if refusals:
        parts.append(f"not in namespace {refusals[0].namespace}: {refusals[0].why.message}")
    if missing := _missing(roles):
        parts.append(missing)
    if later:
        parts.append(f"looked up in the namespace of each request: {', '.join(later)}")
    if policy.allow_persistent_risk and (risky := _risky(roles)):
        parts.append(risky)
    if hinted := _hinted(roles):
        parts.append(hinted)
    return "; ".join(parts)
