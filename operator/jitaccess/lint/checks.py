"""What is looked for in policies beyond what the API server says of each: what the operator says, and what people overlook."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jitaccess.lint.bundle import Bundle, Policy
from jitaccess.lint.deciders import Quorum, quorums, requesters, reviews, unmet
from jitaccess.lint.findings import Found, Path
from jitaccess.lint.objects import Object
from jitaccess.lint.overlaps import are_meant, different_terms, labels_of, meet, shared
from jitaccess.lint.roles import Roles, risks_of

# Where deploy/base/admission/policy-authors.yaml lets nobody make a policy.
CLOSED = ("kube-system", "jitaccess-system", "jitaccess-directory")
_ACCEPT = "offer another role, or set allowPersistentRisk: true"
_MORE = "name more, or a Group"
_FIELD = re.compile(r"spec(\.\w+|\[[0-9]+\])*")
_PART = re.compile(r"\w+")


def not_in_force(bundle: Bundle) -> Iterator[Found]:
    """Policies that the operator does not take, for another reason than those that have a rule of their own."""
    explained = {found.subject for found in unknown_time_zones(bundle)}
    for policy in bundle.policies:
        if policy.parsed.invalid and str(policy.object) not in explained:
            yield policy.object.found(*_of_field(policy.parsed.invalid))


def _of_field(message: str) -> tuple[Path, str]:
    """The field that the operator's message begins with, and what it says of it."""
    named = _FIELD.match(message)
    parts = _PART.findall(named[0]) if named else ["spec"]
    path = tuple(int(part) if part.isdecimal() else part for part in parts)
    return path, message[named.end() :].lstrip(": ") if named else message


def unknown_time_zones(bundle: Bundle) -> Iterator[Found]:
    """Windows in time zones that do not exist."""
    for policy in bundle.policies:
        for number, window in enumerate(policy.spec.get("windows") or ()):
            zone = window.get("timeZone")
            if zone is not None and not _is_zone(zone):
                close = get_close_matches(zone, available_timezones(), 1)
                meant = f"; did you mean {close[0]}?" if close else ""
                yield policy.object.found(("spec", "windows", number, "timeZone"), f"there is no time zone {zone}{meant}")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def closed_namespaces(bundle: Bundle) -> Iterator[Found]:
    """Policies where nobody may make one."""
    for policy in bundle.policies:
        if policy.object.namespace in CLOSED:
            words = f"there is no just-in-time access to {', '.join(CLOSED)}: make the policy in another namespace"
            yield policy.object.found(("metadata", "namespace"), words)


def risky_roles(bundle: Bundle) -> Iterator[Found]:
    """Roles that outlive a grant, in policies that do not accept that."""
    roles = Roles(bundle.objects)
    for policy in bundle.policies:
        for number, role in enumerate(policy.parsed.roles):
            for where, rules in roles.of(role, policy):
                risks = risks_of(rules)
                if risks and not policy.parsed.allow_persistent_risk:
                    words = f"{role} allows what outlives the grant ({risks}; {where}): {_ACCEPT}"
                    yield policy.object.found(("spec", "roles", number), words)


def needless_risks(bundle: Bundle) -> Iterator[Found]:
    """Policies that accept such roles, and offer none."""
    roles = Roles(bundle.objects)
    for policy in bundle.policies:
        known = [list(roles.of(role, policy)) for role in policy.parsed.roles]
        harmless = all(each and not any(risks_of(rules) for _, rules in each) for each in known)
        if policy.parsed.allow_persistent_risk and harmless:
            yield policy.object.found(("spec", "allowPersistentRisk"), "none of the roles needs it: leave it out")


def _stuck(policy: Policy) -> Iterator[tuple[Quorum, list[str], bool]]:
    """What cannot be met, for whom, and whether that is everybody."""
    asking = requesters(policy.spec)
    for needed in (quorums(policy.spec), reviews(policy.spec)):
        without = {words: quorum for person, words in asking.items() if (quorum := unmet(needed, person))}
        if without:
            yield next(iter(without.values())), list(without), len(without) == len(asking)


def no_approvers(bundle: Bundle) -> Iterator[Found]:
    """Policies under which nothing could ever be decided."""
    for policy in bundle.policies:
        for quorum, _, everybody in _stuck(policy):
            if everybody:
                words = f"too few are named who could {quorum.what} ({quorum.required} must), nobody for themselves: {_MORE}"
                yield policy.object.found(quorum.path, words)


def blocked_requesters(bundle: Bundle) -> Iterator[Found]:
    """Policies under which nothing could be decided for some."""
    for policy in bundle.policies:
        for quorum, names, everybody in _stuck(policy):
            if not everybody:
                words = f"too few are named who could {quorum.what} what {', '.join(names)} asks for: {_MORE}"
                yield policy.object.found(quorum.path, words)


def overlapping_policies(bundle: Bundle) -> Iterator[Found]:
    """Pairs of policies with the same role, requester and place, and other terms."""
    labels = labels_of(each for each in bundle.objects if (each.group, each.kind) == ("", "Namespace"))
    for (first, second), (role, requester) in shared(bundle.policies).items():
        one, other = bundle.policies[first], bundle.policies[second]
        if _is_same(one.object, other.object) or are_meant(one, other) or not meet(one, other, labels):
            continue
        if said := "; ".join(different_terms(other, one)):
            place = one.object.document.place(("spec", "roles"))
            words = f"{requester} may ask for {role} under {one.object} ({place}) too, on other terms: {said}"
            yield other.object.found(("spec", "roles"), words)


def _is_same(one: Object, other: Object) -> bool:
    return (one.kind, one.namespace, one.name) == (other.kind, other.namespace, other.name)


def duplicate_objects(bundle: Bundle) -> Iterator[Found]:
    """Documents that are an object that another one is already."""
    seen: dict[str, Object] = {}
    for each in bundle.ours:
        if not each.name:
            continue
        first = seen.setdefault(str(each), each)
        if first is not each:
            words = f"{each} stands at {first.document.place()} too: only the one that is applied last would hold"
            yield each.found(("metadata", "name"), words)
