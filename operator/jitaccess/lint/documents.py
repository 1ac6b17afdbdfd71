"""YAML and JSON as kubectl reads them, with the place of every field. Pure, but for the parser."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from jitaccess.lint.findings import Found, Path, Place
from jitaccess.lint.scalars import plain

_PLAIN = "!plain"  # our tag for scalars that have neither quotes nor a tag
_MOST_REPEATED = 20_000  # nodes of a document that stand there by an alias alone
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Document:
    """One document: what it says, and where each of its fields stands."""

    file: str
    value: Any
    places: Mapping[Path, tuple[int, int]]
    base: Path = ()  # where this object stands in the document, if it is an item of a List

    def place(self, path: Path = ()) -> Place:
        """Where a field stands; one that is not there (a default, something missing) stands where it would belong."""
        whole = (*self.base, *path)
        while whole not in self.places:
            whole = whole[:-1]
        return Place(self.file, *self.places[whole])

    def items(self) -> "Iterator[Document]":
        """Itself, or what is in it if it is a List."""
        listed = self.value.get("items") if isinstance(self.value, dict) else None
        if not isinstance(listed, list) or not str(self.value.get("kind")).endswith("List"):
            yield self
            return
        for number, item in enumerate(listed):
            yield from Document(self.file, item, self.places, (*self.base, "items", number)).items()


@dataclass(slots=True)
class Reading:
    """What was read of a file, and what is wrong with it as YAML."""

    documents: list[Document] = field(default_factory=list)
    broken: list[Found] = field(default_factory=list)
    repeated: list[Found] = field(default_factory=list)
    surprising: list[Found] = field(default_factory=list)


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """The fast parser if there is one, without YAML's own idea of what a bare word means."""


_Loader.add_implicit_resolver(_PLAIN, re.compile(""), None)


class _TooMuch(Exception):
    """It has more in it than anybody writes, or contains itself."""


def read(text: str, file: str) -> Reading:
    """Read all documents of a file; what follows something that is no YAML is not read."""
    reading = Reading()
    try:
        for root in yaml.compose_all(_as_yaml(text), Loader=_Loader):
            if root is not None:
                reading.documents.append(_Reader(file, reading).document(root))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        reading.broken.append(Found(place, " ".join(filter(None, (error.problem, error.context)))))
    except yaml.YAMLError as error:  # a character that YAML does not have
        reading.broken.append(Found(_place_of_character(text, file, error), " ".join(str(error).split("\n")[0].split())))
    except (_TooMuch, RecursionError):
        reading.broken.append(Found(Place(file, 1, 1), "its aliases or its depth make more of it than kubectl reads"))
    return reading


def _place_of_character(text: str, file: str, error: yaml.YAMLError) -> Place:
    before = text[: getattr(error, "position", 0) or 0]
    return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _as_yaml(text: str) -> str:
    """JSON as a YAML parser takes it: tabs between its parts, and characters written as two halves."""
    text = text.removeprefix("\ufeff")
    if not text.lstrip().startswith(("{", "[")):
        return text
    return _PAIR.sub(_joined, text.replace("\t", " "))


def _joined(pair: re.Match[str]) -> str:
    character = (int(pair[2], 16) - 0xD800 << 10) + int(pair[3], 16) - 0xDC00 + 0x10000
    return f"{pair[1]}\\U{character:08x}"


class _Reader:
    """One document, from nodes to values."""

    def __init__(self, file: str, reading: Reading) -> None:
        self._file = file
        self._reading = reading
        self._places: dict[Path, tuple[int, int]] = {}
        self._inside: set[int] = set()
        self._seen: set[int] = set()
        self._repeated = 0

    def document(self, root: yaml.Node) -> Document:
        self._places[()] = _position(root)
        return Document(self._file, self._value(root, ()), self._places)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > _MOST_REPEATED or id(node) in self._inside:
            raise _TooMuch
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self._inside.add(id(node))
        value = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._inside.remove(id(node))
        return value

    def _sequence(self, node: yaml.Node, path: Path) -> list[Any]:
        values = []
        for number, item in enumerate(node.value):
            self._places[*path, number] = _position(item)
            values.append(self._value(item, (*path, number)))
        return values

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        own: set[str] = set()
        for key, value in node.value:
            if _is_merge(key):
                continue
            name = self._name(key)
            if name in own:
                self._reading.repeated.append(Found(self._place(key), f"{name} stands here twice: only the last counts, if any"))
            own.add(name)
            self._places[*path, name] = _position(key)
            values[name] = self._value(value, (*path, name))
        for key, value in node.value:
            if _is_merge(key):
                self._merge(value, path, values)
        return values

    def _merge(self, node: yaml.Node, path: Path, values: dict[str, Any]) -> None:
        """What `<<` brings: fields that the mapping does not have itself."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise yaml.composer.ComposerError(None, None, "<< merges mappings, and nothing else", node.start_mark)
            for key, value in source.value:
                if _is_merge(key):
                    self._merge(value, path, values)
                elif (name := self._name(key)) not in values:
                    self._places[*path, name] = _position(key)
                    values[name] = self._value(value, (*path, name))

    def _name(self, key: yaml.Node) -> str:
        """The name of a field in JSON, which has no other than texts."""
        value = _scalar(key) if isinstance(key, yaml.ScalarNode) else None
        if value is None:
            raise yaml.composer.ComposerError(None, None, "the name of a field must be a text", key.start_mark)
        if isinstance(value, str):
            return value
        name = str(value).lower() if isinstance(value, bool) else str(value)
        if isinstance(value, bool) and key.value != name:
            words = f"as the name of a field, YAML takes {key.value} for {name}: put it in quotes"
            self._reading.surprising.append(Found(self._place(key), words))
        return name

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, *_position(node))


def _position(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _is_merge(key: yaml.Node) -> bool:
    return bool(key.tag == _PLAIN and key.value == "<<")


def _scalar(node: yaml.ScalarNode) -> Any:
    return plain(node.value) if node.tag == _PLAIN else str(node.value)
