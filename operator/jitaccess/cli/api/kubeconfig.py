"""The kubeconfig as kubectl reads it: several files, the first to say a thing wins, paths are relative to their file.

Every fault is reported with its file and its field, and never with what stands there: that may be a secret.
"""

import base64
import binascii
import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jitaccess.cli.api.errors import CliError

Section = dict[str, Any]

_DEFAULT = "~/.kube/config"
_INNER = {"clusters": "cluster", "contexts": "context", "users": "user"}
_CONTEXTS = "`kubectl config get-contexts` shows the contexts there are"
# What we read of each section, and as what; anything else is not ours to judge.
_FIELDS: Mapping[str, Mapping[str, type]] = {
    "cluster": {
        **dict.fromkeys(("server", "certificate-authority", "certificate-authority-data", "tls-server-name", "proxy-url"), str),
        "insecure-skip-tls-verify": bool,
    },
    "context": dict.fromkeys(("cluster", "user", "namespace"), str),
    "user": {
        **dict.fromkeys(("client-certificate", "client-certificate-data", "client-key", "client-key-data"), str),
        **dict.fromkeys(("token", "tokenFile", "username", "password", "as"), str),
        "as-groups": list,
        "exec": dict,
        "auth-provider": dict,
    },
    "exec": {"command": str, "apiVersion": str, "args": list, "env": list, "installHint": str, "interactiveMode": str},
}
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_WORDS = {str: "text", bool: "true or false", list: "a list", dict: "a mapping"}


@dataclass(frozen=True, slots=True)
class Login:
    """Where to connect, and as whom: one context of the kubeconfig, put together."""

    context: Section
    cluster: Section
    user: Section
    user_name: str


class Kubeconfig:
    """The files that the command line, or else KUBECONFIG, or else the home directory names, as one."""

    def __init__(self, given: str) -> None:
        self._files = {path: _read(path) for path in _paths(given)}
        self._before = copy.deepcopy(self._files)
        resolved = [_resolved(path, document) for path, document in self._files.items()]
        self._current = next((str(each["current-context"]) for each in resolved if each.get("current-context")), "")
        self._merged = {plural: _merged(resolved, plural) for plural in _INNER}

    @property
    def found(self) -> bool:
        """Whether there is any file."""
        return bool(self._files)

    @property
    def current(self) -> str:
        """The name of the current context; empty if there is none."""
        return self._current

    @property
    def contexts(self) -> list[str]:
        """The names of the contexts."""
        return list(self._merged["contexts"])

    def login(self, context: str) -> Login:
        """What a context, or else the current one, says; CliError where it leads nowhere."""
        name = context or self._current
        if not name:
            raise CliError("the kubeconfig has no current-context", f"kubectl config use-context NAME; {_CONTEXTS}")
        chosen = self._entry("contexts", name, f"there is no context {name}")
        said = f"context {name} names"
        cluster = self._entry("clusters", chosen.get("cluster", ""), f"{said} a cluster that the kubeconfig does not have")
        user_name = chosen.get("user", "")
        missing = f"{said} a user that the kubeconfig does not have: {user_name}"
        user = self._entry("users", user_name, missing) if user_name else {}
        if not cluster.get("server"):
            raise CliError(f"cluster {chosen['cluster']} of the kubeconfig has no server", _CONTEXTS)
        return Login(chosen, cluster, user, user_name)

    def save(self) -> None:
        """Write the files that a login has changed: a refreshed token, as kubectl does."""
        for path, document in self._files.items():
            if document != self._before[path]:
                path.write_text(yaml.safe_dump(document, default_flow_style=False))
        self._before = copy.deepcopy(self._files)

    def _entry(self, plural: str, name: str, otherwise: str) -> Section:
        if name not in self._merged[plural]:
            raise CliError(otherwise, _CONTEXTS)
        return self._merged[plural][name]


def _paths(given: str) -> list[Path]:
    if given:
        file = Path(given).expanduser()
        if not file.exists():
            raise CliError(f"there is no kubeconfig {given}")
        return [file]
    listed = os.environ.get("KUBECONFIG") or _DEFAULT
    return [file for path in listed.split(os.pathsep) if path and (file := Path(path).expanduser()).exists()]


def _read(path: Path) -> Section:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"kubeconfig {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CliError(f"kubeconfig {path} is no text (UTF-8)") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        mark = getattr(error, "problem_mark", None)  # what stands there is not shown
        where = f": look at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CliError(f"kubeconfig {path} is not YAML{where}", "`kubectl config view` must be able to read it") from None
    return _checked(path, document)


def _checked(path: Path, document: Any) -> Section:
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise CliError(f"kubeconfig {path} is no mapping, but it must have clusters, contexts and users")
    for plural, inner in _INNER.items():
        entries = document.get(plural) or []
        if not isinstance(entries, list):
            raise _fault(path, plural, list)
        for number, entry in enumerate(entries):
            _check_entry(path, f"{plural}[{number}]", inner, entry)
    return document


def _check_entry(path: Path, where: str, inner: str, entry: Any) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise CliError(f"kubeconfig {path}: {where} has no name")
    where = f"{inner} {entry['name']}"
    section = entry.get(inner) or {}
    if not isinstance(section, dict):
        raise _fault(path, where, dict)
    _check_fields(path, where, _FIELDS[inner], section)
    _check_fields(path, f"{where}, exec", _FIELDS["exec"], section.get("exec") or {})
    for field in (field for field in section if field.endswith("-data") and section[field]):
        try:
            base64.standard_b64decode(section[field])
        except (binascii.Error, ValueError, TypeError):
            raise CliError(f"kubeconfig {path}: {where}: {field} is not base64") from None


def _check_fields(path: Path, where: str, fields: Mapping[str, type], section: Section) -> None:
    for field, kind in fields.items():
        value = section.get(field)
        if value is not None and not isinstance(value, kind):
            raise _fault(path, f"{where}: {field}", kind)
        if isinstance(value, list) and field != "env" and not all(isinstance(each, str) for each in value):
            raise CliError(f"kubeconfig {path}: {where}: {field} is no list of texts")
    for variable in section.get("env") or [] if "env" in fields else []:
        if not isinstance(variable, dict) or not all(isinstance(variable.get(key), str) for key in ("name", "value")):
            raise CliError(f"kubeconfig {path}: {where}: an entry of env has no name, or no value that is text")


def _fault(path: Path, where: str, kind: type) -> CliError:
    return CliError(f"kubeconfig {path}: {where} must be {_WORDS[kind]}")


def _resolved(path: Path, document: Section) -> Section:
    """The document with paths that do not depend on where we stand; what a login may change stays the same object."""
    here = path.absolute().parent
    whole = dict(document)
    for plural, inner in _INNER.items():
        whole[plural] = [
            {"name": entry["name"], inner: _absolute(here, entry.get(inner) or {})} for entry in document.get(plural) or []
        ]
    return whole


def _absolute(here: Path, section: Section) -> Section:
    paths: Section = {field: str(here / section[field]) for field in _PATHS if section.get(field)}
    login = section.get("exec")
    if login and os.sep in login.get("command", ""):
        paths["exec"] = {**login, "command": str(here / login["command"])}
    return {**section, **paths}


def _merged(documents: Sequence[Section], plural: str) -> dict[str, Section]:
    merged: dict[str, Section] = {}
    for document in documents:
        for entry in document[plural]:
            merged.setdefault(entry["name"], entry[_INNER[plural]])
    return merged
