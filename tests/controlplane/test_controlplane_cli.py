import pytest

from controlplane.__main__ import parser


@pytest.mark.parametrize("command", [[], ["build"]], ids=" ".join)
def test_help_is_there(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args([*command, "--help"])
    assert "usage: python -m controlplane" in capsys.readouterr().out
