"""Receivers that are slow, refuse, fail or are not trusted: only what is certainly not taken is tried again."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from controlplane.patience import PATIENCE
from jitaccess.publish.notify.child import Child
from jitaccess.publish.notify.verdicts import Fate, Sent
from receivers import dead_port, http_receiver, smtp_receiver, write_certificate

Answer = TypeVar("Answer")


@dataclass
class Office:
    """A process that sends, for all tests of this file: starting one takes seconds on a busy machine."""

    child: Child
    loop: asyncio.AbstractEventLoop

    def send(self, url: str, title: str = "title") -> Sent:
        """What became of one message."""
        return self.wait(self.child.send(url, title, "body"))

    def wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Do that, there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """The office, open."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    office = Office(Child(), loop)
    try:
        yield office
    finally:
        office.wait(office.child.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
def test_an_answer_that_is_no_yes_is_a_refusal(office: Office, status: int) -> None:
    with http_receiver() as receiver:
        receiver.status = status
        sent = office.send(f"json://127.0.0.1:{receiver.port}/")
    assert sent == Sent(Fate.REFUSED, f"it answered {status}")
    assert len(receiver.got) == 1, "it was tried once"


def test_a_place_where_nobody_listens_has_certainly_not_taken_it(office: Office) -> None:
    with dead_port() as port:
        sent = office.send(f"json://127.0.0.1:{port}/")
    assert sent == Sent(Fate.REFUSED, "connection refused")


def test_a_certificate_that_is_not_trusted_is_a_refusal(office: Office, tmp_path: Path) -> None:
    with http_receiver(cert=write_certificate(tmp_path / "cert.pem")) as receiver:
        sent = office.send(f"jsons://127.0.0.1:{receiver.port}/")
    assert sent == Sent(Fate.REFUSED, "its certificate is not trusted")
    assert receiver.got == []


def test_a_connection_that_breaks_over_it_is_not_tried_again(office: Office) -> None:
    with http_receiver() as receiver:
        receiver.status = None
        sent = office.send(f"json://127.0.0.1:{receiver.port}/")
    assert sent.fate is Fate.UNKNOWN


def test_what_hangs_is_ended_and_the_next_message_goes_its_way(office: Office) -> None:
    with http_receiver() as slow, http_receiver() as good:
        slow.delay = threading.Event()
        usual, first = office.child.patience, office.child.pid
        office.child.patience = 1.0
        hung = office.send(f"json://127.0.0.1:{slow.port}/")
        office.child.patience = usual
        assert hung == Sent(Fate.UNKNOWN, "it did not answer in time")
        assert office.send(f"json://127.0.0.1:{good.port}/").fate is Fate.TAKEN
    assert office.child.pid != first


@pytest.fixture
def mail_url() -> str:
    """A mail server's URL, as far as its port."""
    return "mailto://127.0.0.1:{port}?from=jit@example.com&to=bob@example.com"


def test_a_mail_server_that_says_no_has_not_taken_it(office: Office, mail_url: str) -> None:
    with smtp_receiver() as mailbox:
        mailbox.refuse = "451 try again later"
        assert office.send(mail_url.format(port=mailbox.port)) == Sent(Fate.REFUSED, "it answered 451")
    with dead_port() as port:
        assert office.send(mail_url.format(port=port)) == Sent(Fate.REFUSED, "connection refused")


def test_the_process_is_there_while_it_is_needed() -> None:
    async def rested() -> tuple[int | None, int | None]:
        child = Child(idle=0.2)
        try:
            await child.check("json://127.0.0.1")
            first = child.pid
            async with asyncio.timeout(PATIENCE):
                while child.pid:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await child.check("json://127.0.0.1")
            return first, child.pid
        finally:
            await child.close()

    first, second = asyncio.run(rested())
    assert first
    assert second not in (None, first)


@pytest.mark.parametrize("url", ["nosuch://somewhere/secret-token", "pover://secret-token"])
def test_a_url_is_checked_and_no_secret_comes_back(office: Office, url: str) -> None:
    found = office.wait(office.child.check(url))
    assert found == f"Apprise knows no such URL: {url.partition(':')[0]}://..."


def test_a_channel_is_one_place(office: Office) -> None:
    found = office.wait(office.child.check("mailto://127.0.0.1?from=a@example.com&to=b@example.com,c@example.com"))
    assert found == "it names 2 places: make each of them a channel of its own"
