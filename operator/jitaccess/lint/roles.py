"""The roles that policies offer, as far as the files have them or Kubernetes brings them, and what of them outlives a grant."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jitaccess.domain.model import RoleRef, Scope
from jitaccess.domain.risk import KNOWN
from jitaccess.domain.roles import Rule, parse_rules
from jitaccess.lint.bundle import Policy
from jitaccess.lint.objects import Object
from jitaccess.manifests.parse import parse_selector
from jitaccess.manifests.resources import CLUSTER_ROLES, RBAC, ROLES

# What the roles that come with Kubernetes allow that outlives a grant, and nothing else of them. `view` is harmless.
# tests/cluster/test_linting.py holds them against a real API server.
_EDIT = (
    Rule(("get", "list", "watch", "create", "update", "patch"), ("",), ("secrets", "serviceaccounts", "pods")),
    Rule(("create",), ("",), ("serviceaccounts/token", "pods/exec", "pods/portforward")),
    Rule(("impersonate",), ("",), ("serviceaccounts",)),
    Rule(("create", "update", "patch"), ("autoscaling",), ("horizontalpodautoscalers",)),
    Rule(("create", "update", "patch"), ("coordination.k8s.io",), ("leases",)),
)
_ADMIN = (*_EDIT, Rule(("create", "update", "patch"), ("rbac.authorization.k8s.io",), ("roles", "rolebindings")))
BUILT_IN: Mapping[str, tuple[Rule, ...]] = {
    "view": (),
    "edit": _EDIT,
    "admin": _ADMIN,
    "cluster-admin": (Rule(("*",), ("*",), ("*",)),),
}


class Roles:
    """All roles that are known."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._found = [each for each in objects if each.group == RBAC and each.kind in (ROLES.kind, CLUSTER_ROLES.kind)]

    def of(self, role: RoleRef, policy: Policy) -> Iterator[tuple[str, tuple[Rule, ...]]]:
        """What is known of an offered role: where from, and its rules. More than one where each namespace has its own."""
        there = [each for each in self._found if each.kind == role.kind and each.name == role.name and _is_meant(each, policy)]
        for each in there:
            yield f"as in {each.document.place()}", self._rules(each)
        if not there and role.kind == CLUSTER_ROLES.kind and role.name in BUILT_IN:
            yield "as it comes with Kubernetes", BUILT_IN[role.name]

    def _rules(self, role: Object) -> tuple[Rule, ...]:
        """Its own rules, and those of the ClusterRoles in the files that it aggregates."""
        return (*_own_rules(role), *(rule for part in self._aggregated(role) for rule in _own_rules(part)))

    def _aggregated(self, role: Object) -> Iterator[Object]:
        aggregation = role.value.get("aggregationRule")
        selectors = aggregation.get("clusterRoleSelectors") if isinstance(aggregation, dict) else None
        for each in selectors if isinstance(selectors, list) else ():
            selector = parse_selector(each) if isinstance(each, dict) else None
            if selector is not None:
                yield from (part for part in self._found if _is_labelled(part, selector))


def risks_of(rules: Iterable[Rule]) -> str:
    """What outlives a grant in these rules, in words."""
    return ", ".join(KNOWN.risks_of(rules))


def _is_meant(role: Object, policy: Policy) -> bool:
    """Whether that is the role; a Role is looked up in the namespace of the request."""
    return role.kind == CLUSTER_ROLES.kind or policy.parsed.scope is not Scope.OWN or role.namespace == policy.object.namespace


def _is_labelled(role: Object, selector: Any) -> bool:
    labels = role.metadata.get("labels")
    return role.kind == CLUSTER_ROLES.kind and isinstance(labels, dict) and bool(selector.selects("", labels))


def _own_rules(role: Object) -> tuple[Rule, ...]:
    rules = role.value.get("rules")
    readable = [rule for rule in rules if isinstance(rule, dict) and _is_readable(rule)] if isinstance(rules, list) else []
    return parse_rules(readable)


def _is_readable(rule: Mapping[str, Any]) -> bool:
    return all(each is None or isinstance(each, list) for each in rule.values())
