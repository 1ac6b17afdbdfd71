"""The file of a cluster administrator: what it adds, and what is said about one that is wrong."""

import re

import pytest

from jitaccess.app.risk_rules import read_risk_rules
from jitaccess.domain.effects import Effect
from jitaccess.domain.risk import KNOWN
from jitaccess.domain.roles import Rule

GOOD = """\
dangers:
  - words: pay invoices
    groups: [billing.example.com]
    resources: [invoices, invoices/approval]
    verbs: [create, approve]
hints:
  - words: may call people
    groups: ["*.example.com", ""]
harmless:
  - groups: [example.org]
    resources: [notes]
"""


def test_what_the_file_says_is_added_to_what_is_known() -> None:
    table = read_risk_rules(GOOD, "rules.yaml")
    assert table.dangers[len(KNOWN.dangers) :] == (
        Effect("pay invoices", "billing.example.com", ("invoices", "invoices/approval"), ("create", "approve")),
    )
    assert table.dangers[: len(KNOWN.dangers)] == KNOWN.dangers
    assert table.hints[:2] == (
        Effect("may call people", "*.example.com", ("*",), ("create", "update", "patch")),
        Effect("may call people", "", ("*",), ("create", "update", "patch")),
    )
    assert table.hints[2:] == KNOWN.hints
    assert table.harmless == (Effect("", "example.org", ("notes",), ("create", "update", "patch")),)


def test_a_role_is_judged_by_both() -> None:
    table = read_risk_rules(GOOD, "rules.yaml")
    rules = [Rule(("create",), ("billing.example.com",), ("invoices",)), Rule(("get",), ("",), ("secrets",))]
    assert table.risks_of(rules) == ("read Secrets", "pay invoices")
    assert table.hints_for([Rule(("create",), ("example.org",), ("notes",))]) == ()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("# nothing yet\n", id="comments-only"),
        pytest.param("dangers:\nhints:\nharmless:\n", id="sections-without-entries"),
        pytest.param("dangers: []\n", id="an-empty-section"),
        pytest.param("{}", id="an-empty-mapping"),
    ],
)
def test_a_file_that_adds_nothing_is_fine(text: str) -> None:
    assert read_risk_rules(text, "rules.yaml") == KNOWN


ENTRY = "dangers:\n  - words: pay\n    groups: [a.example.com]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("dangers: [", "rules.yaml is not YAML: ", id="no-yaml"),
        pytest.param("a: 1\n---\nb: 2\n", "rules.yaml is not YAML: ", id="two-documents"),
        pytest.param("- dangers\n", "rules.yaml, line 1: the file is no mapping of dangers, hints, harmless", id="a-list-on-top"),
        pytest.param(
            "dangers:\nrisks:\n",
            "rules.yaml, line 2: the file has an unknown field 'risks': it takes dangers, hints, harmless",
            id="an-unknown-section",
        ),
        pytest.param("hints:\nhints:\n", "rules.yaml, line 2: the file has hints twice", id="a-section-twice"),
        pytest.param("hints: none\n", "rules.yaml, line 1: hints is no list", id="a-section-that-is-no-list"),
        pytest.param(
            "hints:\n  - x\n", "rules.yaml, line 2: hints[0] is no mapping of words, groups, resources, verbs", id="text"
        ),
        pytest.param("hints:\n  - words: x\n", "rules.yaml, line 2: hints[0] has no groups", id="no-groups"),
        pytest.param("hints:\n  - verbs: [get]\n", "rules.yaml, line 2: hints[0] has no words and no groups", id="no-words"),
        pytest.param("harmless:\n  - verbs: [get]\n", "rules.yaml, line 2: harmless[0] has no groups", id="harmless"),
        pytest.param(
            "harmless:\n  - words: x\n    groups: [a]\n",
            "rules.yaml, line 2: harmless[0] has an unknown field 'words': it takes groups, resources, verbs",
            id="harmless-needs-no-words",
        ),
        pytest.param(
            ENTRY + "    verb: [get]\n",
            "rules.yaml, line 4: dangers[0] has an unknown field 'verb': it takes words, groups, resources, verbs",
            id="a-misspelled-field",
        ),
        pytest.param(ENTRY + "    verbs: get\n", "rules.yaml, line 4: dangers[0].verbs is no list", id="verbs-as-text"),
        pytest.param(
            ENTRY + "    verbs: []\n", "rules.yaml, line 4: dangers[0].verbs is empty: name at least one", id="no-verbs"
        ),
        pytest.param(
            ENTRY + "    verbs: [get, 1]\n", "rules.yaml, line 4: dangers[0].verbs[1] is no text: put it in quotes", id="a-number"
        ),
        pytest.param(
            ENTRY + "    verbs:\n      - get\n      - no\n",
            "rules.yaml, line 6: dangers[0].verbs[1] is no text: put it in quotes",
            id="what-yaml-takes-for-false",
        ),
        pytest.param(
            ENTRY + "    verbs: [GET]\n",
            "rules.yaml, line 4: dangers[0].verbs[0] is 'GET', and not a verb of RBAC, or '*'",
            id="a-verb-in-capitals",
        ),
        pytest.param(
            ENTRY + "    resources: [Invoice]\n",
            "rules.yaml, line 4: dangers[0].resources[0] is 'Invoice', and not a resource in the plural, "
            "resource/subresource, or '*'",
            id="a-kind-for-a-resource",
        ),
        pytest.param(
            ENTRY + "    resources: [invoices/*]\n",
            "rules.yaml, line 4: dangers[0].resources[0] is 'invoices/*', and not a resource in the plural, "
            "resource/subresource, or '*'",
            id="a-pattern-that-would-match-nothing",
        ),
        pytest.param(
            "hints:\n  - words: x\n    groups: [a.example.com/v1]\n",
            "rules.yaml, line 3: hints[0].groups[0] is 'a.example.com/v1', and not an API group, '*.' and the end of one, '*', "
            "or '' for the core group",
            id="a-group-with-a-version",
        ),
        pytest.param(
            'hints:\n  - words: ""\n    groups: [a]\n',
            "rules.yaml, line 2: hints[0].words is '', and not a line of 1 to 200 characters",
            id="empty-words",
        ),
        pytest.param(
            'hints:\n  - words: "a\\nb"\n    groups: [a]\n',
            "rules.yaml, line 2: hints[0].words is 'a\\nb', and not a line of 1 to 200 characters",
            id="words-in-two-lines",
        ),
        pytest.param("&a [*a]\n", "rules.yaml, line 1: the file is no mapping", id="a-list-in-itself"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line_and_the_field(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        read_risk_rules(text, "rules.yaml")
