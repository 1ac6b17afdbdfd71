"""One namespace that came, or whose labels changed: the policies that select it reach it, and no others do."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from jitaccess.domain.model import AccessPolicy, Key, Manifest, Scope
from jitaccess.domain.reviews import under_review_alone
from jitaccess.domain.rules import in_force
from jitaccess.kube.api import Conflict, Refused
from jitaccess.manifests.derived import policy_of
from jitaccess.manifests.kinds import REACH, PolicyKind
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import NAMESPACES
from jitaccess.reconcile.derived import Derived, Refusal
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.removal import NotEnded
from jitaccess.workqueue.schedule import Target
from jitaccess.workqueue.versions import version_of_policy

log = logging.getLogger(__name__)

# Of many namespaces that come at once, the policies are told once.
COUNT_AFTER = timedelta(seconds=1)
LONGEST_RETRY = 300.0
_SELECTED = REACH[Scope.SELECTED]


class NamespaceReconciler:
    """Reconciles namespaces with the policies of one kind, as the watch reported these last.

    A policy that is looked at meanwhile looks at the namespaces that were news since it began (policies.py), and this looks again
    where a policy was news: of two looks at once, the later one is right.
    """

    def __init__(self, tools: Tools, kind: PolicyKind) -> None:
        self._tools = tools
        self._kind = kind
        self._schedule = tools.schedule
        self._policies = tools.store.policies[kind.resource]
        self._namespaces = tools.store.namespaces
        self._derived = Derived(tools.cluster, kind, tools.installation.has)

    async def reconcile(self, key: Key) -> None:
        """Make the derived bindings in a namespace agree with its labels as they are now."""
        labels, target = await self._tools.cluster.labels(key.name), Target(NAMESPACES, key)
        if labels is None:
            self._leave(key.name)
            return self._schedule.done(target)
        policies, before = self._selecting(), self._versions()
        try:
            refusals = await self._agree(key.name, labels, policies) if policies else []
        except (Conflict, Refused, NotEnded) as error:
            delay = self._schedule.retry(target)
            log.warning("namespace put off: %s", error, extra={"namespace": key.name, "retry_seconds": round(delay, 1)})
            return
        if self._versions() != before:
            self._schedule.soon(target)
        if refusals:
            self._schedule.retry(target, LONGEST_RETRY)
            log.warning("policies do not reach a namespace: %s", refusals[0].why.message, extra={"namespace": key.name})
        else:
            self._schedule.done(target)

    async def _agree(self, namespace: str, labels: Mapping[str, str], policies: Sequence[AccessPolicy]) -> list[Refusal]:
        there: dict[Key | None, list[Manifest]] = defaultdict(list)
        for binding in await self._derived.bindings_in(namespace, _SELECTED):
            there[policy_of(key_of(binding), self._kind)].append(binding)
        refusals: list[Refusal] = []
        for policy in policies:
            selected = policy.selector is not None and policy.selector.selects(namespace, labels)
            if selected:
                refusals += await self._derived.agree_in(policy, namespace, there[policy.key])
            else:
                await self._exclude(policy, namespace, there[policy.key])
            self._count(policy.key, namespace, selected=selected)
        return refusals

    async def _exclude(self, policy: AccessPolicy, namespace: str, bindings: Sequence[Manifest]) -> None:
        """The policy does not reach there any more, and access that was granted under it ends."""
        for binding in bindings:
            await self._derived.remove(_SELECTED, binding)
        for resource, request in self._tools.store.under(policy.ref):
            if request.namespace == namespace:
                self._schedule.soon(Target(resource, request))

    def _leave(self, namespace: str) -> None:
        for policy in self._selecting():
            self._count(policy.key, namespace, selected=False)

    def _count(self, policy: Key, namespace: str, *, selected: bool) -> None:
        if self._namespaces.adjust(policy, namespace, selected=selected):
            self._schedule.at(Target(self._kind.counts, policy), self._tools.now() + COUNT_AFTER)

    def _selecting(self) -> list[AccessPolicy]:
        known = (self._policies.get(key) for key in self._policies.all())
        return [derived for policy in known if policy and policy.selector and (derived := _as_derived(policy))]

    def _versions(self) -> set[tuple[str, int, bool]]:
        return {version_of_policy(policy) for policy in self._selecting()}


def _as_derived(policy: AccessPolicy) -> AccessPolicy | None:
    """The policy with those lists that become rights, by the record; None before that is on record, and where none do."""
    if in_force(policy) or policy.deleting or policy.generation != policy.recorded.generation:
        return policy if in_force(policy) else None
    return under_review_alone(policy)
