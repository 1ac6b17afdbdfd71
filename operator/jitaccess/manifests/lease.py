"""What a Lease tells: who holds it, and from when on it may be taken. Judged by change on our own clock, never by its times."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from jitaccess.domain.model import Key, Manifest
from jitaccess.manifests.resources import LEASES

LEASE = Key("jitaccess-system", "jitaccess")
DURATION = 8  # seconds without a renewal after which anybody may take it


@dataclass(frozen=True, slots=True)
class Observed:
    """The Lease as we last saw it; `version` is empty while there is none."""

    changed_at: float  # on our own clock
    version: str = ""
    spec: Manifest = field(default_factory=dict)

    @property
    def holder(self) -> str:
        """The identity of who holds it; empty if nobody does."""
        return str(self.spec.get("holderIdentity") or "")

    @property
    def free_at(self) -> float:
        """From when on anybody may take it, if nothing changes until then."""
        return self.changed_at + float(self.spec.get("leaseDurationSeconds") or DURATION) if self.holder else self.changed_at

    def then(self, lease: Manifest | None, now: float) -> "Observed":
        """What we know after another look. A Lease that somebody deleted still binds: its holder may not know yet."""
        if lease is None:
            return replace(self, version="", changed_at=now) if self.version else self
        version = lease["metadata"]["resourceVersion"]
        return self if version == self.version else Observed(now, version, lease.get("spec") or {})

    def manifest(self, holder: str, now: datetime) -> Manifest:
        """The Lease as that holder writes it, on top of exactly what we saw."""
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changes = {"holderIdentity": holder, "leaseDurationSeconds": DURATION, "renewTime": stamp}
        if holder not in ("", self.holder):
            changes |= {"acquireTime": stamp, "leaseTransitions": int(self.spec.get("leaseTransitions") or 0) + 1}
        metadata = {"name": LEASE.name, "namespace": LEASE.namespace}
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata | ({"resourceVersion": self.version} if self.version else {}),
            "spec": {**self.spec, **changes},
        }
