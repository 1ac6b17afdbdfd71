"""What can be inferred is: which policy, which role, how long, and under which name a request is made. Pure."""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.api.ledger import checked_text
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, RoleRef
from jitaccess.domain.recorded import State
from jitaccess.domain.rules import in_words
from jitaccess.domain.text import format_duration, parse_duration
from jitaccess.domain.tickets import matches

USUAL_DURATION = timedelta(hours=1)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own: no vowels, nothing that looks like something else
_LONGEST_STEM = 40
_LONGEST_REASON = 1024
_CUT_SHORT = (State.DENIED, State.REVOKED, State.WITHDRAWN)
_OF_THE_CLUSTER = (
    *("clusteraccessrequest", "clusteraccessrequests", "careq"),
    *("clusteraccessrequest.jitaccess.dev", "clusteraccessrequests.jitaccess.dev"),
)
_KINDS = {"role": "Role", "clusterrole": "ClusterRole"}


def request_name(user: str) -> str:
    """A name that people recognise: `alice-7f3k` for alice@example.com."""
    stem = user.rpartition(":")[2].partition("@")[0].lower()
    stem = re.sub(r"[^a-z0-9]+", "-", stem)[:_LONGEST_STEM].strip("-") or "request"
    return f"{stem}-{''.join(secrets.choice(_ALPHABET) for _ in range(4))}"


def parse_role(text: str) -> RoleRef:
    """Read `edit`, `Role/edit` or `ClusterRole/edit`; the kind is empty where none was given."""
    kind, slash, name = text.partition("/")
    if not slash:
        return RoleRef("", text)
    if kind.lower() not in _KINDS or not name:
        raise UsageError(f"{text!r} is not a role: write edit, Role/edit or ClusterRole/edit")
    return RoleRef(_KINDS[kind.lower()], name)


def matching(wanted: RoleRef, offered: Sequence[RoleRef]) -> list[RoleRef]:
    """The offered roles of that name, and of that kind if one was given."""
    return [role for role in offered if role.name == wanted.name and wanted.kind in ("", role.kind)]


def offers(policies: Sequence[AccessPolicy], policy: str, role: RoleRef | None) -> list[tuple[AccessPolicy, RoleRef]]:
    """What of these policies fits the words of the command line; UsageError where nothing does."""
    named = [p for p in policies if not policy or p.key.name == policy]
    found = [(p, r) for p in named for r in (matching(role, p.roles) if role else p.roles)]
    if found or role is None:
        return found
    offered = "; ".join(f"{p.key.name} offers {in_words(p.roles)}" for p in named)
    raise UsageError(f"no policy that you may use offers {f'{role.kind} ' if role.kind else ''}{role.name}: {offered}")


def ambiguity(choices: Sequence[tuple[AccessPolicy, RoleRef]]) -> UsageError:
    """Says which words would make the choice clear."""
    policies = list(dict.fromkeys(policy.key.name for policy, _ in choices))
    if len(policies) > 1:
        return UsageError(
            f"you may use several policies: say which, {' or '.join(policies)}", "`kubectl jit policies` compares them"
        )
    roles = [role for _, role in choices]
    same_name = len({role.name for role in roles}) < len(roles)
    words = [f"--role {role.kind}/{role.name}" if same_name else f"--role {role.name}" for role in roles]
    return UsageError(f"policy {policies[0]} offers several roles: say which, {' or '.join(words)}")


def chosen_duration(text: str, policy: AccessPolicy) -> timedelta:
    """The duration that was asked for; without one an hour, or the policy's longest if that is shorter."""
    if not text:
        return min(USUAL_DURATION, policy.max_duration)
    duration = parse_length(text)
    if duration > policy.max_duration:
        longest = format_duration(policy.max_duration)
        raise UsageError(f"policy {policy.key.name} allows at most {longest}, not {text}", f"ask again with --for {longest}")
    return duration


def parse_length(text: str) -> timedelta:
    """Read how long access is to last."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def chosen_start(at: str, wait: str, now: datetime) -> datetime | None:
    """When access is to begin: at a time, local unless it says where, or so much later; None where neither is given."""
    if at and wait:
        raise UsageError("--at and --in say the same: leave one out")
    if wait:
        return now + parse_length(wait)
    if not at:
        return None
    try:
        start = datetime.fromisoformat(at)
    except ValueError:
        raise UsageError(f"{at!r} is no time: write it like 2026-07-01T08:00 (local time) or 2026-07-01T08:00:00Z") from None
    if start.astimezone() <= now:
        raise UsageError(f"{at} is past: leave --at out to begin as soon as it is approved")
    return start.astimezone()


def checked_reason(text: str) -> str:
    """A reason as the API server takes it; UsageError for one that says nothing."""
    if not text.strip():
        raise UsageError("say why in words")
    return checked_text(text, "reason")


def chosen_ticket(text: str, policy: AccessPolicy) -> str:
    """The ticket that was given, as the policy asks for it; UsageError for one that the policy does not take."""
    rule = policy.ticket
    if rule is None or (not text and not rule.required):
        return text
    if not text or not matches(rule, text):
        what = f"the ticket {text} is none for it" if text else "no ticket was given"
        raise UsageError(
            f"policy {policy.key.name} asks for a ticket that matches {rule.pattern}: {what}", "say it with --ticket"
        )
    return text


def continued_reason(old: AccessRequest, reason: str) -> str:
    """The reason of a request that continues another: it names that one, says if that was cut short, and keeps its reason."""
    original = re.sub(r"^extends \S+(?:, which was \w+)?: ", "", reason)
    ended = f", which was {old.state.lower()}" if old.state in _CUT_SHORT else ""
    return f"extends {old.key.name}{ended}: {original}"[:_LONGEST_REASON]


def parse_name(text: str, namespace: str) -> Key:
    """Read a request's name as people copy it: `x`, `accessrequest/x`, `clusteraccessrequest.jitaccess.dev/x`, `namespace/x`."""
    prefix, slash, name = text.rpartition("/")
    kinds = ("accessrequest", "accessrequests", "areq", "accessrequest.jitaccess.dev", "accessrequests.jitaccess.dev")
    if name and prefix in _OF_THE_CLUSTER:
        return Key("", name)
    if slash and (not prefix or "/" in prefix or not name):
        raise UsageError(f"{text!r} is not the name of a request")
    return Key(namespace if not slash or prefix in kinds else prefix, name)
