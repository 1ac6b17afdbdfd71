"""One thing that one place is to be told, and by what it is known once it has been."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.notices import REPEATED, Occasion
from jitaccess.domain.recorded import Entry
from jitaccess.domain.text import format_time
from jitaccess.manifests.resources import Resource
from jitaccess.publish.notify.channels import Address


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice with the request as it is recorded; `due` is when it happened, or by the clock should be told."""

    resource: Resource
    request: AccessRequest
    occasion: Occasion
    address: Address
    due: datetime
    entry: Entry | None = None

    @property
    def mark(self) -> str:
        """What it is remembered by; equal for the same notice whoever makes it, and for no other."""
        return mark_of(self.request.uid, self.occasion, self.address.channel, self.entry)


def mark_of(uid: str, occasion: Occasion, channel: str, entry: Entry | None = None) -> str:
    """16 hex digits: of what can happen once by that alone, of what can happen again by its entry too."""
    again = (format_time(entry.at), entry.reason, entry.by) if entry and occasion in REPEATED else ()
    text = "\n".join((uid, occasion.value, channel, *again))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
