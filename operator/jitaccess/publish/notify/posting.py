"""The program that sends over Apprise, in a process of its own: `python -m jitaccess.publish.notify.posting`.

One JSON object a line on standard input, each with an `id`; one on standard output for each, in any order. `check` asks whether
a URL is one that Apprise knows, `send` sends. It ends when its input does. It knows nothing of Kubernetes.
"""

import html
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import apprise

WORKERS = 8
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
# Apprise says only whether it was taken; why not, it says in its log, in the words of sockets and servers.
_ANSWERED = re.compile(r"\berror=(\d{3})\b|\((\d{3}), b'")
_CLOSED_DOORS = {
    "Connection refused": "connection refused",
    "Name or service not known": "the name cannot be resolved",
    "Temporary failure in name resolution": "the name cannot be resolved",
    "NameResolutionError": "the name cannot be resolved",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted",
    "certificate verify failed": "its certificate is not trusted",
    "SSLError": "no TLS connection",
    "[SSL": "no TLS connection",
    "ConnectTimeout": "no connection in time",
    "No route to host": "no route to it",
    "Network is unreachable": "no route to it",
}


def service(url: str) -> Any:
    """The service behind a URL, set up as we need it; ValueError says what is wrong with it, without the URL."""
    made = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if made is None:
        raise ValueError(f"Apprise knows no such URL: {url.partition(':')[0][:20]}://...")
    if len(made) != 1:
        raise ValueError(f"it names {len(made)} places: make each of them a channel of its own")
    made.overflow_mode = apprise.OverflowMode.TRUNCATE  # what is cut in two could be made to look like a second message
    made.retry = 0  # whoever calls knows what may be tried again
    made.request_rate_per_sec = 0  # whoever calls sends a message a second at most
    made.socket_connect_timeout, made.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
    return made


def _asset() -> Any:
    return apprise.AppriseAsset(
        app_id="jitaccess",
        app_desc="jitaccess",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        plugin_paths=[],
        interpret_emojis=False,
        interpret_escapes=False,
    )


def verdict(taken: bool, heard: list[str]) -> dict[str, str]:
    """What became of a message, by what was said meanwhile: not taken only where that is certain."""
    if taken:
        return {"fate": "taken"}
    said = "\n".join(heard)
    if answered := _ANSWERED.search(said):
        return {"fate": "refused", "why": f"it answered {answered[1] or answered[2]}"}
    for words, why in _CLOSED_DOORS.items():
        if words in said:
            return {"fate": "refused", "why": why}
    return {"fate": "unknown", "why": "it may have been delivered, or not"}


class Program:
    """Reads what is to be done, does it in a few threads, writes what became of it."""

    def __init__(self) -> None:
        self._out = threading.Lock()
        log = logging.getLogger("apprise")  # it names URLs, which are secrets
        log.setLevel(logging.DEBUG)
        log.propagate = False
        log.addHandler(logging.NullHandler())

    def run(self) -> None:
        """Until there is no more to do."""
        with ThreadPoolExecutor(WORKERS) as pool:
            for line in sys.stdin:
                pool.submit(self._answer, json.loads(line)).add_done_callback(_fatal)

    def _answer(self, asked: Mapping[str, Any]) -> None:
        try:
            answer = self._send(asked) if asked["do"] == "send" else self._check(asked)
        except ValueError as error:
            answer = {"fate": "refused", "why": str(error)}
        with self._out:
            sys.stdout.write(json.dumps({"id": asked["id"], **answer}) + "\n")
            sys.stdout.flush()

    def _check(self, asked: Mapping[str, Any]) -> dict[str, str]:
        service(asked["url"])
        return {"fate": "taken"}

    def _send(self, asked: Mapping[str, Any]) -> dict[str, str]:
        sender = apprise.Apprise(asset=_asset())
        to, heard = service(asked["url"]), list[str]()
        sender.add(to)
        taken = sender.notify(
            # As a warning: some on-call services drop what is only for information, and call it delivered.
            notify_type=apprise.NotifyType.WARNING,
            log_callback=lambda entry, _: heard.append(entry.message),
            log_level=logging.DEBUG,
            **_words(to, asked["title"], asked["body"]),
        )
        return verdict(bool(taken), heard)


def _words(to: Any, title: str, body: str) -> dict[str, Any]:
    """The message as that service takes it. Apprise would make HTML with spaces that no shell takes for spaces."""
    if to.resolve_format(apprise.NotifyFormat.TEXT) != apprise.NotifyFormat.HTML:
        return {"title": title, "body": body, "body_format": apprise.NotifyFormat.TEXT}
    lines = html.escape(body).replace("\n", "<br/>\n")
    shown = html.escape(title) if to.title_maxlen <= 0 else title  # a title in the text is HTML too
    return {"title": shown, "body": lines, "body_format": apprise.NotifyFormat.HTML}


def _fatal(done: Future[None]) -> None:
    """What nobody foresaw ends the process: whoever waits for an answer learns that there is none."""
    if error := done.exception():
        sys.stderr.write(f"{type(error).__name__}\n")  # its words may hold a secret
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    Program().run()
