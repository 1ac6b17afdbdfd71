"""Field selectors of requests: what the API server sorts out itself. Pure."""

import re

from jitaccess.domain.recorded import State

NAME, REQUESTER = "metadata.name=", "spec.requester="
_SPECIAL = re.compile(r"[\\,=]")


def requested_by(user: str) -> str:
    """The requests of somebody."""
    return REQUESTER + _SPECIAL.sub(r"\\\g<0>", user)


def in_state(state: State) -> str:
    """The requests in a state."""
    return f"status.state={state}"


ACTIVE = in_state(State.ACTIVE)
