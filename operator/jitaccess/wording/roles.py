"""What a role allows, in words: as it was shown for approval, else from its rules, else as the policy's status has it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jitaccess.domain.model import AccessPolicy, AccessRequest, RoleRef
from jitaccess.domain.recorded import State
from jitaccess.domain.risk import KNOWN
from jitaccess.domain.roles import Role, Rule, ShownRole, rules_digest
from jitaccess.domain.rules import role_changed

# What the roles that come with Kubernetes are for, where their rules cannot be read.
_STANDARD = {
    "view": "Kubernetes' own role for reading most objects, but no Secrets",
    "edit": "Kubernetes' own role for reading and writing most objects, Secrets too, but no RBAC",
    "admin": "Kubernetes' own role for everything in a namespace, RBAC too",
    "cluster-admin": "Kubernetes' own role for everything",
}
_FEW = 6  # resources that are named before "and 12 more"


@dataclass(frozen=True, slots=True)
class SeenRole:
    """A role as one may see it: `shown` is what it allows (None: not known), `changed` what is known of a change since."""

    ref: RoleRef
    shown: ShownRole | None
    changed: str = ""

    @property
    def risks(self) -> tuple[str, ...]:
        """What it allows that outlives the grant: what the operator, who may know more, recorded, and what its rules say."""
        return _union(self.shown.risks, KNOWN.risks_of(self.shown.rules)) if self.shown else ()

    @property
    def hints(self) -> tuple[str, ...]:
        """What it allows that may outlive the grant."""
        return self.shown.hints if self.shown else ()

    @property
    def brief(self) -> list[str]:
        """What it allows in a few lines, as far as that is known; no lines if it is nothing."""
        if self.shown is None:
            return [_unreadable(self.ref)]
        lines = in_brief(self.shown.rules) + _left_out(self.shown)
        return lines if len(lines) <= _FEW else [*lines[:_FEW], f"and {len(lines) - _FEW} more: kubectl jit show"]

    @property
    def exactly(self) -> dict[str, list[str]]:
        """The rules as far as they are known: for each list of verbs the objects they are for, one rule an entry."""
        if self.shown is None:
            return {_unreadable(self.ref): []}
        return in_full(self.shown)


def in_full(shown: ShownRole) -> dict[str, list[str]]:
    """The rules as they were shown: for each list of verbs the objects they are for, one rule an entry."""
    grouped: dict[str, list[str]] = {}
    for rule in shown.rules:
        grouped.setdefault(_verbs(rule), []).append(_objects(rule))
    return grouped | {line: [] for line in _left_out(shown)}


def role_now(role: RoleRef, live: Role | None, policy: AccessPolicy | None) -> SeenRole:
    """The role as it is: whole where one may read it, with what the operator recorded in the policy about its risks."""
    recorded = recorded_role(role, policy)
    if live is None:
        return SeenRole(role, recorded)
    digest = rules_digest(live.rules)
    # What the operator was taught to be harmless is no hint; what it recorded of other rules is none of these.
    hints = recorded.hints if recorded and recorded.digest == digest else KNOWN.hints_for(live.rules)
    return SeenRole(role, ShownRole(live.uid, digest, live.rules, recorded.risks if recorded else (), hints))


def role_asked(request: AccessRequest, live: Role | None, policy: AccessPolicy | None) -> SeenRole:
    """The role of a request as it was shown for approval, which is what will be granted; as it is, while nothing is recorded."""
    now = role_now(request.role, live, policy)
    shown = request.recorded.role
    if shown is None:
        return now
    if role_changed(request, now.shown):
        return SeenRole(request.role, shown, _changed(request, live))
    follows = request.state is State.ACTIVE and any(entry.reason == "RoleChanged" for entry in request.recorded.history)
    changed = f"{request.role} was changed since this was asked, and the access with it" if follows else ""
    return SeenRole(request.role, replace(shown, rules=live.rules, omitted=0) if live else shown, changed)  # the same, and whole


def recorded_role(role: RoleRef, policy: AccessPolicy | None) -> ShownRole | None:
    """What the operator recorded about a role in the policy; None if nothing."""
    offered = policy.recorded.roles if policy else ()
    return next((each.shown for each in offered if each.role == role), None)


def in_brief(rules: Sequence[Rule]) -> list[str]:
    """A role in a few words, `verbs: resources`, with equal verbs together and long lists cut."""
    grouped: dict[str, list[str]] = {}
    for rule in rules:
        names = grouped.setdefault(_verbs(rule), [])
        names += [name for name in _names(rule) if name not in names]
    return [f"{verbs}: {_few(names)}" for verbs, names in grouped.items()]


def _changed(request: AccessRequest, live: Role | None) -> str:
    if live is None:  # the policy's status may be older than the request's
        return f"{request.role} may have changed since: the status of the policy has other rules"
    shown = request.recorded.role
    how = "was deleted and recreated" if shown and shown.uid != live.uid else "was changed"
    if request.state in (State.PENDING, State.SCHEDULED):
        return f"{request.role} {how} since it was shown, so this is not granted any more: ask again"
    return f"{request.role} {how} since: it allows something else now"


def _left_out(shown: ShownRole) -> list[str]:
    """A line about the rules that were left out of the record for size."""
    noun = "rule" if shown.omitted == 1 else "rules"
    return [f"and {shown.omitted} more {noun}"] if shown.omitted else []


def _union(*lists: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry for entries in lists for entry in entries))


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
