"""From the command line, the kubeconfig and the environment to a connection: the server, the proxy, and whom to act as."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_incluster_config

from jitaccess.cli.api.errors import CliError, UsageError
from jitaccess.cli.api.kubeconfig import Kubeconfig, Login
from jitaccess.cli.api.login import log_in
from jitaccess.cli.api.proxies import proxy_for

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CONNECTIONS = 24  # at the same time

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Target:
    """What the command line says about where to connect, and as whom; a timeout of 0 is none."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    timeout: float = 30.0  # seconds, for one request as a whole


def configure(target: Target, configuration: Configuration) -> tuple[str, Headers]:
    """Fill the configuration; return the namespace and the impersonation headers."""
    _quiet_libraries()
    flags = _impersonation(target.user, target.groups)
    kubeconfig = Kubeconfig(target.kubeconfig)
    if not kubeconfig.found and not target.context:
        return _load_from_pod(target, configuration), flags
    login = kubeconfig.login(target.context)
    log_in(kubeconfig, login, configuration)
    _set_proxy(configuration, login.cluster.get("proxy-url", ""))
    return target.namespace or login.context.get("namespace") or "default", flags or _configured(login)


def _load_from_pod(target: Target, configuration: Configuration) -> str:
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise CliError(
            "no kubeconfig was found", "set KUBECONFIG, or use --kubeconfig FILE; plain kubectl needs the same"
        ) from error
    _set_proxy(configuration, "")
    return target.namespace or (_POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.exists() else "default")


def _set_proxy(configuration: Configuration, given: str) -> None:
    proxy = proxy_for(configuration.host, given, os.environ)
    configuration.proxy = proxy.url if proxy else None
    configuration.no_proxy = ""  # looked at already
    if proxy and proxy.login:
        configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=proxy.login)


def pool_for(configuration: Configuration) -> urllib3.PoolManager:
    """The connections to the server, directly or through the proxy."""
    configuration.connection_pool_maxsize = _CONNECTIONS
    try:
        pool: urllib3.PoolManager = ApiClient(configuration).rest_client.pool_manager
    except ImportError:
        raise CliError("a SOCKS proxy needs one more package", "pip install pysocks, where the plugin is installed") from None
    return pool


def _configured(login: Login) -> Headers:
    """The impersonation that the kubeconfig itself asks for (users[].user.as), which the official loader leaves out."""
    return _impersonation(login.user.get("as", ""), tuple(login.user.get("as-groups") or ()))


def _impersonation(user: str, groups: tuple[str, ...]) -> Headers:
    if groups and not user:
        raise CliError("--as-group needs --as USER too")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in user + "".join(groups)):
        raise UsageError("a name for --as and --as-group has neither line breaks nor other control characters")
    return [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)] if user else []


def _quiet_libraries() -> None:
    # kubectl says nothing either where a kubeconfig asks for insecure-skip-tls-verify; what exec plugins say is passed on.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
