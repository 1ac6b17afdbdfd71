"""The two messages in the docs are what is sent."""

from jitaccess.domain.notices import Occasion
from jitaccess.domain.recorded import Entry, State
from jitaccess.wording.messages import Message, message
from jitaccess.wording.titles import Told
from system import ROOT
from unit.examples import ALICE, T0, active_status, policy, request

ROLE = {
    "uid": "r-1",
    "hash": "0123456789abcdef",
    "rules": [
        {"verbs": ["get", "list", "watch"], "groups": ["", "apps"], "resources": ["pods", "pods/log", "deployments"]},
        {"verbs": ["create"], "groups": [""], "resources": ["pods/exec"]},
    ],
    "hints": ["what runs in the Pods"],
}
CONSOLE = "https://access.example.com/requests/{namespace}/{name}"


def chat() -> Message:
    """What a chat hears of a request."""
    asked = request(
        status={"role": ROLE, "state": "Pending"}, requesterGroups=["developers"], reason="INC-42 pods crash looping, see @dora"
    )
    entry = Entry(T0, State.PENDING, "Requested", asked.reason, ALICE)
    return message(Told(Occasion.REQUESTED, asked, policy(), entry, console=CONSOLE), T0)


def mail() -> Message:
    """What the requester reads once it is granted."""
    granted = request(status=active_status() | {"role": ROLE})
    return message(Told(Occasion.GRANTED, granted, policy(), Entry(T0, State.ACTIVE, "Granted"), own=True, console=CONSOLE), T0)


def shown(message: Message, head: str = "") -> str:
    """A message as the docs have it."""
    return f"```text\n{head}{message.title}\n{message.body}\n```\n"


def test_the_messages_in_the_docs_are_what_is_sent() -> None:
    docs = (ROOT / "docs" / "operations.md").read_text()
    assert shown(chat()) in docs
    assert shown(mail(), "To: alice@example.com\nSubject: ") in docs
