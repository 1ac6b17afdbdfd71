"""Writes kubeconfig files, readable by their owner only."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CLUSTER = "local"


@dataclass(frozen=True, slots=True)
class Login:
    """One context of a kubeconfig: a token, or a file that holds it and may be rewritten."""

    token: str = ""
    token_file: Path | None = None
    namespace: str = ""

    def credentials(self) -> dict[str, str]:
        if self.token_file is not None:
            return {"tokenFile": str(self.token_file.absolute())}
        return {"token": self.token}

    def context(self, name: str) -> dict[str, str]:
        place = {"namespace": self.namespace} if self.namespace else {}
        return {"cluster": CLUSTER, "user": name, **place}


def write_private(path: Path, text: str) -> Path:
    """Replace a file with mode 0600 at once: readers see the old text or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode())
    return new.replace(path)


def render(server: str, ca: bytes, logins: Mapping[str, Login]) -> str:
    """Return a kubeconfig with one context per login, named by its key; the first is the current one."""
    cluster = {
        "server": server,
        "certificate-authority-data": base64.b64encode(ca).decode(),
    }
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": cluster}],
        "users": [{"name": name, "user": login.credentials()} for name, login in logins.items()],
        "contexts": [{"name": name, "context": login.context(name)} for name, login in logins.items()],
        "current-context": next(iter(logins)),
    }
    return yaml.safe_dump(config, sort_keys=False)
