"""What can go wrong, each with what to do next and with its exit code; and what the API server's refusals mean. Pure."""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

_DENIED = re.compile(r"denied request: (?P<sentence>.*)", re.DOTALL)
_RBAC = re.compile(r'User "(?P<user>.*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"')
_NAMESPACE = re.compile(r'in the namespace "(?P<namespace>[^"]+)"')
_NOT_SERVED = ("the server could not find the requested resource", "404 page not found")
_OUR_PATHS = "/apis/jitaccess.dev/"
_ANONYMOUS = "system:anonymous"
_LOCKER = "locks are for those to whom the ClusterRole jitaccess-locker is bound: ask whoever runs the cluster"


def install(extra: str) -> str:
    """How to get what an extra of the package brings."""
    return f"pip install '.[{extra}]' in a checkout of jitaccess"


LOG_IN = "log in again; `kubectl auth whoami` tells who you are"
UPGRADE = f"upgrade the plugin ({install('cli')}); until then `kubectl get accessrequests` shows what there is"
SEE_ALL = "`kubectl jit ls --all` shows what there is; is it another namespace (-n)?"
NAME_KEPT = "a settled request keeps its name until retention removes it (30 days by default): ask again, under another name"
_OURS = {
    "accessrequests": ("request", SEE_ALL),
    "clusteraccessrequests": ("request", "`kubectl jit ls --all --cluster` shows what there is"),
    "clusteraccesspolicies": ("policy", "`kubectl get clusteraccesspolicies` shows what there is"),
    "accesspolicies": ("policy", "`kubectl jit policies` shows what there is; is it another namespace (-n)?"),
}


class ExitCode(IntEnum):
    """What the exit code says to a script; documented in docs/cli.md, never changed."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NO = 3
    TIMED_OUT = 4
    INTERRUPTED = 130


class CliError(Exception):
    """Anything that ends a command: a sentence, what to do next, and the exit code."""

    code = ExitCode.ERROR

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CliError):
    """The command line does not make sense."""

    code = ExitCode.USAGE


class Refused(CliError):
    """The API server's rules say no."""

    code = ExitCode.NO


class TimedOut(CliError):
    """Waited as long as was asked for."""

    code = ExitCode.TIMED_OUT


class NotInstalled(CliError):
    """The API server does not serve this kind."""


class NotFound(CliError):
    """The object does not exist."""


class ChangedMeanwhile(CliError):
    """Somebody else changed the object meanwhile."""


class Unreadable(CliError):
    """The object was written by a newer jitaccess than this plugin."""


class AlreadyExists(CliError):
    """An object of that name exists."""


class Invalid(CliError):
    """The API server does not take the object as it is."""

    code = ExitCode.USAGE


class Outage(CliError):
    """The API server cannot answer now; that is not a no."""


def api_error(code: int, status: Mapping[str, Any], server: str = "", path: str = "") -> CliError:
    """Translate an answer into the error that says what to do; `status` is empty where it is no API server's."""
    message = str(status.get("message") or f"the API server answered {code}")
    error: CliError
    match code:
        case 404 if not status and not path.startswith(_OUR_PATHS):
            error = _no_api_server(code, server)
        case 300 | 301 | 302 | 303 | 307 | 308 | 403 | 407 if not status:
            error = _no_api_server(code, server)
        case 401:
            error = CliError("the API server does not accept your credentials", LOG_IN)
        case 403:
            error = _refusal(message)
        case 404:
            error = _absence(message, status)
        case 409:
            error = _conflict(message, status)
        case 400 | 422:
            error = Invalid(_causes(status) or message)
        case 410 | 429 | 500 | 502 | 503 | 504:
            error = Outage(f"the API server {server} cannot answer now ({code}): {message}", "try again in a moment")
        case _:
            error = CliError(message)
    return error


def _no_api_server(code: int, server: str) -> Outage:
    return Outage(
        f"{server} answers {code}, but not as an API server does",
        "is a proxy or a login page in between, and is the address right?",
    )


def _refusal(message: str) -> CliError:
    denied = _DENIED.search(message)
    if denied:
        return Refused(denied["sentence"])
    rbac, place = _RBAC.search(message), _NAMESPACE.search(message)
    if rbac is None:
        return Refused(message)
    if rbac["user"] == _ANONYMOUS:  # that is about the login, and no verdict on whoever should have logged in
        return CliError("the API server does not know who you are: the kubeconfig brought no credentials", LOG_IN)
    ours = rbac["resource"].startswith(("accessrequests", "accesspolicies", "clusteraccessrequests", "clusteraccesspolicies"))
    if not ours:
        return Refused(
            message,
            _LOCKER if rbac["resource"] == "accesslocks" else "this needs rights beyond jitaccess; ask a cluster administrator",
        )
    if place is None:
        return _nowhere(rbac)
    part = {"create": " as a requester", "patch": " as a requester or approver"}.get(rbac["verb"], "")
    return Refused(
        f"{rbac['user']} may not {rbac['verb']} {rbac['resource']} in namespace {place['namespace']}: "
        f"no AccessPolicy there names you{part}, or none is Ready",
        "is it the right namespace (-n) and context (--context)? Otherwise ask the team that owns it to name you in a policy",
    )


def _nowhere(rbac: re.Match[str]) -> Refused:
    """Without a namespace: of all namespaces, or of the whole cluster."""
    if rbac["resource"].startswith("clusteraccess"):
        return Refused(
            f"{rbac['user']} may not {rbac['verb']} {rbac['resource']}: "
            "no cluster-wide ClusterAccessPolicy names you, or none is Ready",
            "ask whoever runs the cluster to name you in a policy, or ask for access to a namespace: -n NAMESPACE",
        )
    return Refused(
        f"{rbac['user']} may not {rbac['verb']} {rbac['resource']} in all namespaces at once",
        "that needs cluster-wide rights; look at one namespace instead: -n NAMESPACE",
    )


def _conflict(message: str, status: Mapping[str, Any]) -> CliError:
    if status.get("reason") != "AlreadyExists":
        return ChangedMeanwhile(message, "try again")
    ours = (status.get("details") or {}).get("kind") in ("accessrequests", "clusteraccessrequests")
    return AlreadyExists(message, NAME_KEPT if ours else "")


def _absence(message: str, status: Mapping[str, Any]) -> CliError:
    if not status or any(words in message for words in _NOT_SERVED):
        return NotInstalled(
            "jitaccess is not installed in this cluster", "is it the right context? `kubectl config current-context`"
        )
    details = status.get("details") or {}
    name, (word, hint) = details.get("name", ""), _OURS.get(details.get("kind", ""), ("", ""))
    return NotFound(f"there is no {word} {name}" if name and word else message, hint)


def _causes(status: Mapping[str, Any]) -> str:
    causes: Iterable[Mapping[str, Any]] = (status.get("details") or {}).get("causes") or ()
    return "; ".join(dict.fromkeys(_cause(cause) for cause in causes))


def _cause(cause: Mapping[str, Any]) -> str:
    field, message = cause.get("field", ""), str(cause.get("message", ""))
    return f"{field}: {message.removeprefix('Invalid value: ')}" if field else message
