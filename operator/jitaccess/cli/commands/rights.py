"""What somebody may do under which policy, as the API server answers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.reviews import Person
from jitaccess.cli.terminal.output import dump_value, say
from jitaccess.domain.counting import required_of, stages_of
from jitaccess.domain.model import AccessPolicy, PolicyRef
from jitaccess.domain.text import format_duration
from jitaccess.domain.windows import in_words
from jitaccess.wording.describe import not_ready
from jitaccess.wording.reviews import review_terms
from jitaccess.wording.unseen import change_unseen, policy_unseen


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do under a policy."""

    policy: AccessPolicy
    may_request: bool
    may_approve: bool  # in some stage, where the policy has any
    may_review: bool
    not_ready: str  # why the policy is not in force; empty when it is
    unseen: str  # that the operator has not looked at it as it is now; empty when it has
    stages: tuple[str, ...] = ()  # in which they may approve

    @property
    def allowed(self) -> bool:
        """Whether they may ask under this policy now."""
        return self.may_request and not self.not_ready

    @property
    def words(self) -> str:
        """In words, for a column."""
        if self.not_ready:
            return "not looked at yet" if self.unseen else "not in force"
        decide = f"decide ({', '.join(self.stages)})" if self.stages else "decide"
        flags = ((self.may_request, "may ask"), (self.may_approve, decide), (self.may_review, "review"))
        may = [word for flag, word in flags if flag]
        return ", ".join(may) or "-"


def rights_under(client: Client, policies: Sequence[AccessPolicy], person: Person | None) -> list[Rights]:
    """Ask about each of the policies, for that person or for oneself."""
    request = client.may("request", (policy.ref for policy in policies), person)
    approve = client.may("approve", (ref for policy in policies for ref in _decided_on(policy).values()), person)
    review = client.may("review", (policy.ref for policy in policies if policy.emergency), person)
    now = client.now()
    return [
        Rights(
            policy,
            request[policy.ref],
            bool(held),
            review.get(policy.ref, False),
            not_ready(policy, now),
            _unseen(policy, now),
            tuple(filter(None, held)),
        )
        for policy in policies
        for held in [[name for name, ref in _decided_on(policy).items() if approve[ref]]]
    ]


def _decided_on(policy: AccessPolicy) -> dict[str, PolicyRef]:
    """What one must hold `approve` on to decide, by the name of the stage; without one where the policy has none."""
    return {stage.name: policy.ref.in_stage(stage.name) for stage in stages_of(policy)}


def of_concern(rights: Sequence[Rights]) -> list[Rights]:
    """Without the policies for many namespaces that give nothing here: they do not select it, or do not name me."""
    return [one for one in rights if one.policy.selector is None or one.may_request or one.may_approve or one.may_review]


def _unseen(policy: AccessPolicy, now: datetime) -> str:
    return policy_unseen(policy, now) or change_unseen(policy)


def dump_rights(rights: Sequence[Rights], form: str) -> None:
    """Print what one may do for programs."""
    if form == "name":
        for one in rights:
            say(f"{one.policy.ref.kind.lower()}.jitaccess.dev/{one.policy.key.name}")
        return
    dump_value([_value(one) for one in rights], form)


def _value(rights: Rights) -> dict[str, object]:
    policy = rights.policy
    return {
        "kind": policy.ref.kind,
        "namespace": policy.key.namespace,
        "name": policy.key.name,
        "description": policy.description,
        "roles": [{"kind": role.kind, "name": role.name} for role in policy.roles],
        "maxDuration": format_duration(policy.max_duration),
        "windows": [in_words(window) for window in policy.windows],
        "endWithWindow": policy.end_with_window,
        "allowScheduling": policy.allow_scheduling,
        "ticket": {"pattern": policy.ticket.pattern, "required": policy.ticket.required} if policy.ticket else None,
        "limits": {
            "activePerRequester": policy.limits.active_per_requester,
            "requestsPerDay": policy.limits.requests_per_day,
            "activeInTotal": policy.limits.active_in_total,
        },
        "requiredApprovals": required_of(policy),
        "approvers": list(dict.fromkeys(str(approver) for stage in stages_of(policy) for approver in stage.approvers)),
        "stages": [
            {"name": stage.name, "required": stage.required, "approvers": [str(approver) for approver in stage.approvers]}
            for stage in policy.stages
        ],
        "mayRequest": rights.may_request,
        "mayApprove": rights.may_approve,
        "mayApproveIn": list(rights.stages),
        "emergency": review_terms(policy),
        "mayReview": rights.may_review,
        "notReady": rights.not_ready,
    }
