"""What the server's objects say, read without any code of the operator."""

from datetime import datetime, timedelta
from typing import Any

from unit.protocol.server import BINDINGS, POLICIES, REQUESTS, T0, Object, Server


def access(server: Server) -> list[Object]:
    """The bindings that give something to somebody."""
    return [found for (plural, *_), found in server.objects.items() if plural == BINDINGS and found.get("subjects")]


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


def approvals_of(request: Object) -> set[str]:
    """Who has approved."""
    ledger = (request["metadata"].get("annotations") or {}).get("jitaccess.dev/approvals", "")
    return {line.partition(": ")[0] for line in ledger.split("\n")[:-1]}


def request_uid(binding: Object) -> str:
    """The UID of the request that a binding was made for."""
    return str(binding["metadata"]["labels"]["jitaccess.dev/request-uid"])


def seconds(text: str) -> float:
    """A time of the API as seconds since T0."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - T0) / timedelta(seconds=1)
