"""Roles in a status: structure that is read back as it was written, and that the CRD takes."""

from typing import Any

import pytest

from jitaccess.domain.roles import Role, Rule, ShownRole
from jitaccess.manifests.roles import parse_role, parse_role_status, role_status

PODS = Rule(("get",), ("",), ("pods",))
WRITTEN: dict[str, Any] = {
    "uid": "u1",
    "hash": "0123456789abcdef",
    "rules": [
        {"verbs": ["get"], "groups": [""], "resources": ["pods"]},
        {"verbs": ["patch"], "groups": ["apps"], "resources": ["deployments"], "names": ["web"], "cut": True},
        {"verbs": ["get"], "urls": ["/metrics"]},
    ],
    "risks": ["create Pods"],
    "hints": ["may do more"],
    "omittedRules": 2,
}
SHOWN = ShownRole(
    "u1",
    "0123456789abcdef",
    (PODS, Rule(("patch",), ("apps",), ("deployments",), ("web",), cut=True), Rule(("get",), (), (), urls=("/metrics",))),
    ("create Pods",),
    ("may do more",),
    2,
)


def test_what_was_shown_is_written_without_empty_lists() -> None:
    assert role_status(SHOWN) == WRITTEN


def test_what_was_written_is_read_back() -> None:
    assert parse_role_status(WRITTEN) == SHOWN


def test_a_status_always_has_every_field_since_a_merge_patch_forgets_none() -> None:
    assert role_status(ShownRole("u1", "d", ())) == {
        "uid": "u1",
        "hash": "d",
        "rules": [],
        "risks": [],
        "hints": [],
        "omittedRules": 0,
    }


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"kind": "Role", "name": "db", "found": False, "risks": []}, id="a-role-that-was-not-found"),
        pytest.param({"found": True, "allows": ["get: pods"], "risks": []}, id="what-an-older-operator-wrote"),
    ],
)
def test_a_role_that_was_not_shown_is_none(status: dict[str, Any]) -> None:
    assert parse_role_status(status) is None


def test_a_role_is_read_with_its_uid() -> None:
    manifest = {"metadata": {"name": "r", "uid": "u1"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}
    assert parse_role(manifest) == Role("u1", (PODS,))
