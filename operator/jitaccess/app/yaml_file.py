"""A YAML file that an administrator writes, checked node by node, so that what is wrong is told with its line."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import yaml

from jitaccess.domain.text import printable


@dataclass(frozen=True, slots=True)
class Kind:
    """What a text of that kind looks like, also in words."""

    what: str
    pattern: re.Pattern[str]


class Wrong(Exception):
    """What is wrong with a node of the file, and where."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line: int = node.start_mark.line + 1


def root_of(text: str, name: str) -> yaml.Node | None:
    """The document, None if it is empty; ValueError if it is not YAML."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is not YAML: {error}") from error


def fields(node: yaml.Node, known: Collection[str], where: str) -> Iterator[tuple[str, yaml.Node]]:
    """The fields of a mapping, of which each is known and there once."""
    for key, value in entries(node, where, f"of {', '.join(known)}"):
        if key.value not in known:
            raise Wrong(key, f"{where} has an unknown field {key.value!r}: it takes {', '.join(known)}")
        yield key.value, value


def entries(node: yaml.Node, where: str, of: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The entries of a mapping, each under a text of its own."""
    if not isinstance(node, yaml.MappingNode):
        raise Wrong(node, f"{where} is no mapping {of}")
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Wrong(key, f"{where} has a field whose name is no text")
        if key.value in seen:
            raise Wrong(key, f"{where} has {key.value} twice")
        seen.add(key.value)
        yield key, value


def texts(node: yaml.Node | None, where: str, kind: Kind) -> tuple[str, ...]:
    """A list that is not empty, or nothing where there is no such field."""
    if node is None:
        return ()
    found = tuple(text(entry, f"{where}[{number}]", kind) for number, entry in enumerate(sequence(node, where)))
    if not found:
        raise Wrong(node, f"{where} is empty: name at least one")
    return found


def sequence(node: yaml.Node, where: str) -> list[yaml.Node]:
    """The entries of a list."""
    if not isinstance(node, yaml.SequenceNode):
        raise Wrong(node, f"{where} is no list")
    found: list[yaml.Node] = node.value
    return found


def text(node: yaml.Node, where: str, kind: Kind) -> str:
    """One text, as that kind of text is written."""
    # By its tag, for what YAML takes for a number, a date or a truth value is rarely what was meant.
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        raise Wrong(node, f"{where} is no text: put it in quotes")
    found: str = node.value
    if not printable(found) or not kind.pattern.fullmatch(found):
        raise Wrong(node, f"{where} is {found!r}, and not {kind.what}")
    return found


def truth(node: yaml.Node, where: str) -> bool:
    """true or false."""
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:bool":
        raise Wrong(node, f"{where} is neither true nor false")
    return str(node.value).lower() in ("true", "yes", "on")


def is_null(node: yaml.Node) -> bool:
    """Whether there is nothing, as where all entries of a section are comments."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
