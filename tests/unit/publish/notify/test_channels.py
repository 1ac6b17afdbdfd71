"""Which channel is told of what: by the policy, else by default, and only where the administrator lets it be named."""

from datetime import timedelta

import pytest

from jitaccess.domain.notices import REQUESTER, Notify, Occasion
from jitaccess.publish.notify.channels import Address, Channel, Channels, Requesters, addresses, unheard
from unit.examples import ALICE, policy, request

CHAT = Channel("chat")
OURS = Channel("ours", namespaces=("team-a", "prod-*"))
OWN = Requesters("mailto://x", frozenset({"example.com"}), Notify(REQUESTER, frozenset({Occasion.GRANTED})))
ALL = Channels({"chat": CHAT, "ours": OURS}, OWN, (Notify("chat", frozenset({Occasion.GRANTED})),))


def told(channels: Channels, occasion: Occasion = Occasion.GRANTED, *, requester: str = ALICE, **spec: object) -> list[str]:
    """Who is told of something that happened to a request under a policy with that spec."""
    return [str(each) for each in addresses(channels, request(requester=requester), policy(**spec), occasion)]


def test_a_policy_that_says_nothing_is_told_of_by_default_and_to_the_requester() -> None:
    assert told(ALL) == ["chat", f"requester {ALICE}"]
    assert told(ALL, Occasion.REQUESTED) == []


def test_a_policy_chooses() -> None:
    wish = [{"channel": "ours", "when": ["Requested"]}, {"channel": "nowhere", "when": ["Requested"]}]
    assert told(ALL, Occasion.REQUESTED, notify=wish) == ["ours"]
    assert told(ALL, notify=wish) == [f"requester {ALICE}"]
    assert told(ALL, notify=[]) == [f"requester {ALICE}"]
    assert told(ALL, notify=[{"channel": "requester", "when": ["Ended"]}]) == []


@pytest.mark.parametrize(
    ("namespace", "is_open"),
    [("team-a", True), ("team-ab", False), ("prod-1", True), ("prod", False), ("", False)],
)
def test_a_channel_is_open_to_the_namespaces_that_are_named(namespace: str, is_open: bool) -> None:
    assert OURS.open_to(namespace) is is_open
    assert CHAT.open_to(namespace)
    assert Channel("wide", namespaces=("team-a",), cluster_wide=True).open_to("")


@pytest.mark.parametrize(
    ("user", "address"),
    [
        (ALICE, ALICE),
        ("Alice.B+x@EXAMPLE.com", "Alice.B+x@EXAMPLE.com"),
        ("alice", ""),
        ("alice@other.example", ""),
        ("alice@sub.example.com", ""),
        ("a@example.com,b@example.com", ""),
        ("a@example.com?cc=b@example.com", ""),
        ("a@example.com\nBcc: b@example.com", ""),
        ("<a@example.com>", ""),
        ("system:serviceaccount:x@example.com", ""),
        ("@example.com", ""),
    ],
)
def test_only_a_user_whose_name_is_one_address_there_is_written_to(user: str, address: str) -> None:
    assert OWN.address(user) == address


def test_what_is_wrong_with_the_channels_of_a_policy_is_said() -> None:
    wish = [{"channel": name, "when": ["Ended"]} for name in ("chat", "ours", "nowhere", "requester")]
    assert unheard(ALL, policy(notify=wish)) == ("there is no channel nowhere",)
    elsewhere = Channels({"ours": Channel("ours", namespaces=("x",))})
    assert unheard(elsewhere, policy(notify=wish[1:])) == (
        "the channel ours is not open to namespace team-a",
        "there is no channel nowhere",
        "nobody has set up mail to requesters",
    )


def test_a_secret_is_not_in_what_is_logged_of_a_channel() -> None:
    assert "token" not in repr(Channel("chat", apprise="slack://token"))
    assert "token" not in repr(Requesters("mailto://token@x", frozenset(), Notify("x", warn_before=timedelta(1))))
    assert str(Address("requester", "x@y")) == "requester x@y"
