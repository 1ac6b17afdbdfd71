"""Requests as people make and approve them."""

from functools import partial

from bench.calls import Client, Object, at_once
from bench.stage import ASKED, HOME, ROLE, Stage
from bench.watching import Watcher
from jitaccess.domain.model import AccessRequest
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.resources import REQUESTS

LASTS = "8h"  # longer than any run


def body(name: str, policy: str = ASKED, duration: str = LASTS) -> Object:
    """A request as a person writes it."""
    spec = {"policyRef": {"name": policy}, "roleRef": {"kind": ROLE.kind, "name": ROLE.name}}
    return {
        "apiVersion": REQUESTS.api_version,
        "kind": REQUESTS.kind,
        "metadata": {"name": name},
        "spec": {**spec, "duration": duration, "reason": "a benchmark asks for access, in a sentence of a usual length"},
    }


async def ask(stage: Stage, name: str, policy: str = ASKED, duration: str = LASTS, space: str = HOME) -> AccessRequest:
    """Make one request as alice."""
    return parse_request(await stage.alice.call("POST", REQUESTS.path(namespace=space), body(name, policy, duration)))


async def ask_all(
    stage: Stage, names: list[str], requests: Watcher, duration: str = LASTS, space: str = HOME
) -> list[AccessRequest]:
    """Make many requests, and wait until each is on record as Pending."""
    made = await at_once([partial(ask, stage, name, duration=duration, space=space) for name in names])
    await requests.all("Pending", names)
    return made


async def approve(bob: Client, request: AccessRequest) -> None:
    """Approve one request as bob."""
    patch = {"metadata": {"annotations": {"jitaccess.dev/approve": "benchmark"}}}
    await bob.call("PATCH", REQUESTS.path(request.key), patch)


def binding_of(request: AccessRequest) -> str:
    """The name of the binding, and of the Job, of a request."""
    return grant_name(request.key, request.uid)
