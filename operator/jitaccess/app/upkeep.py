"""What the operator does for ever beside its watching: check the installation and the clock, sweep, and retire old requests."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from jitaccess.domain.model import Key
from jitaccess.kube.api import Conflict, Outage, Refused
from jitaccess.kube.clock import Clock
from jitaccess.manifests.kinds import POLICY_KINDS, REQUEST_KINDS, RequestKind
from jitaccess.manifests.resources import LOCKS, Resource, reviews_of
from jitaccess.reconcile.comparing import LiveReads, apply, compare
from jitaccess.reconcile.recorder import Tools
from jitaccess.reconcile.retention import remove_old
from jitaccess.reconcile.sweep import sweep_locks, sweep_policies
from jitaccess.workqueue.schedule import Target
from jitaccess.workqueue.store import Open

CHECK_SECONDS, RECHECK_SECONDS = 60.0, 3.0
FIRST_RETIRE_SECONDS, RETIRE_SECONDS, RETRY_RETIRE_SECONDS = 600.0, 3600.0, 30.0
RETRY_SWEEP_SECONDS = 10.0
SETTLE_SECONDS = 5.0  # a burst of listed objects is over when none came for that long
SKEW_SECONDS = 2.0  # what a machine's clock may be off before anybody is told
SKEW_STEP_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Habits:
    """How often, and for how long."""

    retention: timedelta
    sweep_every: timedelta


class Upkeep:
    """The tasks that run for ever; what writes does so only while `leads` says so."""

    def __init__(self, tools: Tools, clock: Clock, leads: Callable[[], bool], habits: Habits) -> None:
        self._tools = tools
        self._cluster = tools.cluster
        self._installation = tools.installation
        self._clock = clock
        self._leads = leads
        self._habits = habits
        self._relisted = asyncio.Event()
        self._won = asyncio.Event()
        self._suspect = asyncio.Event()
        self._listed_at = self._compared_from = 0.0
        self._told_skew = 0.0

    def relisted(self) -> None:
        """Something was listed, or an object of a list was heard of: what changed or vanished before is for a sweep to find."""
        self._listed_at = time.monotonic()
        self._relisted.set()

    def won(self) -> None:
        """Begin to lead: every end that we know of is planned at once, what waits is looked at, and the rest is compared.

        Looking at everything would take a minute for ten thousand grants; comparing takes seconds, and holds up nothing new.
        """
        for resource, requests in self._tools.store.requests.items():
            requests.distrust()
            requests.tally.reset()
            for key, known in requests.all():
                if known.until:
                    self._tools.schedule.at(Target(resource, key), known.until)
        # Before all else: what they end must not wait for the comparison.
        self._tools.store.locks.distrust()
        for name in self._tools.store.locks.names():
            self._tools.schedule.soon(Target(LOCKS, Key("", name)))
        self.look_at_what_waits()
        for resource, reviews in self._tools.store.reviews.items():
            for key in reviews.all():
                self._tools.schedule.soon(Target(reviews_of(resource), key))
        for policies in self._tools.store.policies.values():
            policies.heed_all()
        self._tools.schedule.wake()
        self._won.set()

    def reinstalled(self) -> None:
        """Something about the installation has changed: check it now, and look at what it may have taken along."""
        self._suspect.set()
        self.look_at_all_requests()

    def look_at_all_requests(self) -> None:
        """Look at every open request as soon as possible."""
        for resource in self._tools.store.requests:
            self._look_at_requests(resource)

    def _look_at_requests(self, resource: Resource) -> None:
        requests = self._tools.store.requests[resource]
        requests.distrust()
        for key, _ in requests.all():
            self._tools.schedule.soon(Target(resource, key))

    def _look_at_all_policies(self) -> None:
        for resource, policies in self._tools.store.policies.items():
            for key in policies.all():
                self._tools.schedule.soon(Target(resource, key))

    def look_at_what_waits(self) -> None:
        """Look at every open request that, by what is on it, may wait for us."""
        self._look_at(lambda known: known.waits)

    def _look_at(self, wanted: Callable[[Open], bool]) -> None:
        for resource, requests in self._tools.store.requests.items():
            for key, known in requests.all():
                if wanted(known):
                    self._tools.schedule.soon(Target(resource, key))

    # --- the installation and the clock

    async def check_for_ever(self) -> None:
        """Check the installation, more often while something is wrong with it, and the machine's clock."""
        while True:
            await self._check()
            self._check_clock()
            await _set_within(self._suspect, RECHECK_SECONDS if self._installation.problems else CHECK_SECONDS)
            self._suspect.clear()

    async def _check(self) -> None:
        try:
            changed = await self._installation.check(self._cluster)
        except Outage as error:
            log.warning("cannot check the installation: %s", error)
            return
        if changed and self._installation.problems:
            problems = self._installation.problems
            log.error("nothing is granted: %s", "; ".join(problems), extra={"problems": list(problems)})
        elif changed:
            log.info("the installation is complete", extra={"components": sorted(self._installation.components or ())})
            self.look_at_what_waits()
            self._look_at_all_policies()

    def _check_clock(self) -> None:
        skew = self._clock.skew
        if abs(skew - self._told_skew) <= SKEW_STEP_SECONDS:
            return
        if remark := skew_in_words(skew):
            log.warning("%s: set it, for the log's sake; grants go by the API server's", remark, extra={"skew_seconds": skew})
        elif self._told_skew:
            log.info("the clock of this machine agrees with the API server's again")
        self._told_skew = skew if remark else 0.0

    # --- comparing

    async def take_over_for_ever(self) -> None:
        """Each time that we begin to lead: compare everything, with what policies and roles allow now."""
        while True:
            await self._won.wait()
            self._won.clear()
            if self._leads() and not await self.sweep(thorough=True):
                self.look_at_all_requests()  # the long way, and each look is tried until it succeeds
                self.relisted()  # what we do not even know of is for a sweep, and soon

    async def sweep_for_ever(self) -> None:
        """Look for what no event told of, every now and then and after each burst of listed objects."""
        failures, usual = 0, self._habits.sweep_every / timedelta(seconds=1)
        while True:
            await _set_within(self._relisted, next_try(failures, RETRY_SWEEP_SECONDS, usual))
            relisted = self._relisted.is_set()
            await self._quiet(usual)
            if not self._leads():
                failures = 0  # who begins to lead compares everything
            elif failures or not relisted or self._listed_at >= self._compared_from:
                failures = 0 if await self.sweep() else failures + 1

    async def _quiet(self, patience: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):  # no listing without end keeps a sweep from coming when it would anyway
                while self._relisted.is_set():
                    self._relisted.clear()
                    await asyncio.sleep(SETTLE_SECONDS)

    async def sweep(self, *, thorough: bool = False) -> bool:
        """Compare everything once; False if some part of it could not be done. No part keeps another from being done."""
        tools, done, began = self._tools, [], time.monotonic()
        for kind in REQUEST_KINDS:
            table = tools.table.for_access(everywhere=kind.everywhere)
            reads = LiveReads(self._cluster, table) if thorough else None
            done.append(await _put_off("comparing requests", self._compare(kind, reads)))
        for policy_kind in POLICY_KINDS:
            sweeping = sweep_policies(self._cluster, policy_kind, tools.store, tools.schedule)
            done.append(await _put_off("looking at policies", sweeping))
        done.append(await _put_off("looking at locks", sweep_locks(self._cluster, tools.store, tools.schedule)))
        if all(done):
            self._compared_from = max(began, self._compared_from)
        return all(done)

    async def _compare(self, kind: RequestKind, reads: LiveReads | None) -> None:
        if kind.component and not self._installation.has(kind.component):
            return self._look_at_requests(kind.resource)  # their bindings cannot be listed: each look says what it cannot do
        count = self._tools.publisher.metrics.leftover
        difference = await compare(self._cluster, kind, self._clock.now, reads, count)
        apply(difference, kind, self._tools.store, self._tools.schedule)

    # --- retention

    async def retire_for_ever(self) -> None:
        """Remove the requests that are past their retention, every hour, not while we start; soon again where that failed."""
        failures = 0
        await asyncio.sleep(min(FIRST_RETIRE_SECONDS, self._habits.retention / timedelta(seconds=1)))
        while True:
            if self._leads():
                failures = 0 if await self._retire() else failures + 1
            await asyncio.sleep(next_try(failures, RETRY_RETIRE_SECONDS, RETIRE_SECONDS))

    async def _retire(self) -> bool:
        now, retention, exported = self._clock.now(), self._habits.retention, self._tools.audit.exported
        removals = [remove_old(self._cluster, kind.resource, retention, now, exported) for kind in REQUEST_KINDS]
        removals.append(remove_old(self._cluster, LOCKS, retention, now))
        return all([await _put_off("removal of settled requests", removal) for removal in removals])


def next_try(failures: int, soon: float, usual: float) -> float:
    """Seconds until the next try: as many as usual, but soon where the last one failed, and less soon each time that it does."""
    return min(soon * 2.0 ** min(failures - 1, 16), usual) if failures else usual


def skew_in_words(skew: float) -> str:
    """What is to be said about a machine's clock; nothing while it is nearly right."""
    if abs(skew) <= SKEW_SECONDS:
        return ""
    return f"the clock of this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the API server's"


async def _put_off(what: str, work: Awaitable[object]) -> bool:
    """Do it; False if the API server does not let us, which is told."""
    try:
        await work
    except (Outage, Refused, Conflict) as error:
        log.warning("%s put off: %s", what, error)
        return False
    return True


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    # Not wait_for: it makes a task each time.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
