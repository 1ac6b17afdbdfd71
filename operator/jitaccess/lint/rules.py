"""Everything that is looked for: each rule with its name, its level, what it says and what to do, in one list. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jitaccess.lint.bundle import Bundle, Policy
from jitaccess.lint.deciders import Quorum, quorums, requesters, reviews, unmet
from jitaccess.lint.findings import Finding, Found, Level
from jitaccess.lint.objects import Object
from jitaccess.lint.overlaps import different_terms, labels_of, meet, shared
from jitaccess.lint.roles import Roles, risks_of

# Where deploy/base/admission/policy-authors.yaml lets nobody make a policy.
CLOSED = ("kube-system", "jitaccess-system", "jitaccess-directory")
_ACCEPT = "offer another role, or set allowPersistentRisk: true"
_MORE = "name more, or a Group"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for; `says` is what is wrong when it is found, `advice` what to do then."""

    name: str
    level: Level
    says: str
    advice: str
    look: Callable[[Bundle], Iterable[Found]]


def _invalid(bundle: Bundle) -> Iterator[Found]:
    return (each.object.found(("spec",), each.parsed.invalid) for each in bundle.policies if each.parsed.invalid)


def _unknown_zones(bundle: Bundle) -> Iterator[Found]:
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


def _closed(bundle: Bundle) -> Iterator[Found]:
    for policy in bundle.policies:
        if policy.object.namespace in CLOSED:
            words = f"there is no just-in-time access to {', '.join(CLOSED)}: make the policy in another namespace"
            yield policy.object.found(("metadata", "namespace"), words)


def _risky(bundle: Bundle) -> Iterator[Found]:
    roles = Roles(bundle.objects)
    for policy in bundle.policies:
        for number, role in enumerate(policy.parsed.roles):
            for where, rules in roles.of(role, policy):
                risks = risks_of(rules)
                if risks and not policy.parsed.allow_persistent_risk:
                    words = f"{role} allows what outlives the grant ({risks}; {where}): {_ACCEPT}"
                    yield policy.object.found(("spec", "roles", number), words)


def _needless(bundle: Bundle) -> Iterator[Found]:
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


def _nobody(bundle: Bundle) -> Iterator[Found]:
    for policy in bundle.policies:
        for quorum, _, everybody in _stuck(policy):
            if everybody:
                words = f"too few are named who could agree ({quorum.required} must), for nobody decides on their own: {_MORE}"
                yield policy.object.found(quorum.path, words)


def _blocked(bundle: Bundle) -> Iterator[Found]:
    for policy in bundle.policies:
        for quorum, names, everybody in _stuck(policy):
            if not everybody:
                words = f"too few are named who could decide on a request of {', '.join(names)}: {_MORE}"
                yield policy.object.found(quorum.path, words)


def _overlapping(bundle: Bundle) -> Iterator[Found]:
    labels = labels_of(each for each in bundle.objects if (each.group, each.kind) == ("", "Namespace"))
    for (first, second), (role, requester) in shared(bundle.policies).items():
        one, other = bundle.policies[first], bundle.policies[second]
        terms = list(different_terms(other, one))
        if terms and meet(one, other, labels) and not _is_same(one.object, other.object):
            said = "; ".join(f"{field} is {here} here and {there} there" for field, here, there in terms)
            place = one.object.document.place(("spec", "roles"))
            words = f"{requester} may ask for {role} under {one.object} ({place}) too, on other terms: {said}"
            yield other.object.found(("spec", "roles"), words)


def _is_same(one: Object, other: Object) -> bool:
    return (one.kind, one.namespace, one.name) == (other.kind, other.namespace, other.name)


def _twice(bundle: Bundle) -> Iterator[Found]:
    seen: dict[str, Object] = {}
    for each in bundle.ours():
        if not each.name:
            continue
        first = seen.setdefault(str(each), each)
        if first is not each:
            words = f"{each} stands at {first.document.place()} too: only the one that is applied last would hold"
            yield each.found(("metadata", "name"), words)


RULES: tuple[Rule, ...] = (
    Rule(
        "syntax",
        Level.ERROR,
        "The file is not YAML or JSON.",
        "Put right what the parser stumbled over. Nothing behind it was looked at.",
        lambda bundle: (found for reading in bundle.readings for found in reading.broken),
    ),
    Rule(
        "duplicate-key",
        Level.ERROR,
        "A field stands twice in one map.",
        "Remove one of the two. kubectl takes the last, other tools refuse the file.",
        lambda bundle: (found for reading in bundle.readings for found in reading.repeated),
    ),
    Rule(
        "unquoted-key",
        Level.WARNING,
        "The name of a field is a word that YAML 1.1 takes for true or false.",
        "Put it in quotes.",
        lambda bundle: (found for reading in bundle.readings for found in reading.surprising),
    ),
    Rule(
        "schema",
        Level.ERROR,
        "The API server would refuse it: a field is unknown, missing, or of the wrong form.",
        "Write it as `kubectl explain` has it. No CEL rule is asked before that.",
        lambda bundle: bundle.schema,
    ),
    Rule(
        "cel",
        Level.ERROR,
        "The API server would refuse it: a rule of the CRD does not hold.",
        "Do what the message says; it is the API server's own.",
        lambda bundle: bundle.cel,
    ),
    Rule(
        "unevaluated",
        Level.ERROR,
        "A rule of the CRD could not be asked, so nobody knows whether it holds.",
        "Please report it: it is a fault of kubectl jit, not of the policy.",
        lambda bundle: bundle.unevaluated,
    ),
    Rule(
        "not-in-force",
        Level.ERROR,
        "The API server would take it, and the operator would not: it says Ready=False, and nobody may ask.",
        "Do what the message says; it is the operator's own.",
        _invalid,
    ),
    Rule(
        "unknown-time-zone",
        Level.ERROR,
        "A window is in a time zone that does not exist.",
        "Name one of the IANA database, such as Europe/Berlin or UTC.",
        _unknown_zones,
    ),
    Rule(
        "closed-namespace",
        Level.ERROR,
        "The policy is in a namespace where nobody may make one.",
        "Make it in another namespace: who can write there can become anybody.",
        _closed,
    ),
    Rule(
        "risky-role",
        Level.ERROR,
        "A role leaves something behind when access ends, and the policy does not accept that: it would not be in force.",
        "Offer a narrower role, or accept it with allowPersistentRisk: true.",
        _risky,
    ),
    Rule(
        "needless-risk",
        Level.NOTE,
        "The policy accepts roles that leave something behind, and offers none.",
        "Leave allowPersistentRisk out, so that a role that becomes risky is noticed.",
        _needless,
    ),
    Rule(
        "no-approver",
        Level.ERROR,
        "No request could ever be approved, or no emergency access reviewed.",
        "Name more people, or a Group. Nobody decides on their own request, and one person counts once.",
        _nobody,
    ),
    Rule(
        "blocked-requester",
        Level.WARNING,
        "Requests of some requesters could never be approved, or their emergency access not reviewed.",
        "Name more people, or a Group. Nobody decides on their own request, and one person counts once.",
        _blocked,
    ),
    Rule(
        "overlapping-policies",
        Level.WARNING,
        "The same people may ask for the same role in the same place under two policies, on different terms.",
        "Make it one policy, or see to it that the laxer one is meant: whoever asks chooses.",
        _overlapping,
    ),
    Rule(
        "duplicate-object",
        Level.WARNING,
        "Two documents are the same object.",
        "Remove one of the two; look at what is for different clusters, or built from layers, one by one.",
        _twice,
    ),
)


def findings(bundle: Bundle, ignored: Sequence[str] = ()) -> list[Finding]:
    """All that is found, in the order of files, lines and columns."""
    found = (Finding(each, rule.name, rule.level) for rule in RULES if rule.name not in ignored for each in rule.look(bundle))
    return sorted(found, key=lambda each: (each.found.place, each.rule, each.found.message))
