"""Roles in a status: structure that is read back as it was written, and that the CRD takes."""

import json
from typing import Any

import pytest

from jitaccess.domain.risk import KNOWN
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


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("<" * 253, id="long-entries"),
        pytest.param("<", id="short-entries"),
        pytest.param("\U0001f600" * 253, id="four-bytes-a-character"),
    ],
)
def test_sixteen_of_the_worst_roles_fit_into_one_policy(entry: str) -> None:
    many = tuple(f"{entry[:-3]}{number}" for number in range(300))
    rules = tuple(Rule((f"v{number}", "create", *many), (entry, *many), many, many, many) for number in range(30))
    status = role_status(KNOWN.shown(Role("u", rules)))
    # As Go's encoder writes it, which etcd keeps for custom resources.
    stored = json.dumps(status, ensure_ascii=False).replace("<", "\\u003c").encode()
    assert status["rules"], "some of it is shown all the same"
    assert 16 * len(stored) < 1_200_000, f"{len(stored)} bytes for one role"


def test_a_role_is_read_with_its_uid() -> None:
    manifest = {"metadata": {"name": "r", "uid": "u1"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}
    assert parse_role(manifest) == Role("u1", (PODS,))
