"""The rules of roles as values: read once from RBAC, compared by digest, and cut down to what an approver is shown. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jitaccess.domain.text import legible

# What is shown stands in the status of policies (16 roles) and requests. Whatever a role says, a policy stays below the 1.5 MB
# that etcd takes, although JSON makes six bytes of some characters.
MOST_RULES, MOST_CHARACTERS, LONGEST_LIST, LONGEST_ENTRY = 24, 8_000, 600, 253
MOST_HINTS, LONGEST_HINT = 12, 253
_QUOTES = 3  # around each entry, and between two


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a role; `names` empty is every object, `cut` says that entries are left out for size."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()  # paths outside the API, which a binding to a namespace does not give
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A Role or ClusterRole as it is now: its UID and all of its rules."""

    uid: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class ShownRole:
    """What people are shown of a role, and the digest of all that it was then; `omitted` counts the rules left out for size."""

    uid: str
    digest: str
    rules: tuple[Rule, ...]
    risks: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    omitted: int = 0


def parse_rules(rules: Iterable[Mapping[str, Any]] | None) -> tuple[Rule, ...]:
    """Read the `rules` of a Role or ClusterRole; an aggregated one begins with none at all."""
    return tuple(
        Rule(
            verbs=_texts(rule, "verbs"),
            groups=_texts(rule, "apiGroups"),
            resources=_texts(rule, "resources"),
            names=_texts(rule, "resourceNames"),
            urls=_texts(rule, "nonResourceURLs"),
        )
        for rule in rules or ()
    )


def rules_digest(rules: Iterable[Rule]) -> str:
    """16 hex digits that are equal for equal rules, in whatever order they and their entries are written."""
    canonical = sorted({json.dumps([sorted(set(entries)) for entries in _lists(rule)]) for rule in rules})
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()[:16]


def shown_role(role: Role, risks: Sequence[str] = (), hints: Sequence[str] = ()) -> ShownRole:
    """What to show of a role: its rules in a compact form, legible and bounded, whoever wrote them."""
    rules, omitted = _bounded(_merged(role.rules))
    return ShownRole(role.uid, rules_digest(role.rules), rules, tuple(risks), _some(hints), omitted)


def _texts(rule: Mapping[str, Any], field: str) -> tuple[str, ...]:
    return tuple(str(entry) for entry in rule.get(field) or ())


def _lists(rule: Rule) -> tuple[tuple[str, ...], ...]:
    return rule.verbs, rule.groups, rule.resources, rule.names, rule.urls


def _merged(rules: Iterable[Rule]) -> list[Rule]:
    """Rules that differ in nothing but their resources become one, where the first of them stood."""
    merged: dict[Rule, tuple[str, ...]] = {}
    for rule in rules:
        alike = replace(rule, resources=())
        merged[alike] = tuple(dict.fromkeys((*merged.get(alike, ()), *rule.resources)))
    return [replace(alike, resources=resources) for alike, resources in merged.items()]


def _bounded(rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], int]:
    kept: list[Rule] = []
    room = MOST_CHARACTERS
    for rule in rules[:MOST_RULES]:
        small = _legible(rule)
        room -= sum(len(entry) + _QUOTES for entries in _lists(small) for entry in entries)
        if room < 0:
            break
        kept.append(small)
    return tuple(kept), len(rules) - len(kept)


def _legible(rule: Rule) -> Rule:
    verbs, groups, resources, names, urls = (_few(entries) for entries in _lists(rule))
    small = Rule(verbs, groups, resources, names, urls)
    counts = zip(_lists(small), _lists(rule), strict=True)
    return replace(small, cut=any(len(few) < len(entries) for few, entries in counts))


def _some(hints: Sequence[str]) -> tuple[str, ...]:
    few = tuple(legible(_cut(hint, LONGEST_HINT)) for hint in hints[:MOST_HINTS])
    return few if len(hints) <= MOST_HINTS else (*few[:-1], f"and {len(hints) - MOST_HINTS + 1} more")


def _few(entries: Sequence[str]) -> tuple[str, ...]:
    few: list[str] = []
    room = LONGEST_LIST
    for entry in entries:
        room -= min(len(entry), LONGEST_ENTRY) + _QUOTES
        if room < 0:
            break
        few.append(legible(_cut(entry, LONGEST_ENTRY)))
    return tuple(few)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
