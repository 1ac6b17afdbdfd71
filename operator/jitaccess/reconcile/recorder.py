"""The record of one kind of request: written where something is new, remembered, told, and the next look planned."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.obstacles import OBSTACLES
from jitaccess.domain.recording import Outcome, Step, next_step
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.verdicts import Verdict
from jitaccess.kube.api import Cluster, Conflict, Outage
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import JOB_IMAGE
from jitaccess.manifests.kinds import RequestKind
from jitaccess.publish.audit.export import NOTHING_EXPORTED, Export
from jitaccess.publish.notify.channels import Channels
from jitaccess.publish.publisher import Publisher
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store, facts_of


@dataclass(frozen=True, slots=True)
class Tools:
    """What every reconciler works with."""

    cluster: Cluster
    store: Store
    schedule: Schedule
    publisher: Publisher
    installation: Installation
    now: Callable[[], datetime]
    job_image: str = JOB_IMAGE
    table: RiskTable = KNOWN
    audit: Export = NOTHING_EXPORTED
    channels: Callable[[], Channels | None] = lambda: None  # None: not known yet


class Recorder:
    """Writes the record of the requests of one kind."""

    def __init__(self, tools: Tools, kind: RequestKind) -> None:
        self._tools = tools
        self._kind = kind
        self._open = tools.store.requests[kind.resource]

    async def record(self, request: AccessRequest, outcome: Outcome) -> AccessRequest:
        """Write what is new, and publish it; returns the request as recorded. Conflict if it was recorded or deleted since."""
        return await self.write(request, next_step(request, outcome, self._tools.now()))

    async def write(self, request: AccessRequest, step: Step) -> AccessRequest:
        """Write the next record of a request; as above."""
        if step.recorded == request.recorded:
            return request
        self._open.expect(replace(request, recorded=step.recorded))
        try:
            written = await self._tools.cluster.record(self._kind.resource, request, step.recorded)
        except Outage:
            self._tools.audit.doubt(self._kind.resource, request)  # it may have been written
            raise
        if written is None:
            raise Conflict(f"{self._kind.resource.kind} {request.key} was deleted")
        self._open.remember(written, written.resource_version, written.state)
        self._open.tally.see(written)
        if facts_of(written) != facts_of(replace(request, recorded=written.recorded)):
            # Somebody decided between our reading and our writing; the event of that comes late, and would be no news any more.
            self._tools.schedule.soon(self.target(request.key))
        self._tools.publisher.publish(self._kind.resource, written, step.news)
        self._tools.audit.recorded(self._kind.resource, written, len(request.recorded.history))
        return written

    def plan(self, key: Key, verdict: Verdict) -> None:
        """Look again when the verdict says, or after a while if something is in the way."""
        if verdict.wake_at:
            self._tools.schedule.at(self.target(key), verdict.wake_at)
        if verdict.reason in OBSTACLES:
            self._tools.schedule.retry(self.target(key))
        else:
            self._tools.schedule.done(self.target(key))

    def forget(self, key: Key) -> None:
        """The request is settled or gone: nothing of it is remembered or planned any more.

        Another binding than its own, which was seen before that, is nobody's now.
        """
        self._open.forget(key)
        if another := self._open.take_another(key):
            self._tools.schedule.soon(Target(self._kind.binding, another))
        self._open.tally.forget(key)
        self._tools.schedule.forget(self.target(key))

    def target(self, key: Key) -> Target:
        """The request as the schedule knows it."""
        return Target(self._kind.resource, key)
