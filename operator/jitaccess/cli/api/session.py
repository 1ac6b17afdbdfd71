"""One run of the plugin: where to connect, as whom, and whether there is a person at the terminal to ask."""

import gc
import re
import sys
from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import UsageError
from jitaccess.domain.text import parse_duration

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection

P = ParamSpec("P")
R = TypeVar("R")

_NO_TIMEOUT = re.compile(r"0+(?:ms|s|m|h)?")
META = "jitaccess.target"  # where the command line keeps its connection options


class Session:
    """The connection that the command line describes, made when it is first needed."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    @cached_property
    def connection(self) -> "Connection":
        """The connection; importing the Kubernetes library takes longer than all else, so that waits until here."""
        from jitaccess.cli.api.connect import Connection
        from jitaccess.cli.api.target import Target

        gc.enable()
        return Connection(
            Target(
                kubeconfig=self._given.get("kubeconfig", ""),
                context=self._given.get("context", ""),
                namespace=self._given.get("namespace", ""),
                user=self._given.get("as_user", ""),
                groups=tuple(self._given.get("as_group", ())),
                timeout=_parse_timeout(self._given.get("request_timeout", "30s")),
            )
        )

    @cached_property
    def client(self) -> Client:
        """What the API server has, in the plugin's words."""
        return Client(self.connection, cluster=self._cluster)

    @property
    def _cluster(self) -> bool:
        cluster = bool(self._given.get("cluster"))
        if cluster and self.namespace_given:
            raise UsageError("--cluster and --namespace exclude each other")
        return cluster

    def scope(self, everywhere: bool) -> str:
        """The namespace to look at; empty for all of them, and for the whole cluster."""
        if everywhere and self._cluster:
            raise UsageError("--cluster and --all-namespaces exclude each other")
        return "" if everywhere else self.client.namespace

    def scopes(self, everywhere: bool) -> list[tuple[Client, str]]:
        """What a whole record is read from: one namespace, or the whole cluster and all namespaces."""
        namespace = self.scope(everywhere)
        return [(self.client.of_the_cluster, "")] * everywhere + [(self.client, namespace)]

    @property
    def namespace_given(self) -> str:
        """The namespace of the command line, if any."""
        return str(self._given.get("namespace", ""))

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig of the command line, if any."""
        return str(self._given.get("kubeconfig", ""))

    @property
    def context(self) -> str:
        """The context of the command line, if any."""
        return str(self._given.get("context", ""))

    @property
    def acts_as(self) -> str:
        """Whom the command line says to be, if anybody else."""
        return str(self._given.get("as_user", ""))

    @property
    def interactive(self) -> bool:
        """Whether there is somebody to ask."""
        return sys.stdin.isatty() and sys.stderr.isatty()


def parse_seconds(text: str, option: str) -> float:
    """Read a duration option into seconds."""
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _parse_timeout(text: str) -> float:
    """Read --request-timeout as kubectl does: a duration, or plain seconds; 0 for none."""
    if _NO_TIMEOUT.fullmatch(text):
        return 0.0
    return parse_seconds(f"{text}s" if text.isascii() and text.isdecimal() else text, "--request-timeout")


def current(ctx: click.Context) -> Session:
    """The session of this command line."""
    return Session(ctx.meta.get(META, {}))


def pass_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give the session to a command as its first argument."""

    def with_session(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(current(click.get_current_context()), *args, **kwargs)

    return update_wrapper(with_session, function)
