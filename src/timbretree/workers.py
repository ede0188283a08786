"""Processes that work side by side, and end with the one that started them."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def process_pool() -> ProcessPoolExecutor:
    """A pool with one process a core, each new and empty.

    Also where the starting process is killed, no worker stays behind.
    """
    context = get_context("spawn")  # a fork would copy locks that torch's threads hold
    return ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_watch_parent)


def _watch_parent() -> None:
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
