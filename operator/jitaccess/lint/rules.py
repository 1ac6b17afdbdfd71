"""Everything that is looked for: each rule with its name, its level, what it says and what to do, in one list."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from jitaccess.lint import checks
from jitaccess.lint.bundle import Bundle
from jitaccess.lint.findings import Finding, Found, Level


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for; `says` is what is wrong when it is found, `advice` what to do then."""

    name: str
    level: Level
    says: str
    advice: str
    look: Callable[[Bundle], Iterable[Found]]


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
        checks.not_in_force,
    ),
    Rule(
        "unknown-time-zone",
        Level.ERROR,
        "A window is in a time zone that does not exist.",
        "Name one of the IANA database, such as Europe/Berlin or UTC.",
        checks.unknown_time_zones,
    ),
    Rule(
        "closed-namespace",
        Level.ERROR,
        "The policy is in a namespace where nobody may make one.",
        "Make it in another namespace: who can write there can become anybody.",
        checks.closed_namespaces,
    ),
    Rule(
        "risky-role",
        Level.ERROR,
        "A role leaves something behind when access ends, and the policy does not accept that: it would not be in force.",
        "Offer a narrower role, or accept it with allowPersistentRisk: true.",
        checks.risky_roles,
    ),
    Rule(
        "needless-risk",
        Level.NOTE,
        "The policy accepts roles that leave something behind, and offers none.",
        "Leave allowPersistentRisk out, so that a role that becomes risky is noticed.",
        checks.needless_risks,
    ),
    Rule(
        "no-approver",
        Level.ERROR,
        "No request could ever be approved, or no emergency access reviewed.",
        "Name more people, or a Group. Nobody decides on their own request, and one person counts once.",
        checks.no_approvers,
    ),
    Rule(
        "blocked-requester",
        Level.WARNING,
        "Requests of some requesters could never be approved, or their emergency access not reviewed.",
        "Name more people, or a Group. Nobody decides on their own request, and one person counts once.",
        checks.blocked_requesters,
    ),
    Rule(
        "overlapping-policies",
        Level.WARNING,
        "The same people may ask for the same role in the same place under two policies, on different terms.",
        "Make it one policy, or see to it that the laxer one is meant: whoever asks chooses.",
        checks.overlapping_policies,
    ),
    Rule(
        "duplicate-object",
        Level.WARNING,
        "Two documents are the same object.",
        "Remove one of the two; look at what is for different clusters, or built from layers, one by one.",
        checks.duplicate_objects,
    ),
)


def findings(bundle: Bundle, ignored: Sequence[str] = ()) -> list[Finding]:
    """All that is found, in the order of files, lines and columns."""
    found = (Finding(each, rule.name, rule.level) for rule in RULES if rule.name not in ignored for each in rule.look(bundle))
    return sorted(found, key=lambda each: (each.found.place, each.rule, each.found.message))
