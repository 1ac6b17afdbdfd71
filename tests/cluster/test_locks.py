"""A lock, on a real control plane: what it ends and how fast, what it keeps from beginning, and how it comes to its own end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conftest import installed_system
from locking import LOCKS, lift, lock, locked
from pace import promptly
from system import System
from team import CLUSTER_POLICIES, CLUSTER_REQUESTS, POLICIES, REQUESTS, Team, eventually, new_team
from wide import Wide

ERIN = "erin@example.com"
GRANTS = 50
SOON = 5.0  # seconds of an onlooker; under one where nothing else runs: the figure is printed
FREE: dict[str, Any] = {"requiredApprovals": 0, "approvers": []}


def bindings_of(team: Team, who: str) -> list[dict[str, Any]]:
    """What gives that person access in this namespace."""
    return [each for each in team.items("rolebindings") if {"kind": "User", "name": who}.items() <= each["subjects"][0].items()]


def reasons(team: Team, name: str) -> list[str]:
    return [entry["reason"] for entry in team.status(name)["history"]]


def refused(team: Team, who: str) -> bool:
    """Whether the API server keeps somebody from asking because of a lock."""
    answer = team.person(who).create(REQUESTS, team.request_manifest("rehearsal", who), dryRun="All")
    return not answer.ok and "is locked by AccessLock" in answer.message


def asks_until(team: Team, over: threading.Event) -> list[str]:
    """Ask as erin as fast as it goes, until it is over; returns what the API server let through."""
    asked: list[str] = []
    person = replace(team.person(ERIN), _lines=[])  # a connection of its own
    for number in range(2000):
        if over.is_set():
            break
        name = f"late-{number}"
        if person.create(REQUESTS, team.request_manifest(name, ERIN)).ok:
            asked.append(name)
        time.sleep(0.02)
    person.close()
    return asked


def test_a_lock_ends_every_grant_of_a_person_while_more_are_asked_for(team: Team) -> None:
    team.policy(**FREE)
    names = [team.request(ERIN) for _ in range(GRANTS)]
    spared = team.request("alice")
    eventually(lambda: len(bindings_of(team, ERIN)) == GRANTS, f"{GRANTS} grants")
    eventually(lambda: bindings_of(team, "alice"), "alice has hers")
    over = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(asks_until, team, over)
        time.sleep(0.3)
        with locked(team, ERIN) as name:
            promptly(team, SOON, lambda: not bindings_of(team, ERIN), f"nothing is left of {GRANTS} grants")
            eventually(lambda: refused(team, ERIN), "she may not ask any more")
            over.set()
            late = asking.result()
            for each in [*names, *late]:
                eventually(lambda each=each: team.status(each).get("settled"), f"{each} is settled")  # type: ignore[misc]
            assert not bindings_of(team, ERIN), "nothing came back"
            assert {team.state(each) for each in names} == {"Revoked"}
            assert all(reasons(team, each)[-1] == "Locked" for each in [*names, *late])
            assert name in team.status(names[0])["history"][-1]["message"], "the record names the lock"
            assert team.state(spared) == "Active", "and nobody else is touched"
            revoked = GRANTS + sum(team.state(each) == "Revoked" for each in late)
            eventually(lambda: team.status(name, LOCKS).get("endedGrants") == revoked, f"the lock says that it ended {revoked}")
    print(f"{len(late)} requests were still let in")
    eventually(lambda: not refused(team, ERIN), "lifted, she may ask again")


def test_a_lock_denies_what_waits_and_does_not_count_what_the_locked_have_approved(either: Team) -> None:
    either.policy("debug", requiredApprovals=2)
    hers, approved = either.request(ERIN), either.request("alice")
    either.until(hers, "Pending")
    either.decide("bob", "approve", approved)
    eventually(lambda: "1 more" in either.condition(approved, "Granted").get("message", ""), "one approval is there")
    with locked(either, ERIN, "bob"):
        assert reasons(either, either.until(hers, "Denied")["metadata"]["name"])[-1] == "Locked"
        waits = "needs 2 approvals from Group leads; not counted while they are locked: bob"
        eventually(lambda: either.condition(approved, "Granted")["message"] == waits, "bob does not count")
        either.decide("carol", "approve", approved)
        eventually(lambda: "needs 1 more approval" in either.condition(approved, "Granted")["message"], "carol does")
        assert either.state(approved) == "Pending"
    either.until(approved, "Active")


def test_access_that_has_begun_stands_though_who_approved_it_is_locked(team: Team) -> None:
    team.policy()
    name = team.granted()
    with locked(team, "bob") as lock_name:
        eventually(lambda: team.status(lock_name, LOCKS).get("state") == "Active", "the lock is on record")
        time.sleep(0.5)
        assert team.state(name) == "Active"
        assert team.binding(name)


def test_a_lock_is_over_by_itself_and_says_so(either: Team) -> None:
    either.policy()
    until = ahead(2)
    name = lock(either, ERIN, until=until)
    eventually(lambda: either.status(name, LOCKS).get("state") == "Over", "its time is up")
    eventually(lambda: not refused(either, ERIN), "she may ask again")
    status = either.status(name, LOCKS)
    assert [entry["reason"] for entry in status["history"]] == ["Locked", "TimeIsUp"]
    assert status["history"][0]["by"] == "admin"
    assert status["settledAt"] >= until.replace("Z", ".000Z")
    assert either.condition(name, "InForce", LOCKS)["status"] == "False"


def test_a_lock_holds_until_its_time_is_up(either: Team) -> None:
    either.policy()
    name = lock(either, ERIN, until=ahead(3600))
    eventually(lambda: refused(either, ERIN), "she may not ask")
    lift(either, name)


def ahead(seconds: int) -> str:
    """So many seconds from now, in whole ones."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")


def test_the_locked_may_still_give_back_what_they_have(either: Team) -> None:
    either.policy()
    with either.operator_frozen():
        name = either.request(ERIN)
        lock_name = lock(either, ERIN)
        eventually(lambda: refused(either, ERIN), "the API server knows")
        either.decide(ERIN, "revoke", name)
    # Denied because of the lock, if that is what the operator saw first.
    eventually(lambda: either.state(name) in ("Withdrawn", "Denied"), "it is settled")
    lift(either, lock_name)


@pytest.fixture
def wide(team: Team) -> Iterator[Wide]:
    made = Wide(team, requesters=[{"kind": "Group", "name": "developers"}])
    made.until_in_force()
    yield made
    team.admin.delete(CLUSTER_POLICIES, made.policy).sure()


def test_a_lock_ends_cluster_wide_access(wide: Wide) -> None:
    name = wide.granted()
    with locked(wide.team, "alice"):
        wide.until(name, "Revoked")
        assert wide.why(name)["reason"] == "Locked"
        assert wide.binding(name) is None
        eventually(lambda: not wide.sees_everything(), "alice sees everything no more")


def test_a_lock_ends_a_temporary_identity_through_the_person_behind_it(team: Team) -> None:
    team.policy(delivery="Identity")
    name = team.granted()
    eventually(lambda: team.identity(name).get("pods").ok, "alice has the access")
    with locked(team, "ALICE"):  # a person may have two names that differ in capitals only
        team.until(name, "Revoked")
        eventually(lambda: team.identity(name).get("pods").status == 403, "and has it no more")


@pytest.mark.parametrize("kind", [POLICIES, CLUSTER_POLICIES])
def test_a_suspended_policy_gives_nothing_until_it_is_resumed(team: Team, kind: str) -> None:
    if kind == POLICIES:
        suspended, requests, space = team.policy(), REQUESTS, team.namespace
        granted = team.granted()
    else:
        wide = Wide(team)
        wide.until_in_force()
        suspended, requests, space, granted = wide.policy, CLUSTER_REQUESTS, "", wide.granted()

    def state() -> str:
        return str(team.status(granted, requests)["state"])

    def holds() -> bool:
        return team.person("alice").at(space).may("request", kind, group="jitaccess.dev", name=suspended)

    team.admin.merge(kind, suspended, {"spec": {"suspend": True}}).sure()
    promptly(team, SOON, lambda: state() == "Revoked", "its grants end")
    eventually(lambda: team.condition(suspended, "Ready", kind)["reason"] == "Suspended", "it says so")
    eventually(lambda: not holds(), "nobody may ask")
    team.admin.merge(kind, suspended, {"spec": {"suspend": False}}).sure()
    eventually(holds, "alice may ask again")
    eventually(lambda: team.condition(suspended, "Ready", kind)["status"] == "True", "it is in force")


def test_what_waits_under_a_policy_that_is_suspended_is_denied(team: Team) -> None:
    team.policy()
    name = team.request("alice")
    team.until(name, "Pending")
    team.admin.merge(POLICIES, "debug", {"spec": {"suspend": True}}).sure()
    team.until(name, "Denied")
    assert reasons(team, name)[-1] == "PolicySuspended"


@pytest.fixture(scope="module")
def alone() -> Iterator[System]:
    """A control plane of their own, for operators that are killed."""
    with installed_system() as system:
        yield system


def test_an_operator_that_comes_back_ends_what_was_locked_meanwhile_and_begins_nothing(alone: System) -> None:
    alone.start_operator()
    team = new_team(alone)
    team.policy()
    active, waits = team.granted(ERIN), team.request(ERIN)
    team.until(waits, "Pending")
    assert alone.operator
    alone.operator.kill()
    team.decide("bob", "approve", waits)
    name = lock(team, ERIN)
    assert team.binding(active), "nobody is there to end it"
    alone.start_operator()
    team.until(active, "Revoked")
    team.until(waits, "Denied")
    assert not team.binding(active)
    assert not team.status(waits).get("grantedAt"), "it never began"
    eventually(lambda: team.status(name, LOCKS).get("endedGrants") == 1, "the lock says what it ended")
    lift(team, name)


def test_where_a_lock_cannot_be_read_nothing_begins_and_what_is_revoked_ends(alone: System) -> None:
    if not alone.operator or not alone.operator.running:
        alone.start_operator()
    team = new_team(alone)
    team.policy()
    active, waits, of_another = team.granted(), team.request(), team.request(ERIN)
    team.until(waits, "Pending")
    roles = "clusterroles", "jitaccess-operator"
    before = team.admin.get(*roles).sure()
    blind = [rule for rule in before["rules"] if "accesslocks" not in rule["resources"]]
    team.admin.merge(*roles, {"rules": blind}).sure()
    acting = replace(team.admin, headers={"Impersonate-User": "system:serviceaccount:jitaccess-system:jitaccess"})
    eventually(lambda: not acting.may("list", LOCKS, group="jitaccess.dev"), "the operator may not read locks")
    name = lock(team, "alice")
    eventually(lambda: refused(team, "alice"), "the API server knows of the lock")
    for each in (waits, of_another):
        team.decide("bob", "approve", each)
    team.decide("bob", "revoke", active)
    team.until(active, "Revoked")
    team.until(of_another, "Active")
    assert team.state(waits) == "Pending"
    team.admin.merge(*roles, {"rules": before["rules"]}).sure()
    team.until(waits, "Denied")
    assert reasons(team, waits)[-1] == "Locked"
    lift(team, name)
