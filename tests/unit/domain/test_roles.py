"""The rules of a role as values: equal digests for equal rules, and a form for people that is bounded and legible."""

from dataclasses import replace
from typing import Any

import pytest

from jitaccess.domain.roles import MOST_CHARACTERS, MOST_HINTS, MOST_RULES, Role, Rule, parse_rules, rules_digest, shown_role
from jitaccess.domain.text import printable

PODS = Rule(("get", "list"), ("",), ("pods",))
WEB = Rule(("get",), ("apps",), ("deployments",), ("web",))


def shown(*rules: Rule) -> tuple[tuple[Rule, ...], int]:
    """The rules as people are shown them, and how many are left out."""
    role = shown_role(Role("u", rules))
    return role.rules, role.omitted


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(None, (), id="an-aggregated-role-begins-without-rules"),
        pytest.param([{}], (Rule((), (), ()),), id="a-rule-without-fields"),
        pytest.param([{"verbs": None, "apiGroups": None, "resources": None}], (Rule((), (), ()),), id="nulls"),
        pytest.param(
            [{"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]}],
            (WEB,),
            id="every-field",
        ),
        pytest.param(
            [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}],
            (Rule(("get",), (), (), urls=("/metrics",)),),
            id="a-path-outside-the-api",
        ),
    ],
)
def test_rules_are_read_as_rbac_writes_them(rules: list[dict[str, Any]] | None, expected: tuple[Rule, ...]) -> None:
    assert parse_rules(rules) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([PODS, WEB], [WEB, PODS], id="the-order-of-rules"),
        pytest.param([PODS], [PODS, PODS], id="a-rule-said-twice"),
        pytest.param([PODS], [replace(PODS, verbs=("list", "get", "get"))], id="the-order-of-verbs"),
        pytest.param([replace(PODS, resources=("a", "b"))], [replace(PODS, resources=("b", "a"))], id="the-order-of-resources"),
    ],
)
def test_what_means_nothing_does_not_change_the_digest(one: list[Rule], other: list[Rule]) -> None:
    assert rules_digest(one) == rules_digest(other)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([], id="no-rules"),
        pytest.param([PODS, WEB], id="one-more-rule"),
        pytest.param([replace(PODS, verbs=("get",))], id="a-verb-less"),
        pytest.param([replace(PODS, verbs=("get", "delete"))], id="another-verb"),
        pytest.param([replace(PODS, groups=("apps",))], id="another-group"),
        pytest.param([replace(PODS, groups=())], id="no-group-is-not-the-core-group"),
        pytest.param([replace(PODS, resources=("pods", "secrets"))], id="another-resource"),
        pytest.param([replace(PODS, names=("web",))], id="one-object-only"),
        pytest.param([replace(PODS, urls=("/metrics",))], id="a-path"),
        pytest.param([replace(PODS, verbs=("get, list",))], id="two-verbs-are-not-one-with-a-comma"),
        pytest.param([replace(PODS, verbs=("get",)), replace(PODS, verbs=("list",))], id="said-in-two-rules"),
    ],
)
def test_other_rules_have_another_digest(other: list[Rule]) -> None:
    assert rules_digest(other) != rules_digest([PODS])


def test_the_digest_stays_the_same_from_version_to_version() -> None:
    assert rules_digest([PODS, WEB]) == "e57676a9821fbd0b"


def test_the_digest_is_about_all_rules_and_not_only_those_shown() -> None:
    many = [replace(PODS, verbs=(f"v{number}",)) for number in range(100)]
    one, other = shown_role(Role("u", tuple(many))), shown_role(Role("u", (*many, WEB)))
    assert one.rules == other.rules
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(
            [PODS, WEB, replace(PODS, resources=("services", "pods"))],
            [replace(PODS, resources=("pods", "services")), WEB],
            id="rules-that-differ-in-resources-are-one",
        ),
        pytest.param([PODS, replace(PODS, verbs=("get",))], [PODS, replace(PODS, verbs=("get",))], id="other-verbs"),
        pytest.param([PODS, replace(PODS, groups=("apps",))], [PODS, replace(PODS, groups=("apps",))], id="other-groups"),
        pytest.param([PODS, replace(PODS, names=("web",))], [PODS, replace(PODS, names=("web",))], id="other-names"),
        pytest.param([Rule((), (), ())], [Rule((), (), ())], id="a-rule-that-gives-nothing"),
    ],
)
def test_rules_are_shown_in_a_compact_form(rules: list[Rule], expected: list[Rule]) -> None:
    assert shown(*rules) == (tuple(expected), 0)


@pytest.mark.parametrize("more", [0, 1, 500])
def test_there_are_never_too_many_rules(more: int) -> None:
    rules = [replace(PODS, verbs=(f"v{number}",)) for number in range(MOST_RULES + more)]
    assert shown(*rules) == (tuple(rules[:MOST_RULES]), more), "in the order of the role"


def test_a_role_is_never_too_large_for_a_status() -> None:
    huge = [
        Rule((f"v{n}",), ("x" * 200,) * 20, ("y" * 10_000, *(f"r{k}" for k in range(9999))), ("z" * 253,) * 999)
        for n in range(99)
    ]
    rules, omitted = shown(*huge)
    size = sum(len(text) for rule in rules for text in (*rule.verbs, *rule.groups, *rule.resources, *rule.names))
    assert rules, "some of it is shown all the same"
    assert all(rule.cut for rule in rules), "and what is missing is said"
    assert size <= MOST_CHARACTERS, f"{size} characters"
    assert omitted == 99 - len(rules)


@pytest.mark.parametrize(
    ("count", "last"),
    [
        pytest.param(MOST_HINTS, f"hint {MOST_HINTS - 1}", id="as-many-as-fit"),
        pytest.param(MOST_HINTS + 1, "and 2 more", id="one-too-many"),
    ],
)
def test_there_are_never_too_many_hints(count: int, last: str) -> None:
    hints = shown_role(Role("u", ()), hints=[f"hint {number}" for number in range(count)]).hints
    assert (len(hints), hints[0], hints[-1]) == (MOST_HINTS, "hint 0", last)


def test_a_hint_is_one_legible_line_of_bounded_length() -> None:
    (hint,) = shown_role(Role("u", ()), hints=["a\nb" + "x" * 1000]).hints
    assert printable(hint)
    assert len(hint) == 253
    assert hint.endswith("xxx...")


def test_a_long_entry_is_cut_visibly() -> None:
    (rule,), _ = shown(replace(PODS, names=("n" * 254,)))
    assert rule.names == ("n" * 250 + "...",)


def test_what_is_shown_is_legible_whatever_it_is_made_of() -> None:
    (rule,), _ = shown(Rule(("get\x1b[2K",), ("\u202e",), ("pods\nget: nothing",), ("\u2028",), ("\x00",)))
    entries = (*rule.verbs, *rule.groups, *rule.resources, *rule.names, *rule.urls)
    assert all(printable(entry) for entry in entries), "whoever may write a Role in the namespace decides what an approver reads"
