"""What the server's objects say, read without any code of the operator."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from unit.protocol.server import ACCOUNTS, BINDINGS, JOBS, POLICIES, REQUESTS, RIGHTS, SERVICE_ACCOUNTS, T0, Object, Server


def access(server: Server) -> list[Object]:
    """The bindings that give something: to a person, or to an account that there is, or that somebody may impersonate."""
    bindings = [found for (plural, where, _), found in server.objects.items() if plural == BINDINGS and where != ACCOUNTS]
    return [found for found in bindings if found.get("subjects") and _is_somebody(server, found["subjects"][0])]


def _is_somebody(server: Server, subject: Object) -> bool:
    """Nobody is asked whether an account exists that is impersonated; its tokens need it."""
    if subject["kind"] == "User":
        return True
    there = {plural: server.objects.get((plural, ACCOUNTS, subject["name"])) for plural in (SERVICE_ACCOUNTS, RIGHTS, BINDINGS)}
    may_impersonate = there[RIGHTS] and (there[BINDINGS] or {}).get("subjects")
    return bool(there[SERVICE_ACCOUNTS] or may_impersonate)


def job_behind(server: Server, binding: Object) -> str:
    """The UID of the Job that takes this access away; empty if there was none."""
    owner = binding["metadata"]["ownerReferences"][0]
    if owner["kind"] == "Job":
        return str(owner["uid"])
    status = (request_of(server, binding) or {}).get("status") or {}
    return str(status.get("jobRef", {}).get("uid", "")) if status.get("identity") else ""


def is_guarded(server: Server, binding: Object) -> bool:
    """Whether a Job takes this access away at its end, and nothing keeps it from doing so."""
    taken = [binding] if binding["subjects"][0]["kind"] == "User" else parts_of_identity(server, binding)
    kept = server.delete_protection or any(part["metadata"].get("finalizers") for part in taken)
    return bool(job_behind(server, binding)) and not kept


def left_over(server: Server) -> list[str]:
    """What should not be there once everything is over, and that nothing keeps."""
    ours = {name: found for name, found in server.objects.items() if name[0] in (JOBS, BINDINGS) or name[1] == ACCOUNTS}
    kept = [name for name, found in ours.items() if server.delete_protection or found["metadata"].get("finalizers")]
    return [f"{plural} {name}" for plural, where, name in ours if (plural, where, name) not in kept]


def parts_of_identity(server: Server, binding: Object) -> list[Object]:
    """The account that a binding gives something to, and the right to impersonate it."""
    name = binding["subjects"][0]["name"]
    return [found for (_, where, called), found in server.objects.items() if (where, called) == (ACCOUNTS, name)]


def requests(server: Server) -> list[Object]:
    """All requests."""
    return [found for (plural, *_), found in server.objects.items() if plural == REQUESTS]


def request_of(server: Server, binding: Object) -> Object | None:
    """The request that a binding was made for; None if it is gone."""
    uid = request_uid(binding)
    return next((request for request in requests(server) if uid_of(request) == uid), None)


def policy_of(server: Server, request: Object) -> Object | None:
    """The policy that a request names, as it is now."""
    name = request["spec"]["policyRef"]["name"]
    return server.objects.get((POLICIES, request["metadata"]["namespace"], name))


def uid_of(found: Any) -> str:
    """The UID of an object."""
    return str(found["metadata"]["uid"])


def approvals_of(request: Object) -> dict[str, set[str]]:
    """Who has approved, and in which stages; that of a policy without stages has no name."""
    given: dict[str, set[str]] = {}
    for ledger, text in (request["metadata"].get("annotations") or {}).items():
        if ledger.startswith("jitaccess.dev/approvals"):
            for line in text.split("\n")[:-1]:
                stage = ledger.removeprefix("jitaccess.dev/approvals").removeprefix(".")
                given.setdefault(line.partition(": ")[0], set()).add(stage)
    return given


def suffice(spec: Object, given: Mapping[str, set[str]]) -> bool:
    """Whether these approvals are what a policy asks for, each person counting in one stage."""
    stages = spec.get("stages") or [{"name": "", "required": spec.get("requiredApprovals", 1)}]
    return _taken([stage["name"] for stage in stages for _ in range(stage.get("required", 1))], given)


def _taken(places: Sequence[str], given: Mapping[str, set[str]]) -> bool:
    if not places:
        return True
    fit = [who for who, stages in given.items() if places[0] in stages]
    return any(_taken(places[1:], {each: given[each] for each in given if each != who}) for who in fit)


def request_uid(binding: Object) -> str:
    """The UID of the request that a binding was made for."""
    return str(binding["metadata"]["labels"]["jitaccess.dev/request-uid"])


def seconds(text: str) -> float:
    """A time of the API as seconds since T0."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - T0) / timedelta(seconds=1)


def start_of(request: Object) -> float:
    """When the access was to begin, as asked; 0 for as soon as it is approved."""
    start = request["spec"].get("startTime")
    return seconds(start) if start else 0.0
