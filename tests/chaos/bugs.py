"""The operator with bugs put into it, for the judge to find: `python bugs.py BUG,BUG run ...` runs `jitaccess run ...` so."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp

import jitaccess.app.command
import jitaccess.app.operator
import jitaccess.app.watchers
import jitaccess.domain.lifecycle
import jitaccess.domain.rules
import jitaccess.kube.clock
import jitaccess.reconcile.ending
import jitaccess.reconcile.requests
import jitaccess.workqueue.tally
from jitaccess.domain.usage import Usage
from jitaccess.reconcile.removal import NotEnded

# What is replaced by name has no types that could be kept.
COMMAND: Any = jitaccess.app.command
OPERATOR: Any = jitaccess.app.operator
WATCHERS: Any = jitaccess.app.watchers
CLOCK: Any = jitaccess.kube.clock
LIFECYCLE: Any = jitaccess.domain.lifecycle
REQUESTS: Any = jitaccess.reconcile.requests
RULES: Any = jitaccess.domain.rules
TALLY: Any = jitaccess.workqueue.tally
ENDINGS: Any = jitaccess.reconcile.ending.Endings


def record_after_binding() -> None:
    """Make the binding, and then record the grant."""
    begin = REQUESTS.RequestReconciler._begin

    async def bind_first(self: Any, facts: Any, guard: Any) -> None:
        verdict = REQUESTS.decide(facts.request, facts.policy, self._now(), facts.around)
        if verdict.grant:
            await self._grants.bind(verdict.grant, guard.job)
        await begin(self, facts, guard)

    REQUESTS.RequestReconciler._begin = bind_first


def later_end() -> None:
    """Each look at a grant that runs moves its end by a second."""
    decide = LIFECYCLE.decide

    def generous(request: Any, *facts: Any) -> Any:
        verdict = decide(request, *facts)
        if verdict.grant and request.state.value == "Active":
            later = replace(verdict.grant, expires_at=verdict.grant.expires_at + timedelta(seconds=1))
            return replace(verdict, grant=later)
        return verdict

    REQUESTS.decide = generous


def deaf_to_revocations() -> None:
    """A revocation of a grant that runs is not looked at."""
    LIFECYCLE._revoked = lambda *_: None


def called_over() -> None:
    """A binding that the API server keeps is taken for gone."""
    remove = ENDINGS._remove_binding

    async def optimist(self: Any, *what: Any) -> Any:
        try:
            return await remove(self, *what)
        except NotEnded:
            return None

    ENDINGS._remove_binding = optimist


def deaf_to_strays() -> None:
    """A binding that appears and that nobody of us has just made is left to the next sweep."""

    async def deaf(*_: Any) -> None:
        pass

    OPERATOR.end_stray = deaf


def watches_no_more() -> None:
    """What Kopf has stopped watching is not watched again."""

    async def trusting(self: Any, _: Any) -> str:
        self.problem = ""
        self.watching.set()
        await asyncio.Event().wait()
        return ""

    WATCHERS.Watchers._until_one_ends = trusting


def waits_for_ever() -> None:
    """A call that is never answered is never given up."""
    COMMAND.CALL_TIMEOUT = aiohttp.ClientTimeout(total=None)


def believes_its_clock() -> None:
    """It is as late as the machine says."""
    CLOCK.Clock.now = lambda _: CLOCK.utcnow()


def counts_nothing() -> None:
    """There is always room."""
    TALLY.Tally.usage = lambda *_: Usage()


def one_stage_is_enough() -> None:
    """Whoever approved, in whichever stage, suffices for all of them."""
    wanting = LIFECYCLE.wanting
    LIFECYCLE.wanting = lambda policy, approvals: () if approvals else wanting(policy, approvals)


def deaf_to_locks() -> None:
    """That a requester is locked speaks against nothing."""
    _drop(RULES._locked)


def deaf_to_suspensions() -> None:
    """That a policy is suspended speaks against nothing."""
    _drop(RULES._suspended)


def _drop(rule: Any) -> None:
    RULES.RULES = tuple(each for each in RULES.RULES if each is not rule)


BUGS: dict[str, Callable[[], None]] = {
    "record-after-binding": record_after_binding,
    "later-end": later_end,
    "deaf-to-revocations": deaf_to_revocations,
    "called-over": called_over,
    "deaf-to-strays": deaf_to_strays,
    "watches-no-more": watches_no_more,
    "waits-for-ever": waits_for_ever,
    "believes-its-clock": believes_its_clock,
    "counts-nothing": counts_nothing,
    "one-stage-is-enough": one_stage_is_enough,
    "deaf-to-locks": deaf_to_locks,
    "deaf-to-suspensions": deaf_to_suspensions,
}

if __name__ == "__main__":
    for name in sys.argv.pop(1).split(","):
        BUGS[name]()
    COMMAND.main()
