"""The API server's audit log, for tests that count writes or prove who was allowed what and why."""

import json
from pathlib import Path
from typing import Any

# Everything except health checks, without bodies, once per request, when the answer has been sent.
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
- level: Metadata
"""


def read_events(path: Path, start: int = 0) -> list[dict[str, Any]]:
    """Return the events from byte `start` on; a line that is still being written is left out, as is one that had begun before."""
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(max(0, start - 1))
        text = log.read()
    whole = text.partition(b"\n")[2] if start else text
    return [json.loads(line) for line in whole.split(b"\n")[:-1]]
