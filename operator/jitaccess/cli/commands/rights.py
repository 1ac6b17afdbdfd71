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
class Rights:
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


def rights_under(client: Client, policies: Sequence[AccessPolicy], person: Person | None) -> list[Rights]:
    """Ask about each of the policies, for that person or for oneself."""
    request = client.may("request", (policy.ref for policy in policies), person)
    approve = client.may("approve", (policy.ref for policy in policies), person)
    return [Rights(policy, request[policy.ref], approve[policy.ref]) for policy in policies]


def dump_rights(rights: Sequence[Rights], form: str) -> None:
    """Print what one may do for programs."""
    if form == "name":
        for one in rights:
            say(f"accesspolicy.jitaccess.dev/{one.policy.key.name}")
        return
    values = [_value(one) for one in rights]
    click.echo(as_json(values, indent=2) if form == "json" else as_yaml(values))


def _value(rights: Rights) -> dict[str, object]:
    policy = rights.policy
    return {
        "namespace": policy.key.namespace,
        "name": policy.key.name,
        "description": policy.description,
        "roles": [{"kind": role.kind, "name": role.name} for role in policy.roles],
        "maxDuration": format_duration(policy.max_duration),
        "requiredApprovals": policy.required_approvals,
        "approvers": [str(approver) for approver in policy.approvers],
        "mayRequest": rights.may_request,
        "mayApprove": rights.may_approve,
        "notReady": not_ready(policy),
    }
