"""A line on the terminal that lives while something is awaited."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from jitaccess.cli.terminal.output import err, escaped

_SPINNER = 3  # columns, with its gap and one to spare


class StatusLine:
    """One line that says what is awaited, drawn anew while nothing happens; nothing where there is no terminal."""

    def __init__(self, words: Callable[[datetime], str]) -> None:
        self._words = words
        self._spinner = Spinner("dots")
        self._live: Live | None = None

    def __rich__(self) -> Spinner:
        text = Text(escaped(self._words(datetime.now(UTC))))
        text.truncate(err().width - _SPINNER, overflow="ellipsis")
        self._spinner.update(text=text)
        return self._spinner

    def __enter__(self) -> "StatusLine":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Hide the line while something else is printed."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        if err().is_terminal:
            self._live = Live(self, console=err(), transient=True, refresh_per_second=4)
            self._live.start()

    def _stop(self) -> None:
        if self._live:
            self._live.stop()
