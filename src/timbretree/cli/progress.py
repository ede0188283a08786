"""Bars that tell how far a long job is, on standard error; a line now and then where that is no
terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from timbretree.cli.talk import say

EVERY = 30.0
"""Seconds between two lines."""


class Bar:
    """How much is done of how much."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._told = self._began = time.monotonic()
        self._before: int | None = None  # what an earlier run had done when this one first told

    def update(self, done: int, whole: int | None) -> None:
        """Tell how much is done."""
        now = time.monotonic()
        if self._before is None:
            self._before = done
        if now - self._told < EVERY:
            return
        self._told = now
        left, mine = "", done - self._before
        if whole and mine:
            left = f", {clock((now - self._began) * (whole - done) / mine)} left"
        say(f"{self.what}: {done:,}{f' of {whole:,}' if whole else ''}{left}")


class _TerminalBar(Bar):
    """The same, drawn."""

    def __init__(self, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        super().__init__(what)
        self._progress = Progress(
            "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task(what, total=None)
        self._progress.start()

    def update(self, done: int, whole: int | None) -> None:
        self._progress.update(self._task, completed=done, total=whole, description=self.what)

    def close(self) -> None:
        self._progress.stop()


@contextmanager
def bar(what: str) -> Iterator[Bar]:
    """A bar for one job."""
    if not sys.stderr.isatty():
        yield Bar(what)
        return
    drawn = _TerminalBar(what)
    try:
        yield drawn
    finally:
        drawn.close()


def clock(seconds: float) -> str:
    """A stretch of time in words: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
