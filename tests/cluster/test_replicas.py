"""Two replicas, one leader: who takes over, how fast, and that whoever was overtaken writes nothing any more."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from conftest import installed_system
from controlplane.client import Person
from controlplane.process import Process
from jitaccess.domain.text import parse_time
from jitaccess.manifests.lease import DURATION
from locking import LOCKS, lift, lock
from pace import LOST, Pace
from system import System
from team import REQUESTS, Team, eventually, in_time, new_team

ERIN = "erin@example.com"
LOCKED_GRANTS = 30
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
ATTEMPTS = 5  # to catch whoever leads while it leads: a machine that stands still takes the Lease from it at any moment
# Seconds of an onlooker. A Lease that was left behind is waited for; one that was released is not, however busy the machine. The
# figures are printed: under one second, and under ten, where nothing else runs.
CLEAN, CRASH, LATE = DURATION - 2.0, 3.0 * DURATION, 5.0


@dataclass
class Replicas:
    """A system with two operators; `names` are their identities."""

    system: System
    names: dict[str, Process]
    pace: Pace

    def lease(self) -> dict[str, Any]:
        """The Lease's spec."""
        return dict(self.system.plane.person(namespace="jitaccess-system").get("leases", "jitaccess").sure()["spec"])

    def leader(self) -> str:
        """Who of those that run says that it leads."""
        return next((name for name, process in self.names.items() if self.ready(process) == (200, "ok\n")), "")

    def ready(self, process: Process) -> tuple[int, str]:
        """What it answers to kubelet."""
        return self.system.health("/readyz", process, timeout=2.0) if process.running else (0, "")  # one that sleeps says nothing

    def pair(self) -> tuple[str, str]:
        """The leader and the standby, once there are both."""
        said = {"ok\n": 0, "ok (standby)\n": 1}

        def look() -> list[str]:
            order = {said.get(self.ready(process)[1]): name for name, process in self.names.items()}
            return [order[0], order[1]] if {0, 1} == set(order) else []

        leader, standby = eventually(look, "one leads and the other stands by")
        return leader, standby

    def told(self, name: str) -> list[str]:
        """What a replica has said of its leading."""
        return [entry["message"] for entry in self.log(name) if entry["logger"] == "jitaccess.app.leader"]

    def log(self, name: str) -> list[dict[str, Any]]:
        """What a replica has logged."""
        return self.system.log(self.names[name])

    def start(self, name: str) -> None:
        """Start a further replica."""
        self.names[name] = self.system.start_replica("--identity", name)

    def kill_leader(self) -> tuple[str, str]:
        """Kill whoever leads, with the Lease in its hand; returns its name, and who is left."""
        for attempt in range(ATTEMPTS):
            leader, standby = self.pair()
            self.names[leader].kill()
            if self.lease()["holderIdentity"] == leader:
                return leader, standby
            self.replace(leader, attempt)  # it had lost the Lease since it was asked: the machine stood still
        pytest.fail(f"expected whoever leads to hold the Lease when it is killed, {ATTEMPTS} times")

    def stop_leader(self) -> tuple[str, str]:
        """Ask whoever leads to end; returns its name, and who is left."""
        for attempt in range(ATTEMPTS):
            leader, standby = self.pair()
            process = self.names[leader]
            assert process.terminate() == 0, process.log_tail()
            if self.told(leader)[-1:] == ["the Lease is released"]:
                return leader, standby
            self.replace(leader, attempt)
        pytest.fail(f"expected whoever leads to release the Lease when it is asked to end, {ATTEMPTS} times")

    def replace(self, name: str, attempt: int) -> None:
        """Start another replica for one that has ended."""
        del self.names[name]
        self.start(f"{name}-{attempt}")

    def writes(self, since: int, *codes: int) -> list[tuple[str, str, str]]:
        """Who tried to change what since then: (identity, verb, resource), dry runs aside; with `codes`, what was so answered."""
        return [
            (event["userAgent"].removeprefix("jitaccess/"), event["verb"], event["objectRef"]["resource"])
            for event in self.system.plane.audit_events(since)
            if event.get("userAgent", "").startswith("jitaccess/")
            and event["verb"] in WRITES
            and "dryRun" not in event["requestURI"]
            and (not codes or event["responseStatus"]["code"] in codes)
        ]


@pytest.fixture(scope="module")
def installed() -> Iterator[System]:
    """A control plane of their own, for operators that come and go."""
    with installed_system() as system:
        yield system


_runs = iter(range(1, 100))


@pytest.fixture
def replicas(installed: System) -> Iterator[Replicas]:
    """Two operators that have just been started."""
    run = next(_runs)
    with Pace(installed.plane) as pace:
        replicas = Replicas(installed, {}, pace)
        for name in (f"a{run}", f"b{run}"):
            replicas.start(name)
        yield replicas
        for process in replicas.names.values():
            process.terminate()


def approved(team: Team) -> str:
    """A request of alice that bob has approved; whoever leads grants it."""
    name = team.request("alice")
    team.decide("bob", "approve", name)
    return name


def granted_at(team: Team, name: str) -> datetime:
    """When the request became active, by the record."""
    return parse_time(team.until(name, "Active")["status"]["grantedAt"])


def test_exactly_one_leads_and_only_that_one_writes(replicas: Replicas) -> None:
    leader = eventually(lambda: led_throughout(replicas), "one replica leads throughout a life")
    assert replicas.lease()["holderIdentity"] == leader


def led_throughout(replicas: Replicas) -> str:
    """Who led from the asking to the end of a request, and alone wrote; empty if it lost the Lease on the way."""
    leader, standby = replicas.pair()
    before = {name: len(replicas.told(name)) for name in (leader, standby)}
    team = new_team(replicas.system)
    team.policy()
    start = replicas.system.plane.audit_position()
    name = team.approved(duration="1s")
    team.until(name, "Expired")
    eventually(lambda: "leases" in {resource for _, _, resource in replicas.writes(start)}, "the Lease is renewed")
    writes = replicas.writes(start)
    if LOST in replicas.told(leader)[before[leader] :]:
        return ""
    assert {who for who, _, _ in writes} == {leader}, writes
    told = {name: replicas.told(name)[number:] for name, number in before.items()}
    assert told == {leader: [], standby: []}, "one line when it won, none per renewal"
    return leader


def test_after_a_clean_stop_another_grants_without_waiting_for_the_lease(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy()
    name = team.request("alice")
    team.until(name, "Pending")
    asked = datetime.now(UTC)
    leader, standby = replicas.stop_leader()
    exited = datetime.now(UTC)
    team.decide("bob", "approve", name)
    decided = datetime.now(UTC)
    granted = granted_at(team, name)
    print(f"{standby} granted {(granted - exited).total_seconds():.3f} s after {leader} ended, the approval in between")
    assert replicas.pace.seconds(decided, granted) < CLEAN
    released = logged_at(replicas.log(leader), "the Lease is released")
    won = logged_at(replicas.log(standby), "leading", asked)  # which may be logged before the leader has its answer
    print(f"{standby} led {(won - released).total_seconds():.3f} s after the Lease was released")
    assert replicas.pace.seconds(released, won) < CLEAN


def test_after_a_crash_another_grants_once_the_lease_is_over_and_no_sooner(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy()
    leader, standby = replicas.kill_leader()
    killed = datetime.now(UTC)
    renewed = parse_time(replicas.lease()["renewTime"])
    name = approved(team)
    granted = granted_at(team, name)
    print(f"{standby} granted {(granted - killed).total_seconds():.3f} s after {leader} was killed")
    assert (granted - renewed).total_seconds() > DURATION - 0.01, "no sooner than the Lease allows"
    assert replicas.pace.seconds(killed, granted) < CRASH
    assert replicas.lease()["holderIdentity"] == standby


def test_a_leader_that_slept_through_its_lease_writes_nothing_when_it_wakes(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy()
    leader, standby, waiting = in_time(partial(slept_through, replicas, team))
    replicas.names[standby].terminate()
    assert eventually(replicas.leader, f"{leader} leads again") == leader
    assert team.state(waiting) == "Active"


def slept_through(replicas: Replicas, team: Team, seconds: int) -> tuple[str, str, str] | None:
    """A leader that has slept through its Lease, who took over, and what that one granted; None if the machine was too slow.

    It slept from behind the beginning of a grant until right before its end, and the other one has led ever since.
    """
    leader, standby = replicas.pair()
    before = {name: len(replicas.told(name)) for name in (leader, standby)}
    name = team.approved(duration=f"{3 * seconds}s")
    until = parse_time(str(eventually(lambda: team.status(name).get("expiresAt"), "it has begun")))
    eventually(lambda: team.binding(name) or team.status(name).get("settled"), "it has its binding, or had it")
    eventually(lambda: "Granted" in team.events(name), "nothing of it is on its way any more")
    sleeper = replicas.names[leader]
    sleeper.pause()
    waiting = approved(team)  # news that the sleeper will wake to, beside the end of the grant
    eventually(lambda: replicas.leader() == standby, f"{standby} has taken over")
    start = replicas.system.plane.audit_position()
    team.until(waiting, "Active")
    in_good_time = datetime.now(UTC) < until - timedelta(seconds=0.2)
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() - 0.2))
    sleeper.resume()  # right before the end that both of them have in their heap
    settled = team.until(name, "Expired")["status"]
    eventually(lambda: replicas.ready(sleeper) == (200, "ok (standby)\n"), "the sleeper stands by again")
    time.sleep(3)  # time in which it could do something wrong
    writes = replicas.writes(start)
    told = {name: replicas.told(name)[number:] for name, number in before.items()}
    if not in_good_time or told[standby] != ["leading"]:
        return None
    assert replicas.pace.seconds(until, parse_time(settled["settledAt"])) < LATE
    others = [each for each in writes if each[0] != standby]
    renewal = (leader, "update", "leases")  # one that was on its way when the leader fell asleep is refused
    assert others in ([], [renewal]), others
    assert set(others) <= set(replicas.writes(start, 409)), "refused"
    assert told[leader] == [LOST]
    return leader, standby, waiting


def test_a_grant_ends_on_time_though_its_leader_died(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy()
    start = replicas.system.plane.audit_position()
    name, standby = in_time(partial(taken_over, replicas, team))
    status = team.until(name, "Expired")["status"]
    settled, until = parse_time(status["settledAt"]), parse_time(status["expiresAt"])
    print(f"the end was recorded {(settled - until).total_seconds():.3f} s after its time")
    assert settled >= until
    assert replicas.pace.seconds(until, settled) < LATE
    assert not team.binding(name)
    assert (standby, "delete", "rolebindings") in replicas.writes(start)


def taken_over(replicas: Replicas, team: Team, seconds: int) -> tuple[str, str] | None:
    """A grant whose leader died, and who has taken over before its end; None, with two replicas, if that came too early."""
    name = team.approved(duration=f"{3 * seconds}s")
    until = parse_time(str(eventually(lambda: team.status(name).get("expiresAt"), "it has begun")))
    leader, standby = replicas.kill_leader()
    eventually(lambda: replicas.leader() == standby, f"{standby} has taken over")
    if datetime.now(UTC) < until:
        return name, standby
    replicas.replace(leader, seconds)
    return None


def test_a_request_deleted_while_nobody_leads_leaves_no_access(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy()
    name = approved(team)
    team.until(name, "Active")
    replicas.kill_leader()
    team.admin.delete(REQUESTS, name).sure()
    eventually(lambda: not team.binding(name), "whoever took over has ended the access")


def logged_at(entries: list[dict[str, Any]], message: str, since: datetime | None = None) -> datetime:
    """When that was logged first, since then if that matters."""
    times = [datetime.fromisoformat(entry["timestamp"]) for entry in entries if entry["message"] == message]
    return next(at for at in times if since is None or at >= since)


def asked_at_once(team: Team, count: int) -> list[str]:
    """So many requests of alice's, from ten connections side by side; in the order in which they were asked for."""
    alice = team.person("alice")
    people = [Person(alice.name, alice.server, alice.ca_file, alice.token, alice.namespace) for _ in range(10)]

    def ask(number: int) -> str:
        manifest = team.request_manifest(f"burst-{number}")
        return str(people[number % 10].create(REQUESTS, manifest).sure()["metadata"]["name"])

    with ExitStack() as stack:
        for person in people:
            stack.callback(person.close)
        pool = stack.enter_context(ThreadPoolExecutor(10))
        return [name for names in pool.map(lambda n: [ask(n + 10 * k) for k in range(count // 10)], range(10)) for name in names]


def outcomes(team: Team) -> Counter[str]:
    """How many requests have come to what: Active, or the reason for which they were denied."""
    found = [each.get("status") or {} for each in team.admin.get(REQUESTS).sure()["items"]]
    return Counter(
        "Active" if status.get("state") == "Active" else status["history"][-1]["reason"] if status.get("settled") else "open"
        for status in found
    )


@pytest.mark.parametrize(
    "limits", [{"activeInTotal": 5}, {"activePerRequester": 5}, {"activePerRequester": 5, "activeInTotal": 50}], ids=str
)
def test_fifty_requests_at_once_and_room_for_five_give_exactly_five(replicas: Replicas, limits: dict[str, int]) -> None:
    replicas.pair()
    team = new_team(replicas.system)
    team.policy(requiredApprovals=0, approvers=[], limits=limits)
    asked_at_once(team, 50)
    eventually(lambda: not outcomes(team)["open"], "all were looked at")
    assert outcomes(team) == {"Active": 5, "LimitReached": 45}
    eventually(lambda: len(team.items("rolebindings")) == 5, "five bindings")


def test_fifty_requests_in_a_day_of_ten_are_exactly_ten(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy(requiredApprovals=0, approvers=[], limits={"requestsPerDay": 10})
    asked_at_once(team, 50)
    eventually(lambda: not outcomes(team)["open"], "all were looked at")
    assert outcomes(team) == {"Active": 10, "DailyLimitReached": 40}
    active = team.admin.get(REQUESTS, fieldSelector="status.state=Active").sure()["items"]
    team.decide("alice", "revoke", active[0]["metadata"]["name"])
    _, standby = replicas.kill_leader()
    eventually(lambda: replicas.leader() == standby, f"{standby} has taken over")
    late = team.request("alice")
    assert team.until(late, "Denied")["status"]["history"][-1]["reason"] == "DailyLimitReached", "what is over counts for its day"


@pytest.mark.parametrize("after", [1, 3, 5])
def test_the_leader_is_killed_in_the_middle_of_fifty_and_still_five_begin(replicas: Replicas, after: int) -> None:
    team = new_team(replicas.system)
    team.policy(requiredApprovals=0, approvers=[], limits={"activeInTotal": 5})
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(asked_at_once, team, 50)
        eventually(lambda: states(team).count("Active") >= after, f"{after} have begun")
        _, standby = replicas.kill_leader()
        asking.result()
    eventually(lambda: replicas.leader() == standby, f"{standby} has taken over")
    eventually(lambda: not outcomes(team)["open"], "all were looked at")
    assert outcomes(team) == {"Active": 5, "LimitReached": 45}


def states(team: Team) -> list[str]:
    """The states of all requests there."""
    items = team.admin.get(REQUESTS).sure()["items"]
    return [(each.get("status") or {}).get("state", "") for each in items]


def test_who_takes_over_counts_what_began_before(replicas: Replicas) -> None:
    team = new_team(replicas.system)
    team.policy(requiredApprovals=0, approvers=[], limits={"activePerRequester": 2})
    first, second = team.request("alice"), team.request("alice")
    for name in (first, second):
        team.until(name, "Active")
    team.decide("alice", "revoke", first)
    team.until(first, "Revoked")
    _, standby = replicas.kill_leader()
    eventually(lambda: replicas.leader() == standby, f"{standby} has taken over")
    team.until(team.request("alice"), "Active")
    fourth = team.request("alice")
    assert "alice has 2 of 2 grants" in team.until(fourth, "Denied")["status"]["history"][-1]["message"]


def subjects(team: Team) -> list[str]:
    """Whom the bindings in a namespace give access to; one for each that gives some."""
    return [subject["name"] for each in team.items("rolebindings") for subject in each.get("subjects") or ()]


def history(team: Team, name: str) -> list[str]:
    """What a request tells of, by reason."""
    return [entry["reason"] for entry in team.status(name).get("history", ())]


# Right behind the lock, and when so many of its grants are gone already.
@pytest.mark.parametrize("gone", [0, 10])
def test_who_takes_over_ends_what_a_lock_has_left_and_begins_nothing_for_the_locked(replicas: Replicas, gone: int) -> None:
    replicas.pair()
    team = new_team(replicas.system)
    team.policy("free", requiredApprovals=0, approvers=[])
    team.policy()
    names = [team.request(ERIN, policyRef={"name": "free"}) for _ in range(LOCKED_GRANTS)]
    waits, spared = team.request(ERIN), team.request("alice", policyRef={"name": "free"})
    for name in (*names, spared):
        team.until(name, "Active")
    team.until(waits, "Pending")
    lock_name = lock(team, ERIN)
    eventually(lambda: subjects(team).count(ERIN) <= LOCKED_GRANTS - gone, f"{gone} are gone")
    leader, standby = replicas.kill_leader()
    killed = datetime.now(UTC)
    print(f"{leader} was killed with {subjects(team).count(ERIN)} of {LOCKED_GRANTS} left to end")
    if not team.status(waits).get("settled"):
        team.person("bob").merge(REQUESTS, waits, {"metadata": {"annotations": {"jitaccess.dev/approve": "too late"}}})
    eventually(lambda: replicas.leader() == standby, f"{standby} has taken over")
    for name in (*names, waits):
        eventually(lambda name=name: team.status(name).get("settled"), f"{name} is settled")  # type: ignore[misc]
    assert subjects(team) == ["alice"], "whoever is locked has nothing, and nobody else has lost anything"
    assert {team.state(name) for name in names} == {"Revoked"}
    assert all(history(team, name)[-1] == "Locked" for name in (*names, waits))
    assert not team.status(waits).get("grantedAt"), "it never began"
    # What the dead one had ended within its last second was not counted yet; what was ended after it is, and nothing twice.
    after = sum((parse_time(team.status(name)["settledAt"]) - killed).total_seconds() > 1.0 for name in names)
    eventually(lambda: team.status(lock_name, LOCKS).get("endedGrants", 0) >= after, f"the lock says that it ended {after}")
    time.sleep(2.0)  # longer than an end waits to be counted
    status = team.status(lock_name, LOCKS)
    assert after <= status["endedGrants"] <= LOCKED_GRANTS
    assert [entry["reason"] for entry in status["history"]] == ["Locked"]
    assert subjects(team) == ["alice"], "and nothing comes back"
    lift(team, lock_name)
