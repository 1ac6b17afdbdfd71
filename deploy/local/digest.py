"""The digest of crds/ and deploy/base/admission/: `make digest` writes it wherever it stands."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fast_yaml import documents

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("crds", "deploy/base/admission")
# Where it stands: the label that kustomize puts on the objects, and the constant that the operator compares it with.
PLACES = {
    **{f"{folder}/kustomization.yaml": r"(?<=jitaccess\.dev/manifests: )\S+" for folder in FOLDERS},
    "operator/jitaccess/kube/installation.py": r'(?<=MANIFESTS_VERSION = ")[^"]*',
}


def digest(root: Path = ROOT) -> str:
    """The digest of the manifests as they are: of what they say, not of comments, layout and the order of files and fields."""
    texts = "\n".join(sorted(json.dumps(document, sort_keys=True) for document in _documents(root)))
    return f"sha256-{hashlib.sha256(texts.encode()).hexdigest()[:12]}"


def _documents(root: Path) -> Iterator[Any]:
    for folder in FOLDERS:
        for file in (root / folder).glob("*.yaml"):
            if file.name != "kustomization.yaml":
                yield from documents(file.read_text())


def written(root: Path = ROOT) -> dict[str, list[str]]:
    """The digests that stand in each of the places."""
    return {place: re.findall(pattern, (root / place).read_text()) for place, pattern in PLACES.items()}


def write(root: Path = ROOT) -> str:
    """Write the digest of the manifests in all places, and return it."""
    current = digest(root)
    for place, pattern in PLACES.items():
        file = root / place
        file.write_text(re.sub(pattern, current, file.read_text()))
    return current


if __name__ == "__main__":
    print(write())
