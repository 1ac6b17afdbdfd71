import base64
from pathlib import Path

import yaml

from controlplane.kubeconfig import Login, render, write_private


def test_each_login_is_a_context_and_the_first_is_current() -> None:
    text = render("https://127.0.0.1:1", b"PEM", {"a: b": Login("t1", namespace="n"), "😀\n": Login("t2")})
    config = yaml.safe_load(text)
    assert config["current-context"] == "a: b"
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert {user["name"]: user["user"] for user in config["users"]} == {
        "a: b": {"token": "t1"},
        "😀\n": {"token": "t2"},
    }
    assert config["contexts"][0]["context"] == {
        "cluster": "local",
        "user": "a: b",
        "namespace": "n",
    }


def test_a_token_file_is_named_by_its_full_path(tmp_path: Path) -> None:
    config = yaml.safe_load(render("https://x", b"", {"sa": Login(token_file=tmp_path / "token")}))
    assert config["users"][0]["user"] == {"tokenFile": str(tmp_path / "token")}


def test_a_private_file_is_replaced_whole_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for text in ("one", "two"):
        assert write_private(path, text).read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
