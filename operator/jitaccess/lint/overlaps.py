"""Policies under which the same people may ask for the same role in the same place, on other terms. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from jitaccess.domain.model import Scope
from jitaccess.domain.selector import Selector
from jitaccess.domain.text import parse_duration
from jitaccess.lint.bundle import Policy
from jitaccess.lint.objects import Object

# What is no term: whom it is for and where (that is compared otherwise), and what is said about it.
_NO_TERMS = frozenset({"roles", "requesters", "description", "notify", "namespaceSelector", "clusterWide"})
_NAME = "kubernetes.io/metadata.name"

Labels = Mapping[str, Mapping[str, str]]


def shared(policies: Sequence[Policy]) -> Mapping[tuple[int, int], tuple[str, str]]:
    """Pairs of policies, by their places in the list, with a role and a requester that both have."""
    having: dict[tuple[str, str], list[int]] = {}
    for number, policy in enumerate(policies):
        for role in policy.parsed.roles:
            for requester in policy.parsed.requesters:
                having.setdefault((str(role), str(requester)), []).append(number)
    pairs: dict[tuple[int, int], tuple[str, str]] = {}
    for what, numbers in having.items():
        for pair in combinations(numbers, 2):
            pairs.setdefault(pair, what)
    return pairs


def labels_of(namespaces: Iterable[Object]) -> Labels:
    """The labels of the Namespaces in the files, by name, with the one that the API server sets."""
    return {each.name: _texts(each.metadata.get("labels")) | {_NAME: each.name} for each in namespaces}


def meet(one: Policy, other: Policy, labels: Labels) -> bool:
    """Whether there is a place where both are in force, as far as the files say."""
    first, second = sorted((one, other), key=lambda policy: list(Scope).index(policy.parsed.scope))
    match first.parsed.scope, second.parsed.scope:
        case Scope.OWN, Scope.OWN:
            return _home(first.object) == _home(second.object)
        case Scope.OWN, Scope.SELECTED:
            return _selects(second.parsed.selector, first.object.namespace, labels)
        case Scope.SELECTED, Scope.SELECTED:
            return first.parsed.selector == second.parsed.selector or any(
                _selects(first.parsed.selector, name, labels) and _selects(second.parsed.selector, name, labels)
                for name in labels
            )
    return first.parsed.scope == second.parsed.scope


def are_meant(one: Policy, other: Policy) -> bool:
    """Whether two policies are meant to stand beside each other: the one for emergencies, or one that is suspended."""
    return (
        one.parsed.suspended or other.parsed.suspended or (one.parsed.emergency is None) is not (other.parsed.emergency is None)
    )


def different_terms(here: Policy, there: Policy) -> Iterator[str]:
    """The fields in which two policies differ, and what each says there if that is short."""
    for field in sorted({*here.spec, *there.spec} - _NO_TERMS):
        if _term(here.spec.get(field)) != _term(there.spec.get(field)):
            yield f"{field} {_difference(here.spec.get(field), there.spec.get(field))}"


def _difference(here: Any, there: Any) -> str:
    if here is None or there is None:
        return "is here alone" if there is None else "is there alone"
    shown, other = _shown(here), _shown(there)
    return f"is {shown} here and {other} there" if shown and other else "differs"


def _home(each: Object) -> str:
    """The namespace; of a policy that names none, the folder from which it gets one."""
    return each.namespace or f"/{each.document.file.rpartition('/')[0]}"


def _selects(selector: Selector | None, namespace: str, labels: Labels) -> bool:
    """Whether a selector is sure to select a namespace: by its name, or by labels that the files show."""
    if selector is None or not namespace:
        return False
    by_name = all(each.key == _NAME for each in selector.requirements)
    return (namespace in labels or by_name) and selector.selects(namespace, labels.get(namespace, {_NAME: namespace}))


def _term(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(json.dumps(each, sort_keys=True) for each in value)
    try:
        return parse_duration(value)
    except (TypeError, ValueError):
        return value


def _shown(value: Any) -> str:
    """The value in a few words, if there are any for it."""
    if isinstance(value, list) and all(isinstance(each, dict) and {"kind", "name"} <= {*each} for each in value):
        return ", ".join(f"{each['kind']} {each['name']}" for each in value)
    return "" if isinstance(value, list | dict) else value if isinstance(value, str) else json.dumps(value)


def _texts(labels: Any) -> dict[str, str]:
    return {key: value for key, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}
