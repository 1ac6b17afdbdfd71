"""A request from the asking to its end, on both kinds of installation."""

from datetime import timedelta

from jitaccess.domain.text import parse_time
from team import Team, eventually


def test_an_approved_request_gives_exactly_the_role_for_exactly_the_time(either: Team) -> None:
    either.policy()
    assert not either.may("alice", "list", "pods"), "alice must not have access before"
    name = either.request("alice", duration="5s")
    pending = either.until(name, "Pending")
    assert pending["status"]["settled"] is False
    assert either.condition(name, "Approved")["message"] == "needs 1 approval from Group leads"
    assert not either.binding(name), "nothing is bound before the approval"

    either.decide("bob", "approve", name, "go ahead")
    status = either.until(name, "Active")["status"]
    assert parse_time(status["expiresAt"]) - parse_time(status["grantedAt"]) == timedelta(seconds=5)
    assert [(a["by"], a["note"]) for a in status["approvals"]] == [("bob", "go ahead")]
    assert either.kubectl("wait", "--for=condition=Granted", f"accessrequest/{name}", user="alice")
    binding = eventually(lambda: either.binding(name), "the binding, which is made after the record")
    assert binding
    assert binding["roleRef"]["name"] == "view"
    assert [(s["kind"], s["name"]) for s in binding["subjects"]] == [("User", "alice")]
    assert status["bindingRef"] == {"name": binding["metadata"]["name"]}, "recorded before it is made"
    eventually(lambda: either.may("alice", "list", "pods"), "alice may list pods")
    assert not either.may("alice", "delete", "pods"), "view gives no more than view"

    status = either.until(name, "Expired")["status"]
    assert status["settled"] is True
    assert [(entry["state"], entry["reason"], entry.get("by")) for entry in status["history"]] == [
        ("Pending", "Requested", "alice"),
        ("Pending", "Approved", "bob"),
        ("Active", "Granted", None),
        ("Expired", "DurationElapsed", None),
    ]
    assert not either.binding(name), "the binding is gone"
    eventually(lambda: not either.items("jobs"), "the Job is gone, which goes after the record")
    eventually(lambda: not either.may("alice", "list", "pods"), "alice may no longer list pods")
