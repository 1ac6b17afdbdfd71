"""Approvals as the audit log tells of them, and whether they are what a policy asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.locks import fold

LEDGER = "jitaccess.dev/approvals"


@dataclass(frozen=True, slots=True)
class Approval:
    """One line of a ledger, and when it was first seen; no groups where it is not known whose call had written it."""

    by: str
    stage: str  # empty for the ledger of a policy without stages
    sent: float
    at: float
    version: int
    groups: frozenset[str] | None = None


def read_approvals(annotations: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Who approved, and in which stage, by the ledgers of a request."""
    for ledger, text in annotations.items():
        if ledger == LEDGER or ledger.startswith(f"{LEDGER}."):
            for line in filter(None, text.split("\n")):
                yield line.split(": ", 1)[0], ledger.removeprefix(LEDGER).removeprefix(".")


def stages_of(spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The stages of a policy; one without a name where it has none."""
    plain = {"name": "", "approvers": spec.get("approvers", []), "required": spec.get("requiredApprovals", 1)}
    return spec.get("stages") or [plain]


def needed(spec: Mapping[str, Any]) -> int:
    """How many approvals a policy asks for, in all stages together."""
    return sum(int(stage.get("required", 1)) for stage in stages_of(spec))


def suffice(spec: Mapping[str, Any], approvals: Iterable[Approval]) -> bool:
    """Whether every stage has as many as it asks for, each person counting in one."""
    places = [stage["name"] for stage in stages_of(spec) for _ in range(int(stage.get("required", 1)))]
    people: dict[str, set[str]] = {}
    for approval in approvals:
        people.setdefault(fold(approval.by), set()).add(approval.stage)
    return _all_taken(places, people)


def _all_taken(places: Sequence[str], people: Mapping[str, set[str]]) -> bool:
    if not places:
        return True
    fit = [who for who, stages in people.items() if places[0] in stages]
    return any(_all_taken(places[1:], {each: people[each] for each in people if each != who}) for who in fit)


def names(spec: Mapping[str, Any], approval: Approval) -> bool:
    """Whether a policy names the person as an approver of that stage; where their groups are not known, that is believed."""
    named = [subject for stage in stages_of(spec) if stage["name"] == approval.stage for subject in stage["approvers"]]
    return approval.groups is None or any(
        subject["name"] == approval.by if subject["kind"] == "User" else subject["name"] in approval.groups for subject in named
    )
