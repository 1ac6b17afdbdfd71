"""`kubectl jit`: asking, deciding and looking, in the terminal, with the user's own credentials."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType

# What the operator does not bring -> the extra that does.
_EXTRAS = {"kubernetes": "cli", "rich": "cli", "cel_expr_python": "lint"}
_TRACEBACK = "KUBECTL_JIT_TRACEBACK"


def main() -> None:
    """Run the plugin."""
    sys.excepthook = _last_words
    sys.exit(_with_extra(_run, sys.argv[1:]))


def complete() -> None:
    """Answer kubectl's completion call: kubectl runs `kubectl_complete-jit` with the words of the command line."""
    sys.exit(_with_extra(_complete, sys.argv[1:]))


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report what nobody foresaw: where it happened, and not what was being handled there, which may be a secret."""
    if os.environ.get(_TRACEBACK):
        sys.__excepthook__(kind, error, trace)
        return
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("error: interrupted\n")
        return
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" in {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""  # noqa: PTH119 (pathlib is slow to import)
    sys.stderr.write(f"error: this is a fault of kubectl jit itself: {kind.__name__}{place}\n")
    sys.stderr.write(f"  hint: please report it; with {_TRACEBACK}=1 all of it is shown, secrets too if they are in it\n")


def _run(words: Sequence[str]) -> int:
    from jitaccess.cli.app import run

    return run(words)


def _complete(words: Sequence[str]) -> int:
    from jitaccess.cli.app import cli
    from jitaccess.cli.commands.completion import answer_kubectl

    return answer_kubectl(cli, words)


def _with_extra(action: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    gc.disable()  # importing makes no garbage, and looking for it takes a tenth of the start; the session turns it on again
    try:
        code = action(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (`| head`) has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        from jitaccess.cli.api.errors import install

        sys.stderr.write(f"error: this needs {package}, which is not installed\n  hint: {install(_EXTRAS[package])}\n")
        code = 1
    return code
