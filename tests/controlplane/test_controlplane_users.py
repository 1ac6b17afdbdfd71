from pathlib import Path

import pytest

from controlplane.users import ADMIN, User, new_tokens, people_with, write_token_file


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        pytest.param("", (), id="no-name"),
        pytest.param("a\r\nb", (), id="the-token-file-changes-crlf"),
        pytest.param("\ud800", (), id="no-utf8"),
        pytest.param("a", ("x,y",), id="the-server-splits-groups-at-commas"),
        pytest.param("a", ("",), id="an-empty-group"),
    ],
)
def test_what_the_token_file_cannot_carry_is_refused(name: str, groups: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"name|token file|surrogates"):
        User(name, groups)


def test_the_default_people_are_there_and_can_be_replaced() -> None:
    people = people_with([User("alice", ("oncall",)), User("erin")])
    assert list(people) == ["admin", "alice", "bob", "carol", "mallory", "erin"]
    assert people["alice"].groups == ("oncall",)


def test_nobody_takes_the_name_of_the_control_plane() -> None:
    with pytest.raises(ValueError, match="another name"):
        people_with([User(ADMIN.name)])


def test_the_token_file_quotes_everything_and_is_private(tmp_path: Path) -> None:
    users = [User('a"b, c\nd', ("g", "h"), "u"), User("plain")]
    path = tmp_path / "tokens.csv"
    write_token_file(path, users, {'a"b, c\nd': "t1", "plain": "t2"})
    assert path.read_text() == '"t1","a""b, c\nd","u","g,h"\n"t2","plain",""\n'
    assert path.stat().st_mode & 0o077 == 0


def test_tokens_are_new_each_time() -> None:
    assert new_tokens([ADMIN]) != new_tokens([ADMIN])
