"""How the operator reaches the API server: a kubeconfig, or the ServiceAccount of its Pod. No client library needed."""

import asyncio
import base64
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# kubelet rotates a token well before it expires; once a minute is soon enough.
TOKEN_REREAD_SECONDS = 60.0


class ConfigurationError(Exception):
    """What the operator was told is not usable; the message says what to do."""


@dataclass(frozen=True)
class Connection:
    """Where the API server is, and how to authenticate to it; `token_file` is read again as it rotates.

    `agent` is what the audit log will call us.
    """

    server: str
    tls: ssl.SSLContext
    token: str = ""
    token_file: Path | None = None
    agent: str = "jitaccess"

    def session(self, timeout: aiohttp.ClientTimeout, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        """Open an HTTP session that authenticates every request; to be made inside the running event loop.

        `traces` hear of each request.
        """
        # Below the 90 s after which the API server closes idle connections.
        connector = aiohttp.TCPConnector(limit=0, ssl=self.tls, keepalive_timeout=75)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            middlewares=(_Bearer(self),),
            headers={"User-Agent": self.agent},
            trace_configs=list(traces),
        )


class _Bearer:
    """An aiohttp middleware that puts the current token on each request."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._token = connection.token
        self._read_at = float("-inf")

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        path = self._connection.token_file
        if path and time.monotonic() - self._read_at > TOKEN_REREAD_SECONDS:
            self._token = (await asyncio.to_thread(path.read_text)).strip()
            self._read_at = time.monotonic()
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        response = await handler(request)
        if response.status == 401:
            self._read_at = float("-inf")
        return response


def connect(kubeconfig: Path | None = None, environment: Mapping[str, str] = os.environ) -> Connection:
    """Find the API server: the given kubeconfig, else `KUBECONFIG`, else the Pod's ServiceAccount; else ConfigurationError."""
    named = environment.get("KUBECONFIG", "")
    if kubeconfig is None and named:
        kubeconfig = Path(named)
    if kubeconfig is not None:
        return from_kubeconfig(kubeconfig)
    host = environment.get("KUBERNETES_SERVICE_HOST")
    if not host or not SERVICE_ACCOUNT.exists():
        raise ConfigurationError("no API server to talk to: give --kubeconfig FILE, set KUBECONFIG, or run inside a Pod")
    host = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    server = f"https://{host}:{environment.get('KUBERNETES_SERVICE_PORT', '443')}"
    return Connection(server, tls, token_file=SERVICE_ACCOUNT / "token")


def from_kubeconfig(path: Path) -> Connection:
    """Read the current context of one kubeconfig file; ConfigurationError says what is missing in it."""
    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"] or {}
        server = str(cluster["server"])
        tls = _tls(path.parent, cluster, user)
        if not server.startswith(("https://", "http://")):
            raise ValueError(f"server {server!r} is not a URL")  # noqa: TRY301 (told with the rest)
    except ssl.SSLError as error:
        raise ConfigurationError(f"a certificate or key in the kubeconfig {path} is not usable: {error}") from error
    except OSError as error:
        name = error.filename or path
        raise ConfigurationError(f"cannot read {name}: {error.strerror}; name one kubeconfig with --kubeconfig") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the kubeconfig {path} has no usable current context: {error}") from error
    if unknown := [name for name in ("exec", "auth-provider", "as", "as-groups", "username") if user.get(name)]:
        takes = "the operator takes a token, tokenFile or client certificate, and acts as itself"
        raise ConfigurationError(f"the kubeconfig {path} logs in with {', '.join(unknown)}; {takes}")
    token_file = path.parent / user["tokenFile"] if user.get("tokenFile") else None
    return Connection(server.rstrip("/"), tls, str(user.get("token") or ""), token_file)


def _named(config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    for entry in config[section] or []:
        if entry["name"] == name:
            found: Mapping[str, Any] = entry
            return found
    raise KeyError(f"no {section[:-1]} named {name}")


def _tls(folder: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _pem(folder, cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _pem(folder, user, "client-certificate"), _pem(folder, user, "client-key")
    if bool(certificate) != bool(key):
        raise ValueError("client-certificate and client-key belong together, and one of them is missing")
    if certificate:
        _load_pair(context, certificate, key)
    return context


def _pem(folder: Path, section: Mapping[str, Any], name: str) -> bytes:
    if data := section.get(f"{name}-data"):
        # Strictly: what is skipped here would silently become no certificate at all.
        return base64.b64decode("".join(str(data).split()), validate=True)
    return (folder / section[name]).read_bytes() if section.get(name) else b""


# The ssl module takes client certificates from files only.
def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "tls.crt"), Path(folder, "tls.key")
        for path, data in zip(paths, (certificate, key), strict=True):
            path.touch(0o600)
            path.write_bytes(data)
        context.load_cert_chain(*map(str, paths))
