"""One worker process: it builds its Tagger once, then tags file after file until its line is cut.

It reads pickled file names from standard input and writes pickled messages to standard output:
``Ready`` once it has heard a second of noise, ``Heard`` now and then, which is also its heart-beat,
and ``Done`` for each file; ``Unable`` where there is no Tagger to be had.
"""

import os
import pickle
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

from timbretree.tags import Tags
from timbretree.taxonomy import Taxonomy

if TYPE_CHECKING:
    from timbretree.tagger import Tagger

BEAT = 0.25
"""Seconds between two heart-beats."""


@dataclass(frozen=True)
class Ready:
    """The model is loaded and works."""

    model: str
    taxonomy: Taxonomy


@dataclass(frozen=True)
class Unable:
    """There is no Tagger to be had, in this process or in any other."""

    message: str


@dataclass(frozen=True)
class Began:
    """A file is in hand: what happens to the worker from now on is the file's fault."""


@dataclass(frozen=True)
class Heard:
    """So many seconds of the file in hand were heard."""

    seconds: float


@dataclass(frozen=True, eq=False)
class Done:
    """What was heard in the file in hand."""

    tags: Tags
    """Without its taxonomy, which is the crew's: it would be most of the message."""


Message = Ready | Unable | Began | Heard | Done


def main() -> None:
    """Be a worker: called in a process of its own, with the line on standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; who started us ends us
    line, asked = _take_the_line()
    send = _sender(line)
    how = asked.get()
    try:
        tagger = how.tagger()
        _try_out(tagger)
    except ValueError as error:  # of the model, the taxonomy, the hop
        send(Unable(str(error)))
        return
    send(Ready(tagger.info.name, tagger.taxonomy))
    _silence(2)  # libraries talk there about every frame they can't read
    while True:
        path = asked.get()
        send(Began())
        tags = _tag(tagger, path, _beats(send))
        send(Done(replace(tags, taxonomy=None)))  # type: ignore[arg-type]


def _take_the_line() -> tuple[BinaryIO, "SimpleQueue[Any]"]:
    """The way out, and all that comes in; whatever else reads or prints here does no harm."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _silence(0)
    os.dup2(2, 1)
    asked: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(incoming, asked), daemon=True).start()
    return outgoing, asked


def _listen(incoming: BinaryIO, asked: "SimpleQueue[Any]") -> None:
    while True:
        try:
            asked.put(pickle.load(incoming))
        except EOFError:  # whoever started us let go, or was killed: nobody waits for an answer
            os._exit(1)


def _sender(line: BinaryIO) -> Callable[[Message], None]:
    def send(message: Message) -> None:
        try:
            pickle.dump(message, line, pickle.HIGHEST_PROTOCOL)
            line.flush()
        except OSError:  # nobody reads any more
            os._exit(1)

    return send


def _beats(send: Callable[[Message], None]) -> Callable[[float], None]:
    told = time.monotonic()

    def beat(seconds: float) -> None:
        nonlocal told
        if time.monotonic() - told >= BEAT:
            told = time.monotonic()
            send(Heard(seconds))

    return beat


def _tag(tagger: "Tagger", path: str, beat: Callable[[float], None]) -> Tags:
    from timbretree.reasons import REASONS

    nothing = Tags(path, tagger.info.name, tagger.taxonomy, "failed")
    try:
        return tagger(Path(path), on_progress=beat)
    except MemoryError:
        return replace(nothing, reason="out_of_memory", message=REASONS["out_of_memory"])
    except Exception as error:  # a mistake of ours costs one file, like a crash, not the rest
        message = f"{REASONS['crashed']} ({type(error).__name__}: {error})"
        return replace(nothing, reason="crashed", message=message)


def _try_out(tagger: "Tagger") -> None:
    """See that the model works here, so that no file is blamed where it does not."""
    import numpy as np

    rate = tagger.info.melspec.rate
    tagger.hear(np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32))


def _silence(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, number)
    os.close(nothing)
