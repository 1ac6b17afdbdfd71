"""Who could approve: whether enough people who are not the requester are named for each thing that needs deciding. Pure.

Of a group nobody here knows the members, so a group is always enough. A person counts once, in one stage only, and never for
their own request; names that differ in A to Z and a to z alone may be one person's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from jitaccess.domain.text import lower_ascii
from jitaccess.lint.findings import Path

# Accounts that never decide: the operator, and the temporary identities of grants (deploy/base/admission/identities.yaml).
_OPERATOR = "system:serviceaccount:jitaccess-system:jitaccess"
_IDENTITIES = "system:serviceaccount:jitaccess-grants:"


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many of whom must do what, and which field says who; `people` is None where a group is among them."""

    path: Path
    people: frozenset[str] | None
    required: int
    what: str = "approve"


def quorums(spec: Mapping[str, Any]) -> Sequence[Quorum]:
    """What must be met, all of it, before access begins."""
    if stages := spec.get("stages"):
        return [
            Quorum(("spec", "stages", number, "approvers"), _people(stage.get("approvers")), stage.get("required", 1))
            for number, stage in enumerate(stages)
        ]
    return [Quorum(("spec", "approvers"), _people(spec.get("approvers")), spec.get("requiredApprovals", 1))]


def reviews(spec: Mapping[str, Any]) -> Sequence[Quorum]:
    """What must be met after access without approval has begun."""
    emergency = spec.get("emergency")
    return [Quorum(("spec", "emergency", "reviewers"), _people(emergency.get("reviewers")), 1, "review")] if emergency else []


def requesters(spec: Mapping[str, Any]) -> Mapping[str, str]:
    """Who may ask, by the name under which they would decide; a group stands for somebody of whom nothing is known."""
    return {_person(each): f"{each['kind']} {each['name']}" if each["kind"] != "Group" else "" for each in spec["requesters"]}


def unmet(needed: Sequence[Quorum], requester: str) -> Quorum | None:
    """The first of these that cannot be met for that requester, together with others; None if all of them can."""
    closed = [quorum for quorum in needed if quorum.people is not None]
    for size in range(1, len(closed) + 1):
        for some in combinations(closed, size):
            able = frozenset[str]().union(*(quorum.people or () for quorum in some)) - {requester}
            if len(able) < sum(quorum.required for quorum in some):
                return some[-1]
    return None


def _people(subjects: Iterable[Mapping[str, Any]] | None) -> frozenset[str] | None:
    named = list(subjects or ())
    if any(each["kind"] == "Group" for each in named):
        return None
    return frozenset(_able(map(_person, named)))


def _able(people: Iterable[str]) -> Iterator[str]:
    return (person for person in people if person != _OPERATOR and not person.startswith(_IDENTITIES))


def _person(subject: Mapping[str, Any]) -> str:
    match subject["kind"]:
        case "ServiceAccount":
            return f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"
        case "Group":
            return f"a member of {subject['name']}"
    return lower_ascii(subject["name"])
