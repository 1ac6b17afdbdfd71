"""The administrator's channels as values, and which of them is told of what: pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.notices import CHANNELS_FOUND, REQUESTER, Notify, Occasion
from jitaccess.domain.recorded import condition_of
from jitaccess.publish.webhook import Endpoint

PATIENCE = timedelta(minutes=10)  # after which a message would only confuse
# A user name that is a mail address, and no more than one: nothing of it can be read as another recipient or header.
_ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,62}[A-Za-z0-9])?@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Channel:
    """One place: an Apprise URL, or where webhooks go; and which namespaces may name it (None: all, and cluster-wide access)."""

    name: str
    apprise: str = field(default="", repr=False)
    webhook: Endpoint | None = None
    namespaces: tuple[str, ...] | None = None
    cluster_wide: bool = False

    def open_to(self, namespace: str) -> bool:
        """Whether requests there may be told of over this channel; the namespace is empty for cluster-wide access."""
        if self.namespaces is None:
            return True
        return any(fnmatchcase(namespace, each) for each in self.namespaces) if namespace else self.cluster_wide


@dataclass(frozen=True, slots=True)
class Requesters:
    """How people are told what became of their own requests: by mail, if their user name is an address in one of the domains."""

    apprise: str = field(repr=False)
    domains: frozenset[str]
    notify: Notify

    def address(self, user: str) -> str:
        """The address of a user; empty if they have none that may be written to."""
        found = _ADDRESS.fullmatch(user)
        return user if found and found[1].lower() in self.domains else ""


@dataclass(frozen=True, slots=True)
class Channels:
    """The whole configuration; `console` is a URL with {namespace} and {name}, empty for none."""

    channels: Mapping[str, Channel]
    requesters: Requesters | None = None
    defaults: tuple[Notify, ...] = ()
    console: str = ""
    patience: timedelta = PATIENCE

    @property
    def any(self) -> bool:
        """Whether there is anybody who could be told of anything."""
        return bool(self.channels or self.requesters)

    def wanted(self, policy: AccessPolicy | None) -> tuple[Notify, ...]:
        """Who is to be told under a policy: as it says, else by default; people of their own requests unless it says how."""
        named = self.defaults if policy is None or policy.notify is None else policy.notify
        own = () if self.requesters is None or any(each.channel == REQUESTER for each in named) else (self.requesters.notify,)
        return (*named, *own)


@dataclass(frozen=True, slots=True)
class Address:
    """Where one message goes: a channel, and of the channel `requester` which person."""

    channel: str
    person: str = ""

    def __str__(self) -> str:
        return f"{self.channel} {self.person}".rstrip()


NOBODY = Channels({})


def addresses(channels: Channels, request: AccessRequest, policy: AccessPolicy | None, occasion: Occasion) -> Iterator[Address]:
    """Who is told of something that happened to a request."""
    for notify in channels.wanted(policy):
        if notify.wants(occasion) and (address := address_of(channels, request, notify.channel)):
            yield address


def address_of(channels: Channels, request: AccessRequest, name: str) -> Address | None:
    """The place that a channel's name means for a request; None if there is none, or it may not be named there."""
    if name == REQUESTER:
        person = channels.requesters.address(request.requester) if channels.requesters else ""
        return Address(REQUESTER, person) if person else None
    channel = channels.channels.get(name)
    return Address(name) if channel and channel.open_to(request.key.namespace) else None


def unheard(channels: Channels, policy: AccessPolicy) -> tuple[str, ...]:
    """What is wrong with the channels that a policy names, in words, as far as it is known without a request."""
    return tuple(filter(None, (_fault(channels, policy.key.namespace, each.channel) for each in policy.notify or ())))


def channels_found(channels: Channels | None, policy: AccessPolicy) -> dict[str, tuple[str, str, str]]:
    """The condition ChannelsFound of a policy: status, reason, message.

    Nothing where it has never named a channel, or while the channels are not known (None): what is on record then stays.
    """
    if channels is None or not (policy.notify or condition_of(policy.recorded.conditions, CHANNELS_FOUND)):
        return {}
    if faults := unheard(channels, policy):
        return {CHANNELS_FOUND: ("False", "ChannelUnknown", f"not everybody is told whom it names: {'; '.join(faults)}")}
    return {CHANNELS_FOUND: ("True", "AllFound", "every channel that it names is there")}


def _fault(channels: Channels, namespace: str, name: str) -> str:
    if name == REQUESTER:
        return "" if channels.requesters else "nobody has set up mail to requesters"
    channel = channels.channels.get(name)
    if channel is None:
        return f"there is no channel {name}"
    # A policy for many namespaces is looked at for each request.
    return f"the channel {name} is not open to namespace {namespace}" if namespace and not channel.open_to(namespace) else ""
