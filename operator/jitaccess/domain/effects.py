"""What rights on some resources amount to, in words, and whether a rule gives them: matching as in the RBAC authorizer. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from jitaccess.domain.roles import Rule

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Effect:
    """Verbs on resources of one API group, and what they allow, in words."""

    words: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def allowed_by(self, rule: Rule) -> bool:
        """Whether the rule gives any of the verbs on any of the resources; one named object is enough."""
        return (
            _matches(rule.groups, [self.group])
            and _matches(rule.verbs, self.verbs)
            and any(_covers(rule.resources, resource) for resource in self.resources)
        )


def _matches(listed: Collection[str], wanted: Collection[str]) -> bool:
    return EVERYTHING in listed or not set(listed).isdisjoint(wanted)


def _covers(listed: Collection[str], resource: str) -> bool:
    name, slash, subresource = resource.partition("/")
    if not slash:
        return _matches(listed, [resource])
    if not subresource:  # `userextras/`: whatever the subresource, for RBAC spells the keys of user extras like that
        return EVERYTHING in listed or any(entry.startswith(resource) for entry in listed)
    # `pods/*` gives nothing in RBAC; who writes it means every subresource, and it is judged as it was meant.
    return _matches(listed, [resource, f"*/{subresource}", f"{name}/*"])
