"""Every rule of every CRD can be asked offline; which ones are not, and why."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from jitaccess.lint.cel import Unevaluated, as_seen, broken_rules, evaluate, is_about_changes, message_of
from jitaccess.lint.crds import UnknownKeyword, _refuse_unknown, definitions, kinds
from jitaccess.lint.findings import Fault


def nodes(schema: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each node of a schema, status included."""
    yield where, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{where}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield from nodes(schema[keyword], f"{where}[]")


RULES = [
    pytest.param(schema, rule, id=f"{crd['spec']['names']['kind']}{where}-{number}")
    for crd in definitions()
    for version in crd["spec"]["versions"]
    for where, schema in nodes(version["schema"]["openAPIV3Schema"], "")
    for number, rule in enumerate(schema.get("x-kubernetes-validations", ()))
]


def example(schema: Mapping[str, Any]) -> Any:
    """Some value of that schema, with all of its fields."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            other = schema.get("additionalProperties")
            return {name: example(each) for name, each in schema.get("properties", {}).items()} | (
                {"a": example(other)} if other else {}
            )
        case "array":
            return [example(schema["items"])]
    return {"string": "x", "integer": 1, "number": 1.5, "boolean": True}[schema["type"]]


@pytest.mark.parametrize(("schema", "rule"), RULES)
def test_every_rule_of_every_crd_is_asked_or_is_about_changes(schema: Mapping[str, Any], rule: Mapping[str, Any]) -> None:
    if is_about_changes(rule):
        with pytest.raises(Unevaluated, match="oldSelf"):
            evaluate(rule["rule"], None)
        return
    seen = as_seen(example(schema), schema)
    assert isinstance(evaluate(rule["rule"], seen), bool)
    assert message_of(rule, seen)
    if "messageExpression" in rule:
        assert isinstance(evaluate(rule["messageExpression"], seen), str)
    assert "[" not in rule.get("fieldPath", ""), "a fieldPath with brackets is not read yet"


def test_there_are_rules_in_every_crd() -> None:
    assert len(RULES) > 100
    assert {str(each.id).partition(".")[0] for each in RULES} == {*kinds()}


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        pytest.param({"rule": "self == oldSelf"}, True, id="what-was-there-before"),
        pytest.param({"rule": "self == 'oldSelf'"}, False, id="only-the-word"),
        pytest.param({"rule": "self == oldSelf.orValue(1)", "optionalOldSelf": True}, False, id="what-may-have-been-there"),
        pytest.param({"rule": "self == myoldSelf"}, False, id="another-name"),
    ],
)
def test_rules_about_changes_are_known(rule: Mapping[str, Any], changes: bool) -> None:
    assert is_about_changes(rule) is changes


SCHEMA = {
    "type": "object",
    "properties": {
        "namespace": {"type": "string"},
        "a-b.c/d__e": {"type": "integer"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        pytest.param("self.__namespace__ == 'x'", True, id="a-word-of-the-language"),
        pytest.param("self.a__dash__b__dot__c__slash__d__underscores__e == 1", True, id="characters-that-names-do-not-have"),
        pytest.param("self.labels['a-b'] == 'y'", True, id="keys-are-as-they-are"),
        pytest.param("has(self.unknown)", False, id="what-the-schema-does-not-have-is-not-there"),
        pytest.param("'%d of %s'.format([1, 'x']) == '1 of x'", True, id="format"),
        pytest.param("'ab12'.find('[0-9]+') == '12' && 'ab'.find('[0-9]+') == ''", True, id="find"),
        pytest.param(r"'\u00e9\u00ade'.find(r'^[^\x{00AD}]*').size() == 1", True, id="find-with-a-code-point"),
        pytest.param("duration('1h30m') > duration('89m')", True, id="durations"),
        pytest.param("' x '.trim() == 'x'", True, id="trim"),
    ],
)
def test_cel_is_kubernetes_cel(expression: str, outcome: bool) -> None:
    value = {"namespace": "x", "a-b.c/d__e": 1, "labels": {"a-b": "y"}, "unknown": 1}
    assert evaluate(expression, as_seen(value, SCHEMA)) is outcome


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("self.isIP()", id="a-function-that-is-not-known"),
        pytest.param("self.missing == 1", id="a-field-that-is-not-there"),
        pytest.param("self +", id="no-cel"),
        pytest.param("'text'", id="no-truth"),
        pytest.param("self.__namespace__.matches('(')", id="no-regular-expression"),
    ],
)
def test_what_cannot_be_asked_is_never_passed_over(rule: str) -> None:
    schema = {**SCHEMA, "x-kubernetes-validations": [{"rule": rule, "message": "no"}]}
    [fault] = broken_rules({"namespace": "x"}, schema)
    assert isinstance(fault, Unevaluated)
    assert "cannot be asked here: " in str(fault)


def test_a_broken_rule_is_said_at_its_field_in_its_words() -> None:
    rules = [
        {"rule": "self.__namespace__ != 'x'", "message": " not x ", "fieldPath": ".namespace"},
        {"rule": "self.__namespace__ != 'x'", "messageExpression": "'not ' + self.__namespace__", "message": "never said"},
        {"rule": "self.__namespace__ != 'x'"},
    ]
    assert list(broken_rules({"namespace": "x"}, {**SCHEMA, "x-kubernetes-validations": rules}, ("spec",))) == [
        Fault(("spec", "namespace"), "not x"),
        Fault(("spec",), "not x"),
        Fault(("spec",), "failed rule: self.__namespace__ != 'x'"),
    ]


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "object", "anyOf": []}, id="a-keyword"),
        pytest.param({"type": "string", "format": "ipv4"}, id="a-format"),
        pytest.param({"type": "array", "items": {"type": "string", "x-kubernetes-int-or-string": True}}, id="below"),
    ],
)
def test_a_schema_that_says_more_than_is_checked_is_refused(schema: Mapping[str, Any]) -> None:
    with pytest.raises(UnknownKeyword, match="is not known to kubectl jit lint"):
        _refuse_unknown(schema, "spec")
