"""A request from the asking to its end, on both kinds of installation."""

from datetime import timedelta

from jitaccess.domain.text import parse_duration, parse_time
from team import Team, eventually, new_team, while_it_lasts


def test_an_approved_request_gives_exactly_the_role_until_it_is_given_back(either: Team) -> None:
    either.policy()
    assert not either.may("alice", "list", "pods"), "alice must not have access before"
    name = either.request("alice")
    pending = either.until(name, "Pending")
    assert pending["status"]["settled"] is False
    assert either.condition(name, "Approved")["message"] == "needs 1 approval from Group leads"
    assert not either.binding(name), "nothing is bound before the approval"

    either.decide("bob", "approve", name, "go ahead")
    status = either.until(name, "Active")["status"]
    assert parse_time(status["expiresAt"]) - parse_time(status["grantedAt"]) == timedelta(hours=1)
    assert [(a["by"], a["note"]) for a in status["approvals"]] == [("bob", "go ahead")]
    assert either.kubectl("wait", "--for=condition=Granted", f"accessrequest/{name}", user="alice")
    binding = eventually(lambda: either.binding(name), "the binding, which is made after the record")
    assert binding
    assert binding["roleRef"]["name"] == "view"
    assert [(s["kind"], s["name"]) for s in binding["subjects"]] == [("User", "alice")]
    assert status["bindingRef"] == {"name": binding["metadata"]["name"]}, "recorded before it is made"
    eventually(lambda: either.may("alice", "list", "pods"), "alice may list pods")
    assert not either.may("alice", "delete", "pods"), "view gives no more than view"

    either.decide("alice", "revoke", name, "done")
    status = either.until(name, "Revoked")["status"]
    assert status["settled"] is True
    assert [(entry["state"], entry["reason"], entry.get("by")) for entry in status["history"]] == [
        ("Pending", "Requested", "alice"),
        ("Pending", "Approved", "bob"),
        ("Active", "Granted", None),
        ("Revoked", "RevokedByRequester", "alice"),
    ]
    assert not either.binding(name), "the binding is gone"
    eventually(lambda: not either.items("jobs"), "the Job is gone, which goes after the record")
    eventually(lambda: not either.may("alice", "list", "pods"), "alice may no longer list pods")


def test_an_approved_request_gives_access_for_exactly_the_time(either: Team) -> None:
    def begun(duration: str) -> tuple[Team, str, str, int] | None:
        team = new_team(either.system, stamped=either.stamped)
        team.policy()
        start = team.plane.audit_position()
        name = team.granted_for(duration)
        return (team, name, duration, start) if name else None

    team, name, duration, start = while_it_lasts(begun)
    status = team.until(name, "Expired")["status"]
    assert status["settled"] is True
    assert parse_time(status["expiresAt"]) - parse_time(status["grantedAt"]) == parse_duration(duration)
    assert parse_time(status["settledAt"]) >= parse_time(status["expiresAt"]), "it was given all of its time"
    assert [(entry["state"], entry["reason"], entry.get("by")) for entry in status["history"]] == [
        ("Pending", "Requested", "alice"),
        ("Pending", "Approved", "bob"),
        ("Active", "Granted", None),
        ("Expired", "DurationElapsed", None),
    ]
    assert bindings_written(team, start) == ["create", "delete"], "there was a binding meanwhile"
    assert not team.binding(name), "the binding is gone"
    eventually(lambda: not team.items("jobs"), "the Job is gone, which goes after the record")
    eventually(lambda: not team.may("alice", "list", "pods"), "alice may no longer list pods")


def bindings_written(team: Team, since: int) -> list[str]:
    """What was done to the RoleBindings of this namespace since then, by the audit log, dry runs aside."""
    events = [event for event in team.plane.audit_events(since) if "dryRun" not in event["requestURI"]]
    refs = [(event["verb"], event.get("objectRef") or {}) for event in events]
    here = {"resource": "rolebindings", "namespace": team.namespace}.items()
    return [verb for verb, ref in refs if here <= ref.items() and verb in ("create", "update", "patch", "delete")]
