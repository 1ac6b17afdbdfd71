"""The Kubernetes objects in documents: what they are called, and where. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jitaccess.lint.documents import Document
from jitaccess.lint.findings import Found, Path, path_text


@dataclass(frozen=True, slots=True)
class Object:
    """An object: its group and version, kind, namespace and name, as far as they are texts at all."""

    document: Document
    group: str
    version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}".strip()

    @property
    def value(self) -> Mapping[str, Any]:
        """All that it says."""
        value: Mapping[str, Any] = self.document.value
        return value

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata, empty where there is none to be read."""
        metadata = self.value.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    def found(self, path: Path, message: str) -> Found:
        """Something found in one of its fields."""
        field = path_text(path)
        return Found(self.document.place(path), f"{field}: {message}" if field else message, str(self), field)


def objects(documents: Iterable[Document]) -> Iterator[Object]:
    """All objects, those in Lists too; what is no object of Kubernetes is left out."""
    for document in documents:
        for item in document.items():
            if isinstance(item.value, dict) and "kind" in item.value:
                yield _object(item)


def _object(document: Document) -> Object:
    group, slash, version = _text(document.value, "apiVersion").rpartition("/")
    metadata = document.value.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    name = _text(known, "name") or _text(known, "generateName")
    return Object(document, group if slash else "", version, _text(document.value, "kind"), _text(known, "namespace"), name)


def _text(value: Mapping[str, Any], field: str) -> str:
    found = value.get(field)
    return found if isinstance(found, str) else ""
