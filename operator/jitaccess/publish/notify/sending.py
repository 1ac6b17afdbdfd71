"""Sending one message to one place: over Apprise in a process of its own, or as a signed webhook from here."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from jitaccess.domain.model import AccessPolicy, PolicyRef
from jitaccess.domain.notices import REQUESTER
from jitaccess.manifests.cloudevent import CONTENT_TYPE, Event, canonical
from jitaccess.publish.notify.channels import Address, Channels
from jitaccess.publish.notify.child import Child
from jitaccess.publish.notify.outbox import Parcel
from jitaccess.publish.notify.robots import event_of, test_event
from jitaccess.publish.notify.verdicts import TAKEN, Fate, Sent
from jitaccess.publish.webhook import Endpoint, NotSent, Webhook
from jitaccess.publish.webhook import Message as Signed
from jitaccess.wording.folding import folded
from jitaccess.wording.messages import Message, message
from jitaccess.wording.titles import Told

TEST = "Somebody tries whether messages arrive here. There is nothing to do."
GONE = Sent(Fate.UNKNOWN, "the channel is not configured any more")


class Senders:
    """Sends parcels to the places of the configuration that is in force."""

    def __init__(self, child: Child, policy: Callable[[PolicyRef], AccessPolicy | None]) -> None:
        self.channels = Channels({})
        self._child = child
        self._policy = policy
        self._webhooks: dict[Endpoint, Webhook] = {}

    async def send(self, address: Address, parcel: Parcel, cluster: str, now: datetime) -> Sent:
        """Send one parcel, once."""
        if address.channel == REQUESTER:
            own = self.channels.requesters
            return await self._apprise(mail_to(own.apprise, address.person), parcel, now) if own else GONE
        channel = self.channels.channels.get(address.channel)
        if channel is None:
            return GONE
        if channel.webhook:
            return await self._signed(channel.webhook, parcel, cluster)
        return await self._apprise(channel.apprise, parcel, now)

    async def test(self, channel: str, person: str, number: str, now: datetime) -> Sent:
        """Send a message that is about nothing; `number` tells it from others, to a program."""
        own = self.channels.requesters if channel == REQUESTER else None
        to = self.channels.channels.get(channel)
        if to and to.webhook:
            return await self._post(to.webhook, test_event(number, now))
        url = mail_to(own.apprise, person) if own else to.apprise if to else ""
        return await self._child.send(url, f"jitaccess: test of the channel {channel}", TEST) if url else GONE

    async def close(self) -> None:
        """Close what is open."""
        for webhook in self._webhooks.values():
            await webhook.close()
        self._webhooks.clear()
        await self._child.close()

    async def _apprise(self, url: str, parcel: Parcel, now: datetime) -> Sent:
        words = self._words(parcel, now)
        return await self._child.send(url, words.title, words.body)

    def _words(self, parcel: Parcel, now: datetime) -> Message:
        notice = parcel.single
        if notice is None:
            return folded(parcel.counts)
        request, own = notice.request, notice.address.channel == REQUESTER
        policy = self._policy(request.policy)
        return message(Told(notice.occasion, request, policy, notice.entry, own, self.channels.console), now)

    async def _signed(self, endpoint: Endpoint, parcel: Parcel, cluster: str) -> Sent:
        """Programs are told each by each; what was only counted they find in the exported record."""
        for notice in parcel.notices:
            sent = await self._post(endpoint, event_of(notice, cluster))
            if sent.fate is not Fate.TAKEN:
                return sent
        return TAKEN

    async def _post(self, endpoint: Endpoint, event: Event) -> Sent:
        webhook = self._webhooks.setdefault(endpoint, Webhook(endpoint))
        try:
            await webhook.send(Signed(str(event["id"]), canonical(event), CONTENT_TYPE))
        except NotSent as error:
            # It has an id by which the receiver drops what comes again, so what may have arrived may be sent again.
            return Sent(Fate.UNKNOWN if error.refused else Fate.REFUSED, str(error))
        return TAKEN


def mail_to(url: str, person: str) -> str:
    """The Apprise URL of a mail server with one person as the recipient."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in ("to", "cc", "bcc")]
    return urlunsplit(parts._replace(query=urlencode([*query, ("to", person)])))
