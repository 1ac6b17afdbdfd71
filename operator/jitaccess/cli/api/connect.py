"""One API server, one user: paths and JSON in, JSON and the errors of errors.py out; as patient as --request-timeout says."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from kubernetes.client import Configuration

from jitaccess.cli.api.errors import Outage, api_error
from jitaccess.cli.api.target import Target, configure, pool_for

_CONNECT_TIMEOUT = 10.0  # seconds
_SKEW = timedelta(seconds=2)  # what a laptop's clock may be off before the API server's is believed instead
_NETWORK = "are you on the right network or VPN, and is it the right context? `kubectl cluster-info` tells"
_MERGE_PATCH = "application/merge-patch+json"
_CHUNK = 65536

Body = Mapping[str, Any]
_Http = urllib3.exceptions.HTTPError


class Connection:
    """One API server, one user; speaks paths and JSON."""

    def __init__(self, target: Target) -> None:
        self._configuration = Configuration()
        self.namespace, self._impersonation = configure(target, self._configuration)
        self.server = _without_login(self._configuration.host)
        self._pool = pool_for(self._configuration)
        self._timeout = target.timeout or float("inf")
        self._skew = timedelta(0)

    def now(self) -> datetime:
        """The API server's time, as far as its answers tell it."""
        return datetime.now(UTC) + self._skew

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
        deadline = time.monotonic() + self._timeout
        response = self._send("GET", path, query, None, deadline, read=seconds + 15.0)
        if response.status >= 300:
            self._raise_for(response.status, path, self._read(response, deadline))
        buffer = b""
        try:
            for chunk in response.stream(None):
                *lines, buffer = (buffer + chunk).split(b"\n")
                yield from (self._object(line) for line in lines if line)
        except _Http as error:
            raise Outage(f"the connection to {self.server} broke: {_cause(error)}") from error
        finally:
            response.close()

    def _call(self, method: str, path: str, query: Mapping[str, str | int], body: Body | None = None) -> Any:
        deadline = time.monotonic() + self._timeout
        response = self._send(method, path, query, body, deadline)
        data = self._read(response, deadline)
        if response.status >= 300:
            self._raise_for(response.status, path, data)
        return self._object(data)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Body | None,
        deadline: float,
        read: float | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request, again where the server has not worked on it: it says so (429), or was not there for a moment."""
        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        payload = None if body is None else json.dumps(body).encode()
        headers = self._headers(_MERGE_PATCH if method == "PATCH" else "application/json")
        for attempts_left in (2, 1, 0):
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=payload,
                    headers=headers,
                    timeout=_patience(deadline, read),
                    retries=False,
                    preload_content=False,
                )
            except _Http as error:
                if attempts_left and _never_sent(error) and time.monotonic() < deadline:
                    continue
                raise self._unreachable(error) from error
            pause = _pause(response)
            if response.status != 429 or not attempts_left or time.monotonic() + pause > deadline:
                return response
            response.close()
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        self._note_time(response.headers.get("Date", ""))
        chunks: list[bytes] = []
        try:
            while chunk := response.read1(_CHUNK):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise Outage(f"{self.server} does not answer in time: {self._timeout:g}s (--request-timeout)")
        except _Http as error:
            raise self._unreachable(error) from error
        finally:
            response.release_conn()
        return b"".join(chunks)

    def _note_time(self, date: str) -> None:
        try:
            skew = parsedate_to_datetime(date) - datetime.now(UTC)
        except (TypeError, ValueError):  # no such header, or none that is a date
            return
        self._skew = skew if abs(skew) > _SKEW else timedelta(0)

    def _unreachable(self, error: _Http) -> Outage:
        refused = urllib3.exceptions.NewConnectionError  # which urllib3 takes for a kind of timeout
        if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, refused):
            return Outage(
                f"{self.server} does not answer in time: {min(self._timeout, 1e6):g}s (--request-timeout), "
                f"of which at most {_CONNECT_TIMEOUT:g}s to connect",
                _NETWORK,
            )
        return Outage(f"cannot reach {self.server}: {_cause(error)}", _NETWORK)

    def _raise_for(self, code: int, path: str, data: bytes) -> None:
        try:
            status = json.loads(data)
        except ValueError:
            status = {}
        raise api_error(code, status if isinstance(status, dict) else {}, self.server, path)

    def _object(self, data: bytes) -> Any:
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Outage(f"{self.server} answers, but not as an API server does", "is a proxy or a login page in between?")
        return answer

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


def _patience(deadline: float, read: float | None) -> urllib3.Timeout:
    left = max(deadline - time.monotonic(), 0.001)
    wait = read or left
    return urllib3.Timeout(connect=min(_CONNECT_TIMEOUT, left), read=None if wait == float("inf") else wait)


def _never_sent(error: _Http) -> bool:
    return isinstance(getattr(error, "original_error", error), urllib3.exceptions.NewConnectionError)


def _pause(response: urllib3.BaseHTTPResponse) -> float:
    """Seconds until a request that the server had no time for may be sent again."""
    wanted = response.headers.get("Retry-After", "")
    return float(wanted) if wanted.isdecimal() else 1.0


def _cause(error: _Http) -> str:
    """The last cause, in the words of the operating system or of TLS, without the addresses of Python objects."""
    reason: Any = getattr(error, "original_error", None) or getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(reason).__name__


def _without_login(host: str) -> str:
    """The server as people may see it: a name and a password in its address are left out."""
    parts = urlsplit(host)
    return host if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
