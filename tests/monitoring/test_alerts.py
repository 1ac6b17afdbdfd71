"""Each alert fires when it must, does not when it must not, and has a runbook; judged by promtool."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.judge import ROOT, Asked, alerts, judged, promtool, queries, rules, run

A, B = 'pod="a"', 'pod="b"'
KIND = 'kind="AccessRequest"'
HOUR_OF = "x120"  # 30 s each


@dataclass(frozen=True)
class Case:
    """Series, as promtool writes them, and with which labels the alert fires over them; None if it does not."""

    says: str
    alert: str
    series: dict[str, str]
    fires: dict[str, str] | None = None
    at: str = "30m"


def histogram(name: str, labels: str, fast: str, slow: str) -> dict[str, str]:
    """Observations of which some are below a millisecond and some above ten seconds."""
    bounds = {"0.001": fast, "5.0": fast, "10.0": fast, "30.0": slow, "+Inf": slow}
    return {f'{name}_bucket{{{labels},le="{bound}"}}': values for bound, values in bounds.items()}


def leftovers(values: str, outcome: str = "not ended") -> dict[str, str]:
    return {f'jitaccess_leftovers_total{{{KIND},outcome="{outcome}",{A}}}': values}


def switched(values: str) -> dict[str, str]:
    return {f'jitaccess_dead_mans_switch_total{{{KIND},cause="OperatorTooLate",{A}}}': values}


def drift(values: str) -> dict[str, str]:
    return {f'jitaccess_drift_repaired_total{{{KIND},what="binding",{A}}}': values}


def lead(first: str, second: str) -> dict[str, str]:
    return {f"jitaccess_leader{{{A}}}": first, f"jitaccess_leader{{{B}}}": second}


def unguarded(reason: str) -> dict[str, str]:
    return {f'jitaccess_grants_unguarded{{{KIND},reason="{reason}",{A}}}': f"1{HOUR_OF}"}


def not_ready(values: str, reason: str = "Invalid") -> dict[str, str]:
    return {f'jitaccess_policies_not_ready{{kind="AccessPolicy",reason="{reason}",{A}}}': values}


def calls(ok: str, bad: str, outcome: str = "outage") -> dict[str, str]:
    return {
        f'jitaccess_api_calls_total{{verb="GET",outcome="ok",{A}}}': ok,
        f'jitaccess_api_calls_total{{verb="GET",outcome="{outcome}",{A}}}': bad,
    }


def notified(outcome: str, values: str) -> dict[str, str]:
    return {f'jitaccess_notifications_total{{channel="team-a",outcome="{outcome}",{A}}}': values}


def exported(lag: str, outcome: str = "sent", values: str = f"0{HOUR_OF}") -> dict[str, str]:
    return {
        f'jitaccess_export_lag_seconds{{sink="siem",{A}}}': lag,
        f'jitaccess_exports_total{{sink="siem",outcome="{outcome}",{A}}}': values,
    }


REQUEST = {"kind": "AccessRequest"}
TOO_LATE = REQUEST | {"cause": "OperatorTooLate"}
CASES = (
    Case("one", "JitaccessGrantOverdue", {f"jitaccess_grants_overdue{{{KIND},{A}}}": f"1{HOUR_OF}"}, REQUEST),
    Case(
        "only the standby sees it",
        "JitaccessGrantOverdue",
        {f"jitaccess_grants_overdue{{{KIND},{A}}}": f"0{HOUR_OF}", f"jitaccess_grants_overdue{{{KIND},{B}}}": f"1{HOUR_OF}"},
        REQUEST,
    ),
    Case("for one scrape", "JitaccessGrantOverdue", {f"jitaccess_grants_overdue{{{KIND},{A}}}": "0x58 1 0x60"}),
    Case("none", "JitaccessGrantOverdue", {f"jitaccess_grants_overdue{{{KIND},{A}}}": f"0{HOUR_OF}"}),
    Case(
        "two overdue, as both replicas know",
        "JitaccessEmergencyUnreviewed",
        {f"jitaccess_reviews_overdue{{{KIND},{A}}}": f"2{HOUR_OF}", f"jitaccess_reviews_overdue{{{KIND},{B}}}": f"2{HOUR_OF}"},
        REQUEST,
    ),
    Case("given within a minute", "JitaccessEmergencyUnreviewed", {f"jitaccess_reviews_overdue{{{KIND},{A}}}": "0x56 2x2 0x60"}),
    Case("none overdue", "JitaccessEmergencyUnreviewed", {f"jitaccess_reviews_overdue{{{KIND},{A}}}": f"0{HOUR_OF}"}),
    Case("one that cannot be ended", "JitaccessLeftoverNotEnded", leftovers("0x50 1x70"), REQUEST),
    Case("ended", "JitaccessLeftoverNotEnded", leftovers("0x50 1x70", "ended")),
    Case("long ago", "JitaccessLeftoverNotEnded", leftovers("0x10 1x200"), None, "1h"),
    Case("nobody", "JitaccessNoLeader", lead(f"0{HOUR_OF}", f"0{HOUR_OF}"), {}),
    Case("nothing is scraped", "JitaccessNoLeader", {"up": f"0{HOUR_OF}"}, {}),
    Case("one of two", "JitaccessNoLeader", lead(f"0{HOUR_OF}", f"1{HOUR_OF}")),
    Case("a takeover", "JitaccessNoLeader", lead("1x57 0x60", "0x59 1x60")),
    Case("both", "JitaccessTwoLeaders", lead(f"1{HOUR_OF}", f"1{HOUR_OF}"), {}),
    Case("a takeover that was scraped late", "JitaccessTwoLeaders", lead("1x60 0x60", "0x57 1x60")),
    Case("a policy is missing", "JitaccessNotInstalled", {f"jitaccess_installation_problems{{{A}}}": f"2{HOUR_OF}"}, {}),
    Case("complete", "JitaccessNotInstalled", {f"jitaccess_installation_problems{{{A}}}": f"0{HOUR_OF}"}),
    Case("while it starts", "JitaccessNotInstalled", {f"jitaccess_installation_problems{{{A}}}": "_x58 1 1 0x60"}),
    Case("blind", "JitaccessNotWatching", {f"jitaccess_watching{{{A}}}": f"0{HOUR_OF}"}, {"pod": "a"}),
    Case("seeing", "JitaccessNotWatching", {f"jitaccess_watching{{{A}}}": f"1{HOUR_OF}"}),
    Case("while it runs", "JitaccessDeadMansSwitchFired", switched("0x50 1x70"), TOO_LATE),
    Case("first of all after its start", "JitaccessDeadMansSwitchFired", switched("_x50 3x70"), TOO_LATE),
    Case("long ago", "JitaccessDeadMansSwitchFired", switched("0x10 1x200"), None, "1h"),
    Case("a start without", "JitaccessDeadMansSwitchFired", switched("_x50 0x70")),
    Case("no Job", "JitaccessGrantUnguarded", unguarded("JobRefused"), REQUEST | {"reason": "JobRefused"}),
    Case("cluster-wide", "JitaccessGrantUnguarded", unguarded("SweepOnly")),
    Case("put back", "JitaccessDriftRepaired", drift("0x50 1x70"), REQUEST | {"what": "binding"}),
    Case("nothing to put back", "JitaccessDriftRepaired", drift(f"0{HOUR_OF}")),
    Case(
        "seconds late",
        "JitaccessEndingLate",
        histogram("jitaccess_expiry_lag_seconds", f"{KIND},{A}", f"0+9{HOUR_OF}", f"0+10{HOUR_OF}"),
        REQUEST,
    ),
    Case(
        "in time",
        "JitaccessEndingLate",
        histogram("jitaccess_expiry_lag_seconds", f"{KIND},{A}", f"0+10{HOUR_OF}", f"0+10{HOUR_OF}"),
    ),
    Case(
        "nothing ends",
        "JitaccessEndingLate",
        histogram("jitaccess_expiry_lag_seconds", f"{KIND},{A}", f"5{HOUR_OF}", f"9{HOUR_OF}"),
    ),
    Case(
        "seconds",
        "JitaccessGrantingSlow",
        histogram("jitaccess_grant_latency_seconds", f"{KIND},{A}", f"0+9{HOUR_OF}", f"0+10{HOUR_OF}"),
        REQUEST,
    ),
    Case(
        "milliseconds",
        "JitaccessGrantingSlow",
        histogram("jitaccess_grant_latency_seconds", f"{KIND},{A}", f"0+10{HOUR_OF}", f"0+10{HOUR_OF}"),
    ),
    Case(
        "one that cannot be read",
        "JitaccessPolicyNotReady",
        not_ready(f"1{HOUR_OF}"),
        {"kind": "AccessPolicy", "reason": "Invalid"},
    ),
    Case("not yet", "JitaccessPolicyNotReady", not_ready("0x50 1x70")),
    Case("one that was suspended on purpose", "JitaccessPolicyNotReady", not_ready(f"1{HOUR_OF}", "Suspended")),
    Case("half a day", "JitaccessReviewOverdue", {f"jitaccess_oldest_pending_seconds{{{KIND},{A}}}": f"43200{HOUR_OF}"}, REQUEST),
    Case("an hour", "JitaccessReviewOverdue", {f"jitaccess_oldest_pending_seconds{{{KIND},{A}}}": f"3600{HOUR_OF}"}),
    Case("one of two", "JitaccessApiOutage", calls(f"0+10{HOUR_OF}", f"0+10{HOUR_OF}"), {}),
    Case("one of a hundred", "JitaccessApiOutage", calls(f"0+99{HOUR_OF}", f"0+1{HOUR_OF}")),
    Case("conflicts", "JitaccessApiOutage", calls(f"0+1{HOUR_OF}", f"0+9{HOUR_OF}", "conflict")),
    Case(
        "seconds",
        "JitaccessEventLoopLag",
        histogram("jitaccess_event_loop_lag_seconds", A, f"0+9{HOUR_OF}", f"0+10{HOUR_OF}"),
        {"pod": "a"},
    ),
    Case("none", "JitaccessEventLoopLag", histogram("jitaccess_event_loop_lag_seconds", A, f"0+10{HOUR_OF}", f"0+10{HOUR_OF}")),
    Case("given up", "JitaccessNotificationsFail", notified("failed", "0x50 1x70"), {"channel": "team-a"}),
    Case("the first of all is given up", "JitaccessNotificationsFail", notified("failed", "_x50 1x70"), {"channel": "team-a"}),
    Case("to be tried again", "JitaccessNotificationsFail", notified("retried", f"0+1{HOUR_OF}")),
    Case("a sink that is away", "JitaccessExportFails", exported(f"0+30{HOUR_OF}", "retried", f"0+1{HOUR_OF}"), {"sink": "siem"}),
    Case("an event is given up", "JitaccessExportFails", exported(f"0{HOUR_OF}", "failed", "0x40 1x80"), {"sink": "siem"}),
    Case("a sink that keeps up", "JitaccessExportFails", exported(f"2{HOUR_OF}", "sent", f"0+9{HOUR_OF}")),
)


def id_of(case: Case) -> str:
    return f"{case.alert.removeprefix('Jitaccess')}: {case.says}: {'quiet' if case.fires is None else 'fires'}"


@pytest.mark.parametrize("case", CASES, ids=id_of)
def test_it_fires_and_does_not_fire(case: Case, tmp_path: Path) -> None:
    severity = alerts()[case.alert]["labels"]["severity"]
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity} | (case.fires or {})
    sample = "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
    expected: list[dict[str, Any]] = [] if case.fires is None else [{"labels": sample, "value": 1}]
    asked = f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}'
    assert judged(tmp_path, case.series, [(asked, case.at, expected)]) == ""


def test_promtool_tells_right_from_wrong(tmp_path: Path) -> None:
    asked: Asked = ('ALERTS{alertname="JitaccessNoLeader", alertstate="firing"}', "30m", [])
    assert "FAILED" in judged(tmp_path, lead(f"0{HOUR_OF}", f"0{HOUR_OF}"), [asked])


def test_every_alert_is_seen_to_fire_and_to_be_quiet() -> None:
    fires = {case.alert for case in CASES if case.fires is not None}
    quiet = {case.alert for case in CASES if case.fires is None}
    assert (fires, quiet) == (set(alerts()), set(alerts()))


@pytest.mark.parametrize("alert", alerts())
def test_what_an_alert_says_has_the_labels_that_it_names(alert: str) -> None:
    said = set(re.findall(r"\$labels\.(\w+)", alerts()[alert]["annotations"]["description"]))
    fired = [set(case.fires) for case in CASES if case.alert == alert and case.fires is not None]
    assert all(said <= labels for labels in fired), f"{said} of {fired}"


def test_the_rules_are_what_prometheus_takes(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    done = run("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout + done.stderr
    assert promtool().exists()


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_has_a_runbook(alert: str) -> None:
    annotations = alerts()[alert]["annotations"]
    page, _, anchor = annotations["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert anchors.count(anchor) == 1, f"{annotations['runbook']} is not there"
    assert anchor == alert.lower()
    assert set(annotations) == {"summary", "description", "runbook"}


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    headings = re.findall(r"^#+ (Jitaccess\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(alerts())


LOCKED = f'jitaccess_transitions_total{{{KIND},state="Revoked",reason="Locked"'


@pytest.mark.parametrize(
    ("series", "holding", "some_ended"),
    [
        pytest.param({}, 2, 0, id="nothing-ended-yet"),
        pytest.param({f"{LOCKED},{A}}}": "0x40 3x80"}, 2, 1, id="three-ended"),
        pytest.param({f"{LOCKED},{A}}}": f"3{HOUR_OF}"}, 2, 0, id="long-ago"),
    ],
)
def test_the_panel_of_locks_says_how_many_hold_and_what_they_ended(
    tmp_path: Path, series: dict[str, str], holding: int, some_ended: int
) -> None:
    hold, ended = [query.replace("$__range", "1h") for title, query in queries() if title == "Locks"]
    both_replicas = {f"jitaccess_locks{{{each}}}": f"2{HOUR_OF}" for each in (A, B)}
    asked: list[Asked] = [
        (hold, "40m", [{"labels": "{}", "value": holding}]),
        (f"({ended}) > bool 0", "40m", [{"labels": "{}", "value": some_ended}]),
    ]
    assert judged(tmp_path, both_replicas | series, asked) == ""
    assert not [query for title, query in queries() if title != "Locks" and "jitaccess_locks" in query]
