"""Bars that tell how far a long job is, on standard error; a line now and then where that is no
terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import NamedTuple

from timbretree.cli.talk import say

EVERY = 30.0
"""Seconds between two lines."""
DRAWN_EVERY = 0.5
"""Seconds between two looks at what is drawn."""


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


class State(NamedTuple):
    """How far a job of tagging is."""

    done: int
    """Recordings that are done, those of earlier runs too."""
    mine: int
    """Those that this run did."""
    whole: int | None
    """How many there are as far as they were counted; None where they can't be."""
    counted: bool
    """Whether all were counted."""
    seconds: float
    """Sound that this run heard."""
    failed: int


class Gauge:
    """Says how far a job of tagging is: drawn on a terminal, else as a line now and then."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._began = time.monotonic()
        self._over = Event()

    def words(self) -> str:
        """The state in words."""
        state, passed = self._state(), time.monotonic() - self._began
        whole = "" if state.whole is None else f" of {state.whole:,}{'' if state.counted else '+'}"
        words = [f"{state.done:,}{whole} {'file' if whole == ' of 1' else 'files'}"]
        if state.seconds:
            words += [f"{clock(state.seconds)} of sound", pace(state.seconds, passed)]
        if state.whole and state.counted and state.mine:
            words += [f"{clock(passed * (state.whole - state.done) / state.mine)} left"]
        if state.failed:
            words += [f"{state.failed:,} failed"]
        return ", ".join(words)

    def _tell(self) -> None:
        while not self._over.wait(EVERY):
            say(self.words())

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        with Progress(
            BarColumn(24), TextColumn("{task.description}", markup=False),
            console=Console(stderr=True), transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task(self.words(), total=None)
            while not self._over.wait(DRAWN_EVERY):
                state = self._state()
                whole = state.whole if state.counted else None
                progress.update(task, completed=state.done, total=whole, description=self.words())


@contextmanager
def gauge(state: Callable[[], State]) -> Iterator[Gauge]:
    """Say how far a job of tagging is, while it runs, in a thread of its own."""
    made = Gauge(state)
    thread = Thread(target=made._draw if sys.stderr.isatty() else made._tell, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made._over.set()
        thread.join()


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


def pace(seconds: float, passed: float) -> str:
    """How fast sound was heard: 0.4 x real time, 250 x real time."""
    times = seconds / passed
    return f"{times:,.{1 if times < 10 else 0}f} x real time"


def clock(seconds: float) -> str:
    """A stretch of time in words: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
