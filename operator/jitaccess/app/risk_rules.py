"""What a cluster administrator knows about rights and jitaccess does not: a YAML file, checked whole before anything starts."""

import re
from collections.abc import Iterator
from dataclasses import replace

import yaml

from jitaccess.app.yaml_file import Kind, Wrong, fields, is_null, root_of, sequence, text, texts
from jitaccess.domain.effects import EVERYTHING, WRITE, Effect
from jitaccess.domain.risk import KNOWN, RiskTable

_SECTIONS = ("dangers", "hints", "harmless")
_FIELDS = ("words", "groups", "resources", "verbs")

_WORDS = Kind("a line of 1 to 200 characters", re.compile(r".{1,200}"))
_GROUP = Kind("an API group, '*.' and the end of one, '*', or '' for the core group", re.compile(r"\*|(\*\.)?[a-z0-9.-]{0,253}"))
_RESOURCE = Kind("a resource in the plural, resource/subresource, or '*'", re.compile(r"\*|[a-z0-9][a-z0-9./-]{0,252}"))
_VERB = Kind("a verb of RBAC, or '*'", re.compile(r"\*|[a-z][a-z0-9:-]{0,252}"))


def read_risk_rules(source: str, name: str) -> RiskTable:
    """The built-in table with what the file adds; ValueError says in which line of `name` what is wrong."""
    root = root_of(source, name)
    if root is None:
        return KNOWN
    try:
        sections = {field: tuple(_effects(field, node)) for field, node in fields(root, _SECTIONS, "the file")}
    except Wrong as wrong:
        raise ValueError(f"{name}, line {wrong.line}: {wrong}") from wrong
    return replace(
        KNOWN,
        dangers=(*KNOWN.dangers, *sections.get("dangers", ())),
        hints=(*sections.get("hints", ()), *KNOWN.hints),
        harmless=sections.get("harmless", ()),
    )


def _effects(section: str, node: yaml.Node) -> Iterator[Effect]:
    if is_null(node):
        return  # a section of which all entries are comments
    for number, entry in enumerate(sequence(node, section)):
        yield from _entry(entry, f"{section}[{number}]", worded=section != "harmless")


def _entry(node: yaml.Node, where: str, *, worded: bool) -> Iterator[Effect]:
    found = dict(fields(node, _FIELDS[not worded :], where))
    missing = [field for field in ("words", "groups") if field not in found and (worded or field != "words")]
    if missing:
        raise Wrong(node, f"{where} has no {' and no '.join(missing)}")
    words = text(found["words"], f"{where}.words", _WORDS) if worded else ""
    resources = texts(found.get("resources"), f"{where}.resources", _RESOURCE) or (EVERYTHING,)
    verbs = texts(found.get("verbs"), f"{where}.verbs", _VERB) or WRITE
    for group in texts(found["groups"], f"{where}.groups", _GROUP):
        yield Effect(words, group, resources, verbs)
