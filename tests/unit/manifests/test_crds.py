"""What every CRD of ours has in common, so that a new kind has it too."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from unit.manifest_files import REPOSITORY, crd_schema

KINDS = sorted(file.stem for file in (REPOSITORY / "crds").glob("*access*.yaml"))
ROLE_GROUP = {"", "rbac.authorization.k8s.io"}


def fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field below a schema, with its path."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def in_words(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_description_of_a_field_says_its_default(kind: str) -> None:
    spec = crd_schema(kind)["properties"]["spec"]
    silent = [
        path
        for path, field in fields(spec, "spec")
        if "default" in field and f"Default: {in_words(field['default'])}." not in field.get("description", "")
    ]
    assert not silent, f"`kubectl explain` does not say what {silent} are by default"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_spec_is_explained(kind: str) -> None:
    spec = crd_schema(kind)["properties"]["spec"]
    assert not [path for path, field in fields(spec, "spec") if not field.get("description")]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_counts_as_looked_at_before_the_operator_has_looked(kind: str) -> None:
    status = crd_schema(kind)["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["type"] == "integer"


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_names_a_role_or_a_subject_takes_the_apigroup_of_a_rolebinding(kind: str) -> None:
    spec = crd_schema(kind)["properties"]["spec"]
    named = {
        path: set(field["properties"].get("apiGroup", {}).get("enum", ()))
        for path, field in [
            *fields(spec, "spec"),
            *((f"{path}[]", field["items"]) for path, field in fields(spec, "spec") if "items" in field),
        ]
        if {"Role", "ClusterRole", "User"} & set(field.get("properties", {}).get("kind", {}).get("enum", ()))
    }
    assert named
    assert all(groups == ROLE_GROUP for groups in named.values()), named
