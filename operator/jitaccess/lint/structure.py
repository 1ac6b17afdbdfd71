"""A value held against the schema of a CRD, as the API server does: what is too much, missing, or of the wrong form. Pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from jitaccess.domain.rules import in_words
from jitaccess.domain.text import parse_time
from jitaccess.lint.findings import Fault, Path

Schema = Mapping[str, Any]

# What is understood here; crds.py refuses a schema that says anything else.
KEYWORDS = frozenset(
    {
        *("type", "description", "default", "properties", "required", "items", "additionalProperties", "enum", "nullable"),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum", "pattern"),
        *("format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations"),
    }
)
FORMATS = frozenset({"int32", "int64", "date-time"})
_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a text"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": (bool, "true or false"),
    "array": (list, "a list"),
    "object": (dict, "a map of fields"),
}


def prepared(value: Any, schema: Schema) -> Any:
    """The value as the API server checks it: what is null and may not be is left out, and defaults are filled in."""
    if isinstance(value, list) and "items" in schema:
        return [prepared(item, schema["items"]) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Schema] = schema.get("properties", {})
    other = schema.get("additionalProperties")
    kept = {
        name: each for name, each in value.items() if each is not None or properties.get(name, {"nullable": True}).get("nullable")
    }
    filled = {name: field["default"] for name, field in properties.items() if "default" in field} | kept
    return {name: prepared(each, properties.get(name, other or {})) for name, each in filled.items()}


def faults(value: Any, schema: Schema, path: Path = ()) -> Iterator[Fault]:
    """What is wrong with a prepared value, field by field."""
    if value is None and schema.get("nullable"):
        return
    if wrong := _wrong_type(value, schema):
        yield Fault(path, wrong, blocks=True)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield Fault(path, _not_among(value, schema["enum"]), blocks=True)
    for keyword, (broken, words, blocks) in _BOUNDS.items():
        if keyword in schema and broken(value, schema[keyword]):
            yield Fault(path, words.format(schema[keyword]), blocks)
    if wrong := _wrong_format(value, schema.get("format", "")):
        yield Fault(path, wrong)
    yield from _faults_inside(value, schema, path)


def unknown(value: Any, schema: Schema, path: Path = ()) -> Iterator[Fault]:
    """Fields that the schema does not have, for which kubectl sends nothing at all."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from unknown(item, schema.get("items", {}), (*path, number))
    if not isinstance(value, dict):
        return
    properties: Mapping[str, Schema] = schema.get("properties", {})
    other = schema.get("additionalProperties")
    for name, each in value.items():
        if name in properties:
            yield from unknown(each, properties[name], (*path, name))
        elif isinstance(other, Mapping):
            yield from unknown(each, other, (*path, name))
        elif properties:
            yield Fault((*path, name), _no_such_field(name, properties))


def _faults_inside(value: Any, schema: Schema, path: Path) -> Iterator[Fault]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), (*path, number))
        yield from _repeated(value, schema, path)
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield Fault((*path, name), "is missing", blocks=True)
        properties, other = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            if name in properties:
                yield from faults(each, properties[name], (*path, name))
            elif isinstance(other, Mapping):
                yield from faults(each, other, (*path, name))


def _wrong_type(value: Any, schema: Schema) -> str:
    if "type" not in schema:
        return ""
    python, words = _TYPES[schema["type"]]
    fits = isinstance(value, python) and (python is bool or not isinstance(value, bool))
    return "" if fits else f"must be {words}, not {_described(value, schema['type'])}"


def _described(value: Any, wanted: str) -> str:
    if value is None:
        return "empty"
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    if isinstance(value, dict | list):
        return _TYPES["array" if isinstance(value, list) else "object"][1]
    if wanted == "string":
        return f"{shown}, which is {'a number' if not isinstance(value, bool) else 'true or false'} to YAML: put it in quotes"
    return shown


def _not_among(value: Any, allowed: Sequence[Any]) -> str:
    names = [each if isinstance(each, str) and each else json.dumps(each) for each in allowed]
    said = f"must be {in_words(names, 'or')}, not {value!r}" if isinstance(value, str) else f"must be {in_words(names, 'or')}"
    return said + _meant(value, names)


def _no_such_field(name: str, properties: Mapping[str, Schema]) -> str:
    return "there is no such field" + (_meant(name, list(properties)) or f"; there are {', '.join(properties)}")


def _meant(value: Any, names: Sequence[str]) -> str:
    lower = {name.lower(): name for name in names}
    close = get_close_matches(str(value).lower(), lower, 1)
    return f"; did you mean {lower[close[0]]}?" if close else ""


def _wrong_format(value: Any, form: str) -> str:
    match form:
        case "date-time":
            try:
                parse_time(value)
            except ValueError:
                return f"must be a time like 2026-07-01T09:00:00Z, not {value!r}"
        case "int32" | "int64":
            most = 2 ** (int(form.removeprefix("int")) - 1)
            return "" if -most <= value < most else "is too large a number"
    return ""


def _repeated(value: list[Any], schema: Schema, path: Path) -> Iterator[Fault]:
    """Entries of a list that is a set, or a map by some of its fields, that are there already."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") not in ("set", "map"):
        return
    seen: set[str] = set()
    for number, item in enumerate(value):
        same = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
        text = json.dumps(same, sort_keys=True)
        if text in seen:
            yield Fault((*path, number), "stands in this list already")
        seen.add(text)


_Broken = Callable[[Any, Any], bool]
_BOUNDS: Mapping[str, tuple[_Broken, str, bool]] = {
    "minLength": (lambda value, least: len(value) < least, "must have at least {} characters", False),
    "maxLength": (lambda value, most: len(value) > most, "must have at most {} characters", True),
    "minItems": (lambda value, least: len(value) < least, "must have at least {} entries", False),
    "maxItems": (lambda value, most: len(value) > most, "must have at most {} entries", True),
    "minProperties": (lambda value, least: len(value) < least, "must have at least {} fields", False),
    "maxProperties": (lambda value, most: len(value) > most, "must have at most {} fields", True),
    "minimum": (lambda value, least: value < least, "must be at least {}", False),
    "maximum": (lambda value, most: value > most, "must be at most {}", False),
    "pattern": (lambda value, pattern: re.search(pattern, value) is None, "must look like {}", False),
}
