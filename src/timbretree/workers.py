"""Processes that work side by side, and end with the one that started them."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread


@contextmanager
def process_pool(jobs: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """A pool with so many processes, each new and empty; without a number, one a core.

    Where the block is left by an exception, or the starting process is killed, what the workers do
    is broken off. Raises OSError where a worker was ended from outside.
    """
    context = get_context("spawn")  # a fork would copy locks that other threads hold
    line, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs or os.cpu_count(), context, _watch, (line,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise OSError(
            "a worker process was ended from outside, perhaps for want of memory; "
            "run this again to go on"
        ) from error
    except BaseException:
        held.close()  # as the system does where this process is killed
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        held.close()


def _watch(line: Connection) -> None:
    # a terminal's Ctrl-C reaches all processes; who started us ends us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(line,), daemon=True).start()


def _end_with(line: Connection) -> None:
    line.poll(None)
    os._exit(1)
