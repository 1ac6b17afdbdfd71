"""Connecting as kubectl does: kubeconfig, contexts, exec plugins, OIDC, impersonation; the official client does the work."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_incluster_config
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from jitaccess.cli.api.errors import CliError, Outage, api_error

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT_KUBECONFIG = "~/.kube/config"
_CONNECT_TIMEOUT = 10.0  # seconds
_MERGE_PATCH = "application/merge-patch+json"

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What the command line says about where to connect, and as whom."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    timeout: float = 30.0  # seconds


class Connection:
    """One API server, one user; speaks paths and JSON."""

    def __init__(self, target: Target) -> None:
        _quiet_libraries()
        self._configuration = Configuration()
        self.namespace, self._impersonation = _load(target, self._configuration)
        self._pool = ApiClient(self._configuration).rest_client.pool_manager
        self._timeout = target.timeout

    def get(self, path: str, **query: str | int) -> Any:
        """Read one object or list."""
        return self._call("GET", path, query)

    def post(self, path: str, body: Body, **query: str) -> Any:
        """Create an object."""
        return self._call("POST", path, query, body)

    def patch(self, path: str, body: Body, **query: str) -> Any:
        """Apply a JSON merge patch."""
        return self._call("PATCH", path, query, body)

    def stream(self, path: str, seconds: int, **query: str) -> Iterator[Any]:
        """Yield the events of a watch until the server ends it, after so many seconds."""
        query |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        response = self._send("GET", path, query, None, urllib3.Timeout(_CONNECT_TIMEOUT, read=seconds + 15.0))
        _raise_for(response, self._configuration.host)
        buffer = b""
        try:
            for chunk in response.stream(None):
                *lines, buffer = (buffer + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        except urllib3.exceptions.HTTPError as error:
            raise Outage(f"the connection to {self._configuration.host} broke: {error}") from error
        finally:
            response.close()

    def _call(self, method: str, path: str, query: Mapping[str, str | int], body: Body | None = None) -> Any:
        response = self._send(method, path, query, body, urllib3.Timeout(_CONNECT_TIMEOUT, read=self._timeout))
        _raise_for(response, self._configuration.host)
        return json.loads(response.data)

    def _send(
        self, method: str, path: str, query: Mapping[str, str | int], body: Body | None, timeout: urllib3.Timeout
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        payload = None if body is None else json.dumps(body).encode()
        try:
            return self._pool.request(
                method,
                url,
                body=payload,
                headers=self._headers(_MERGE_PATCH if method == "PATCH" else "application/json"),
                timeout=timeout,
                retries=_RETRIES,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Outage(
                f"cannot reach {self._configuration.host}: {_root_cause(error)}",
                "are you on the right network or VPN, and is it the right context? `kubectl cluster-info` tells",
            ) from error

    def _headers(self, content_type: str) -> urllib3.HTTPHeaderDict:
        headers = urllib3.HTTPHeaderDict(
            {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "kubectl-jit"}
        )
        settings: Any = self._configuration.auth_settings()
        for setting in settings.values():
            if setting["value"]:
                headers[setting["key"]] = setting["value"]
        for name, value in self._impersonation:
            headers.add(name, value.encode().decode("latin-1"))
        return headers


def contexts(kubeconfig: str) -> list[str]:
    """The names of the contexts in the kubeconfig."""
    try:
        merged = KubeConfigMerger(kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT_KUBECONFIG)
        return [context["name"] for context in merged.config["contexts"]] if merged.config else []
    except ConfigException as error:
        raise CliError(str(error)) from error


# A 429 was not worked on and may be sent again; a lost connection is tried once more; anything else is the user's to know.
_RETRIES = urllib3.Retry(
    total=3, connect=1, read=0, other=0, status=2, status_forcelist=(429,), allowed_methods=None, raise_on_status=False
)


def _load(target: Target, configuration: Configuration) -> tuple[str, list[tuple[str, str]]]:
    """Fill the configuration; return the namespace and the impersonation headers."""
    flags = _impersonation(target.user, target.groups)
    try:
        merged = KubeConfigMerger(target.kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT_KUBECONFIG)
        if merged.config is None:
            return _load_from_pod(target, configuration), flags
        loader = KubeConfigLoader(
            merged.config, active_context=target.context or None, config_base_path=None, config_persister=merged.save_changes
        )
        loader.load_and_set(configuration)
        context = loader.current_context["context"]
        return target.namespace or context.get("namespace") or "default", flags or _configured(merged.config, context)
    except ConfigException as error:
        raise CliError(str(error), "`kubectl config get-contexts` shows the contexts there are") from error


def _load_from_pod(target: Target, configuration: Configuration) -> str:
    if target.kubeconfig or target.context:
        raise CliError(f"there is no kubeconfig {target.kubeconfig or os.environ.get('KUBECONFIG', '~/.kube/config')}")
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise CliError(
            "no kubeconfig was found", "set KUBECONFIG, or use --kubeconfig FILE; plain kubectl needs the same"
        ) from error
    return target.namespace or (_POD_NAMESPACE.read_text() if _POD_NAMESPACE.exists() else "default")


def _configured(config: Any, context: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The impersonation that the kubeconfig itself asks for (users[].user.as), which the official loader leaves out."""
    entry = config["users"].get_with_name(context["user"], safe=True) if context.get("user") else None
    user = entry["user"].value if entry and entry.value.get("user") else {}
    return _impersonation(user.get("as", ""), user.get("as-groups") or ())


def _impersonation(user: str, groups: tuple[str, ...]) -> list[tuple[str, str]]:
    if groups and not user:
        raise CliError("--as-group needs --as USER too")
    return [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)] if user else []


def _raise_for(response: urllib3.BaseHTTPResponse, server: str) -> None:
    if response.status < 300:
        return
    try:
        status = json.loads(response.data)
    except ValueError:
        status = {}
    raise api_error(response.status, status if isinstance(status, dict) else {}, server)


def _root_cause(error: urllib3.exceptions.HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(reason).__name__


def _quiet_libraries() -> None:
    # kubectl says nothing either where a kubeconfig asks for insecure-skip-tls-verify; what exec plugins say is passed on.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
