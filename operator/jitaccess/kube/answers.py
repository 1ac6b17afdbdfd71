"""What the answers of an API server mean: absence, a refusal, a conflict, or an outage, which is never an answer."""

import json
from typing import Any

from jitaccess.domain.model import Manifest
from jitaccess.manifests.locks import LOCKED_GRANTS


class Outage(Exception):
    """The API server could not be reached or could not answer: never a verdict, always tried again."""


class Conflict(Exception):
    """An object of that name exists already, or is not as we last saw it; read again."""


class Refused(Exception):
    """The API server, or an admission policy, said no: the message is theirs."""


class LockedOut(Conflict):
    """An AccessLock that the API server knows of, and that may be news to us, keeps access from beginning; read again."""


class NotFound(Exception):
    """404, for the methods here to turn into a value."""


class NotServed(Outage):
    """404 by something else than an object's absence: the kind is not served here, or now."""


class Expired(Outage):
    """410: what was asked to be continued is no longer known."""


class Unpatchable(Exception):
    """422 in the API server's own words: what a JSON Patch expected (`test`) does not hold."""


_DOES_NOT_HOLD = "the server rejected our request due to an error in our request"
_LOCKED_OUT = f"ValidatingAdmissionPolicy '{LOCKED_GRANTS}'"


def object_in(call: str, text: bytes) -> dict[str, Any]:
    """The object that an answer is; Outage where it is none, as from a proxy that wants a login."""
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Outage(f"{call}: the answer is not JSON: {text[:200]!r}") from error
    if not isinstance(answer, dict):
        raise Outage(f"{call}: the answer is no object: {text[:200]!r}")
    return answer


def failure(status: int, call: str, text: bytes) -> Exception:
    """Which of the failures an answer other than 2xx is, with the words of whoever gave it."""
    message = _message(text)
    # Only the API server itself can say that something is not there; a proxy's 404 is an outage.
    if status == 404 and _reason(text) == "NotFound":
        return NotFound(message)
    if status == 409:
        return Conflict(message)
    if status == 422 and call.startswith("PATCH") and message == _DOES_NOT_HOLD:
        return Unpatchable(message)
    if "etcdserver: request is too large" in message:
        return Refused(message)  # however often it is tried
    # 401 is a token that is just being rotated, 408 and 429 are pressure: none of them says no.
    if status in (401, 404, 408, 410, 429) or not 400 <= status < 500:
        return {404: NotServed, 410: Expired}.get(status, Outage)(f"{call}: {status} {message}")
    return LockedOut(message) if _LOCKED_OUT in message else Refused(message)


def _reason(text: bytes) -> str:
    return str(_status(text).get("reason", ""))


def _status(text: bytes) -> Manifest:
    """The Status that the API server itself answered; empty where the answer is somebody else's."""
    try:
        status = json.loads(text)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _message(text: bytes) -> str:
    try:
        status = json.loads(text)
    except ValueError:
        return text[:500].decode(errors="replace")
    return str(status.get("message", "")) if isinstance(status, dict) else str(status)[:500]
