"""Where uploads lie while they wait: a folder of our own, random names, never a client's."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import ClientDisconnect

from timbretree.files import BusyError, alone
from timbretree.web.limits import ServeLimits
from timbretree.web.trouble import TroubleError

PREFIX = "timbretree-uploads-"
WRITTEN = 1 << 20
"""Bytes that are gathered before they are written."""


@dataclass(frozen=True)
class Upload:
    """A file that was received whole."""

    path: Path
    size: int


class Spool:
    """The folder of uploads; counts what is in it and on its way to it."""

    def __init__(self, folder: Path, limits: ServeLimits) -> None:
        self.folder, self.limits = folder, limits
        self.used, self.receiving = 0, 0

    def check(self, declared: int | None) -> None:
        """Refuse what is too large, or comes while there is no room, before a byte is read."""
        most = self.limits.upload_bytes
        if declared is not None and declared > most:
            raise TroubleError(413, "too_large", f"the file is over {in_words(most)}")
        room = self.limits.spool_bytes - self.used
        if self.receiving >= self.limits.receiving or (declared or 1) > room:
            raise TroubleError(
                429,
                "busy",
                "many files are being sent at the moment; try again in a few seconds",
                headers={"Retry-After": "5"},
            )
        if (declared or 0) > shutil.disk_usage(self.folder).free:
            raise TroubleError(507, "disk_full", "the server's disk has no room for this file")

    async def receive(self, chunks: AsyncIterator[bytes]) -> Upload:
        """Write a body to a new file, whole or not at all. Raises TroubleError.

        Its bytes are counted as they come, whatever its header promised, and must come in time.
        """
        path = self.folder / secrets.token_hex(16)
        self.receiving += 1
        size = 0
        try:
            with path.open("xb", buffering=0) as file:
                async for block in self._blocks(chunks):
                    size += len(block)
                    await asyncio.to_thread(file.write, block)
        except BaseException as error:
            self._drop(path, size)
            if isinstance(error, OSError):
                raise TroubleError(507, "disk_full", "the server could not keep the file") from None
            if isinstance(error, ClientDisconnect):
                raise TroubleError(400, "cut_off", "the file broke off on its way") from None
            raise
        finally:
            self.receiving -= 1
        if not size:
            self._drop(path, size)
            raise TroubleError(400, "empty", "the file holds no bytes")
        return Upload(path, size)

    def remove(self, upload: Upload) -> None:
        """Forget a file that was heard, or is not wanted any more."""
        self._drop(upload.path, upload.size)

    def _drop(self, path: Path, size: int) -> None:
        path.unlink(missing_ok=True)
        self.used -= size

    async def _blocks(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The body in blocks, counted before they are handed on."""
        limits, clock = self.limits, asyncio.get_running_loop().time
        began, size, held = clock(), 0, bytearray()
        while True:
            latest = began + limits.patience + size / limits.slowest
            wait = min(limits.patience, latest - clock())
            try:
                chunk = await asyncio.wait_for(anext(chunks), max(wait, 0.001))
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise TroubleError(408, "too_slow", "the file came too slowly") from None
            size += len(chunk)
            if size > limits.upload_bytes:
                most = in_words(limits.upload_bytes)
                raise TroubleError(413, "too_large", f"the file is over {most}")
            held += chunk
            if len(held) >= WRITTEN:
                yield self._counted(held)
                held = bytearray()
        yield self._counted(held)

    def _counted(self, block: bytearray) -> bytes:
        if self.used + len(block) > self.limits.spool_bytes:
            raise TroubleError(507, "disk_full", "the server has no room for more files just now")
        self.used += len(block)
        return bytes(block)


@contextmanager
def spool(limits: ServeLimits, within: Path | None = None) -> Iterator[Spool]:
    """A new private folder for uploads, below ``within`` (default: the system's for temporary
    files); gone when the block is left. What a killed server left behind is removed first.
    """
    within = within or Path(tempfile.gettempdir())
    _sweep(within)
    folder = within / f"{PREFIX}{os.getpid()}-{secrets.token_hex(16)}"
    with alone(folder):
        folder.mkdir(mode=0o700)
        try:
            yield Spool(folder, limits)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def in_words(size: int) -> str:
    """A size in bytes: 1.5 GB, 200 MB."""
    number, unit = (size / (1 << 30), "GB") if size >= 1 << 30 else (size / (1 << 20), "MB")
    return f"{number:.3g} {unit}"


def _sweep(within: Path) -> None:
    mine = f"{PREFIX}{os.getpid()}-"  # a process gets its own lock twice, so it must not ask
    for left in within.glob(PREFIX + "*"):
        # the lock of a server that lives is held; another person's folder is not ours to remove
        strange = left.is_symlink() or not left.is_dir() or left.name.startswith(mine)
        if not strange and _ours(left):
            try:
                with alone(left):
                    shutil.rmtree(left, ignore_errors=True)
            except BusyError:
                continue


def _ours(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
