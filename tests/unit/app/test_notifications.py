"""The administrator's channels: what a file may say, and in which line it is wrong."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from jitaccess.app.notifications import read_notifications
from jitaccess.domain.notices import REQUESTER, Notify, Occasion
from jitaccess.publish.notify.channels import NOBODY, Channel
from system import ROOT

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
FILES = {
    "chat": "slack://a/b/c/#team-a\n",
    "team-a-chat": "slack://a/b/c",
    "on-call": "pagerduty://a@b",
    "mail": "mailtos://user:secret-password@smtp.example.com?from=jit@example.com",
    "robots-url": "https://robots.example.com/x",
    "robots-key": KEY,
    "bad-key": "secret-but-short",
    "two": "slack://a slack://secret-token",
    "empty": "",
}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The mounted Secret."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_example_is_read_whole(secrets: Path) -> None:
    example = yaml.safe_load((ROOT / "deploy" / "examples" / "notifications" / "channels.yaml").read_text())
    found = read_notifications(example["data"]["notifications.yaml"], "notifications.yaml", secrets)
    channels = found.channels
    assert sorted(channels.channels) == ["on-call", "robots", "team-a-chat"]
    assert channels.channels["team-a-chat"].namespaces == ("team-a", "team-a-*")
    assert channels.channels["robots"].webhook
    assert channels.requesters
    assert channels.requesters.notify.warn_before == timedelta(minutes=10)
    assert channels.requesters.notify.when == {
        Occasion.SCHEDULED,
        Occasion.GRANTED,
        Occasion.DENIED,
        Occasion.TIMED_OUT,
        Occasion.FAILED,
        Occasion.ENDED,
    }
    assert channels.defaults[0] == Notify("on-call", frozenset({Occasion.FAILED, Occasion.INCIDENT}))
    assert channels.console == "https://access.example.com/requests/{namespace}/{name}"
    assert channels.patience == timedelta(minutes=10)
    assert [(used.where, used.url) for used in found.used][-1] == ("requesters.apprise", FILES["mail"])


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "channels:\n", "channels: {}\n"])
def test_a_file_may_have_no_channels(secrets: Path, text: str) -> None:
    assert read_notifications(text, "f", secrets).channels == NOBODY


def test_a_channel_may_be_for_the_whole_cluster_too(secrets: Path) -> None:
    text = "channels:\n  chat: {apprise: chat, namespaces: [team-a], clusterWide: true}\n"
    expected = Channel("chat", "slack://a/b/c/#team-a", namespaces=("team-a",), cluster_wide=True)
    assert read_notifications(text, "f", secrets).channels.channels == {"chat": expected}


CHAT = "channels:\n  chat: {apprise: chat}\n"
MAIL = "requesters:\n  apprise: mail\n  domains: [example.com]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("channels: [", "f is not YAML: "),
        ("chanels: {}", "f, line 1: the file has an unknown field 'chanels': it takes channels, requesters, defaults, console"),
        ("channels:\n  chat: {apprise: chat}\n  chat: {apprise: chat}", "f, line 3: channels has chat twice"),
        ("channels:\n  Chat: {apprise: chat}", "f, line 2: the name of a channel is 'Chat', and not the name of a channel"),
        ("channels:\n  chat: {}", "f, line 2: channels.chat needs one of apprise and webhook"),
        ("channels:\n  chat: {apprise: chat, webhook: {}}", "f, line 2: channels.chat needs one of apprise and webhook"),
        (
            "channels:\n  chat:\n    apprise: gone",
            "f, line 3: channels.chat.apprise: {secrets}/gone cannot be read: No such file",
        ),
        ("channels:\n  chat:\n    apprise: ../x", "f, line 3: channels.chat.apprise is '../x', and not the name of a file"),
        ("channels:\n  chat:\n    apprise: two", "f, line 3: channels.chat.apprise: {secrets}/two does not have one URL in it"),
        ("channels:\n  chat:\n    apprise: empty", "f, line 3: channels.chat.apprise: {secrets}/empty does not have one URL"),
        ("channels:\n  requester: {apprise: chat}", "f, line 2: channels.requester: the channel requester is the person who"),
        ("channels:\n  chat: {apprise: chat, namespaces: [A]}", "f, line 2: channels.chat.namespaces[0] is 'A', and not the"),
        ("channels:\n  chat: {apprise: chat, namespaces: []}", "f, line 2: channels.chat.namespaces is empty: name at least one"),
        ("channels:\n  chat: {apprise: chat, clusterWide: true}", "f, line 2: channels.chat.clusterWide says nothing where no"),
        (
            "channels:\n  chat: {apprise: chat, namespaces: [a], clusterWide: 3}",
            "f, line 2: channels.chat.clusterWide is neither",
        ),
        ("channels:\n  r:\n    webhook: {url: robots-url}", "f, line 3: channels.r.webhook has no secret: each names a file"),
        (
            "channels:\n  r:\n    webhook: {url: robots-url, secret: bad-key}",
            "f, line 3: channels.r.webhook: {secrets}/bad-key: line 1",
        ),
        (
            "channels:\n  r:\n    webhook: {url: chat, secret: robots-key}",
            "f, line 3: channels.r.webhook: {secrets}/chat: it is no URL",
        ),
        (
            CHAT + "defaults:\n  - {channel: nowhere, when: [Ended]}",
            "f, line 4: defaults[0].channel is 'nowhere', and there is no",
        ),
        (CHAT + "defaults:\n  - {channel: requester, when: [Ended]}", "f, line 4: defaults[0].channel is 'requester', and there"),
        (
            CHAT + "defaults:\n  - {channel: chat}",
            "f, line 4: defaults[0] does not say of what: when, remindAfter, escalateAfter",
        ),
        (
            CHAT + "defaults:\n  - {channel: chat, when: [Asked]}",
            "f, line 4: defaults[0].when[0] is 'Asked', and not one of Requested",
        ),
        (CHAT + "defaults:\n  - {channel: chat, remindAfter: 1w}", "f, line 4: defaults[0].remindAfter: '1w' is not a duration"),
        (CHAT + "patience: 2h", "f, line 3: patience: '2h' is longer than 1h"),
        (CHAT + "console: javascript:alert(1)", "f, line 3: console is 'javascript:alert(1)', and not an https URL"),
        ("requesters:\n  domains: [example.com]", "f, line 2: requesters has no apprise"),
        ("requesters:\n  apprise: mail", "f, line 2: requesters has no domains"),
        (
            "requesters:\n  apprise: chat\n  domains: [example.com]",
            "f, line 2: requesters.apprise is no mail server: the file must",
        ),
        ("requesters:\n  apprise: mail\n  domains: ['*']", "f, line 3: requesters.domains[0] is '*', and not a mail domain"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_without_secrets(secrets: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^f(,| is not YAML)") as refused:
        read_notifications(text, "f", secrets)
    assert str(refused.value).startswith(message.replace("{secrets}", str(secrets)))
    assert "secret-" not in str(refused.value).replace(str(secrets), "")


def test_the_requester_may_be_a_default_channel_once_there_is_mail(secrets: Path) -> None:
    found = read_notifications(f"{MAIL}defaults:\n  - {{channel: requester, warnBefore: 5m}}\n", "f", secrets)
    assert found.channels.defaults == (Notify(REQUESTER, warn_before=timedelta(minutes=5)),)
