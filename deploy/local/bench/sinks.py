"""Audit sinks that are all dead, each in its own way: what they cost who waits for access is measured with them."""

import json
import socket
from pathlib import Path

from controlplane.plane import ControlPlane

CURSORS = Path(__file__).resolve().parents[2] / "components" / "audit" / "cursors.yaml"


def dead_sinks(plane: ControlPlane) -> tuple[socket.socket, tuple[str, ...]]:
    """The operator's flags for three of them, and the socket on which nobody ever answers: to be kept, and closed."""
    plane.kubectl("apply", "-f", str(CURSORS))
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()[1]
    sinks = [
        {"name": "refusing", "url": f"http://127.0.0.1:{refusing}/"},
        {"name": "silent", "url": f"http://127.0.0.1:{silent.getsockname()[1]}/"},
        {"name": "nowhere", "file": str(plane.files.root / "no" / "such" / "folder" / "audit.jsonl")},
    ]
    path = plane.files.root / "dead-sinks.yaml"
    path.write_text(json.dumps({"sinks": sinks}))
    return silent, ("--audit-sinks", str(path))
