"""Policies that name a channel which there is not, or not for them: said once on the policy, for it is in force all the same."""

import logging

from jitaccess.manifests.kinds import POLICY_KINDS
from jitaccess.publish.events import Announcer, News
from jitaccess.publish.notify.channels import Channels, unheard
from jitaccess.workqueue.store import Store

log = logging.getLogger(__name__)


class Unheard:
    """Looks at all policies, and says of each what is new."""

    def __init__(self, store: Store, announcer: Announcer) -> None:
        self._store = store
        self._announcer = announcer
        self._said: dict[str, tuple[str, ...]] = {}  # by the policy's UID

    def look(self, channels: Channels) -> None:
        """Say what is wrong with the channels that policies name."""
        said: dict[str, tuple[str, ...]] = {}
        for kind in POLICY_KINDS:
            policies = self._store.policies[kind.resource]
            for policy in filter(None, map(policies.get, policies.all())):
                if faults := unheard(channels, policy):
                    said[policy.uid] = faults
                if faults and self._said.get(policy.uid) != faults:
                    words = f"not everybody is told whom it names: {'; '.join(faults)}"
                    log.warning("%s: %s", policy.ref, words, extra={"policy": str(policy.key)})
                    self._announcer.tell(News(kind.resource, policy.key, policy.uid, "ChannelUnknown", words, warning=True))
        self._said = said
