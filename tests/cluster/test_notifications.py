"""Telling people and programs, on the real control plane, over real receivers, some of them slow, failing or not trusted."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from standardwebhooks import Webhook

from conftest import installed_system
from receivers import Mailbox, Receiver, dead_port, http_receiver, smtp_receiver, write_certificate
from system import ROOT, System
from team import POLICIES, Team, eventually, new_team, policy_manifest

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
MEMORY = ROOT / "deploy" / "components" / "notifications" / "memory.yaml"
ERIN = "erin@example.com"
REVIEWERS = ("bob", "carol")
ALL = ["Requested", "Approved", "Granted", "Ended", "Denied", "Withdrawn", "TimedOut", "Failed", "Incident"]


T = TypeVar("T")


@dataclass
class Post:
    """An installed system whose operators tell over these receivers; `config` and `secrets` are what they mount."""

    system: System
    folder: Path
    chat: Receiver
    failing: Receiver
    slow: Receiver
    untrusted: Receiver
    robots: Receiver
    mail: Mailbox
    dead: int

    def configure(self, **sections: Any) -> None:
        """Write the configuration and the secrets, as kubelet does with what is mounted."""
        secrets = {
            "chat": f"json://127.0.0.1:{self.chat.port}/",
            "dead": f"json://127.0.0.1:{self.dead}/",
            "failing": f"json://127.0.0.1:{self.failing.port}/",
            "slow": f"json://127.0.0.1:{self.slow.port}/",
            "untrusted": f"jsons://127.0.0.1:{self.untrusted.port}/",
            "robots-url": self.robots.url,
            "robots-key": KEY,
            "mail": f"mailto://127.0.0.1:{self.mail.port}?from=jit@example.com",
        }
        secrets |= {f"{who}-mail": f"{secrets['mail']}&to={who}@example.com" for who in REVIEWERS}
        for name, text in secrets.items():
            put(self.folder / "secrets" / name, text)
        channels: dict[str, Any] = {name: {"apprise": name} for name in ("chat", "dead", "failing", "slow", "untrusted")}
        channels |= {f"reviewer-{who}": {"apprise": f"{who}-mail"} for who in REVIEWERS}
        channels["robots"] = {"webhook": {"url": "robots-url", "secret": "robots-key"}}
        requesters = {"apprise": "mail", "domains": ["example.com"], "warnBefore": "2h"}
        config = {"channels": channels, "requesters": requesters, "console": "https://access.example.com/{namespace}/{name}"}
        put(self.file, yaml.safe_dump(config | sections))

    def mailed(self, team: Team, name: str) -> list[tuple[str, str]]:
        """To whom which subjects were mailed about a request, in order."""
        mails, about = list(zip(self.mail.mails, self.mail.recipients, strict=False)), mentioning(team, name)
        return [(person, mail["Subject"]) for mail, to in mails if about.search(mail.get_content()) for person in to]

    def programmed(self, uid: str) -> list[str]:
        """The reasons that a program was told about a request, in order."""
        events = [Webhook(KEY).verify(each.body, each.headers) for each in list(self.robots.got)]
        return [event["data"]["transition"]["reason"] for event in events if event["data"]["request"]["uid"] == uid]

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "notifications.yaml"

    @property
    def flags(self) -> tuple[str, ...]:
        """What tells an operator of it."""
        return "--notifications", str(self.file), "--notification-secrets", str(self.folder / "secrets")

    def told(self, team: Team, name: str) -> list[str]:
        """The titles of what the chat was told about a request, in order."""
        posts, about = [json.loads(text) for text in self.chat.texts()], mentioning(team, name)
        return [post["title"] for post in posts if about.search(post["message"])]


def put(file: Path, text: str) -> None:
    """Write a file that somebody may be reading: it is there whole, or as it was."""
    fresh = file.parent.parent / f"{file.name}.new"
    fresh.write_text(text)
    fresh.replace(file)


def mentioning(team: Team, name: str) -> re.Pattern[str]:
    """What a message about a request has in it: a command that names it."""
    return re.compile(rf" {name} -n {team.namespace}(\s|$)")


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """The system, its operator running, and its receivers."""
    folder = tmp_path_factory.mktemp("notifications")
    (folder / "secrets").mkdir()
    certificate = write_certificate(folder / "cert.pem")
    with ExitStack() as stack:
        chat, failing, slow, robots = (stack.enter_context(http_receiver()) for _ in range(4))
        untrusted = stack.enter_context(http_receiver(cert=certificate))
        failing.status, slow.delay = 500, threading.Event()
        mail = stack.enter_context(smtp_receiver())
        system = stack.enter_context(installed_system())
        system.plane.kubectl("apply", "-f", str(MEMORY))
        made = Post(system, folder, chat, failing, slow, untrusted, robots, mail, stack.enter_context(dead_port()))
        made.configure()
        system.start_operator(*made.flags)
        eventually(lambda: "channels for notifications" in messages(system), "the channels are in force")
        yield made


def messages(system: System) -> list[str]:
    """What the operator has logged since it was started."""
    return [entry["message"] for entry in system.log()]


def exactly(count: int, found: list[T]) -> list[T]:
    """These, once there are so many."""
    return found if len(found) == count else []


def failures(team: Team, name: str) -> list[str]:
    """The Events that say that a channel was not told of a request."""
    events = team.admin.get("events").sure()["items"]
    return [
        event["message"]
        for event in events
        if event["reason"] == "NotificationFailed" and event["involvedObject"]["name"] == name
    ]


def test_a_life_is_told_once_to_each_who_listens_and_nobody_waits_for_those_who_do_not(post: Post) -> None:
    team = new_team(post.system)
    channels = [{"channel": name, "when": ALL} for name in ("chat", "failing", "dead", "slow", "untrusted", "robots")]
    team.policy(notify=channels)
    name = team.request(ERIN, duration="1h", reason="INC-42 @here [x](https://evil.example)")
    eventually(lambda: post.told(team, name), "the chat hears of the request")
    team.until(name, "Pending")
    team.decide("bob", "approve", name)
    team.until(name, "Active")  # with five channels that are dead in one way or another
    eventually(lambda: len(post.told(team, name)) == 3, "asked, approved, granted")
    eventually(lambda: post.mail.mails, "the requester hears of the grant")
    old = post.system.operator
    assert old
    assert old.terminate() == 0, old.log_tail()
    post.system.start_operator(*post.flags)  # whoever leads next tells nothing again, and goes on
    team.decide("bob", "revoke", name, "enough")
    team.until(name, "Revoked")
    titles = eventually(lambda: exactly(4, post.told(team, name)), "it has ended")
    assert [title.split(" ", 2)[2].split(" ")[0:2] for title in titles] == [
        ["asks", "for"],
        ["request", "for"],
        ["has", "ClusterRole"],
        ["access", "(ClusterRole"],
    ], titles
    assert "evil.example" not in "".join(post.chat.texts())
    assert "@here" not in "".join(post.chat.texts())
    assert post.untrusted.got == [], "nothing is sent to whom TLS does not trust"
    assert not [text for text in post.slow.texts() if post.slow.texts().count(text) > 1], "what may have arrived comes once"

    mails = eventually(lambda: exactly(2, post.mailed(team, name)), "the requester hears of the grant and its end")
    subjects = [subject for _, subject in mails]
    assert subjects[0].startswith("jitaccess: You have ClusterRole view")
    assert "was revoked by bob" in subjects[1]
    assert {person for person, _ in mails} == {ERIN}
    uid = team.get(name)["metadata"]["uid"]

    def events() -> dict[str, dict[str, Any]]:
        found = [Webhook(KEY).verify(each.body, each.headers) for each in post.robots.got]
        return {event["id"]: event for event in found if event["data"]["request"]["uid"] == uid}

    eventually(lambda: len(events()) == 4, "a program hears of all of it, signed")
    assert [event["data"]["transition"]["reason"] for event in events().values()] == [
        "Requested",
        "Approved",
        "Granted",
        "RevokedByApprover",
    ]


def test_what_is_not_taken_in_time_is_said_on_the_request(post: Post) -> None:
    post.configure(patience="5s")
    eventually(lambda: messages(post.system).count("channels for notifications") >= 2, "the new file is in force")
    team = new_team(post.system)
    team.policy(notify=[{"channel": "failing", "when": ["Requested"]}, {"channel": "dead", "when": ["Requested"]}])
    name = team.request()
    words = eventually(lambda: exactly(2, failures(team, name)), "Events say so")
    assert sorted(words) == [
        f"the channel {channel} was perhaps not told of Requested: it did not take it in time" for channel in ("dead", "failing")
    ]
    failed = 'jitaccess_notifications_total{channel="failing",outcome="failed"}'
    eventually(lambda: failed in post.system.health("/metrics")[1], "the metrics count it")


def test_a_wrong_file_is_refused_with_its_line_and_the_old_one_stays(post: Post) -> None:
    post.configure()
    eventually(lambda: "notifications:" not in post.system.health("/readyz")[1], "the file is right")
    right = post.file.read_text()
    put(post.file, "channels:\n  chat:\n    aprise: chat\n")
    eventually(lambda: "line 3" in post.system.health("/readyz")[1], "it says what is wrong")
    _, body = post.system.health("/readyz")
    assert f"notifications: {post.file}, line 3: channels.chat has an unknown field 'aprise'" in body
    team = new_team(post.system)
    team.policy(notify=[{"channel": "chat", "when": ["Requested"]}])
    name = team.request()
    eventually(lambda: post.told(team, name), "the old channels are in force")
    put(post.file, right)
    eventually(lambda: "notifications:" not in post.system.health("/readyz")[1], "the file is right again")


def test_a_policy_whose_channel_there_is_not_is_in_force_and_says_so_until_there_is(post: Post) -> None:
    post.configure()
    team = new_team(post.system)
    team.policy(notify=[{"channel": "later", "when": ["Requested"]}])
    missed = team.until_condition("debug", "ChannelsFound", "False", of=POLICIES)
    assert (missed["reason"], missed["message"]) == (
        "ChannelUnknown",
        "not everybody is told whom it names: there is no channel later",
    )
    assert team.condition("debug", "Stalled", POLICIES)["status"] == "False", "nobody waits for a chat"
    team.until(team.request(), "Pending")
    eventually(lambda: "ChannelUnknown" in team.events(), "an Event says so too")
    post.configure(channels={"later": {"apprise": "chat"}})
    team.until_condition("debug", "ChannelsFound", "True", of=POLICIES)
    name = team.request()
    eventually(lambda: post.told(team, name), "and it is told")
    post.configure()
    team.until_condition("debug", "ChannelsFound", "False", of=POLICIES)


def test_reminders_escalations_and_warnings_come_by_the_clock(post: Post) -> None:
    team = new_team(post.system)
    team.policy(
        notify=[
            {"channel": "chat", "remindAfter": "2s"},
            {"channel": "robots", "escalateAfter": "4s"},
            {"channel": "requester", "warnBefore": "50m"},
        ]
    )
    name = team.request(ERIN, duration="51m")
    [title] = eventually(lambda: post.told(team, name), "a reminder")
    assert title.startswith("jitaccess: Still waiting: ")
    uid = team.get(name)["metadata"]["uid"]
    eventually(
        lambda: [
            event
            for event in map(json.loads, post.robots.texts())
            if event["type"].endswith(".Escalation") and event["data"]["request"]["uid"] == uid
        ],
        "an escalation",
    )
    assert len(post.told(team, name)) == 1


def test_every_reviewer_hears_that_a_review_is_owed_and_once_that_it_is_overdue(post: Post) -> None:
    post.configure()

    def in_force() -> bool:
        return "reviewer-bob" in [entry["channels"] for entry in post.system.log() if "channels" in entry][-1]

    eventually(in_force, "the file is in force")
    team = new_team(post.system)
    occasions = ["Emergency", "ReviewOwed", "ReviewOverdue", "Reviewed"]
    leads = [{"kind": "Group", "name": "leads"}]
    team.policy(
        requiredApprovals=0,
        emergency={"reviewWithin": "2s", "reviewers": leads},
        notify=[{"channel": name, "when": occasions} for name in ("chat", "reviewer-bob", "reviewer-carol", "robots")],
    )
    name = team.request("alice", duration="1s")
    team.until(name, "Expired")
    eventually(lambda: team.condition(name, "Reviewed").get("reason") == "ReviewOverdue", "nobody has reviewed it in time")
    eventually(lambda: len(post.told(team, name)) == 3, "given, owed, overdue")
    eventually(lambda: len(post.mailed(team, name)) == 6, "and each reviewer by mail")
    old = post.system.operator
    assert old
    assert old.terminate() == 0, old.log_tail()
    post.system.start_operator(*post.flags)  # it finds the review overdue, and that it was told
    eventually(lambda: team.holds("bob", "review", "debug"), "bob may review")
    team.decide("bob", "review", name, "misuse: I know of no such incident")
    team.until_condition(name, "Reviewed", "True")
    titles = eventually(lambda: exactly(4, post.told(team, name)), "what was found")
    expected = [
        r"EMERGENCY: alice has ClusterRole view .*",
        r"Review owed, due .*: alice's emergency access .*",
        r"Review overdue: alice's emergency access .*",
        r"alice's emergency access .* was found to be misuse by bob",
    ]
    mails = eventually(lambda: exactly(8, post.mailed(team, name)), "every reviewer hears of that too")
    mailboxes = [[subject for person, subject in mails if person == f"{reviewer}@example.com"] for reviewer in REVIEWERS]
    for got in (titles, *mailboxes):  # how long ago it was is said as it is sent
        assert len(got) == len(expected)
        assert [
            words for words, title in zip(expected, got, strict=True) if not re.fullmatch(f"jitaccess: {words}", title)
        ] == [], got
    uid = team.get(name)["metadata"]["uid"]
    reasons = eventually(lambda: exactly(4, post.programmed(uid)), "and a program")
    assert reasons == ["Emergency", "ReviewOwed", "ReviewOverdue", "ReviewedAsMisuse"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ([{"channel": "chat"}], "say of what this channel is told: when, remindAfter, escalateAfter or warnBefore"),
        ([{"channel": "Chat!", "when": ["Ended"]}], "is no name of a channel"),
        ([{"channel": "chat", "when": ["Asked"]}], "Unsupported value"),
        ([{"channel": "chat", "remindAfter": "2 days"}], "is not a duration"),
        ([{"channel": "chat", "when": ["Ended"]}] * 2, "Duplicate value"),
    ],
)
def test_the_api_server_refuses_what_tells_nobody_anything(post: Post, wish: list[dict[str, Any]], words: str) -> None:
    team = new_team(post.system)
    answer = team.admin.create("accesspolicies", policy_manifest("wrong", notify=wish))
    assert answer.status == 422
    assert words in answer.message


def test_the_operator_tries_a_channel_from_the_command_line(post: Post) -> None:
    post.configure()
    good = post.system.jitaccess_bare("notify", "test", *post.flags, "chat")
    assert (good.returncode, good.stdout) == (0, "the channel chat took it\n"), good.stderr
    assert sum("test of the channel chat" in text for text in post.chat.texts()) == 1
    bad = post.system.jitaccess_bare("notify", "test", *post.flags, "failing")
    assert bad.returncode == 1
    assert bad.stderr == "Error: the channel failing did not take it: it answered 500\n"


def test_a_channel_is_told_of_no_namespace_that_may_not_name_it(post: Post) -> None:
    team = new_team(post.system)
    post.configure(channels={"chat": {"apprise": "chat", "namespaces": ["elsewhere-*"]}, "all": {"apprise": "chat"}})
    eventually(lambda: "all" in str([e.get("channels") for e in post.system.log()]), "the new channels are in force")
    team.policy(notify=[{"channel": "chat", "when": ["Requested", "Withdrawn"]}, {"channel": "all", "when": ["Withdrawn"]}])
    name = team.request()
    team.until(name, "Pending")
    team.decide("alice", "revoke", name)
    eventually(lambda: post.told(team, name), "the channel that is open to all hears of it")
    assert len(post.told(team, name)) == 1
