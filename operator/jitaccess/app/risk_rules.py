"""What a cluster administrator knows about rights and jitaccess does not: a YAML file, checked whole before anything starts."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import yaml

from jitaccess.domain.effects import EVERYTHING, WRITE, Effect
from jitaccess.domain.risk import KNOWN, RiskTable
from jitaccess.domain.text import printable

_SECTIONS = ("dangers", "hints", "harmless")
_FIELDS = ("words", "groups", "resources", "verbs")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a text of that kind looks like, also in words."""

    what: str
    pattern: re.Pattern[str]


_WORDS = _Kind("a line of 1 to 200 characters", re.compile(r".{1,200}"))
_GROUP = _Kind("an API group, '*.' and the end of one, '*', or '' for the core group", re.compile(r"\*|(\*\.)?[a-z0-9.-]{0,253}"))
_RESOURCE = _Kind("a resource in the plural, resource/subresource, or '*'", re.compile(r"\*|[a-z0-9][a-z0-9./-]{0,252}"))
_VERB = _Kind("a verb of RBAC, or '*'", re.compile(r"\*|[a-z][a-z0-9:-]{0,252}"))


def read_risk_rules(text: str, name: str) -> RiskTable:
    """The built-in table with what the file adds; ValueError says in which line of `name` what is wrong."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is not YAML: {error}") from error
    if root is None:
        return KNOWN
    try:
        sections = {field: tuple(_effects(field, node)) for field, node in _fields(root, _SECTIONS, "the file")}
    except _Wrong as wrong:
        raise ValueError(f"{name}, line {wrong.line}: {wrong}") from wrong
    return replace(
        KNOWN,
        dangers=(*KNOWN.dangers, *sections.get("dangers", ())),
        hints=(*sections.get("hints", ()), *KNOWN.hints),
        harmless=sections.get("harmless", ()),
    )


class _Wrong(Exception):
    """What is wrong with a node of the file, and where."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line: int = node.start_mark.line + 1


def _effects(section: str, node: yaml.Node) -> Iterator[Effect]:
    if _is_null(node):
        return  # a section of which all entries are comments
    for number, entry in enumerate(_sequence(node, section)):
        yield from _entry(entry, f"{section}[{number}]", worded=section != "harmless")


def _entry(node: yaml.Node, where: str, *, worded: bool) -> Iterator[Effect]:
    fields = dict(_fields(node, _FIELDS[not worded :], where))
    missing = [field for field in ("words", "groups") if field not in fields and (worded or field != "words")]
    if missing:
        raise _Wrong(node, f"{where} has no {' and no '.join(missing)}")
    words = _text(fields["words"], f"{where}.words", _WORDS) if worded else ""
    resources = _texts(fields.get("resources"), f"{where}.resources", _RESOURCE) or (EVERYTHING,)
    verbs = _texts(fields.get("verbs"), f"{where}.verbs", _VERB) or WRITE
    for group in _texts(fields["groups"], f"{where}.groups", _GROUP):
        yield Effect(words, group, resources, verbs)


def _fields(node: yaml.Node, known: Collection[str], where: str) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(node, f"{where} is no mapping of {', '.join(known)}")
    seen: set[str] = set()
    for key, value in node.value:
        if key.value not in known:
            raise _Wrong(key, f"{where} has an unknown field {key.value!r}: it takes {', '.join(known)}")
        if key.value in seen:
            raise _Wrong(key, f"{where} has {key.value} twice")
        seen.add(key.value)
        yield key.value, value


def _texts(node: yaml.Node | None, where: str, kind: _Kind) -> tuple[str, ...]:
    """A list that is not empty, or nothing where there is no such field."""
    if node is None:
        return ()
    texts = tuple(_text(entry, f"{where}[{number}]", kind) for number, entry in enumerate(_sequence(node, where)))
    if not texts:
        raise _Wrong(node, f"{where} is empty: name at least one")
    return texts


def _sequence(node: yaml.Node, where: str) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(node, f"{where} is no list")
    entries: list[yaml.Node] = node.value
    return entries


def _text(node: yaml.Node, where: str, kind: _Kind) -> str:
    # By its tag, for what YAML takes for a number, a date or a truth value is rarely what was meant.
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        raise _Wrong(node, f"{where} is no text: put it in quotes")
    text: str = node.value
    if not printable(text) or not kind.pattern.fullmatch(text):
        raise _Wrong(node, f"{where} is {text!r}, and not {kind.what}")
    return text


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
