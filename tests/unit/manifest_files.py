"""What the YAML files say: CRD schemas with a strict checker, and RE2 patterns as Python ones."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fast_yaml import document, documents

REPOSITORY = Path(__file__).resolve().parents[2]
ADMISSION = REPOSITORY / "deploy" / "base" / "admission"
DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
TYPES: Mapping[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


@cache
def crd_schema(plural: str) -> Mapping[str, Any]:
    """The openAPIV3Schema of a CRD of ours."""
    crd = document((REPOSITORY / "crds" / f"{plural}.yaml").read_text())
    schema: Mapping[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def schema_faults(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """What the API server would refuse in the value, or drop from it without a word."""
    wanted = TYPES[schema["type"]]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield f"{path}: {schema['type']} expected, {value!r} found"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, dict):
        yield from _object_faults(value, schema, path)
    elif isinstance(value, list):
        yield from _array_faults(value, schema, path)
    elif isinstance(value, str):
        yield from _string_faults(value, schema, path)
    elif isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: {value} is out of range"


def _object_faults(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    yield from (f"{path}.{field}: required, but missing" for field in schema.get("required", []) if field not in value)
    for field, inner in value.items():
        if field in known:
            yield from schema_faults(inner, known[field], f"{path}.{field}")
        elif known:
            yield f"{path}.{field}: unknown, so the API server drops it"


def _array_faults(value: Sequence[Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: {len(value)} items are too few or too many"
    keys = schema.get("x-kubernetes-list-map-keys", [])
    seen = [tuple(item.get(key) for key in keys) for item in value if keys]
    if len(set(seen)) < len(seen):
        yield f"{path}: items are not different in {keys}: {seen}"
    for index, item in enumerate(value):
        yield from schema_faults(item, schema["items"], f"{path}[{index}]")


def _string_faults(value: str, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path}: {len(value)} characters are too few or too many"
    if "pattern" in schema and not re.search(python_pattern(schema["pattern"]), value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date-time" and not DATE_TIME.fullmatch(value):
        yield f"{path}: {value!r} is not an RFC 3339 time"


def rules(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """The CEL rules of every field of a schema that has some, with its path."""
    if "x-kubernetes-validations" in schema:
        yield path, schema["x-kubernetes-validations"]
    for field, inner in schema.get("properties", {}).items():
        yield from rules(inner, f"{path}.{field}")
    if "items" in schema:
        yield from rules(schema["items"], f"{path}[]")


@cache
def raw_strings(file: Path) -> list[str]:
    """Every string r"..." in the CEL expressions of a manifest: its regular expressions."""
    return [found for text in _texts(documents(file.read_text())) for found in raw_strings_in(text)]


def raw_strings_in(expression: str) -> list[str]:
    """Every string r"..." in a CEL expression."""
    return re.findall(r'r"([^"]*)"', expression)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, (dict, list)):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _texts(inner)


def python_pattern(re2: str) -> str:
    """An RE2 pattern in Python's syntax: categories written out, `$` the very end of the text."""
    text = re.sub(r"\\p\{(\w+)\}", lambda found: _category(found[1]), re2)
    text = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", text)
    return re.sub(r"\$$", r"\\Z", text)


@cache
def _category(name: str) -> str:
    return "".join(f"\\U{code:08x}" for code in range(0x110000) if unicodedata.category(chr(code)) == name)
