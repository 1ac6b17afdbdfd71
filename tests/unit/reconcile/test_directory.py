"""The directory follows the policies, whatever happened to either."""

from collections.abc import Callable
from typing import Any

import pytest

from jitaccess.domain.model import AccessPolicy, Key
from jitaccess.kube.api import Cluster
from jitaccess.manifests.directory import DIRECTORY
from jitaccess.manifests.kinds import ACCESS_POLICY
from jitaccess.manifests.parse import parse_policy
from jitaccess.manifests.resources import POLICIES, REQUESTS, ROLE_BINDINGS, ROLES
from jitaccess.reconcile.directory import Directory
from jitaccess.workqueue.store import Store
from unit.examples import EMERGENCY, NAMESPACE, policy_manifest
from unit.fake_api import FakeApi

READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "InForce", "message": "x"}]}
ASKERS, DECIDERS = f"jitaccess:{NAMESPACE}.prod-debug:requester", f"jitaccess:{NAMESPACE}.prod-debug:approver"
REVIEWERS = f"jitaccess:{NAMESPACE}.prod-debug:reviewer"
ALL = {(plural, name) for plural in ("roles", "rolebindings") for name in (ASKERS, DECIDERS)}


def made(status: dict[str, Any] | None = READY, **fields: Any) -> dict[str, Any]:
    return policy_manifest(status=status, **fields)


@pytest.fixture
def store() -> Store:
    return Store([REQUESTS], [POLICIES])


@pytest.fixture
def directory(cluster: Cluster, store: Store) -> Directory:
    return Directory(cluster, store, lambda: True)


def known(store: Store, manifest: dict[str, Any]) -> AccessPolicy:
    policy = parse_policy(manifest)
    store.policies[ACCESS_POLICY.resource].see(policy)
    return policy


def listed(api: FakeApi) -> set[tuple[str, str]]:
    return {(plural, key.name) for plural, key in api.objects if key.namespace == DIRECTORY}


async def test_who_is_named_is_listed_and_a_second_look_writes_nothing(api: FakeApi, store: Store, directory: Directory) -> None:
    known(store, api.put(POLICIES, made()))
    assert await directory.compare() == []
    assert listed(api) == ALL
    before = len(api.writes)
    assert await directory.compare() == []
    assert len(api.writes) == before


@pytest.mark.parametrize(
    "status",
    [None, {"conditions": [{"type": "Ready", "status": "False", "reason": "PersistentRisk", "message": "x"}]}],
    ids=["not-looked-at", "not-in-force"],
)
async def test_a_policy_that_is_not_in_force_is_not_listed(
    api: FakeApi, store: Store, directory: Directory, status: dict[str, Any] | None
) -> None:
    known(store, api.put(POLICIES, made(status)))
    assert await directory.compare() == []
    assert listed(api) == set()


def narrowed(api: FakeApi, store: Store) -> None:
    """Nobody decides any more, and others ask."""
    changed = made(
        requiredApprovals=0, approvers=None, requesters=[{"kind": "User", "name": "erin"}], metadata={"resourceVersion": "900"}
    )
    known(store, changed)


def deleted(api: FakeApi, store: Store) -> None:
    """Gone, from the memory too."""
    del api.objects[POLICIES.plural, Key(NAMESPACE, "prod-debug")]
    store.policies[ACCESS_POLICY.resource].forget(Key(NAMESPACE, "prod-debug"))


def vandalised(api: FakeApi, store: Store) -> None:
    """Somebody took one entry away and gave another to somebody else."""
    del api.objects[ROLES.plural, Key(DIRECTORY, ASKERS)]
    api.objects[ROLE_BINDINGS.plural, Key(DIRECTORY, DECIDERS)]["subjects"][0]["name"] = "mallory"


def suspended(api: FakeApi, store: Store) -> None:
    """Nobody asks or decides any more, and what was given is still to be reviewed."""
    glass: dict[str, Any] = {"requiredApprovals": 0, "emergency": EMERGENCY, "suspend": True}
    status = {"conditions": [{"type": "Ready", "status": "False", "reason": "Suspended", "message": "x"}]}
    known(store, api.put(POLICIES, made(status, **glass, metadata={"resourceVersion": "900"})))


@pytest.mark.parametrize(
    ("happens", "left", "named"),
    [
        pytest.param(narrowed, {("roles", ASKERS), ("rolebindings", ASKERS)}, {"erin"}, id="a-narrower-policy"),
        pytest.param(deleted, set(), set(), id="a-policy-that-was-deleted"),
        pytest.param(
            suspended, {("roles", REVIEWERS), ("rolebindings", REVIEWERS)}, {"security"}, id="emergencies-that-are-suspended"
        ),
        pytest.param(vandalised, ALL, {"developers", "leads"}, id="somebody-elses-hands"),
    ],
)
async def test_it_says_what_the_policies_say_now(
    api: FakeApi,
    store: Store,
    directory: Directory,
    happens: Callable[[FakeApi, Store], None],
    left: set[tuple[str, str]],
    named: set[str],
) -> None:
    known(store, api.put(POLICIES, made()))
    await directory.compare()
    happens(api, store)
    assert await directory.compare() == []
    assert listed(api) == left
    bindings = [item for (plural, key), item in api.objects.items() if plural == "rolebindings" and key.namespace == DIRECTORY]
    assert {subject["name"] for binding in bindings for subject in binding["subjects"]} == named


async def test_what_is_not_remembered_yet_is_not_taken_away(api: FakeApi, cluster: Cluster, store: Store) -> None:
    known(store, api.put(POLICIES, made()))
    await Directory(cluster, store, lambda: True).compare()
    just_started = Directory(cluster, Store([REQUESTS], [POLICIES]), lambda: True)
    assert await just_started.compare() == []
    assert listed(api) == ALL


async def test_one_refusal_keeps_no_other_entry_away(api: FakeApi, store: Store, directory: Directory) -> None:
    known(store, api.put(POLICIES, made()))
    api.fail("POST roles", 403, "no such luck")
    problems = await directory.compare()
    assert len(problems) == 1
    assert "no such luck" in problems[0]
    assert listed(api) in ({("roles", name), ("rolebindings", name)} for name in (ASKERS, DECIDERS)), "a binding follows its Role"
    assert await directory.compare() == []
    assert listed(api) == ALL
