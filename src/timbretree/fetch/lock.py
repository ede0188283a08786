"""One process at a time makes a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timbretree.fetch.resources import FetchError

try:
    import fcntl
except ImportError:  # on Windows two downloads of one file spoil each other's; the digest tells
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process that makes ``path``. Raises FetchError if another one does.

    ``path``.lock is held meanwhile; the system lets go of it when its holder ends, however it does.
    """
    if fcntl is None:
        yield
        return
    lock = path.with_name(path.name + ".lock")
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.path.samestat(os.fstat(file.fileno()), lock.stat())
        except (BlockingIOError, FileNotFoundError):  # held, or just removed by its last holder
            mine = False
        if not mine:
            raise FetchError(f"another process is making {path}; wait for it, then run this again")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
