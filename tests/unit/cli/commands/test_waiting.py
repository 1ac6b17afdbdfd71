"""How a wait ends."""

from jitaccess.cli.api.errors import ExitCode
from jitaccess.cli.commands.waiting import CODES
from jitaccess.domain.recorded import State


def test_every_state_has_its_exit_code() -> None:
    assert set(CODES) == set(State)
    assert {state for state, code in CODES.items() if code == ExitCode.NO} == {
        State.DENIED,
        State.REVOKED,
        State.WITHDRAWN,
        State.FAILED,
    }
    assert CODES[State.TIMED_OUT] == ExitCode.TIMED_OUT
