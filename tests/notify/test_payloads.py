"""What Apprise really sends for each family of services, on loopback: what people wrote is letters in it."""

import asyncio
import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from jitaccess.domain.notices import Occasion
from jitaccess.domain.recorded import Entry, State
from jitaccess.publish.notify.child import Child
from jitaccess.publish.notify.verdicts import Fate, Sent
from jitaccess.wording.messages import Message, message
from jitaccess.wording.titles import Told
from receivers import Mailbox, Receiver, http_receiver, smtp_receiver, write_certificate
from unit.examples import T0, policy, request

HOSTILE = (
    "@here @everyone @channel @all @room <!channel> <!here|x> <@U012AB3CD> <@&123> <at>Bob</at> <users/all> @**all** "
    "[click](https://evil.example/a) <https://evil.example|bank> https://evil.example www.evil.example evil.example/x "
    "mailto:mallory@evil.example **bold** *it* _it_ ~no~ `code` ```block``` ||spoiler|| # head > quote - [ ] todo "
    "![img](http://evil.example/p.png) <b>b</b> <script>alert(1)</script> <a href='//evil.example'>x</a> &lt;b&gt; "
    "{{DATE(2017-02-14T06:00:00Z)}} ${x} $$x$$ :smile: \\@here \\n /start #general !room:evil.example | a | b | "
    "-----\\nWho: bob approved"
)
# What would be a mention, a link, markup or a template in one dialect or another, in text that somebody wrote.
LIVE = re.compile(r"@|[<>]|\]\(|\*|_|~|`|\|\||\{\{|\$\{|https?:/|www\.|evil\.example|mailto:|:smile:|&lt;b|/start|#general")
NOT_IN_TIME = Sent(Fate.UNKNOWN, "it did not answer in time")
TOKEN = "3ccdd113474722377935511fc85d3dd4"


@dataclass(frozen=True)
class Family:
    """A service that stands for those that Apprise, or the service itself, formats alike."""

    url: str
    direct: bool = False  # on our port; else the host is its vendor's, and a proxy stands for it


FAMILIES = {
    "slack webhook, its own markup": Family("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general?verify=no"),
    "slack webhook, blocks": Family("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general?blocks=yes&verify=no"),
    "slack bot": Family("slack://xoxb-1234-1234-abc124/#general?verify=no"),
    "teams workflow, adaptive cards": Family(
        "workflows://prod-00.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64/signature-0123456789?verify=no"
    ),
    "discord, its own Markdown": Family(f"discord://0000000000000000000000000/{'B' * 64}?verify=no"),
    "discord, embeds": Family(f"discord://0000000000000000000000000/{'B' * 64}?format=markdown&verify=no"),
    "telegram, HTML": Family("tgram://123456789:abcdefg_hijklmnop/12315544/?verify=no"),
    "telegram, Markdown": Family("tgram://123456789:abcdefg_hijklmnop/12315544/?format=markdown&mdv=2&verify=no"),
    "google chat": Family("gchat://workspace/key/token?verify=no"),
    "webex, Markdown": Family(f"wxteams://{'a' * 80}?verify=no"),
    "pagerduty, on call": Family(f"pagerduty://{'a' * 32}@{'b' * 32}?verify=no"),
    "opsgenie, on call": Family("opsgenie://8b799edf-6f98-4d3a-9be7-2862fb4e5752/#team?verify=no"),
    "pushover": Family(f"pover://{'u' * 30}@{'a' * 30}?verify=no"),
    "mattermost, Markdown that Apprise calls text": Family("mmost://127.0.0.1:{port}/" + TOKEN, direct=True),
    "rocket.chat webhook": Family("rocket://web/hook@127.0.0.1:{port}/#general", direct=True),
    "matrix webhook, text": Family("matrix://token@127.0.0.1:{port}/?mode=matrix", direct=True),
    "matrix webhook, HTML": Family("matrix://token@127.0.0.1:{port}/?mode=matrix&format=html", direct=True),
    "ntfy": Family("ntfy://127.0.0.1:{port}/topic", direct=True),
    "ntfy, Markdown": Family("ntfy://127.0.0.1:{port}/topic?format=markdown", direct=True),
    "gotify": Family("gotify://127.0.0.1:{port}/AAAAAAAAAAAAAAA", direct=True),
    "nextcloud talk": Family("nctalk://user:pass@127.0.0.1:{port}/room", direct=True),
    "json": Family("json://127.0.0.1:{port}/", direct=True),
    "json, HTML": Family("json://127.0.0.1:{port}/?format=html", direct=True),
    "form": Family("form://127.0.0.1:{port}/", direct=True),
}


def hostile_message() -> Message:
    """The message about a request in which everything that people write is hostile."""
    asked = request(reason=HOSTILE, requester="<!channel> @here [x](http://evil.example)", requesterGroups=["@everyone"])
    entry = Entry(T0, State.PENDING, "Requested", HOSTILE, asked.requester)
    return message(Told(Occasion.REQUESTED, asked, policy(), entry), T0)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """What stands for the internet."""
    certificate = write_certificate(tmp_path_factory.mktemp("tls") / "cert.pem")
    with http_receiver(proxy_cert=certificate) as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", receiver.url)
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield receiver


async def sent_over(url: str, words: Message) -> Sent:
    """Send it as the operator does, through a process of its own."""
    child = Child()
    try:
        return await child.send(url, words.title, words.body)
    finally:
        await child.close()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def texts_in(body: str) -> list[str]:
    """The texts of a payload, whatever it is written in, that are about our message."""
    try:
        found = list(_strings(json.loads(body)))
    except ValueError:
        found = [unquote_plus(part.partition("=")[2]) for part in body.split("&")] or [body]
    nested = [inner for text in found if text.startswith("{") for inner in texts_in(text)]
    return [text for text in (*found, *nested) if "click" in text or "asks for" in text]


def shown(text: str) -> str:
    """A text of a payload with what escapes Markdown and HTML taken out."""
    return html.unescape(re.sub(r"\\([^\w\s])", r"\1", text))


def written_by_people(text: str) -> str:
    """What stands behind `Why:` and `Who:` in a payload, up to our next line; with what escapes Markdown taken out."""
    plain = shown(text)
    parts = re.findall(r"(?:Why|Who): (.*?)(?:\n|<br ?/>|\r|Role: |Policy: |$)", plain, re.S)
    return "\n".join(parts)


@pytest.fixture(scope="module")
def payloads(proxy: Receiver) -> dict[str, list[str]]:
    """What came for each family."""
    words, caught = hostile_message(), {}
    with http_receiver() as direct:
        urls = {name: family.url.replace("{port}", str(direct.port)) for name, family in FAMILIES.items()}

        async def send() -> None:
            child = Child()
            try:
                for name, url in urls.items():
                    sent = NOT_IN_TIME
                    while sent == NOT_IN_TIME:  # the machine stood still
                        proxy.got.clear()
                        direct.got.clear()
                        sent = await child.send(url, words.title, words.body)
                    caught[name] = [*proxy.texts(), *direct.texts(), f"sent: {sent}"]
            finally:
                await child.close()

        asyncio.run(send())
    return caught


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_that_people_wrote_is_more_than_letters(name: str, payloads: dict[str, list[str]]) -> None:
    *bodies, sent = payloads[name]
    texts = [text for body in bodies for text in texts_in(body)]
    assert texts, f"no text of ours came: {bodies} {sent}"
    written = "\n".join(map(written_by_people, texts))
    assert "click" in written, f"the reason did not come: {texts}"
    assert not LIVE.findall(written), written


@pytest.mark.parametrize("name", FAMILIES)
def test_the_line_that_approves_comes_as_it_is_typed(name: str, payloads: dict[str, list[str]]) -> None:
    texts = [shown(text) for body in payloads[name][:-1] for text in texts_in(body)]
    assert any("kubectl jit approve alice-7f3k -n team-a" in text for text in texts), texts


@pytest.mark.parametrize("kind", ["text", "html"])
def test_mail_has_no_link_and_no_second_header(kind: str) -> None:
    with smtp_receiver() as mailbox:
        url = f"mailto://127.0.0.1:{mailbox.port}?from=jit@example.com&to=bob@example.com&format={kind}"
        assert asyncio.run(sent_over(url, hostile_message())).fate is Fate.TAKEN
        mail = _only(mailbox)
    assert mailbox.recipients == [["bob@example.com"]]
    assert mail["To"] == "bob@example.com"
    assert "\n" not in mail["Subject"]
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            text = part.get_content()
            assert "click" in text
            assert not LIVE.findall(written_by_people(text)), text


def _only(mailbox: Mailbox) -> EmailMessage:
    [mail] = mailbox.mails
    return mail


def test_the_operators_own_token_and_settings_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITACCESS_KUBECONFIG", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path))

    async def environment() -> str:
        child = Child()
        try:
            await child.check("json://127.0.0.1")
            assert child.pid
            return await asyncio.to_thread(Path(f"/proc/{child.pid}/environ").read_text)
        finally:
            await child.close()

    found = asyncio.run(environment())
    assert "PATH=" in found
    assert "KUBECONFIG" not in found
    assert os.environ["KUBECONFIG"] == str(tmp_path)
