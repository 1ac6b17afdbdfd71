"""Records, Jobs and bindings exactly as the operator would write them, by its own pure code; the clock is whatever one says."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bench.calls import Client, Object
from jitaccess.domain.circumstances import Circumstances
from jitaccess.domain.lifecycle import decide
from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.recorded import ObjectRef, Recorded
from jitaccess.domain.recording import Delivery, Outcome, next_step
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.verdicts import Grant, grant_of
from jitaccess.manifests.grant import COMPONENT, binding_manifest, grant_name, job_manifest
from jitaccess.manifests.kinds import ACCESS_REQUEST
from jitaccess.manifests.resources import JOBS, REQUESTS, ROLE_BINDINGS
from jitaccess.manifests.status import on_top_of, request_status


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request is decided by."""

    policy: AccessPolicy
    role: ShownRole

    def record(self, request: AccessRequest, now: datetime, job: ObjectRef | None = None) -> Recorded:
        """The record that the operator would write at that moment."""
        verdict = decide(request, self.policy, now, Circumstances(self.role))
        name = ObjectRef(grant_name(request.key, request.uid))
        delivery = Delivery(name, job) if verdict.grant else None
        return next_step(request, Outcome(verdict, self.policy, self.role, delivery), now).recorded


def grant_from(request: AccessRequest, since: datetime) -> Grant:
    """The grant of a request that begins at that moment."""
    return grant_of(request, since, since + request.duration)


async def make_job(client: Client, grant: Grant, lasts: timedelta, component: str = "grant") -> ObjectRef:
    """Make the Job of a grant."""
    manifest = _labelled(job_manifest(ACCESS_REQUEST, grant, lasts), component)
    made = await client.call("POST", JOBS.path(namespace=grant.request.namespace), manifest)
    return ObjectRef(made["metadata"]["name"], made["metadata"]["uid"])


async def make_binding(client: Client, grant: Grant, job: ObjectRef, component: str = "grant") -> None:
    """Make the binding of a grant."""
    manifest = _labelled(binding_manifest(ACCESS_REQUEST, grant, job), component)
    await client.call("POST", ROLE_BINDINGS.path(namespace=grant.request.namespace), manifest)


async def write_record(client: Client, request: AccessRequest, recorded: Recorded, **instead: Any) -> AccessRequest:
    """Write a record as the operator does, on top of the one that is known; `instead` are fields of the status to change."""
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": request.uid},
        on_top_of(request.recorded),
        {"op": "add", "path": "/status", "value": request_status(recorded) | instead},
    ]
    await client.call("PATCH", REQUESTS.path(request.key, subresource="status"), patch, patch="json")
    return replace(request, recorded=recorded)


def _labelled(manifest: Object, component: str) -> Object:
    """The manifest with another component: what the operator takes for its own carries `grant`."""
    manifest["metadata"]["labels"][COMPONENT] = component
    return manifest
