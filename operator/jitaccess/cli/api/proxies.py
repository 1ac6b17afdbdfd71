"""Which proxy an API server is reached through: Go's rule, which is kubectl's. Pure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from jitaccess.cli.api.errors import CliError

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy without its password in the address; `login` is `user:password`, or empty."""

    url: str
    login: str = ""


def proxy_for(server: str, given: str, environment: Mapping[str, str]) -> Proxy | None:
    """The kubeconfig's proxy-url (`given`), else what the environment says of that server; None to connect directly."""
    if given:
        return _parsed(given, "proxy-url of the kubeconfig")
    parts = urlsplit(server)
    names = ("HTTPS_PROXY", "https_proxy") if parts.scheme == "https" else ("HTTP_PROXY", "http_proxy")
    name = next((name for name in names if environment.get(name)), "")
    if not name or _direct(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), environment):
        return None
    return _parsed(environment[name], name)


def _direct(host: str, port: int, environment: Mapping[str, str]) -> bool:
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True  # whatever NO_PROXY says: a proxy has another localhost
    exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    entries = [entry.strip().lower() for entry in exceptions.split(",") if entry.strip()]
    return any(_matches(entry, host, port, address) for entry in entries)


def _matches(entry: str, host: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return address is not None and address in network
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal():
        if int(wanted) != port:
            return False
        entry = name.strip("[]")
        if _address(entry):
            return address == _address(entry)
    entry = entry.removeprefix("*")
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith(f".{entry}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _parsed(text: str, where: str) -> Proxy:
    """The address is not repeated in the error: it may have a password in it."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in _SCHEMES:
        raise CliError(f"{where} is not the address of a proxy", "write it like http://proxy.example.com:3128")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    address = f"[{host}]" if ":" in host else host
    return Proxy(f"{parts.scheme}://{address}" + (f":{port}" if port else ""), login)
