"""The record leaves the cluster: every transition, at least once, in order per request, whatever dies on the way."""

import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import installed_system
from jitaccess.manifests.cloudevent import REQUEST_TYPE
from jitaccess.manifests.evidence import Place, Report
from jitaccess.manifests.stream import read_stream
from receiver import SECRET, Receiver
from system import ROOT, System
from team import PATIENCE, REQUESTS, Team, eventually, new_team

CURSORS = ROOT / "deploy" / "components" / "audit" / "cursors.yaml"
# How many requests live through how many kills: few in CI, JITACCESS_AUDIT_REQUESTS=200 JITACCESS_AUDIT_KILLS=25 for the proof.
MANY = int(os.environ.get("JITACCESS_AUDIT_REQUESTS", "40"))
KILLS = int(os.environ.get("JITACCESS_AUDIT_KILLS", "5"))
SEED = int(os.environ.get("JITACCESS_AUDIT_SEED", "0")) or random.randrange(10**6)


@dataclass
class Audited:
    """A system whose record is exported to a file and to a receiver."""

    system: System
    folder: Path
    receiver: Receiver
    runs: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    def start(self, *flags: str, ready: bool = True, **checkpoints: Any) -> Team:
        """Start the operator with sinks of its own (a fresh file and stream), and a team to work with."""
        run = next(self.runs)
        self.file = self.folder / f"audit-{run}.jsonl"
        secret = self.folder / "secret"
        secret.write_text(SECRET)
        sinks = [
            {"name": f"file-{run}", "file": str(self.file)},
            {"name": f"hook-{run}", "url": self.receiver.url, "secretFile": str(secret)},
        ]
        self.sinks = self.folder / f"sinks-{run}.yaml"
        self.sinks.write_text(yaml.safe_dump({"sinks": sinks, "checkpoints": checkpoints or {"every": "1h"}}))
        self.receiver.lines.clear()
        self.receiver.answer = 204
        self.flags = ("--audit-sinks", str(self.sinks), *flags)
        self.system.restart_operator(*self.flags)
        return new_team(self.system)

    def texts(self) -> dict[str, list[str]]:
        """What each sink has taken, as lines."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return {"file": lines, "hook": list(self.receiver.lines)}

    def reports(self) -> dict[str, Report]:
        """What each sink has taken, read back."""
        return {
            sink: read_stream((Place(sink, number), line) for number, line in enumerate(lines, 1))
            for sink, lines in self.texts().items()
        }


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """A control plane with the audit component's ConfigMap and rights."""
    with installed_system() as system, Receiver() as receiver:
        system.plane.kubectl("apply", "-f", str(CURSORS))
        yield Audited(system, tmp_path_factory.mktemp("audit"), receiver)


def expected(team: Team) -> dict[str, list[tuple[str, str]]]:
    """By the UID of each request of the namespace: the id and reason of each entry of its history, by the cluster."""
    items = team.admin.get(REQUESTS).sure()["items"]
    return {
        item["metadata"]["uid"]: [
            (str(uuid.uuid5(uuid.UUID(item["metadata"]["uid"]), str(index))), entry["reason"])
            for index, entry in enumerate(item["status"]["history"])
        ]
        for item in items
    }


def told(lines: list[str], wanted: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The same as a consumer has it who drops duplicates by their id, in the order in which the events came."""
    stories: dict[str, list[tuple[str, str]]] = {}
    seen = set()
    for event in map(json.loads, lines):
        uid = event["data"].get("request", {}).get("uid")
        if uid in wanted and event["id"] not in seen:
            seen.add(event["id"])
            stories.setdefault(uid, []).append((event["id"], event["type"].removeprefix(REQUEST_TYPE)))
    return stories


def all_told(audited: Audited, team: Team) -> Callable[[], bool]:
    """Whether every sink has the whole record of the namespace."""

    def look() -> bool:
        wanted = expected(team)
        return all(told(lines, wanted) == wanted for lines in audited.texts().values())

    return look


def test_every_transition_reaches_every_sink_signed_and_in_order(audited: Audited) -> None:
    team = audited.start(every="1s")
    team.policy()
    hostile = 'x"}\\n <!channel> [l](http://e) \u00e9\U0001f600'
    name = team.request("alice", duration="2s", reason=hostile)
    team.until(name, "Pending")
    team.decide("bob", "approve", name, "fine, \\n watching")
    team.until(name, "Expired")
    denied = team.request("alice", duration="1m")
    team.until(denied, "Pending")
    team.decide("bob", "deny", denied, "no")
    team.until(denied, "Denied")
    eventually(all_told(audited, team), "every transition is in every sink")
    ours = [event for event in audited.receiver.taken if event["subject"] == f"accessrequests/{team.namespace}/{name}"]
    story = list({event["id"]: event for event in ours}.values())
    assert [event["type"].rpartition(".")[2] for event in story] == ["Requested", "Approved", "Granted", "DurationElapsed"]
    granted = story[2]["data"]
    role, policy = team.get(name)["status"]["role"], team.get(name)["status"]["policy"]
    assert granted["reason"] == hostile
    assert granted["role"]["rulesHash"] == role["hash"]
    assert granted["policy"]["generation"] == policy["generation"]
    assert [(each["by"], each["note"]) for each in granted["decisions"]] == [("bob", "fine, \\n watching")]
    assert granted["grant"]["binding"] == team.get(name)["status"]["bindingRef"]["name"]
    assert audited.receiver.forged == 0
    eventually(lambda: all(r.checkpoints and not r.unvouched for r in audited.reports().values()), "checkpoints vouch")
    for sink, report in audited.reports().items():
        assert report.findings == [], sink


def test_a_sink_that_was_away_gets_all_of_it_and_keeps_nobody_waiting(audited: Audited) -> None:
    team = audited.start()
    team.policy(requiredApprovals=0)
    audited.receiver.answer = 500
    names = [team.request("alice", duration="1s") for _ in range(5)]
    for name in names:
        team.until(name, "Expired")
    eventually(lambda: "audit sink hook" in audited.system.health("/readyz")[1], "readyz tells of the sink")
    assert audited.system.health("/readyz")[0] == 200
    wanted = expected(team)
    eventually(lambda: told(audited.texts()["file"], wanted) == wanted, "the other sink has it all")
    assert told(audited.texts()["hook"], wanted) == {}
    audited.receiver.answer = 204
    eventually(all_told(audited, team), "the sink that was away has it all")
    eventually(lambda: audited.system.health("/readyz")[1] == "ok\n", "nothing is left to be said")


def test_what_was_settled_while_the_sink_and_the_operator_were_away_is_exported_later(audited: Audited) -> None:
    team = audited.start()
    team.policy(requiredApprovals=0)
    audited.receiver.answer = 503
    name = team.request("alice", duration="1s")
    team.until(name, "Expired")
    operator = audited.system.operator
    assert operator
    operator.kill()
    audited.receiver.answer = 204
    audited.system.start_operator(*audited.flags)
    eventually(all_told(audited, team), "what was settled before is exported")


def test_a_review_that_was_given_while_no_operator_ran_is_exported(audited: Audited) -> None:
    team = audited.start()
    leads = [{"kind": "Group", "name": "leads"}]
    team.policy(requiredApprovals=0, emergency={"reviewWithin": "1h", "reviewers": leads})
    eventually(lambda: team.holds("bob", "review", "debug"), "bob may review")
    name = team.request("alice", duration="1s")
    team.until(name, "Expired")
    eventually(all_told(audited, team), "all up to the end is exported")
    operator = audited.system.operator
    assert operator
    operator.kill()
    team.decide("bob", "review", name, "fine: as said")
    audited.system.start_operator(*audited.flags)
    team.until_condition(name, "Reviewed", "True")
    eventually(all_told(audited, team), "the review is exported too")
    assert any("ReviewedAsFine" in line for line in audited.texts()["file"])


def test_required_no_access_begins_unless_every_sink_has_it_and_ending_never_waits(audited: Audited) -> None:
    team = audited.start("--audit", "required")
    team.policy()
    name = team.granted("alice", duration="1h")
    wanted = expected(team)
    assert all(told(lines, wanted) == wanted for lines in audited.texts().values()), "it was granted before it was exported"
    assert [entry["reason"] for entry in team.status(name)["history"]] == ["Requested", "Approved", "Granted"]
    audited.receiver.answer = 500
    late = team.request("alice", duration="1h")
    team.until(late, "Pending")
    team.decide("bob", "approve", late)
    eventually(lambda: team.condition(late, "Granted").get("reason") == "AuditUnavailable", "it says what is in the way")
    assert team.binding(late) is None
    team.decide("bob", "revoke", name)
    team.until(name, "Revoked")
    assert team.binding(name) is None
    audited.receiver.answer = 204
    eventually(lambda: team.binding(late), "it is granted once the sink is back")
    eventually(all_told(audited, team), "all of it was exported")


def test_required_an_access_whose_record_is_on_its_way_waits_for_it(audited: Audited) -> None:
    team = audited.start("--audit", "required")
    team.policy(requiredApprovals=0)
    first = team.request("alice", duration="1h")
    eventually(lambda: team.binding(first), "the first is granted")
    audited.receiver.answer = 0  # takes the call, and does not answer
    name = team.request("alice", duration="1h")
    team.until(name, "Active")
    eventually(lambda: audited.receiver.hanging, "the sink is asked")
    assert team.binding(name) is None
    audited.receiver.answer = 204
    audited.receiver.released.set()
    eventually(lambda: team.binding(name), "it is granted once the sink has it")
    audited.receiver.released.clear()


def test_nothing_is_lost_over_kills_at_random_moments(audited: Audited) -> None:
    print(f"JITACCESS_AUDIT_SEED={SEED}")
    dice = random.Random(SEED)
    team = audited.start(every="5s", events=20)
    team.policy()
    done = threading.Event()

    def people() -> None:
        for number in range(MANY):
            name = team.request("alice", name=f"k{number}", duration=f"{dice.choice((1, 2, 5))}s")
            verb = dice.choice(("approve", "approve", "approve", "deny"))
            team.decide("bob", verb, name)
            time.sleep(dice.uniform(0, 0.4 if MANY <= 40 else 0.9))
        done.set()

    crowd = threading.Thread(target=people)
    crowd.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.5, 14))
        operator = audited.system.operator
        assert operator
        operator.kill()
        audited.system.start_operator(*audited.flags, ready=False)
    crowd.join()
    assert done.is_set(), "the people did not get through"
    for number in range(MANY):
        eventually(lambda n=number: team.status(f"k{n}").get("settled"), f"k{number} is settled")  # type: ignore[misc]
    eventually(all_told(audited, team), "every transition is in every sink, each once without duplicates, in order")
    eventually(lambda: all(not report.unvouched for report in audited.reports().values()), "a checkpoint vouches")
    for sink, report in audited.reports().items():
        print(f"{sink}: {report.events} events, {report.duplicates} duplicates, {len(report.checkpoints)} checkpoints")
        assert report.findings == [], sink


def test_two_replicas_export_once(audited: Audited) -> None:
    team = audited.start()
    team.policy(requiredApprovals=0)
    standby = audited.system.start_replica(*audited.flags)
    before = len(audited.receiver.lines)
    name = team.request("alice", duration="1s")
    team.until(name, "Expired")
    eventually(all_told(audited, team), "it is exported")
    ours = [e for e in audited.receiver.taken[before:] if e["subject"].endswith(f"/{name}")]
    led = "leading" in [entry["message"] for entry in audited.system.log(standby)]  # it may, where the other one starved
    assert led or len(ours) == len({event["id"] for event in ours}), "who stands by exports too"
    leader = audited.system.operator
    assert leader
    leader.terminate()
    name = team.request("alice", duration="1s")
    team.until(name, "Expired")
    eventually(all_told(audited, team), "who took over exports")
    standby.terminate()
    audited.system.operator = None


Auditor = Callable[[str], "subprocess.CompletedProcess[str]"]
COMMANDS = [line.removeprefix("$ ") for line in (ROOT / "docs" / "audit.md").read_text().splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def auditor(audited: Audited) -> Auditor:
    """Runs a line of the page as an auditor would, beside the file that the operator has written."""
    team = audited.start(every="1s")
    team.policy(requiredApprovals=0, roles=[{"kind": "ClusterRole", "name": "view"}])
    name = team.request("alice", duration="1s")
    team.until(name, "Expired")
    eventually(
        lambda: all(r.checkpoints and not r.unvouched and r.events >= 3 for r in audited.reports().values()),
        "it is exported",
    )
    folder = audited.folder / "auditor"
    folder.mkdir()
    (folder / "audit.jsonl").write_text(audited.file.read_text())
    environment = audited.system.plane.environment()
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    return run


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_for_auditors_runs(auditor: Auditor, line: str) -> None:
    done = auditor(line)
    known = (0, 3) if "--missing" in line else (0,)  # requests of the other tests are in other files
    assert done.returncode in known, done.stderr
    assert "Traceback" not in done.stderr
