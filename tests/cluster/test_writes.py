"""What one request costs the API server: exactly the writes of DESIGN section 6, told by its own audit log."""

from functools import partial
from typing import Any

from system import System
from team import Team, eventually, new_team, while_it_lasts

OPERATOR = "system:serviceaccount:jitaccess-system:jitaccess"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def writes(team: Team, since: int) -> list[str]:
    """What the operator wrote in this namespace since then, Events aside, as `verb resource/subresource`."""
    events = [event for event in team.plane.audit_events(since) if is_write(event, team.namespace)]
    return [" ".join(words(event)) for event in events if event["objectRef"]["resource"] != "events"]


def is_write(event: dict[str, Any], namespace: str) -> bool:
    """Whether the operator changed something in that namespace with this call; a dry run changes nothing."""
    ref = event.get("objectRef") or {}
    mine = event["user"]["username"] == OPERATOR and ref.get("namespace") == namespace
    return mine and event["verb"] in WRITES and "dryRun" not in event["requestURI"]


def words(event: dict[str, Any]) -> tuple[str, str]:
    """The verb and the resource of a call."""
    ref = event["objectRef"]
    return event["verb"], "/".join(part for part in (ref["resource"], ref.get("subresource")) if part)


def test_one_request_costs_seven_writes_and_nothing_else(team: Team) -> None:
    assert while_it_lasts(partial(one_life, team.system)) == [
        "patch accessrequests/status",
        "create jobs",
        "patch accessrequests/status",
        "create rolebindings",
        "delete rolebindings",
        "patch accessrequests/status",
        "delete jobs",
    ]


def one_life(system: System, duration: str) -> list[str]:
    """What the operator writes for a request from the asking to its end; nothing if its time was up before it had its binding."""
    team = new_team(system)
    team.policy()
    start = team.plane.audit_position()
    name = team.granted_for(duration)
    if name:
        team.until(name, "Expired")
        eventually(lambda: "DurationElapsed" in team.events(), "the last Event: nothing is still to come")
        eventually(lambda: not team.items("jobs"), "nor a Job to delete")
    return writes(team, start) if name else []


def test_no_write_of_the_operator_is_ever_refused_in_a_plain_life(team: Team) -> None:
    team.policy()
    start = team.plane.audit_position()
    name = team.request("alice", duration="1s")
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    team.until(name, "Expired")
    mine = [event for event in team.plane.audit_events(start) if is_write(event, team.namespace)]
    refused = [(words(event), event["responseStatus"]) for event in mine if event["responseStatus"]["code"] >= 300]
    assert mine, "the operator wrote something"
    assert refused == []


def test_every_call_under_a_grant_names_its_binding_in_the_audit_log(team: Team) -> None:
    team.policy()
    name = team.request("alice")
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    binding = team.until(name, "Active")["status"]["bindingRef"]["name"]
    eventually(lambda: team.may("alice", "list", "pods"), "alice may list pods")
    start = team.plane.audit_position()
    team.person("alice").get("pods").sure()
    calls = [event for event in team.plane.audit_events(start) if event["user"]["username"] == "alice"]
    reasons = [event["annotations"].get("authorization.k8s.io/reason", "") for event in calls]
    assert any(f'RoleBinding "{binding}/{team.namespace}"' in reason for reason in reasons), reasons
