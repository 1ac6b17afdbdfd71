"""Policies that name a channel which there is not, or not for them: said on the policy, which is in force all the same."""

import asyncio
import logging
from collections.abc import Callable

from jitaccess.domain.model import AccessPolicy
from jitaccess.domain.notices import CHANNELS_FOUND
from jitaccess.domain.recorded import condition_of
from jitaccess.manifests.kinds import POLICY_KINDS
from jitaccess.publish.events import Announcer, News
from jitaccess.publish.notify.channels import Channels, channels_found
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store

LOOK_SECONDS = 10.0
log = logging.getLogger(__name__)


class Unheard:
    """Looks at all policies, says of each what is new, and has those looked at whose condition says otherwise."""

    def __init__(self, store: Store, announcer: Announcer, schedule: Schedule) -> None:
        self._store = store
        self._announcer = announcer
        self._schedule = schedule
        self._said: dict[str, str] = {}  # by the policy's UID

    async def run(self, known: Callable[[], Channels | None], leads: Callable[[], bool]) -> None:
        """Look now and then, for ever, while this replica leads and the channels are known."""
        while True:
            if leads() and (channels := known()) is not None:
                self.look(channels)
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, channels: Channels) -> None:
        """Say what is wrong with the channels that policies name."""
        said: dict[str, str] = {}
        for kind in POLICY_KINDS:
            for policy in list(self._store.policies[kind.resource].each()):
                status, _, words = channels_found(channels, policy).get(CHANNELS_FOUND, ("", "", ""))
                if status and _recorded(policy) not in ((status, words), None):
                    self._schedule.soon(Target(kind.resource, policy.key))
                if status != "False":
                    continue
                said[policy.uid] = words
                if self._said.get(policy.uid) != words:
                    log.warning("%s: %s", policy.ref, words, extra={"policy": str(policy.key)})
                    self._announcer.tell(News(kind.resource, policy.key, policy.uid, "ChannelUnknown", words, warning=True))
        self._said = said


def _recorded(policy: AccessPolicy) -> tuple[str, str] | None:
    """What the condition says; None where a look at the policy is to come anyway."""
    if policy.recorded.generation != policy.generation:
        return None
    found = condition_of(policy.recorded.conditions, CHANNELS_FOUND)
    return (found.status, found.message) if found else ("", "")
