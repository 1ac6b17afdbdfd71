"""What a policy asks beside approvals, and how much of it is taken, in words. Pure."""

from jitaccess.domain.model import AccessPolicy
from jitaccess.domain.usage import Taken, Usage
from jitaccess.wording.beginnings import when_it_may_begin


def ticket_form(policy: AccessPolicy) -> str:
    """What the ticket of a request must look like; empty where the policy asks for none."""
    rule = policy.ticket
    return "" if rule is None else f"{'needed' if rule.required else 'if there is one'}: must match {rule.pattern}"


def limits(policy: AccessPolicy, usage: Usage | None = None) -> list[str]:
    """Each limit of a policy, and what is taken of it as far as that is known: `1 grant a person at once (1 taken)`."""
    most = policy.limits
    known = usage or Usage()
    parts = (
        (most.active_per_requester, "grant", "a person at once", known.of_requester),
        (most.requests_per_day, "request", "a person in 24h", known.in_a_day),
        (most.active_in_total, "grant", "at once in total", known.in_total),
    )
    return [_part(limit, noun, words, taken if usage else None) for limit, noun, words, taken in parts if limit is not None]


def terms(policy: AccessPolicy) -> str:
    """All that a request must fit beside role and duration, in one line."""
    begins, ticket = when_it_may_begin(policy), ticket_form(policy)
    parts = (f"access begins {begins}" if begins else "", f"ticket {ticket}" if ticket else "", *limits(policy))
    return "; ".join(part for part in parts if part)


def _part(limit: int, noun: str, words: str, taken: Taken | None) -> str:
    figure = "" if taken is None else f" ({min(taken.number, limit)} taken)"
    return f"{limit} {noun}{'' if limit == 1 else 's'} {words}{figure}"
