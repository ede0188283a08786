"""Writing files whole or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

try:
    import fcntl
except ImportError:  # on Windows two that make one file spoil each other's
    fcntl = None  # type: ignore[assignment]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then put it there: a kill leaves the old one or the new one.

    Text is written as UTF-8.
    """
    half_written = path.with_name(path.name + ".part")
    half_written.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(half_written, path)


class BusyError(OSError):
    """Another process is making the same."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process that makes ``path``. Raises BusyError where another one is at it.

    ``path``.lock is held meanwhile; the system lets go of it when its holder ends, however it does.
    """
    if fcntl is None:
        yield
        return
    lock = path.with_name(path.name + ".lock")
    with lock.open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.path.samestat(os.fstat(file.fileno()), lock.stat())
        except (BlockingIOError, FileNotFoundError):  # held, or just removed by its last holder
            mine = False
        if not mine:
            raise BusyError(f"another process is making {path}; wait for it, then run this again")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def own_folder(kind: Literal["DATA", "STATE"]) -> Path:
    """The folder in which the system has us keep what is the user's (data), or what we must
    remember of it (state)."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "timbretree"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/timbretree"
    told = os.environ.get(f"XDG_{kind}_HOME", "")
    usual = Path.home() / {"DATA": ".local/share", "STATE": ".local/state"}[kind]
    return (Path(told) if os.path.isabs(told) else usual) / "timbretree"  # a relative one is void
