"""Processes that work side by side, and end with the one that started them."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


@contextmanager
def process_pool(jobs: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """A pool with so many processes, each new and empty; without a number, one a core.

    Where the block is left by an exception, or the starting process is killed, what the workers do
    is broken off. Raises OSError where a worker crashed or was ended from outside.
    """
    context = get_context("spawn")  # a fork would copy locks that other threads hold
    line, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs or os.cpu_count(), context, _watch, (line,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise OSError(
            "a worker process died: it crashed or was ended from outside, perhaps for want of "
            "memory; run this again to go on"
        ) from error
    except BaseException:
        held.close()  # as the system does where this process is killed
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        held.close()


def as_done(
    function: Callable[..., Result], calls: Iterable[tuple[Any, ...]], *, jobs: int | None = None
) -> Iterator[Result]:
    """Call a function with each of many tuples of arguments in a pool of ``jobs`` processes.

    Answers come in the order in which they are done; few calls wait at a time, however many there
    are. Raises what a call raises, and what ``process_pool`` does.
    """
    with process_pool(jobs) as pool:
        running: set[Future[Result]] = set()
        for call in calls:
            running.add(pool.submit(function, *call))
            if len(running) >= 2 * (jobs or os.cpu_count() or 1):
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (each.result() for each in finished)
        yield from (each.result() for each in as_completed(running))


def _watch(line: Connection) -> None:
    # a terminal's Ctrl-C reaches all processes; who started us ends us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(line,), daemon=True).start()


def _end_with(line: Connection) -> None:
    line.poll(None)
    os._exit(1)
