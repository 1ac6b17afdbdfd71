"""The CEL rules of a CRD, asked offline: by Google's own evaluator, with what Kubernetes adds to the language."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from jitaccess.lint.findings import Fault, Key, Path
from jitaccess.lint.structure import Schema

# Words that CEL keeps for itself; a field of that name is written with underscores around it.
_RESERVED = frozenset(
    {
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"),
        *("loop", "package", "namespace", "return", "var", "void", "while"),
    }
)
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_LITERAL = re.compile(r"""r?"(?:[^"\\]|\\.)*"|r?'(?:[^'\\]|\\.)*'""")
_NO_PATTERN, _MATCHES_IT = "invalid regular expression: ", ".matches(self)"
_OLD = re.compile(r"\boldSelf\b")
_CODE_POINT = re.compile(r"\\x\{([0-9A-Fa-f]+)\}")


class Unevaluated(Exception):
    """A rule that cannot be asked here, and why: a fault of this program."""


class NoPattern(Unevaluated):
    """It matches against what is no regular expression; where a policy says that, the API server refuses it too."""


def _find(text: str, pattern: str) -> str:
    """Kubernetes' find(): the first match of a regular expression in Go's syntax, empty without one."""
    found = re.search(_CODE_POINT.sub(lambda code: f"\\U{int(code[1], 16):08x}", pattern), text)
    return found[0] if found else ""


@cache
def _environment() -> cel.Env:
    text = cel.Type.STRING
    find = cel.Overload("string_find_string", text, [text, text], True, _find)
    extensions = [ext_strings.ExtStrings(), cel.CelExtension("kubernetes", [cel.FunctionDecl("find", [find])])]
    return cel.NewEnv(variables={"self": cel.Type.DYN}, extensions=extensions)


@cache
def _compiled(expression: str) -> cel.Expression:
    try:
        return _environment().compile(expression)
    except RuntimeError as error:
        raise Unevaluated(str(error).split("\n")[0]) from error


def evaluate(expression: str, value: Any) -> Any:
    """What an expression makes of a value as `self`; Unevaluated if it comes to nothing."""
    return _evaluated_text(expression, value) if isinstance(value, str) else _evaluated(expression, value)


@cache
def _evaluated_text(expression: str, text: str) -> Any:
    """Names come again and again, and a regular expression takes a millisecond each time."""
    return _evaluated(expression, text)


def _evaluated(expression: str, value: Any) -> Any:
    try:
        result = _compiled(expression).eval(data={"self": value})
    except (RuntimeError, UnicodeEncodeError) as error:
        raise Unevaluated(str(error).split("\n")[0]) from error
    if result.type() == cel.Type.ERROR:
        said = str(result.value())
        _, _, complaint = said.partition(_NO_PATTERN)
        raise NoPattern(complaint) if complaint else Unevaluated(said)
    return result.value()


def is_about_changes(rule: Mapping[str, Any]) -> bool:
    """Whether a rule is about what was there before, which no file knows: at creation the API server does not ask it either."""
    return _names_old(rule["rule"]) and not rule.get("optionalOldSelf")


@cache
def _names_old(expression: str) -> bool:
    return bool(_OLD.search(_LITERAL.sub("", expression)))


def broken_rules(value: Any, schema: Schema, path: Path = ()) -> Iterator[Fault | Unevaluated]:
    """The rules that a valid value breaks, in the words and at the field that the API server has for it."""
    if value is None:
        return
    rules = [rule for rule in schema.get("x-kubernetes-validations", ()) if not is_about_changes(rule)]
    seen = as_seen(value, schema) if rules else None
    for rule in rules:
        try:
            if not _holds(rule["rule"], seen):
                yield Fault((*path, *_field(rule)), message_of(rule, seen))
        except Unevaluated as error:
            if isinstance(error, NoPattern) and _MATCHES_IT in rule["rule"]:
                yield Fault((*path, *_field(rule)), f"{message_of(rule, seen)}: {error}")
            else:
                yield Unevaluated(f"the rule {_short(rule['rule'])} cannot be asked here: {error}")
    for part, each, inner in _parts(value, schema):
        yield from broken_rules(each, inner, (*path, part))


def _holds(expression: str, seen: Any) -> bool:
    holds = evaluate(expression, seen)
    if not isinstance(holds, bool):
        raise Unevaluated(f"it says {holds!r}, and neither true nor false")
    return holds


def message_of(rule: Mapping[str, Any], seen: Any) -> str:
    """What the API server says where a rule is broken."""
    said = evaluate(rule["messageExpression"], seen) if "messageExpression" in rule else None
    words = str(said if isinstance(said, str) else rule.get("message", f"failed rule: {rule['rule']}"))
    return words.strip()


def _field(rule: Mapping[str, Any]) -> Path:
    """The `fieldPath` of a rule; ours name fields, and nothing in brackets."""
    return tuple(part for part in rule.get("fieldPath", "").split(".") if part)


def _parts(value: Any, schema: Schema) -> Iterator[tuple[str | int, Any, Schema]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield number, item, schema.get("items", {})
    if isinstance(value, dict):
        properties, other = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            if name in properties:
                yield name, each, properties[name]
            elif isinstance(other, Mapping):
                yield Key(name), each, other


def as_seen(value: Any, schema: Schema) -> Any:
    """The value as CEL sees it: fields under the names that CEL can write, and none that the schema does not have."""
    if isinstance(value, list):
        return [as_seen(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        str(part) if isinstance(part, Key) else _escaped(str(part)): as_seen(each, inner)
        for part, each, inner in _parts(value, schema)
    }


def _escaped(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    for text, escape in _ESCAPES:
        name = name.replace(text, escape)
    return name


def _short(expression: str) -> str:
    words = " ".join(expression.split())
    return words if len(words) <= 80 else f"{words[:77]}..."
