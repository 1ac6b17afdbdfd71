"""Channels of which none answers: what granting and ending must not notice (`--dead-channels`)."""

import base64
import socket

import yaml

from system import ROOT, System

_MEMORY = ROOT / "deploy" / "components" / "notifications" / "memory.yaml"
_ALL = ["Requested", "Approved", "Scheduled", "Granted", "Ended", "Denied", "Withdrawn", "TimedOut", "Failed", "Incident"]


def dead_channels(system: System) -> tuple[str, ...]:
    """Set them up for every policy; returns the operator's flags."""
    folder = system.plane.files.root / "notifications"
    (folder / "secrets").mkdir(parents=True)
    key = "whsec_" + base64.b64encode(b"k" * 32).decode()
    closed = f"127.0.0.1:{_closed_port()}"
    files = {"chat": f"json://{closed}/", "robots-url": f"http://{closed}/", "robots-key": key}
    for name, text in files.items():
        (folder / "secrets" / name).write_text(text)
    channels = {"chat": {"apprise": "chat"}, "robots": {"webhook": {"url": "robots-url", "secret": "robots-key"}}}
    defaults = [{"channel": name, "when": _ALL, "warnBefore": "1m", "remindAfter": "1m"} for name in channels]
    file = folder / "notifications.yaml"
    file.write_text(yaml.safe_dump({"channels": channels, "defaults": defaults}))
    system.plane.kubectl("apply", "-f", str(_MEMORY))
    return "--notifications", str(file), "--notification-secrets", str(folder / "secrets")


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
