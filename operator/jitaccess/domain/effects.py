"""What rights on some resources amount to, in words, and whether a rule gives them: matching as in the RBAC authorizer. Pure."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from jitaccess.domain.roles import Rule

EVERYTHING = "*"
WRITE = ("create", "update", "patch")
DELETE = ("delete", "deletecollection")


@dataclass(frozen=True, slots=True)
class Rights:
    """A rule to be asked many things: whoever may write a Role decides how long its lists are."""

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]

    @staticmethod
    def of(rule: Rule) -> "Rights":
        """The rights that a rule gives."""
        return Rights(frozenset(rule.groups), frozenset(rule.resources), frozenset(rule.verbs))


@dataclass(frozen=True, slots=True)
class Effect:
    """Verbs on resources of one API group, and what they allow, in words.

    `*` is any group, resource or verb; a group `*.example.com` is every group that ends like that.
    """

    words: str
    group: str
    resources: tuple[str, ...] = (EVERYTHING,)
    verbs: tuple[str, ...] = WRITE

    def allowed_by(self, rights: Rights) -> bool:
        """Whether they include any of the verbs on any of the resources; one named object is enough."""
        return self._is_about_any(rights.groups) and bool(self.given_by(rights))

    def given_by(self, rights: Rights) -> AbstractSet[str]:
        """The resources on which they include any of the verbs, whatever the groups."""
        if not _matches(rights.verbs, self.verbs):
            return frozenset()
        if EVERYTHING in self.resources:
            return rights.resources
        return {resource for resource in self.resources if _covers(rights.resources, resource)}

    def _is_about_any(self, groups: AbstractSet[str]) -> bool:
        if self.group == EVERYTHING:
            return bool(groups)
        ending = self.group[1:] if self.group.startswith("*.") else None
        known = EVERYTHING in groups or self.group in groups
        return known or (ending is not None and any(group.endswith(ending) for group in groups))


def _matches(listed: AbstractSet[str], wanted: tuple[str, ...]) -> bool:
    return EVERYTHING in listed or (EVERYTHING in wanted and bool(listed)) or not listed.isdisjoint(wanted)


def _covers(listed: AbstractSet[str], resource: str) -> bool:
    name, slash, subresource = resource.partition("/")
    if not slash:
        return _matches(listed, (resource,))
    if not subresource:  # `userextras/`: whatever the subresource, for RBAC spells the keys of user extras like that
        return EVERYTHING in listed or any(entry.startswith((resource, "*/")) for entry in listed)
    # RBAC takes `pods/*` and `*/*` for nothing; who writes them means every subresource, and they are judged as they were meant.
    return _matches(listed, (resource, f"*/{subresource}", f"{name}/*", "*/*"))
