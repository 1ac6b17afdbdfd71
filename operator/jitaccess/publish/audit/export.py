"""The record to every sink: what reconcilers and upkeep tell and ask, while each sink goes at its own pace."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.recorded import Entry
from jitaccess.domain.text import hour_of
from jitaccess.kube.api import Cluster
from jitaccess.kube.clock import uptime, utcnow
from jitaccess.manifests.checkpoint import CURSORS, OVERLAP
from jitaccess.manifests.resources import CONFIG_MAPS, Resource
from jitaccess.publish.audit.backlog import DOUBT, Waiting
from jitaccess.publish.audit.cursors import Cursors
from jitaccess.publish.audit.exporter import Exporter
from jitaccess.publish.audit.pace import USUAL_PACE, Pace, Standing
from jitaccess.publish.audit.sinks import HttpSink, LineSink, Sink
from jitaccess.publish.audit.trouble import Trouble
from jitaccess.publish.events import Announcer, News
from jitaccess.publish.metrics import Metrics
from jitaccess.publish.webhook import Endpoint
from jitaccess.workqueue.versions import version_of


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """A sink as it is configured: an endpoint, a file, or (neither) standard output."""

    name: str
    endpoint: Endpoint | None = None
    file: Path | None = None

    def make(self) -> Sink:
        """The sink itself."""
        return HttpSink(self.endpoint) if self.endpoint else LineSink(self.file)


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What is exported where; `required`: no access begins unless every sink took the record of it."""

    sinks: tuple[SinkSpec, ...] = ()
    required: bool = False
    pace: Pace = USUAL_PACE


class Export:
    """All sinks; without any, everything counts as exported."""

    def __init__(self, exporters: Sequence[Exporter], now: Callable[[], datetime], *, required: bool = False) -> None:
        self.exporters = tuple(exporters)
        self.required = required
        self._now = now

    def won(self) -> None:
        """Begin to lead."""
        for exporter in self.exporters:
            exporter.begin()

    def recorded(self, resource: Resource, request: AccessRequest, start: int) -> None:
        """Its record was just written; the entries of the history from `start` on are new."""
        if len(request.recorded.history) > start:
            self._add(self._waiting(resource, request, start, version_of(request.resource_version)), request)

    def doubt(self, resource: Resource, request: AccessRequest) -> None:
        """A record was to be written on top of this one, and no answer came: see, after a while, whether it was."""
        version, start = version_of(request.resource_version), len(request.recorded.history)
        waiting = self._waiting(resource, request, start, version)
        self._add(replace(waiting, request=None, due=uptime() + DOUBT), request)

    def deleted(self, resource: Resource, gone: AccessRequest, words: str) -> None:
        """An open request was deleted, and its record with it: that is the end of its story, which nobody else tells."""
        history = gone.recorded.history
        end = Entry(self._now(), gone.state, "RequestDeleted", words)
        whole = replace(gone, recorded=replace(gone.recorded, history=(*history, end)))
        self._add(self._waiting(resource, whole, len(history), version_of(gone.resource_version)), gone)

    def exported(self, resource_version: str) -> bool:
        """Whether every sink has taken what was on record up to that version."""
        return all(exporter.exported(version_of(resource_version)) for exporter in self.exporters)

    def away(self) -> str:
        """Why no access may begin now, as far as sinks are concerned; empty if it may."""
        return next((why for why in map(_why, self.exporters) if why), "") if self.required else ""

    def why_not(self, uid: str) -> str:
        """Why some sink does not take what is on record of a request; empty if nothing speaks against it."""
        return next((f"audit sink {each.name}: {why}" for each in self.exporters if (why := each.why_not(uid))), "")

    def standing(self, resource: Resource, key: Key, uid: str) -> Standing:
        """Whether every sink has taken all that is on record of a request; TAKEN where that is not required."""
        if not self.required:
            return Standing.TAKEN
        waiting = Waiting(resource, key, uid, 0, 0, "")
        standings = [exporter.standing(waiting) for exporter in self.exporters]
        return max(standings, key=lambda standing: standing.value, default=Standing.TAKEN)

    def remarks(self) -> tuple[str, ...]:
        """What is to be said about the sinks beside the operator's health."""
        return tuple(f"; {why}" for why in map(_why, self.exporters) if why)

    def _waiting(self, resource: Resource, request: AccessRequest, start: int, version: int) -> Waiting:
        since = hour_of(self._now() - OVERLAP)
        return Waiting(resource, request.key, request.uid, start, max(version, 0), since, request)

    def _add(self, waiting: Waiting, request: AccessRequest) -> None:
        for exporter in self.exporters:
            exporter.add(waiting, version_of(request.resource_version))


def _why(exporter: Exporter) -> str:
    return f"audit sink {exporter.name}: {exporter.trouble.why}" if exporter.trouble.why else ""


def make_export(
    options: AuditOptions,
    cluster: Cluster,
    leads: Callable[[], bool],
    now: Callable[[], datetime],
    announcer: Announcer,
    metrics: Metrics,
) -> Export:
    """The sinks as they are configured."""
    cursors = Cursors(cluster, leads)
    pace = replace(options.pace, linger=0.0) if options.required else options.pace

    def tell(reason: str, message: str, warning: bool) -> None:
        announcer.tell(News(CONFIG_MAPS, CURSORS, cursors.uid, reason, message, warning))

    made = [
        Exporter(spec.name, spec.make(), cluster, cursors, Trouble(spec.name, tell), now, pace, metrics) for spec in options.sinks
    ]
    return Export(made, now, required=options.required)


NO_AUDIT = AuditOptions()
NOTHING_EXPORTED = Export((), utcnow)
