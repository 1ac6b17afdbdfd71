"""An API server with requests in it, as the plugin's connection sees it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jitaccess.cli.api.errors import Invalid, NotFound


@dataclass
class Server:
    """What there is, and what was asked; one with a CRD from before requesters were selectable refuses to select by them."""

    me: str
    requests: list[dict[str, Any]]
    selects: bool = True
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    namespace: str = "team-a"
    allows: bool = False
    policies: list[dict[str, Any]] = field(default_factory=list)
    wide: list[dict[str, Any]] = field(default_factory=list)  # requests of the whole cluster
    patched: list[tuple[str, Any, bool]] = field(default_factory=list)

    def get(self, path: str, **query: Any) -> Any:
        """One object by its path, or all requests, whatever the selector; there are no roles."""
        selector = query.get("fieldSelector", "")
        self.asked.append(selector)
        if selector and not self.selects:
            raise Invalid("field label not supported: spec.requester")
        kind = path.rpartition("/")[2]
        if kind == "jitaccess.dev":
            return {"versions": [{"groupVersion": "jitaccess.dev/v1alpha1"}, {"groupVersion": "jitaccess.dev/v1"}]}
        if kind in ("accessrequests", "clusteraccessrequests", "accesspolicies", "events"):
            lists = {"accessrequests": self.requests, "clusteraccessrequests": self.wide, "events": self.events}
            items = {**lists, "accesspolicies": self.policies}[kind]
            return {"items": items, "metadata": {"resourceVersion": "1"}}
        named = {"accessrequests": self.requests, "accesspolicies": self.policies}
        found = [
            item for plural, items in named.items() for item in items if path.endswith(f"/{plural}/{item['metadata']['name']}")
        ]
        if not found:
            raise NotFound(f"there is nothing at {path}")
        return found[0]

    def now(self) -> datetime:
        """Its clock, which is right."""
        return datetime.now(UTC)

    def post(self, path: str, body: Any, **query: str) -> Any:
        """Whoever asks is me, and may do everything or nothing; what they make is as they would have it."""
        if "metadata" in body:
            return body
        return {"status": {"userInfo": {"username": self.me}, "allowed": self.allows}}

    def patch(self, path: str, body: Any, **query: str) -> Any:
        """The request as it would be; what was written is noted, and whether it was a dry run."""
        request = self.get(path)
        annotations = body["metadata"]["annotations"]
        self.patched.append((path.rpartition("/")[2], annotations, query.get("dryRun") == "All"))
        return request | {"metadata": request["metadata"] | {"annotations": annotations}}

    def stream(self, path: str, seconds: float, **query: str) -> Iterator[Any]:
        """Nothing changes, and it ends at once."""
        return iter(())
