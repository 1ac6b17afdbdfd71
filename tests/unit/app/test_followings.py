"""What is followed beside what Kopf watches, and of what /readyz says that it is not followed yet."""

import asyncio
from typing import Any, cast

import pytest

from jitaccess.app import following as module
from jitaccess.app.followings import Followings
from jitaccess.app.reviewing import ReviewWatch
from jitaccess.app.unreadable import Unreadable
from jitaccess.app.watch import Watch
from jitaccess.kube.api import Cluster
from jitaccess.kube.installation import Installation
from jitaccess.manifests.kinds import CLUSTER_WIDE, RequestKind
from jitaccess.workqueue.schedule import Schedule
from unit.examples import T0, empty_store
from unit.fake_api import FakeApi
from unit.waiting import until

ALWAYS = ["namespaces", "accessrequests", "clusteraccessrequests"]


def made(cluster: Cluster, installation: Installation) -> Followings:
    """All followings of an operator that does nothing else."""
    store, schedule = empty_store(), Schedule(cast(Any, None), lambda: T0)
    watch = Watch(store, schedule, Unreadable(), lambda: None, lambda: True)

    def reviews(kind: RequestKind) -> ReviewWatch:
        return ReviewWatch(cluster, store, schedule, kind, Unreadable(), lambda: True)

    return Followings(cluster, watch, installation, reviews)


@pytest.mark.parametrize(
    ("components", "missed"),
    [
        pytest.param(None, ALWAYS, id="nobody has looked for components yet, which is a problem of its own"),
        pytest.param(frozenset(), ALWAYS, id="without the component cluster-wide nobody misses its bindings"),
        pytest.param(frozenset({CLUSTER_WIDE}), [*ALWAYS, "clusterrolebindings"], id="with it they are missed"),
    ],
)
def test_what_is_not_followed_yet_is_a_problem_if_it_may_be(components: frozenset[str] | None, missed: list[str]) -> None:
    installation = Installation()
    installation.components = components
    assert made(cast(Any, None), installation).problems == tuple(f"{plural} are not followed yet" for plural in missed)


async def test_bindings_of_the_cluster_are_followed_as_soon_as_a_check_has_found_the_component(
    api: FakeApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(module, pause, 3600.0)  # nothing here waits for its time to pass
    api.forbidden = {"clusterrolebindings"}
    installation = Installation()
    followings = made(cluster, installation)
    running = [asyncio.create_task(each.run()) for each in followings.each]
    await installation.check(cluster)
    await until(lambda: not said(followings), "nothing is missed")
    assert not asked_for(api)
    api.forbidden = set()
    await installation.check(cluster)
    assert said(followings) == ["clusterrolebindings are not followed yet"]
    await until(lambda: not said(followings), "nothing is missed")
    assert asked_for(api)
    api.forbidden = {"clusterrolebindings"}
    await installation.check(cluster)
    assert not said(followings), "what is taken away later is not missed for ever"
    for task in running:
        task.cancel()


def said(followings: Followings) -> list[str]:
    """What is not followed yet."""
    return list(followings.problems)


def asked_for(api: FakeApi) -> bool:
    """Whether the bindings of the cluster were asked for."""
    return "GET clusterrolebindings" in api.calls
