"""The CRDs of the cluster-scoped kinds, written from those of the namespaced ones: crds.yaml says what differs.

`make digest` runs it first. Each text that is replaced must be found exactly once: what is changed in the one file so that it no
longer fits must be looked at for the other too.
"""

from pathlib import Path

from fast_yaml import document

CRDS = Path(__file__).resolve().parents[2] / "crds"
DIFFERENCES = Path(__file__).with_suffix(".yaml")


def written(folder: Path = CRDS) -> dict[str, str]:
    """The texts of these CRDs by file name; ValueError where the other file no longer has what is to be replaced."""
    differences = document(DIFFERENCES.read_text())
    return {name: _changed((folder / each["source"]).read_text(), name, each["changes"]) for name, each in differences.items()}


def _changed(text: str, name: str, changes: list[dict[str, str]]) -> str:
    for change in changes:
        found = text.count(change["old"])
        if found != 1:
            raise ValueError(f"{name}: what it has otherwise stands {found} times, not once, in its source: {change['old']!r}")
        text = text.replace(change["old"], change["new"])
    return text


if __name__ == "__main__":
    for name, text in written().items():
        (CRDS / name).write_text(text)
