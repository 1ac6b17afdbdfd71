"""`/metrics` of the real operator over whole lives: the values, and every query of dashboard and alerts over what was scraped."""

import re
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.process import Process
from monitoring.judge import ROOT, Asked, alerts, judged, metrics_in, queries
from system import System
from team import Team, eventually, new_team, while_it_lasts

Labels = frozenset[tuple[str, str]]
KIND = {"kind": "AccessRequest"}
NOTE, REASON = "go-ahead-and-fix-it", "INC-4711-pods-crash"
LIVES = 4
# What has a label from the configuration exists only where that is configured.
CONFIGURED = {
    'jitaccess_notifications_total{channel="team-a",outcome="sent"}',
    'jitaccess_notifications_total{channel="team-a",outcome="failed"}',
    'jitaccess_exports_total{sink="siem",outcome="sent"}',
    'jitaccess_exports_total{sink="siem",outcome="failed"}',
    'jitaccess_export_lag_seconds{sink="siem"}',
}
TARGET = {"namespace": "jitaccess-system", "pod": "jitaccess-0", "job": "jitaccess-system/jitaccess"}


@dataclass(frozen=True)
class Page:
    """What one scrape brought."""

    text: str
    samples: dict[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float:
        """One sample; it must be there."""
        return self.samples[f"jitaccess_{name}", frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        wanted = set(labels.items())
        return sum(value for (found, of), value in self.samples.items() if found == f"jitaccess_{name}" and wanted <= of)

    @property
    def families(self) -> set[str]:
        """The metrics of ours that there are."""
        return {family.name for family in text_string_to_metric_families(self.text) if family.name.startswith("jitaccess_")}


def scraped(system: System, replica: Process | None = None) -> Page:
    """Scrape, as Prometheus does."""
    status, text = system.health("/metrics", replica)
    assert status == 200, text
    families = text_string_to_metric_families(text)
    return Page(text, {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples})


@dataclass(frozen=True)
class Recorded:
    """The page before, during and after a few lives, where they were lived, and for how many seconds."""

    team: Team
    before: Page
    during: Page
    after: Page
    took: float


@pytest.fixture(scope="module")
def recorded(stamped_system: System) -> Recorded:
    """Ask, approve, grant, end; one binding is deleted on the way and put back, one request is denied.

    Half of the lives end when their time is up, and half last until they were looked at, and are given back.
    """
    system, team, began = stamped_system, new_team(stamped_system), time.monotonic()
    before = scraped(system)
    team.policy()
    team.policy("risky", ready=False, roles=[{"kind": "ClusterRole", "name": "edit"}])
    waiting = team.request("alice", reason=REASON)
    denied = team.request("alice", reason=REASON)
    team.until(denied, "Pending")
    team.decide("bob", "deny", denied, NOTE)
    team.until(denied, "Denied")
    short = [while_it_lasts(partial(team.granted_for, reason=REASON)) for _ in range(LIVES)]
    names = [team.request("alice", reason=REASON) for _ in range(LIVES)]
    for name in names:
        team.until(name, "Pending")
        team.decide("bob", "approve", name, NOTE)
    for name in names:
        team.until(name, "Active")
    lost = eventually(lambda: uid_of_binding(team, names[0]), "the binding")
    team.admin.delete("rolebindings", team.status(names[0])["bindingRef"]["name"]).sure()
    eventually(lambda: uid_of_binding(team, names[0]) not in ("", lost), "it is put back")
    time.sleep(1.1)  # the page is made once a second
    during = scraped(system)
    for name in short:
        team.until(name, "Expired")
    for name in names:
        team.decide("alice", "revoke", name)
        team.until(name, "Revoked")
    eventually(lambda: not team.items("jobs"), "the last Job is gone")
    team.decide("alice", "revoke", waiting)
    team.until(waiting, "Withdrawn")
    time.sleep(1.1)
    after = eventually(lambda: calm(scraped(system)), "nothing is overdue, and somebody leads")
    return Recorded(team, before, during, after, time.monotonic() - began)


def calm(page: Page) -> Page | None:
    """The page, if nothing is late at that moment, as on a machine that stood still."""
    return page if page.total("grants_overdue") == 0 and page.value("leader") == 1 else None


def uid_of_binding(team: Team, name: str) -> str:
    """Which binding a request has; empty if it has none."""
    found = team.binding(name)
    return str(found["metadata"]["uid"]) if found else ""


def grown(recorded: Recorded, name: str, **labels: str) -> float:
    """By how much a counter has grown over all that."""
    return recorded.after.total(name, **labels) - recorded.before.total(name, **labels)


@pytest.mark.parametrize(
    ("name", "labels", "at_least"),
    [
        pytest.param("decisions_total", KIND | {"decision": "approved"}, 2 * LIVES, id="approvals"),
        pytest.param("decisions_total", KIND | {"decision": "denied"}, 1, id="a denial"),
        pytest.param("decisions_total", KIND | {"decision": "withdrawn"}, 1, id="taken back"),
        pytest.param("transitions_total", KIND | {"state": "Active", "reason": "Granted"}, 2 * LIVES, id="grants"),
        pytest.param("transitions_total", KIND | {"state": "Expired", "reason": "DurationElapsed"}, LIVES, id="ends"),
        pytest.param("transitions_total", KIND | {"reason": "Requested"}, 2 * LIVES + 2, id="requests"),
        pytest.param("grant_latency_seconds_count", KIND, 2 * LIVES, id="from the last approval to the binding"),
        pytest.param("expiry_lag_seconds_count", KIND, LIVES, id="from the end to the access being gone"),
        pytest.param("pending_seconds_count", KIND, 2 * LIVES + 2, id="from the asking to a yes or no"),
        pytest.param("drift_repaired_total", KIND | {"what": "binding"}, 1, id="a binding put back"),
        pytest.param("api_calls_total", {"verb": "PATCH", "outcome": "ok"}, 6 * LIVES, id="status writes"),
        pytest.param("api_calls_total", {"verb": "DELETE", "outcome": "ok"}, 4 * LIVES, id="bindings and Jobs removed"),
        pytest.param("event_loop_lag_seconds_count", {}, 5, id="the event loop is looked at"),
    ],
)
def test_what_happened_was_counted(recorded: Recorded, name: str, labels: dict[str, str], at_least: int) -> None:
    assert grown(recorded, name, **labels) >= at_least


def test_what_is_open_is_told_while_it_is(recorded: Recorded) -> None:
    during, after = recorded.during, recorded.after
    pending = during.value("requests", **KIND, policy_kind="AccessPolicy", state="Pending")
    active = during.value("requests", **KIND, policy_kind="AccessPolicy", state="Active")
    assert (pending >= 1, active >= LIVES) == (True, True), during.text
    assert during.value("grants_active", **KIND, delivery="Binding") >= LIVES
    assert during.value("oldest_pending_seconds", **KIND) > 0
    assert during.value("policies_not_ready", kind="AccessPolicy", reason="PersistentRisk") >= 1
    assert after.value("requests", **KIND, policy_kind="AccessPolicy", state="Active") <= active - LIVES


def test_all_is_well(recorded: Recorded) -> None:
    after = recorded.after
    assert after.total("grants_overdue") == 0
    assert (after.value("leader"), after.value("watching"), after.value("installation_problems")) == (1, 1, 0)
    assert after.value("leaderships_total") >= 1
    assert grown(recorded, "dead_mans_switch_total") == 0
    assert {dict(labels)["queue"] for name, labels in after.samples if name == "jitaccess_queue_depth"} == {
        "looks",
        "events",
        "notifications",
    }


def test_the_times_are_of_this_world(recorded: Recorded) -> None:
    granted, ended = (
        grown(recorded, f"{name}_seconds_sum", **KIND) / grown(recorded, f"{name}_seconds_count", **KIND)
        for name in ("grant_latency", "expiry_lag")
    )
    print(f"approval -> binding {granted * 1000:.0f} ms, end -> gone {ended * 1000:.0f} ms")
    assert 0 < granted < recorded.took
    assert 0 <= ended < recorded.took


def test_nobody_is_named_and_nothing_that_anybody_wrote(recorded: Recorded) -> None:
    words = re.compile(r"|".join((r"\b(alice|bob|debug|risky|view|leads|developers)\b", NOTE, REASON, recorded.team.namespace)))
    series = [line for line in recorded.after.text.splitlines() if not line.startswith("#")]  # what is not in our own words
    assert [line for line in series if words.search(line)] == []
    assert len(series) > 100


def test_a_replica_that_stands_by_knows_the_same_and_does_not_pretend_to_lead(recorded: Recorded) -> None:
    page = eventually(lambda: of_a_standby(recorded.team), "a replica stands by all along")
    assert (page.value("leader"), page.value("leaderships_total"), page.total("transitions_total")) == (0, 0, 0)


def of_a_standby(team: Team) -> Page | None:
    """The page of a replica that knows what is open; None if the operator beside it has lost the Lease on the way."""
    system = team.system
    replica = system.start_replica()
    try:
        name = team.request("alice", reason=REASON)
        team.until(name, "Pending")

        def agree() -> bool:
            ours, theirs = scraped(system), scraped(system, replica)
            open_ = [page.total("requests", **KIND, state="Pending") for page in (ours, theirs)]
            return open_[0] == open_[1] >= 1 and theirs.total("grants_overdue") == 0

        eventually(agree, "both know the same of what is open, and that nothing is overdue")
        page = scraped(system, replica)
        lost = [entry for entry in system.log() if entry["message"] == "no longer leading: standing by"]
        return None if lost and "leading" in [entry["message"] for entry in system.log(replica)] else page
    finally:
        replica.terminate()


def series(recorded: Recorded) -> dict[str, str]:
    """What Prometheus would hold after half an hour before, and half an hour after those lives."""
    found = dict.fromkeys(CONFIGURED, ("0", "7"))
    for (name, labels), last in recorded.after.samples.items():
        first = recorded.before.samples.get(
            (name, labels), 0.0 if name.endswith(("_total", "_bucket", "_count", "_sum")) else last
        )
        inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels))
        found[f"{name}{{{inside}}}"] = (repr(first), repr(last))
    of_target = ",".join(f'{key}="{value}"' for key, value in TARGET.items())
    with_target = {f"{name.partition('{')[0]}{{{_joined(name, of_target)}}}": pair for name, pair in found.items()}
    return {name: f"{first}x58 {last}x60" for name, (first, last) in with_target.items()}


def _joined(name: str, labels: str) -> str:
    inside = name.partition("{")[2].rstrip("}")
    return f"{inside},{labels}" if inside else labels


def as_prometheus(query: str) -> str:
    """A query of a dashboard with what Grafana puts into it."""
    return query.replace("$__rate_interval", "5m").replace("$__range", "1h")


def test_every_query_of_the_dashboard_has_an_answer(recorded: Recorded, tmp_path: Path) -> None:
    one = [{"labels": "{}", "value": 1}]
    # Not a number is not equal to itself.
    asked = [(f"count(({query}) == ({query})) >= bool 1", "30m", one) for query in (as_prometheus(each) for _, each in queries())]
    assert len(asked) > 30
    assert judged(tmp_path, series(recorded), asked) == ""


def test_a_query_without_an_answer_is_found_out(recorded: Recorded, tmp_path: Path) -> None:
    query = "sum(jitaccess_no_such_thing)"
    asked = [(f"count(({query}) == ({query})) >= bool 1", "30m", [{"labels": "{}", "value": 1}])]
    assert "FAILED" in judged(tmp_path, series(recorded), asked)


def test_no_alert_fires_over_a_plain_day(recorded: Recorded, tmp_path: Path) -> None:
    plain = {name: values for name, values in in_no_time(series(recorded)).items() if "failed" not in name}
    # A binding was deleted, and the tests before this one leave policies and requests behind.
    ignored = "JitaccessDriftRepaired|JitaccessPolicyNotReady|JitaccessReviewOverdue"
    asked: list[Asked] = [(f'ALERTS{{alertstate="firing", alertname!~"{ignored}"}}', "40m", [])]
    assert judged(tmp_path, plain, asked) == ""


def in_no_time(series: dict[str, str]) -> dict[str, str]:
    """The same where all that was timed took no time: what is counted stays, and how busy this machine was is no matter."""
    every = {re.sub(r',?le="[^"]*"', "", name): values for name, values in series.items() if 'le="+Inf"' in name}
    return {name: every.get(re.sub(r',?le="[^"]*"', "", name), values) for name, values in series.items()}


def asked_for() -> set[str]:
    """The metrics in all queries and alerts."""
    expressions = [*(query for _, query in queries()), *(alert["expr"] for alert in alerts().values())]
    return {name for expression in expressions for name in metrics_in(expression)}


def test_nothing_is_asked_for_that_is_not_exported_and_the_other_way_round(recorded: Recorded) -> None:
    assert asked_for() == recorded.after.families


def test_the_docs_have_a_row_for_each_metric(recorded: Recorded) -> None:
    rows = re.findall(r"^\| `(jitaccess_\w+)`", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert sorted({next(iter(metrics_in(row))) for row in rows}) == sorted(recorded.after.families)
    assert len(rows) == len(set(rows))
