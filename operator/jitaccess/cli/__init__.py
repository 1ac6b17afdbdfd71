"""`kubectl jit`: asking, deciding and looking, in the terminal, with the user's own credentials."""

import sys
from importlib.util import find_spec

_NEEDED = ("kubernetes", "rich")


def main() -> None:
    """Run the plugin; says what to install where the extra `cli` is missing."""
    _check_extra()
    from jitaccess.cli.app import run

    sys.exit(run(sys.argv[1:]))


def complete() -> None:
    """Answer kubectl's completion call: kubectl runs `kubectl_complete-jit` with the words of the command line."""
    _check_extra()
    from jitaccess.cli.completion import answer_kubectl

    answer_kubectl(sys.argv[1:])


def _check_extra() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        print(
            f"error: kubectl jit needs {' and '.join(missing)}, which the operator does not\n  pip install 'jitaccess[cli]'",
            file=sys.stderr,
        )
        sys.exit(1)
