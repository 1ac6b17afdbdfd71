"""What a role allows, in words: from its rules where one may read them, else from what the operator recorded in the policy."""

from collections.abc import Sequence

from jitaccess.domain.model import AccessPolicy, Manifest, RoleRef
from jitaccess.domain.risk import KNOWN
from jitaccess.domain.roles import Rule, ShownRole
from jitaccess.manifests.roles import parse_role_status

# What the roles that come with Kubernetes are for, where their rules cannot be read.
_STANDARD = {
    "view": "Kubernetes' own role for reading most objects, but no Secrets",
    "edit": "Kubernetes' own role for reading and writing most objects, Secrets too, but no RBAC",
    "admin": "Kubernetes' own role for everything in a namespace, RBAC too",
    "cluster-admin": "Kubernetes' own role for everything",
}
_FEW = 6  # resources that are named before "and 12 more"


def risks_of(role: RoleRef, rules: Sequence[Rule] | None, policy: AccessPolicy | None) -> tuple[str, ...]:
    """What a role allows that outlives the grant: going by its rules, and by what the operator, who may know more, recorded."""
    recorded = recorded_role(role, policy)
    return tuple(dict.fromkeys((*KNOWN.risks_of(rules or ()), *(recorded.risks if recorded else ()))))


def hints_for(role: RoleRef, rules: Sequence[Rule] | None, policy: AccessPolicy | None) -> tuple[str, ...]:
    """What a role allows that may outlive the grant, likewise."""
    recorded = recorded_role(role, policy)
    return tuple(dict.fromkeys((*KNOWN.hints_for(rules or ()), *(recorded.hints if recorded else ()))))


def recorded_role(role: RoleRef, policy: AccessPolicy | None) -> ShownRole | None:
    """What the operator recorded about a role in the policy; None if nothing."""
    roles: Sequence[Manifest] = ((policy.status if policy else None) or {}).get("roles") or ()
    return next((parse_role_status(r) for r in roles if (r["kind"], r["name"]) == (role.kind, role.name)), None)


def brief(role: RoleRef, rules: Sequence[Rule] | None, policy: AccessPolicy | None) -> list[str]:
    """What a role allows in a few lines, as far as that is known; no lines if it is nothing."""
    known, rest = _known(role, rules, policy)
    if known is None:
        return [_unreadable(role)]
    lines = in_brief(known) + rest
    return lines if len(lines) <= _FEW else [*lines[:_FEW], f"and {len(lines) - _FEW} more: kubectl jit show"]


def exact_rules(role: RoleRef, rules: Sequence[Rule] | None, policy: AccessPolicy | None) -> dict[str, list[str]]:
    """The rules of a role as far as they are known: for each list of verbs the objects they are for, one rule an entry."""
    known, rest = _known(role, rules, policy)
    if known is None:
        return {_unreadable(role): []}
    grouped: dict[str, list[str]] = {}
    for rule in known:
        grouped.setdefault(_verbs(rule), []).append(_objects(rule))
    return grouped | {line: [] for line in rest}


def in_brief(rules: Sequence[Rule]) -> list[str]:
    """A role in a few words, `verbs: resources`, with equal verbs together and long lists cut."""
    grouped: dict[str, list[str]] = {}
    for rule in rules:
        names = grouped.setdefault(_verbs(rule), [])
        names += [name for name in _names(rule) if name not in names]
    return [f"{verbs}: {_few(names)}" for verbs, names in grouped.items()]


def _known(role: RoleRef, rules: Sequence[Rule] | None, policy: AccessPolicy | None) -> tuple[Sequence[Rule] | None, list[str]]:
    """The rules, and a line about those that were left out of the record."""
    if rules is not None:
        return rules, []
    recorded = recorded_role(role, policy)
    if recorded is None:
        return None, []
    noun = "rule" if recorded.omitted == 1 else "rules"
    return recorded.rules, [f"and {recorded.omitted} more {noun}"] if recorded.omitted else []


def _unreadable(role: RoleRef) -> str:
    """What to say about a role whose rules cannot be read."""
    standard = _STANDARD.get(role.name, "") if role.kind == "ClusterRole" else ""
    return (
        f"{standard} (the exact rules are not yours to read)"
        if standard
        else f"the rules of {role} are not yours to read, or gone"
    )


def _verbs(rule: Rule) -> str:
    return ", ".join(rule.verbs)


def _names(rule: Rule) -> list[str]:
    only = f" (only {', '.join(rule.names)})" if rule.names else ""
    every = {"*": "everything"}
    resources = [every.get(resource, resource) + only for resource in rule.resources]
    urls = [f"{url} (outside the API: no effect in a namespace)" for url in rule.urls]
    return resources + urls + (["and more"] if rule.cut else [])


def _objects(rule: Rule) -> str:
    groups = [group for group in rule.groups if group]
    where = f" in {', '.join('every API group' if group == '*' else group for group in groups)}" if groups else ""
    return ", ".join(_names(rule)) + where


def _few(names: Sequence[str]) -> str:
    few = ", ".join(names[:_FEW])
    return few if len(names) <= _FEW else f"{few} and {len(names) - _FEW} more"
