"""The commands `jitaccess notify`: whether the channels are right, and a message over one of them, without the operator."""

import asyncio
import uuid
from pathlib import Path

import click

from jitaccess.app.notifying import NOTIFICATION_SECRETS, Configuration
from jitaccess.domain.notices import REQUESTER
from jitaccess.kube.clock import utcnow
from jitaccess.publish.notify.channels import Channels
from jitaccess.publish.notify.child import Child
from jitaccess.publish.notify.sending import Senders
from jitaccess.publish.notify.verdicts import Fate, Sent

notifications_option = click.option(
    "--notifications",
    envvar="JITACCESS_NOTIFICATIONS",  # of every command, so not as click would name it
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML with the channels over which people and programs are told; read again when it changes. Without it: nobody is.",
    show_envvar=True,
)
notification_secrets_option = click.option(
    "--notification-secrets",
    envvar="JITACCESS_NOTIFICATION_SECRETS",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=NOTIFICATION_SECRETS,
    help="Where the files are that it names: a mounted Secret.",
    show_envvar=True,
)


@click.group()
def notify() -> None:
    """Look at the channels over which people and programs are told."""


@notify.command()
@notifications_option
@notification_secrets_option
def check(notifications: Path | None, notification_secrets: Path) -> None:
    """Say whether the channels are set up right, and send nothing."""
    channels = asyncio.run(_read(_given(notifications), notification_secrets))
    names = [*sorted(channels.channels), *([REQUESTER] if channels.requesters else [])]
    click.echo(f"{len(names)} channel{'' if len(names) == 1 else 's'}: {', '.join(names)}" if names else "no channels")


@notify.command()
@notifications_option
@notification_secrets_option
@click.option("--to", metavar="ADDRESS", default="", help="Of the channel requester: to whom.")
@click.argument("channel")
def test(notifications: Path | None, notification_secrets: Path, to: str, channel: str) -> None:
    """Send one message over CHANNEL, and say whether it was taken."""
    sent = asyncio.run(_test(_given(notifications), notification_secrets, channel, to))
    if sent.fate is not Fate.TAKEN:
        raise click.ClickException(f"the channel {channel} did not take it: {sent.why}")
    click.echo(f"the channel {channel} took it")


def _given(notifications: Path | None) -> Path:
    if notifications is None:
        raise click.UsageError("no channels are set up: --notifications FILE, or JITACCESS_NOTIFICATIONS, says where they are")
    return notifications


async def _read(file: Path, secrets: Path) -> Channels:
    child = Child()
    try:
        return await _channels(file, secrets, child)
    finally:
        await child.close()


async def _channels(file: Path, secrets: Path, child: Child) -> Channels:
    try:
        return await Configuration(file, secrets, child).read()
    except ValueError as error:
        raise click.ClickException(str(error)) from error


async def _test(file: Path, secrets: Path, channel: str, to: str) -> Sent:
    child = Child()
    senders = Senders(child, lambda _: None)
    try:
        senders.channels = channels = await _channels(file, secrets, child)
        _must_exist(channels, channel, to)
        return await senders.test(channel, to, str(uuid.uuid4()), utcnow())
    finally:
        await senders.close()


def _must_exist(channels: Channels, channel: str, to: str) -> None:
    if channel == REQUESTER:
        if channels.requesters is None:
            raise click.ClickException("mail to requesters is not set up")
        if not channels.requesters.address(to):
            domains = ", ".join(sorted(channels.requesters.domains))
            raise click.ClickException(f"--to {to!r} is no address that is written to: name one in {domains}")
    elif channel not in channels.channels:
        known = ", ".join(sorted(channels.channels)) or "none"
        raise click.ClickException(f"there is no channel {channel}; there are: {known}")
