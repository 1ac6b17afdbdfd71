"""The command `jitaccess`: the operator (`run`) and its one-shot second line (`sweep`)."""

import asyncio
import logging
import re
import secrets
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click

from jitaccess import __version__
from jitaccess.app.audit_sinks import read_audit_sinks
from jitaccess.app.logs import configure_logging
from jitaccess.app.notify_command import notification_secrets_option, notifications_option, notify
from jitaccess.app.operator import CALL_TIMEOUT, Operator, Options, sweep_once
from jitaccess.app.risk_rules import read_risk_rules
from jitaccess.app.supervise import Ended, Termination
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.text import parse_duration
from jitaccess.kube.api import Outage, Refused
from jitaccess.kube.credentials import ConfigurationError, Connection, connect
from jitaccess.manifests.grant import JOB_IMAGE
from jitaccess.publish.audit.export import NO_AUDIT, AuditOptions

log = logging.getLogger(__name__)

LONGEST_RETENTION = timedelta(days=36500)
SETTINGS = {
    "auto_envvar_prefix": "JITACCESS",
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 100,
}


def _duration(_context: click.Context, _parameter: click.Parameter, value: str) -> timedelta:
    try:
        return parse_duration(value, longest=LONGEST_RETENTION)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, such as 0.0.0.0:8080")
    return host.strip("[]"), int(port)


def _identity(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    if value is None:
        return f"{socket.gethostname()}_{secrets.token_hex(4)}"
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", value):
        raise click.BadParameter(f"{value!r} is not made of letters, digits, '.', '_' and '-' alone")
    return value


def _image(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][\w.:/@-]*", value, re.ASCII):
        raise click.BadParameter(f"{value!r} is no image name, such as {JOB_IMAGE}")
    return value


def _risk_rules(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> RiskTable:
    try:
        return read_risk_rules(value.read_text(encoding="utf-8"), str(value)) if value else KNOWN
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error)) from error


def _audit_sinks(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> AuditOptions:
    try:
        return read_audit_sinks(value.read_text(encoding="utf-8"), str(value)) if value else NO_AUDIT
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error)) from error


kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How to reach the API server. Without it: KUBECONFIG, else the ServiceAccount of the Pod.",
    show_envvar=True,
)
log_level_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="How much to log, as one JSON object per line on standard error.",
    show_envvar=True,
)


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, prog_name="jitaccess")
def main() -> None:
    """Just-in-time access for Kubernetes: the operator.

    Every option can also be set in the environment, as shown beside it. People ask and approve with kubectl, or with the
    plugin kubectl-jit.
    """


main.add_command(notify)


@main.command(context_settings=SETTINGS)
@kubeconfig_option
@log_level_option
@click.option(
    "--retention",
    metavar="DURATION",
    callback=_duration,
    default="720h",
    show_envvar=True,
    help="How long settled requests are kept as the record.",
)
@click.option(
    "--sweep-every",
    metavar="DURATION",
    callback=_duration,
    default="5m",
    show_envvar=True,
    help="How often to look for what no event told of.",
)
@click.option(
    "--health-address",
    metavar="HOST:PORT",
    callback=_address,
    default="127.0.0.1:8080",
    show_envvar=True,
    help="Where to serve /livez, /readyz and /metrics. In a Pod: 0.0.0.0:8080.",
)
@click.option(
    "--identity",
    metavar="NAME",
    callback=_identity,
    show_envvar=True,
    help="Who this replica is in the Lease and in the audit log's userAgent. Without it: the host name, and random digits.",
)
@click.option(
    "--job-image",
    metavar="IMAGE",
    callback=_image,
    default=JOB_IMAGE,
    show_envvar=True,
    help="What the Jobs behind the grants name as their image. They never run; policy engines read it.",
)
@click.option(
    "--unconfined",
    is_flag=True,
    show_envvar=True,
    help="Grant even as an account that the admission policies do not confine. To try it out, never for good.",
)
@click.option(
    "--risk-rules",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    callback=_risk_rules,
    show_envvar=True,
    help="YAML with more of what outlives a grant, what may, and what is harmless. It is read once, at the start.",
)
@click.option(
    "--audit-sinks",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    callback=_audit_sinks,
    show_envvar=True,
    help="YAML that says where the record is exported to. It is read once, at the start.",
)
@click.option(
    "--audit",
    type=click.Choice(["best-effort", "required"]),
    default="best-effort",
    show_envvar=True,
    help="With `required`, no access begins unless every sink has taken the record of it. Ending never waits.",
)
@notifications_option
@notification_secrets_option
def run(
    kubeconfig: Path | None,
    log_level: str,
    retention: timedelta,
    sweep_every: timedelta,
    health_address: tuple[str, int],
    identity: str,
    job_image: str,
    unconfined: bool,
    risk_rules: RiskTable,
    audit_sinks: AuditOptions,
    audit: str,
    notifications: Path | None,
    notification_secrets: Path,
) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    export = replace(audit_sinks, required=audit == "required")
    if export.required and not export.sinks:
        raise click.UsageError("--audit=required needs at least one sink: name a file with --audit-sinks")
    configure_logging(log_level)
    if unconfined:
        log.warning("--unconfined: the admission policies may not confine this account; never run it so for good")
    host, port = health_address
    connection = replace(_connection(kubeconfig), agent=f"jitaccess/{identity}")
    settings = (identity, retention, sweep_every, host, port, job_image, unconfined, risk_rules, export)
    options = Options(*settings, notifications, notification_secrets)
    try:
        with Termination() as termination:
            asyncio.run(_run(connection, options, termination))
    except Ended as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --health-address"
        ) from error


@main.command(context_settings=SETTINGS)
@kubeconfig_option
@log_level_option
def sweep(kubeconfig: Path | None, log_level: str) -> None:
    """End every grant that is over, once, and exit.

    The second line behind the operator, for a CronJob: bindings whose time is up, whose request is settled or gone.
    """
    configure_logging(log_level)
    try:
        ended = asyncio.run(sweep_once(_connection(kubeconfig)))
    except (Outage, Refused) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{ended} ended")


async def _run(connection: Connection, options: Options, termination: Termination) -> None:
    termination.listen()
    async with connection.session(CALL_TIMEOUT) as session:
        await Operator(connection, session, options, termination).run()


def _connection(kubeconfig: Path | None) -> Connection:
    try:
        return connect(kubeconfig)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
