"""Where the record is exported to: a YAML file, checked whole before anything starts."""

import re
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

import yaml

from jitaccess.domain.text import parse_duration
from jitaccess.publish.audit.export import NO_AUDIT, AuditOptions, SinkSpec
from jitaccess.publish.audit.pace import USUAL_PACE, Pace
from jitaccess.publish.webhook import Endpoint, url_fault

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_PLACES = ("stdout", "file", "url", "urlFile")
_OF_A_URL = ("secretFile", "caFile")
_TEXT, _BOOL, _INT = "tag:yaml.org,2002:str", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int"
_LONGEST = timedelta(hours=24)
MOST_EVENTS = 1000  # between two checkpoints: all of them have to fit into one


class _Wrong(Exception):
    """What is wrong with a node of the file, and where."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line: int = node.start_mark.line + 1


def read_audit_sinks(text: str, name: str) -> AuditOptions:
    """The sinks that the file names; ValueError says in which line of `name` what is wrong."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is not YAML: {error}") from error
    if root is None:
        return NO_AUDIT
    try:
        fields = _fields(root, ("sinks", "checkpoints"), "the file")
        return AuditOptions(tuple(_sinks(fields.get("sinks"))), pace=_pace(fields.get("checkpoints")))
    except _Wrong as wrong:
        raise ValueError(f"{name}, line {wrong.line}: {wrong}") from wrong


def _sinks(node: yaml.Node | None) -> Iterator[SinkSpec]:
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(node, "sinks is no list")
    seen: set[str] = set()
    for number, entry in enumerate(node.value):
        spec = _sink(entry, f"sinks[{number}]")
        if spec.name in seen:
            raise _Wrong(entry, f"there are two sinks {spec.name}")
        seen.add(spec.name)
        yield spec


def _sink(node: yaml.Node, where: str) -> SinkSpec:
    fields = _fields(node, ("name", *_PLACES, *_OF_A_URL), where)
    if "name" not in fields:
        raise _Wrong(node, f"{where} has no name")
    name = _scalar(fields["name"], f"{where}.name", _TEXT, "text: put it in quotes")
    if not _NAME.fullmatch(name):
        raise _Wrong(fields["name"], f"{where}.name is {name!r}, and not 1 to 40 of a-z, 0-9 and '-'")
    places = [place for place in _PLACES if place in fields]
    if len(places) != 1:
        raise _Wrong(node, f"{where} needs exactly one of {', '.join(_PLACES)}")
    if places[0] in ("url", "urlFile"):
        return SinkSpec(name, _endpoint(fields, where))
    for field in _OF_A_URL:
        if field in fields:
            raise _Wrong(fields[field], f"{where}.{field} is for sinks with a url or urlFile")
    if places[0] == "file":
        return SinkSpec(name, file=_path(fields["file"], f"{where}.file"))
    if _scalar(fields["stdout"], f"{where}.stdout", _BOOL, "true") not in ("true", "True", "TRUE"):
        raise _Wrong(fields["stdout"], f"{where}.stdout must be true; leave the sink out instead")
    return SinkSpec(name)


def _endpoint(fields: dict[str, yaml.Node], where: str) -> Endpoint:
    url = _scalar(fields["url"], f"{where}.url", _TEXT, "text") if "url" in fields else ""
    if "url" in fields and (fault := url_fault(url)):
        raise _Wrong(fields["url"], f"{where}.url: {fault}")
    paths = {field: _path(fields[field], f"{where}.{field}") for field in ("urlFile", *_OF_A_URL) if field in fields}
    return Endpoint(url, paths.get("urlFile"), paths.get("secretFile"), paths.get("caFile"))


def _pace(node: yaml.Node | None) -> Pace:
    if node is None:
        return USUAL_PACE
    fields = _fields(node, ("every", "events"), "checkpoints")
    every, events = USUAL_PACE.checkpoint_seconds, USUAL_PACE.checkpoint_events
    if "every" in fields:
        text = _scalar(fields["every"], "checkpoints.every", _TEXT, "a duration such as 1h")
        try:
            every = parse_duration(text, longest=_LONGEST) / timedelta(seconds=1)
        except ValueError as error:
            raise _Wrong(fields["every"], f"checkpoints.every: {error}") from error
    if "events" in fields:
        events = int(_scalar(fields["events"], "checkpoints.events", _INT, "a whole number"))
        if not 1 <= events <= MOST_EVENTS:
            raise _Wrong(fields["events"], f"checkpoints.events is {events}, and not 1 to {MOST_EVENTS}")
    return Pace(every, events)


def _path(node: yaml.Node, where: str) -> Path:
    path = Path(_scalar(node, where, _TEXT, "text: put it in quotes"))
    if not path.is_absolute():
        raise _Wrong(node, f"{where} is {str(path)!r}, and no absolute path")
    return path


def _fields(node: yaml.Node, known: Collection[str], where: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(node, f"{where} is no mapping of {', '.join(known)}")
    fields: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value not in known:
            raise _Wrong(key, f"{where} has an unknown field {key.value!r}: it takes {', '.join(known)}")
        if key.value in fields:
            raise _Wrong(key, f"{where} has {key.value} twice")
        fields[key.value] = value
    return fields


def _scalar(node: yaml.Node, where: str, tag: str, what: str) -> str:
    # By its tag, for what YAML takes for a number, a date or a truth value is rarely what was meant.
    if not isinstance(node, yaml.ScalarNode) or node.tag != tag:
        raise _Wrong(node, f"{where} is not {what}")
    text: str = node.value
    return text
