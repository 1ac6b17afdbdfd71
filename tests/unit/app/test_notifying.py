"""The channels follow their file and Secret; a wrong one is refused, and the old ones stay."""

import asyncio
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from jitaccess.app import notifying as module
from jitaccess.app.command import main
from jitaccess.app.notifying import Configuration
from jitaccess.publish.notify.channels import Channels
from jitaccess.publish.notify.child import Child
from unit.waiting import until


class Checks(Child):
    """Says of every URL what it is told to."""

    fault = ""

    async def check(self, url: str) -> str:
        return self.fault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file with one channel, and its Secret, mounted as kubelet does: through a link that is moved."""
    for number, url in enumerate(("json://one", "json://two")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "chat").write_text(url)
    (tmp_path / "secrets").symlink_to("..0")
    (tmp_path / "notifications.yaml").write_text("channels:\n  chat: {apprise: chat}\n")
    return tmp_path


def configuration(folder: Path, child: Child | None = None) -> Configuration:
    """The configuration there."""
    return Configuration(folder / "notifications.yaml", folder / "secrets", child or Checks())


async def test_a_change_is_applied_and_a_mistake_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    kept, applied = configuration(folder), list[Channels]()
    task = asyncio.create_task(kept.keep(applied.append))

    async def comes_to(count: int, problem: str = "") -> None:
        await until(
            lambda: len(applied) == count and problem in kept.problem and bool(problem) == bool(kept.problem),
            lambda: f"{count} applied, and {problem or 'no problem'}; last seen: {len(applied)}, and {kept.problem}",
        )

    def replaced(name: str, new: Path) -> None:
        os.replace(new, folder / name)  # noqa: PTH105 (what kubelet does; it is read meanwhile)

    def rewritten(text: str) -> None:
        (folder / "new").write_text(text)
        replaced("notifications.yaml", folder / "new")

    await comes_to(1)
    (folder / "new").symlink_to("..1")
    replaced("secrets", folder / "new")
    await comes_to(2)
    assert [each.channels["chat"].apprise for each in applied] == ["json://one", "json://two"]
    rewritten("channels:\n  chat: {aprise: chat}\n")
    await comes_to(2, "line 2: channels.chat has an unknown field 'aprise'")
    (folder / "notifications.yaml").unlink()
    await comes_to(2, "cannot be read")
    rewritten("channels: {}\n")
    await comes_to(3)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_url_that_apprise_does_not_know_is_refused_with_its_line(folder: Path) -> None:
    child = Checks()
    child.fault = "Apprise knows no such URL: json://..."
    with pytest.raises(ValueError, match=r"line 2: channels\.chat\.apprise: Apprise knows no such URL"):
        await configuration(folder, child).read()


async def test_without_apprise_it_is_said_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install 'jitaccess\[notify\]'"):
        await configuration(folder).read()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check",), "no channels are set up: --notifications FILE, or JITACCESS_NOTIFICATIONS, says where they are"),
        (("test", "chat"), "no channels are set up"),
        (("test", "--notifications", "{file}", "nowhere"), "there is no channel nowhere; there are: none"),
        (("test", "--notifications", "{file}", "requester"), "mail to requesters is not set up"),
        (("check", "--notifications", "/nowhere"), "/nowhere cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_tried_is_said(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    file = tmp_path / "n.yaml"
    file.write_text("channels: {}\n")
    result = CliRunner().invoke(main, ["notify", *(word.replace("{file}", str(file)) for word in words)])
    assert result.exit_code in (1, 2)
    assert message in result.output


@pytest.mark.parametrize("how", ["option", "environment"])
def test_channels_can_be_checked_without_the_operator(tmp_path: Path, how: str) -> None:
    file = tmp_path / "n.yaml"
    file.write_text("channels: {}\n")
    words, environment = (["--notifications", str(file)], {}) if how == "option" else ([], {"JITACCESS_NOTIFICATIONS": str(file)})
    result = CliRunner().invoke(main, ["notify", "check", *words], env=environment)
    assert (result.exit_code, result.output) == (0, "no channels\n")


@pytest.mark.parametrize("command", ["check", "test"])
def test_help_says_where_the_channels_are_read_from(command: str) -> None:
    result = CliRunner().invoke(main, ["notify", command, "-h"])
    assert result.exit_code == 0
    for name in ("JITACCESS_NOTIFICATIONS", "JITACCESS_NOTIFICATION_SECRETS"):
        assert f"[env var: {name}" in " ".join(result.output.split())
