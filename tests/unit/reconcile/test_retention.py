"""Records are kept for their retention, and no longer."""

from datetime import timedelta
from typing import Any

import pytest

from jitaccess.domain.model import Key
from jitaccess.kube.api import Cluster, Refused
from jitaccess.manifests.resources import LOCKS, REQUESTS
from jitaccess.reconcile.retention import remove_old
from unit.examples import ALICE, HOUR, NAMESPACE, T0, lock_manifest, request_manifest
from unit.fake_api import FakeApi


def settled(name: str, uid: str, *, asked: timedelta, ended: timedelta | None, **status: Any) -> dict[str, Any]:
    at = {} if ended is None else {"settledAt": (T0 - ended).strftime("%Y-%m-%dT%H:%M:%S.000Z")}
    return request_manifest(name, uid=uid, created=T0 - asked, status={"state": "Expired", "settled": True, **at, **status})


DAYS = 24 * HOUR


@pytest.mark.parametrize(
    ("left", "removed"),
    [
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=30 * DAYS), 1, id="exactly-at-the-end-of-the-retention"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=30 * DAYS - timedelta(seconds=1)), 0, id="a-second-before"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=DAYS), 0, id="asked-long-ago-and-settled-yesterday"),
        pytest.param(settled("r", "u", asked=DAYS, ended=DAYS), 0, id="young"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=None), 0, id="that-does-not-say-when-is-kept"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=40 * DAYS, awaitingReview=True), 0, id="awaits-its-review"),
        pytest.param(settled("r", "u", asked=40 * DAYS, ended=40 * DAYS, awaitingReview=False), 1, id="was-reviewed"),
        pytest.param(request_manifest("r", created=T0 - 40 * DAYS, status={"state": "Active"}), 0, id="not-settled"),
    ],
)
async def test_records_are_kept_for_the_retention(api: FakeApi, cluster: Cluster, left: dict[str, Any], removed: int) -> None:
    api.put(REQUESTS, settled("always-there", "x", asked=DAYS, ended=DAYS))
    api.put(REQUESTS, left)
    assert await remove_old(cluster, REQUESTS, 30 * DAYS, T0) == removed
    assert (api.get(REQUESTS, Key(NAMESPACE, "r")) is None) is bool(removed)
    assert api.get(REQUESTS, Key(NAMESPACE, "always-there"))


async def test_a_record_that_may_not_be_removed_keeps_no_other_one(api: FakeApi, cluster: Cluster) -> None:
    for name in ("a", "b", "c"):
        api.put(REQUESTS, settled(name, name, asked=40 * DAYS, ended=40 * DAYS))
    api.fail("DELETE accessrequests", 403, "the policy engine says no")
    with pytest.raises(Refused, match="1 accessrequests may not be deleted: the policy engine says no"):
        await remove_old(cluster, REQUESTS, 30 * DAYS, T0)
    assert len(api.all(REQUESTS)) == 1, "the other two are gone"


async def test_a_lock_that_is_long_over_goes_and_one_that_holds_stays(api: FakeApi, cluster: Cluster) -> None:
    over = {"state": "Lifted", "settled": True, "settledAt": "2026-05-01T00:00:00.000Z"}
    for name, status in (("over", over), ("holds", {"state": "Active", "settled": False})):
        made = lock_manifest(ALICE, status=status)
        api.put(LOCKS, made | {"metadata": {"name": name, "creationTimestamp": "2026-05-01T00:00:00Z"}})
    assert await remove_old(cluster, LOCKS, 30 * DAYS, T0) == 1
    assert [each["metadata"]["name"] for each in api.all(LOCKS)] == ["holds"]
