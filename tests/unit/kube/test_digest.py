"""The version of the manifests is a digest of what they say; `make digest` writes it where it stands."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import digest
from jitaccess.kube.installation import MANIFESTS_VERSION
from unit.manifest_files import REPOSITORY

CONSTANT = "operator/jitaccess/kube/installation.py"
LABELS = ("crds/kustomization.yaml", "deploy/base/admission/kustomization.yaml")
PLACES = (*LABELS, CONSTANT)
STATUS = "deploy/base/admission/status.yaml"


def test_the_operator_and_the_manifests_agree_on_what_the_manifests_say() -> None:
    current = digest.digest()
    places = digest.written()
    assert places == {place: [current] for place in PLACES}, "the manifests have changed: run `make digest`"
    assert current == MANIFESTS_VERSION
    assert len(current) <= 63, "a label has no room for more"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The manifests and the constant, to change."""
    for folder in ("crds", "deploy/base/admission"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    (tmp_path / CONSTANT).parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / CONSTANT, tmp_path / CONSTANT)
    return tmp_path


def edited(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text, f"{file} does not have {old}"
        (root / file).write_text(text.replace(old, new, 1))

    return edit


def turned_round(root: Path) -> None:
    first, second = (root / STATUS).read_text().split("---\n")
    (root / STATUS).write_text(f"{second}---\n{first}")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param(edited(STATUS, "failurePolicy: Fail", "failurePolicy: Ignore"), False, id="another-failure-policy"),
        pytest.param(edited(STATUS, "check('manage')", "check('get')"), False, id="another-expression"),
        pytest.param(edited(STATUS, "validationActions: [Deny]", "validationActions: [Warn]"), False, id="a-binding-that-warns"),
        pytest.param(edited("crds/accessrequests.yaml", "shortNames: [areq]", "shortNames: [ar]"), False, id="another-crd"),
        pytest.param(lambda root: (root / STATUS).unlink(), False, id="a-file-less"),
        pytest.param(edited(STATUS, "spec:", "# a remark\nspec:"), True, id="a-comment"),
        pytest.param(edited(STATUS, "[Deny]", '\n    - "Deny"'), True, id="another-layout"),
        pytest.param(turned_round, True, id="another-order-of-documents"),
        pytest.param(lambda root: (root / STATUS).rename(root / "crds" / "status.yaml"), True, id="another-file"),
        pytest.param(edited(LABELS[0], f"manifests: {MANIFESTS_VERSION}", "manifests: v1"), True, id="the-label-itself"),
    ],
)
def test_the_digest_follows_what_the_manifests_say_and_nothing_else(
    copy: Path, change: Callable[[Path], None], same: bool
) -> None:
    before = digest.digest(copy)
    change(copy)
    assert (digest.digest(copy) == before) is same


def test_writing_it_brings_all_places_together(copy: Path) -> None:
    edited(STATUS, "failurePolicy: Fail", "failurePolicy: Ignore")(copy)
    edited(LABELS[1], f"manifests: {MANIFESTS_VERSION}", "manifests: v0")(copy)
    assert digest.written(copy)[LABELS[1]] == ["v0"]
    new = digest.write(copy)
    assert new != MANIFESTS_VERSION
    assert digest.written(copy) == {place: [new] for place in PLACES}
    assert digest.digest(copy) == new, "writing it does not change it"
