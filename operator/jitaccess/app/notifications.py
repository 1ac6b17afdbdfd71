"""The administrator's channels: a YAML file from a ConfigMap that names files of a mounted Secret, checked as a whole."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from jitaccess.app.yaml_file import Kind, Wrong, entries, fields, is_null, root_of, sequence, text, texts, truth
from jitaccess.domain.notices import CHOSEN, REQUESTER, Notify, Occasion
from jitaccess.domain.text import parse_duration
from jitaccess.publish.notify.channels import NOBODY, PATIENCE, Channel, Channels, Requesters
from jitaccess.publish.webhook import Endpoint, NotSent

_SECTIONS = ("channels", "requesters", "defaults", "console", "patience")
_CHANNEL = ("apprise", "webhook", "namespaces", "clusterWide")
_WEBHOOK = ("url", "secret", "ca")
_REQUESTERS = ("apprise", "domains", "when", "warnBefore")
_NOTIFY = ("channel", "when", "remindAfter", "escalateAfter", "warnBefore")
_LONGEST_PATIENCE = timedelta(hours=1)

_NAME = Kind("the name of a channel: lower-case letters, digits and '-'", re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"))
_FILE = Kind("the name of a file in the Secret", re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}"))
_NAMESPACE = Kind("the name of a namespace, or the beginning of one and '*'", re.compile(r"[a-z0-9][-a-z0-9]{0,62}\*?|\*"))
_DOMAIN = Kind("a mail domain, as example.com", re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+"))
_LENGTH = Kind("a duration, as 30m", re.compile(r"[0-9a-z.]{1,32}"))
_CONSOLE = Kind("an https URL with {name} in it, and {namespace}", re.compile(r"https?://[^\s{}]+\{\w+\}[^\s]*"))
_OCCASION = Kind(f"one of {', '.join(CHOSEN)}", re.compile("|".join(CHOSEN)))
_MAIL = re.compile(r"mailtos?://")
# What became of a request, and no step on the way.
_OUTCOMES = frozenset(
    {Occasion.SCHEDULED, Occasion.GRANTED, Occasion.DENIED, Occasion.TIMED_OUT, Occasion.FAILED, Occasion.ENDED}
)
_WARN_BEFORE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Used:
    """An Apprise URL of the configuration, and where it stands: to be checked by whoever knows Apprise."""

    line: int
    where: str
    url: str


@dataclass(frozen=True, slots=True)
class Read:
    """A configuration, and the Apprise URLs in it."""

    channels: Channels
    used: tuple[Used, ...] = ()


def read_notifications(source: str, name: str, secrets: Path) -> Read:
    """Read the file; ValueError says in which line of `name` what is wrong, and no secret."""
    root = root_of(source, name)
    if root is None:
        return Read(NOBODY)
    try:
        return _Reader(secrets).read(root)
    except Wrong as wrong:
        raise ValueError(f"{name}, line {wrong.line}: {wrong}") from wrong


class _Reader:
    """Reads one file, with the files of the Secret that it names."""

    def __init__(self, secrets: Path) -> None:
        self._secrets = secrets
        self._used: list[Used] = []

    def read(self, root: yaml.Node) -> Read:
        sections = {field: node for field, node in fields(root, _SECTIONS, "the file") if not is_null(node)}
        channels = self._channels(sections["channels"]) if "channels" in sections else {}
        requesters = self._requesters(sections["requesters"]) if "requesters" in sections else None
        known = set(channels) | ({REQUESTER} if requesters else set())
        defaults = _defaults(sections["defaults"], known) if "defaults" in sections else ()
        console = text(sections["console"], "console", _CONSOLE) if "console" in sections else ""
        patience = _length(sections["patience"], "patience", _LONGEST_PATIENCE) if "patience" in sections else PATIENCE
        return Read(Channels(channels, requesters, defaults, console, patience), tuple(self._used))

    def _channels(self, node: yaml.Node) -> Mapping[str, Channel]:
        return {key.value: self._channel(key, value) for key, value in entries(node, "channels", "of channels by name")}

    def _channel(self, key: yaml.ScalarNode, node: yaml.Node) -> Channel:
        name = text(key, "the name of a channel", _NAME)
        where = f"channels.{name}"
        if name == REQUESTER:
            raise Wrong(key, f"{where}: the channel {REQUESTER} is the person who asked; set it up under requesters")
        found = dict(fields(node, _CHANNEL, where))
        if ("apprise" in found) is ("webhook" in found):
            raise Wrong(node, f"{where} needs one of apprise and webhook")
        apprise = self._apprise(found["apprise"], f"{where}.apprise") if "apprise" in found else ""
        webhook = self._webhook(found["webhook"], f"{where}.webhook") if "webhook" in found else None
        spaces, wide = found.get("namespaces"), found.get("clusterWide")
        cluster_wide = truth(wide, f"{where}.clusterWide") if wide else False
        if cluster_wide and spaces is None:
            raise Wrong(node, f"{where}.clusterWide says nothing where no namespaces are named: all may name it")
        namespaces = texts(spaces, f"{where}.namespaces", _NAMESPACE) if spaces else None
        return Channel(name, apprise, webhook, namespaces, cluster_wide)

    def _webhook(self, node: yaml.Node, where: str) -> Endpoint:
        found = dict(fields(node, _WEBHOOK, where))
        missing = [field for field in ("url", "secret") if field not in found]
        if missing:
            raise Wrong(node, f"{where} has no {' and no '.join(missing)}: each names a file in the Secret")
        paths = {field: self._secrets / text(value, f"{where}.{field}", _FILE) for field, value in found.items()}
        endpoint = Endpoint(url_file=paths["url"], secret_file=paths["secret"], ca_file=paths.get("ca"))
        try:
            endpoint.address()
            endpoint.secrets()
        except NotSent as error:
            raise Wrong(node, f"{where}: {error}") from error
        return endpoint

    def _requesters(self, node: yaml.Node) -> Requesters:
        found = dict(fields(node, _REQUESTERS, "requesters"))
        for field in ("apprise", "domains"):
            if field not in found:
                raise Wrong(node, f"requesters has no {field}")
        url = self._apprise(found["apprise"], "requesters.apprise")
        if not _MAIL.match(url):
            raise Wrong(
                found["apprise"], "requesters.apprise is no mail server: the file must have a mailto:// or mailtos:// URL"
            )
        when = _occasions(found.get("when"), "requesters.when") or _OUTCOMES
        warn = _length(found["warnBefore"], "requesters.warnBefore") if "warnBefore" in found else _WARN_BEFORE
        domains = texts(found["domains"], "requesters.domains", _DOMAIN)
        return Requesters(url, frozenset(domains), Notify(REQUESTER, when, warn_before=warn))

    def _apprise(self, node: yaml.Node, where: str) -> str:
        path = self._secrets / text(node, where, _FILE)
        try:
            url = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Wrong(node, f"{where}: {path} cannot be read: {why}") from error
        if not url or any(character.isspace() for character in url):
            raise Wrong(node, f"{where}: {path} does not have one URL in it")
        self._used.append(Used(node.start_mark.line + 1, where, url))
        return url


def _defaults(node: yaml.Node, known: set[str]) -> tuple[Notify, ...]:
    return tuple(_notify(entry, f"defaults[{number}]", known) for number, entry in enumerate(sequence(node, "defaults")))


def _notify(node: yaml.Node, where: str, known: set[str]) -> Notify:
    found = dict(fields(node, _NOTIFY, where))
    if "channel" not in found:
        raise Wrong(node, f"{where} has no channel")
    name = text(found["channel"], f"{where}.channel", _NAME)
    if name not in known:
        raise Wrong(found["channel"], f"{where}.channel is {name!r}, and there is no such channel")
    if len(found) == 1:
        raise Wrong(node, f"{where} does not say of what: when, remindAfter, escalateAfter or warnBefore")
    lengths = {field: _length(value, f"{where}.{field}") for field, value in found.items() if field not in ("channel", "when")}
    when = _occasions(found.get("when"), f"{where}.when")
    return Notify(name, when, lengths.get("remindAfter"), lengths.get("escalateAfter"), lengths.get("warnBefore"))


def _occasions(node: yaml.Node | None, where: str) -> frozenset[Occasion]:
    return frozenset(Occasion(each) for each in texts(node, where, _OCCASION))


def _length(node: yaml.Node, where: str, longest: timedelta = timedelta(days=30)) -> timedelta:
    try:
        return parse_duration(text(node, where, _LENGTH), longest)
    except ValueError as error:
        raise Wrong(node, f"{where}: {error}") from error
