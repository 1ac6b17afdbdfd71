"""A request from a file: what is read, what is added, and what is refused."""

import io
from typing import Any

import pytest

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.commands.files import as_request, completed, read_manifest

HEAD = "apiVersion: jitaccess.dev/v1alpha1\nkind: AccessRequest\n"
WHOLE = f"{HEAD}metadata: {{name: inc-42, namespace: team-a}}\nspec: {{policyRef: {{name: p}}, reason: INC-42, requester: zoe}}\n"


class File(io.StringIO):
    """A file as the command line has opened it."""

    name = "request.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [", "request.yaml is not YAML: while parsing", id="no-yaml"),
        pytest.param("", "request.yaml has 0 objects", id="nothing"),
        pytest.param(f"{WHOLE}---\n{WHOLE}", "request.yaml has 2 objects: one request is made at a time", id="two"),
        pytest.param("- x", "has no Kubernetes object, not an AccessRequest", id="a-list"),
        pytest.param("apiVersion: v1\nkind: Pod\n", "has a Pod of v1, not an AccessRequest", id="another-kind"),
        pytest.param(WHOLE.replace("v1alpha1", "v2"), "AccessRequest of jitaccess.dev/v2, not an", id="another-version"),
        pytest.param(f"{HEAD}spec: 3\n", "metadata and spec must be maps of fields", id="no-fields"),
    ],
)
def test_what_is_no_request_is_refused_with_what_it_is(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_manifest(File(text))
    assert said in raised.value.message


def test_json_and_empty_documents_are_yaml_too() -> None:
    text = '---\n---\n{"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "spec": {"reason": "x"}}\n---\n'
    assert read_manifest(File(text))["spec"] == {"reason": "x"}


@pytest.mark.parametrize(
    ("text", "metadata", "requester"),
    [
        pytest.param(WHOLE, {"name": "inc-42", "namespace": "team-a"}, "zoe", id="what-is-there-stays"),
        pytest.param(
            f"{HEAD}metadata: {{generateName: inc-}}\n",
            {"generateName": "inc-", "namespace": "team-b"},
            "alice",
            id="generated-name",
        ),
    ],
)
def test_what_is_missing_is_added(text: str, metadata: dict[str, Any], requester: str) -> None:
    manifest = completed(read_manifest(File(text)), "team-b", "", "alice")
    assert (manifest["metadata"], manifest["spec"]["requester"]) == (metadata, requester)


def test_a_request_without_a_name_gets_one_that_people_recognise() -> None:
    manifest = completed(read_manifest(File(HEAD)), "team-b", "team-b", "alice@example.com")
    assert manifest["metadata"]["name"].startswith("alice-")


def test_the_command_line_and_the_file_name_one_namespace() -> None:
    with pytest.raises(UsageError, match="the file is for namespace team-a, not team-b"):
        completed(read_manifest(File(WHOLE)), "team-b", "team-b", "alice")


def test_what_cannot_be_read_is_left_to_the_api_server() -> None:
    assert as_request(completed(read_manifest(File(HEAD)), "team-b", "", "alice")).invalid
