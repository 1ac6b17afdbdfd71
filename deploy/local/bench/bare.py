"""The bare client: the operator's writes, with the operator's rights, and nothing else.

Its requests are settled from the start, so that the operator, which may run beside, does not look at them.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from bench.asking import ask, binding_of
from bench.calls import at_once
from bench.records import Rules, grant_from, make_binding, make_job, write_record
from bench.stage import ASKED, HOME, Stage
from jitaccess.domain.model import AccessRequest, Decision, Key
from jitaccess.domain.recorded import ObjectRef, Recorded
from jitaccess.manifests.resources import JOBS, REQUESTS, ROLE_BINDINGS

_APPROVED = (Decision("bob", "benchmark"),)
_UNSEEN = {"state": "Expired", "settled": True}


@dataclass
class BareLife:
    """One life of a grant without the operator."""

    stage: Stage
    request: AccessRequest
    rules: Rules
    job: ObjectRef | None = None
    active: Recorded | None = None

    @property
    def name(self) -> str:
        """The name of its binding and of its Job."""
        return binding_of(self.request)

    async def grant(self, *, record: bool = True) -> None:
        """The Job, then the record, then the binding: what the operator writes for a grant."""
        grant = grant_from(self.request, datetime.now(UTC))
        self.job = await make_job(self.stage.bare, grant, self.request.duration, "bare")
        if record:
            await self.record()
        await make_binding(self.stage.bare, grant, self.job, "bare")

    async def record(self) -> None:
        """The record of the grant alone."""
        self.active = self.rules.record(self.request, datetime.now(UTC), self.job)
        written = replace(self.active, revision=self.request.recorded.revision + 1)
        self.request = await write_record(self.stage.bare, self.request, written, **_UNSEEN)

    async def unbind(self) -> None:
        """Delete the binding: what ends the access."""
        path = ROLE_BINDINGS.path(Key(self.request.key.namespace, self.name))
        await self.stage.bare.call("DELETE", path, gone_is_fine=True)

    async def settle(self) -> None:
        """The record of the end, then the Job goes."""
        if self.active and self.active.expires_at:
            recorded = self.rules.record(replace(self.request, recorded=self.active), self.active.expires_at)
            await write_record(self.stage.bare, self.request, replace(recorded, revision=self.request.recorded.revision + 1))
        await self.stage.bare.call(
            "DELETE", JOBS.path(Key(self.request.key.namespace, self.name)), _BACKGROUND, gone_is_fine=True
        )

    async def note(self) -> None:
        """A patch of an annotation, through the same admission as an approval: bare requests cannot be decided."""
        patch = {"metadata": {"annotations": {"example.com/note": "benchmark"}}}
        await self.stage.alice.call("PATCH", REQUESTS.path(self.request.key), patch)


_BACKGROUND = {"propagationPolicy": "Background"}


async def bare_lives(stage: Stage, prefix: str, count: int, space: str = HOME) -> list[BareLife]:
    """Make requests for bare lives; the operator must not run meanwhile."""
    rules = Rules(stage.policies[space, ASKED], stage.shown)
    return await at_once([partial(_prepared, stage, rules, f"{prefix}-{number}", space) for number in range(count)])


async def _prepared(stage: Stage, rules: Rules, name: str, space: str) -> BareLife:
    request = await ask(stage, name, space=space)
    recorded = rules.record(request, datetime.now(UTC))
    request = await write_record(stage.bare, request, recorded, **_UNSEEN)
    return BareLife(stage, replace(request, approvals=_APPROVED), rules)
