"""The adapter for policies of the cluster: labels of namespaces, snapshots to go on from, roles that are written unread."""

import pytest

from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster, Outage, Refused
from jitaccess.kube.calls import PAGE
from jitaccess.manifests.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS
from unit.fake_api import FakeApi

ROLE = {"metadata": {"name": "jitaccess:cluster:x:approver"}, "rules": [{"verbs": ["approve"]}]}


async def test_the_labels_of_a_namespace(api: FakeApi, cluster: Cluster) -> None:
    api.put_namespace("team-c", env="prod")
    api.put(NAMESPACES, {"metadata": {"name": "bare"}})
    assert await cluster.labels("team-c") == {"env": "prod"}
    assert await cluster.labels("bare") == {}


async def test_a_namespace_that_is_gone_or_going_has_none(api: FakeApi, cluster: Cluster) -> None:
    api.put(NAMESPACES, {"metadata": {"name": "going", "labels": {}, "deletionTimestamp": "2026-07-01T02:10:00Z"}})
    assert await cluster.labels("gone") is None
    assert await cluster.labels("going") is None


async def test_labels_that_cannot_be_read_are_an_outage_and_no_answer(api: FakeApi, cluster: Cluster) -> None:
    api.put_namespace("team-c")
    api.fail("GET namespaces", 503)
    with pytest.raises(Outage):
        await cluster.labels("team-c")


async def test_a_snapshot_has_all_pages_and_the_version_to_go_on_from(api: FakeApi, cluster: Cluster) -> None:
    for number in range(PAGE + 1):
        api.put_namespace(f"n-{number:04}")
    items, version = await cluster.snapshot(NAMESPACES)
    assert len(items) == PAGE + 1
    assert version == str(max(int(item["metadata"]["resourceVersion"]) for item in api.all(NAMESPACES)))
    assert set(items[0]) == {"metadata"}


async def test_a_list_of_one_namespace_has_nothing_of_another(api: FakeApi, cluster: Cluster) -> None:
    for space in ("team-a", "team-b"):
        api.put(ROLE_BINDINGS, {"metadata": {"name": "x", "namespace": space}})
    found = [item["metadata"]["namespace"] async for item in cluster.list_objects(ROLE_BINDINGS, namespace="team-b")]
    assert found == ["team-b"]


async def test_a_role_that_may_not_be_read_is_made_or_made_like_that(api: FakeApi, cluster: Cluster) -> None:
    await cluster.put(CLUSTER_ROLES, ROLE)
    await cluster.put(CLUSTER_ROLES, ROLE | {"rules": []})
    found = api.get(CLUSTER_ROLES, Key("", "jitaccess:cluster:x:approver"))
    assert found
    assert not found.get("rules")
    assert api.calls == ["PUT clusterroles"] * 2


async def test_a_role_that_is_somebody_elses_is_refused(api: FakeApi, cluster: Cluster) -> None:
    api.fail("PUT clusterroles", 403, "touches only objects that carry the label")
    with pytest.raises(Refused, match="carry the label"):
        await cluster.put(CLUSTER_ROLES, ROLE)


@pytest.mark.parametrize("forbidden", [True, False])
async def test_one_may_ask_what_one_may(api: FakeApi, cluster: Cluster, forbidden: bool) -> None:
    api.forbidden = {"clusterrolebindings"} if forbidden else set()
    assert await cluster.may("create", CLUSTER_ROLE_BINDINGS) is not forbidden
    assert api.writes == [], "an access review is stored nowhere"
