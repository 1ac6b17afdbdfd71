"""The kinds that we know, from the CRDs that come with this package: the very files that a cluster gets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from jitaccess.lint.structure import FORMATS, KEYWORDS, Schema

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_OWNER = {name: {"type": "string"} for name in ("apiVersion", "kind", "name", "uid")}
_OWNER_FLAGS = {name: {"type": "boolean"} for name in ("controller", "blockOwnerDeletion")}
# A CRD says nothing of metadata: the API server knows that by itself.
METADATA: Schema = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink")},
        **{name: {"type": "string", "nullable": True} for name in ("creationTimestamp", "deletionTimestamp")},
        **{name: {"type": "integer"} for name in ("generation", "deletionGracePeriodSeconds")},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array", "items": {"type": "object", "properties": _OWNER | _OWNER_FLAGS}},
        "managedFields": {"type": "array"},
    },
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as it is served: whether in a namespace, and for each version the schema of what people write."""

    name: str
    group: str
    namespaced: bool
    schemas: Mapping[str, Schema]


class UnknownKeyword(ValueError):
    """A CRD says something about a field that is not checked here; it is not passed over."""


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds of our API group, by name."""
    return {kind.name: kind for kind in map(_kind, definitions())}


def definitions() -> Iterator[Any]:
    """The CRDs, as YAML has them."""
    for file in sorted(_folder().iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            for document in yaml.load_all(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                if document.get("kind") == "CustomResourceDefinition":
                    yield document


def _folder() -> Traversable:
    """Inside the package where it is installed; at the root of the checkout where it runs from there."""
    packaged = files("jitaccess.lint") / "definitions"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "crds"


def _kind(crd: Any) -> Kind:
    spec = crd["spec"]
    schemas = {each["name"]: _root(each["schema"]["openAPIV3Schema"]) for each in spec["versions"] if each["served"]}
    return Kind(spec["names"]["kind"], spec["group"], spec["scope"] == "Namespaced", schemas)


def _root(schema: Any) -> Schema:
    """The schema of what people write: with what metadata is, and without a status, which nobody can create."""
    properties = {name: each for name, each in schema["properties"].items() if name != "status"}
    _refuse_unknown(properties["spec"], "spec")
    return {**schema, "properties": properties | {"metadata": METADATA}}


def _refuse_unknown(schema: Schema, where: str) -> None:
    unknown = {*schema} - KEYWORDS | {schema.get("format", "int64")} - FORMATS
    if unknown:
        raise UnknownKeyword(f"{where}: {', '.join(sorted(unknown))} is not known to kubectl jit lint")
    for name, each in schema.get("properties", {}).items():
        _refuse_unknown(each, f"{where}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            _refuse_unknown(schema[keyword], f"{where}[]")
