"""YAML and JSON as kubectl reads them, and where each field stands."""

import pytest
import yaml

from jitaccess.lint import documents
from jitaccess.lint.documents import read
from jitaccess.lint.findings import Key, Place, path_text
from jitaccess.lint.scalars import plain

# What kubectl makes of them is in tests/cluster/test_linting.py.
WORDS = [
    ("on", True),
    ("NO", False),
    ("yEs", "yEs"),
    ("", None),
    ("~", None),
    ("18:00", "18:00"),
    ("08:00", "08:00"),
    ("010", 8),
    ("08", 8),
    ("0x1F", 31),
    ("-0b11", -3),
    ("1_000", 1000),
    ("1.0", 1),
    ("1.5", 1.5),
    ("1e3", 1000),
    ("2026-07-01", "2026-07-01"),
    (".inf", float("inf")),
    ("4h", "4h"),
    ("½", "½"),
]


@pytest.mark.parametrize(("text", "value"), WORDS, ids=[f"{text or 'nothing'}" for text, _ in WORDS])
def test_a_bare_word_is_what_kubectl_takes_it_for(text: str, value: object) -> None:
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.fixture(params=[True, False], ids=["fast-parser", "slow-parser"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either parser: PyYAML has the one in C almost everywhere."""
    if not request.param:
        monkeypatch.setattr(documents, "_Loader", type("_Loader", (yaml.BaseLoader,), {}))
        documents._Loader.add_implicit_resolver(documents._PLAIN, __import__("re").compile(""), None)


YAML = """\
# a comment
kind: A
spec:
  roles:
    - {kind: Role, name: x}
    -   name: y
  "quoted key": 1
---

kind: B
"""
JSON = '{\n\t"kind": "A",\n\t"spec": {"roles": [{"kind": "Role", "name": "\\ud83d\\ude00\\\\ud83d"}]}\n}\n'


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "number", "path", "place"),
    [
        pytest.param(YAML, 0, (), (2, 1), id="the-document"),
        pytest.param(YAML, 0, ("kind",), (2, 1), id="a-field"),
        pytest.param(YAML, 0, ("spec", "roles"), (4, 3), id="a-field-of-a-field"),
        pytest.param(YAML, 0, ("spec", "roles", 0), (5, 7), id="an-entry"),
        pytest.param(YAML, 0, ("spec", "roles", 0, "name"), (5, 20), id="a-field-on-the-same-line"),
        pytest.param(YAML, 0, ("spec", "roles", 1, "name"), (6, 9), id="a-field-further-right"),
        pytest.param(YAML, 0, ("spec", Key("quoted key")), (7, 3), id="a-quoted-key"),
        pytest.param(YAML, 0, ("spec", "approvers", 3, "name"), (3, 1), id="what-is-not-there-is-where-it-would-belong"),
        pytest.param(YAML, 1, ("kind",), (10, 1), id="the-second-document"),
        pytest.param(JSON, 0, ("spec", "roles", 0, "name"), (3, 38), id="json-with-tabs"),
    ],
)
def test_every_field_has_its_place(text: str, number: int, path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert read(text, "a.yaml").documents[number].place(path) == Place("a.yaml", *place)


@pytest.mark.usefixtures("parser")
def test_json_is_read_with_its_escapes() -> None:
    [document] = read(JSON, "a.json").documents
    assert document.value == {"kind": "A", "spec": {"roles": [{"kind": "Role", "name": "\U0001f600\\ud83d"}]}}


@pytest.mark.usefixtures("parser")
def test_what_is_merged_stands_where_it_was_written() -> None:
    reading = read("base: &base {a: 1, b: 2}\nall:\n  <<: *base\n  b: 3\n", "a.yaml")
    [document] = reading.documents
    assert document.value["all"] == {"a": 1, "b": 3}
    assert document.place(("all", "a")) == Place("a.yaml", 1, 14)
    assert document.place(("all", "b")) == Place("a.yaml", 4, 3)
    assert reading.repeated == []


@pytest.mark.usefixtures("parser")
def test_lists_are_unpacked_and_their_items_keep_their_places() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: BList\n  items:\n  - kind: B\n"
    [document] = read(text, "a.yaml").documents
    assert [(item.value["kind"], item.place(("kind",)).line) for item in document.items()] == [("A", 4), ("B", 7)]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        pytest.param("a: [\n", 2, 1, id="a-list-without-its-end"),
        pytest.param("a: 1\n  b: 2\n", 2, 4, id="wrong-indentation"),
        pytest.param("a: *b\n", 1, 4, id="an-unknown-alias"),
        pytest.param("ok: 1\n---\n[a, b]: 1\n", 3, 1, id="a-list-as-a-key"),
        pytest.param("~: 1\n", 1, 1, id="nothing-as-a-key"),
        pytest.param("<<: 1\n", 1, 5, id="a-merge-of-no-mapping"),
        pytest.param("a: &a [*a]\n", 1, 1, id="what-contains-itself"),
        pytest.param(
            "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(30)), 1, 1, id="a-billion-laughs"
        ),
        pytest.param("a: 1\nb: '\x07'\n", 2, 5, id="a-bell"),
    ],
)
def test_what_is_no_yaml_is_found_at_its_place(text: str, line: int, column: int) -> None:
    [found] = read(text, "a.yaml").broken
    assert (found.place.line, abs(found.place.column - column) <= 1) == (line, True), found
    assert "\n" not in found.message


@pytest.mark.usefixtures("parser")
def test_what_stands_before_something_broken_is_read() -> None:
    reading = read("kind: A\n---\na: [\n", "a.yaml")
    assert ([document.value for document in reading.documents], len(reading.broken)) == ([{"kind": "A"}], 1)


@pytest.mark.usefixtures("parser")
def test_repeated_and_surprising_keys_are_found() -> None:
    reading = read("a: 1\nb: {on: 1, 'off': 2, true: 3}\na: 2\n", "a.yaml")
    assert [(found.place.line, found.place.column, found.message) for found in reading.repeated] == [
        (2, 22, "true stands here twice: only the last counts, if any"),
        (3, 1, "a stands here twice: only the last counts, if any"),
    ]
    assert [(found.place.column, found.message) for found in reading.surprising] == [
        (5, "as the name of a field, YAML takes on for true: put it in quotes")
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param((), "", id="the-object"),
        pytest.param(("spec", "roles", 0, "name"), "spec.roles[0].name", id="an-entry"),
        pytest.param(("spec", "matchLabels", Key("a.b/c")), "spec.matchLabels[a.b/c]", id="a-key-that-somebody-chose"),
    ],
)
def test_a_path_is_written_as_the_api_server_writes_it(path: tuple[str | int, ...], text: str) -> None:
    assert path_text(path) == text
