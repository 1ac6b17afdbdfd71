"""A line on the terminal that lives while something is awaited."""

from collections.abc import Callable
from datetime import UTC, datetime

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from jitaccess.cli.output import err, escaped


class StatusLine:
    """One line that says what is awaited, drawn anew while nothing happens; nothing where there is no terminal."""

    def __init__(self, words: Callable[[datetime], str]) -> None:
        self._words = words
        self._spinner = Spinner("dots")
        self._live = Live(self, console=err(), transient=True, refresh_per_second=4) if err().is_terminal else None

    def __rich__(self) -> Spinner:
        self._spinner.update(text=Text(escaped(self._words(datetime.now(UTC))), overflow="ellipsis", no_wrap=True))
        return self._spinner

    def __enter__(self) -> "StatusLine":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
