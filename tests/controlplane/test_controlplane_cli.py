import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.__main__ import parser


@pytest.mark.parametrize("command", [[], ["build"], ["up"], ["kubectl-path"]], ids=" ".join)
def test_help_is_there(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args([*command, "--help"])
    assert "usage: python -m controlplane" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_up_runs_until_it_is_told_to_end(number: signal.Signals, run_environment: dict[str, str]) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "controlplane", "up"],
        env=run_environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    shown = ""
    while "Ctrl-C" not in shown:
        line = run.stdout.readline()
        assert line, f"ended early: {shown}"
        shown += line
    kubeconfig = Path(shown.split("KUBECONFIG=")[1].split()[0])
    kubectl = shown.split("KUBECONFIG=")[1].split()[1]
    command = [kubectl, "--kubeconfig", str(kubeconfig), "--context", "alice", "auth", "whoami"]
    assert "developers" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    run.send_signal(number)
    code = run.wait(30)
    run.stdout.close()
    assert code == 0
    assert not kubeconfig.exists()
