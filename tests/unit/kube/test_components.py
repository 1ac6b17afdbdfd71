"""Which components of deploy/ are installed is what the API server lets the operator do."""

import asyncio

import pytest

from jitaccess.kube.api import Cluster
from jitaccess.kube.installation import Installation
from jitaccess.manifests.kinds import CLUSTER_WIDE
from unit.fake_api import FakeApi


async def test_before_the_first_look_no_component_is_there_and_none_is_known_to_be_missing() -> None:
    installation = Installation()
    assert not installation.has(CLUSTER_WIDE)
    assert installation.components is None


async def test_what_may_be_made_is_installed_and_a_change_is_news(api: FakeApi, cluster: Cluster) -> None:
    installation = Installation()
    await installation.check(cluster)
    assert installation.has(CLUSTER_WIDE)
    api.forbidden = {"clusterrolebindings"}
    assert await installation.check(cluster)
    assert installation.components == frozenset()
    assert not await installation.check(cluster), "the next look finds nothing new"


@pytest.mark.parametrize("verb", ["create", "list", "watch"])
async def test_what_may_not_be_made_and_followed_alike_is_not_installed(api: FakeApi, cluster: Cluster, verb: str) -> None:
    api.forbidden = {f"{verb} clusterrolebindings"}
    installation = Installation()
    await installation.check(cluster)
    assert not installation.has(CLUSTER_WIDE)


async def test_who_waits_for_a_check_goes_on_with_what_it_has_found(api: FakeApi, cluster: Cluster) -> None:
    installation, found = Installation(), list[bool]()

    async def wait_twice() -> None:
        for _ in range(2):
            await installation.checked_anew()
            found.append(installation.has(CLUSTER_WIDE))

    waiting = asyncio.create_task(wait_twice())
    await asyncio.sleep(0)
    await installation.check(cluster)
    await asyncio.sleep(0)
    assert found == [True]
    api.forbidden = {"clusterrolebindings"}
    await installation.check(cluster)
    await waiting
    assert found == [True, False]


async def test_who_may_not_ask_has_no_component(api: FakeApi, cluster: Cluster) -> None:
    api.fail("POST selfsubjectaccessreviews", 403, "no system:basic-user")
    installation = Installation()
    await installation.check(cluster)
    assert installation.components == frozenset()
