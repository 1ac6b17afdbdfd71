"""What somebody may do under which policy, as the API server answers it."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from jitaccess.cli.api.client import Client, Person
from jitaccess.cli.terminal.output import as_json, as_yaml, say
from jitaccess.domain.model import AccessPolicy
from jitaccess.domain.text import format_duration
from jitaccess.wording.describe import not_ready


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody may do under a policy."""

    policy: AccessPolicy
    may_request: bool
    may_approve: bool

    @property
    def allowed(self) -> bool:
        """Whether they may ask under this policy now."""
        return self.may_request and not not_ready(self.policy)

    @property
    def words(self) -> str:
        """In words, for a column."""
        if not_ready(self.policy):
            return "not in force"
        may = [word for flag, word in ((self.may_request, "may ask"), (self.may_approve, "decide")) if flag]
        return ", ".join(may) or "-"


def standings_of(client: Client, found: Sequence[AccessPolicy], person: Person | None) -> list[Standing]:
    """Ask about each of the policies, for that person or for oneself."""
    request = client.may("request", (p.key for p in found), person)
    approve = client.may("approve", (p.key for p in found), person)
    return [Standing(p, request[p.key], approve[p.key]) for p in found]


def dump_standings(standings: Sequence[Standing], form: str) -> None:
    """Print what one may do for programs."""
    if form == "name":
        for standing in standings:
            say(f"accesspolicy.jitaccess.dev/{standing.policy.key.name}")
        return
    values = [
        {
            "namespace": standing.policy.key.namespace,
            "name": standing.policy.key.name,
            "description": standing.policy.description,
            "roles": [{"kind": role.kind, "name": role.name} for role in standing.policy.roles],
            "maxDuration": format_duration(standing.policy.max_duration),
            "requiredApprovals": standing.policy.required_approvals,
            "approvers": [str(approver) for approver in standing.policy.approvers],
            "mayRequest": standing.may_request,
            "mayApprove": standing.may_approve,
            "notReady": not_ready(standing.policy),
        }
        for standing in standings
    ]
    click.echo(as_json(values, indent=2) if form == "json" else as_yaml(values))
