"""What somebody asks for, before it is a request."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.model import API_VERSION, AccessPolicy, AccessRequest, Key, Manifest, RoleRef
from jitaccess.domain.text import format_duration, format_time
from jitaccess.manifests.kinds import request_kind


@dataclass(frozen=True, slots=True)
class Wish:
    """A role under a policy, for how long, why, about which ticket (empty: none), and from when on (None: as soon as may be)."""

    policy: AccessPolicy
    role: RoleRef
    length: timedelta
    reason: str
    ticket: str = ""
    start: datetime | None = None

    def request(self, namespace: str, requester: str, now: datetime) -> AccessRequest:
        """As the operator would judge it."""
        key, under = Key(namespace, ""), self.policy.ref
        return AccessRequest(
            key, "", "", now, under, self.role, self.length, self.reason, requester, ticket=self.ticket, start=self.start
        )

    def manifest(self, key: Key, requester: str) -> Manifest:
        """The AccessRequest as the API server gets it."""
        return {
            "apiVersion": API_VERSION,
            "kind": request_kind(key.namespace).resource.kind,
            "metadata": {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {}),
            "spec": {
                "policyRef": {"kind": self.policy.ref.kind, "name": self.policy.ref.key.name},
                "roleRef": {"kind": self.role.kind, "name": self.role.name},
                "duration": format_duration(self.length),
                "reason": self.reason,
                "requester": requester,
                **({"ticket": self.ticket} if self.ticket else {}),
                **({"startTime": format_time(self.start)} if self.start else {}),
            },
        }
