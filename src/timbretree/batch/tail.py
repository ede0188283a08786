"""Files that grow at their end, by whole pieces or not at all."""

import os
import zlib
from pathlib import Path


class FullError(OSError):
    """Something can't be written; nothing of it was."""


class Tail:
    """A file of which the first ``size`` bytes are good, and what comes after does not count.

    Nothing is held back: what was appended survives the end of this process. Raises OSError where
    the file can't be opened or read, FullError where it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self.size = self._file.seek(0, os.SEEK_END)

    def append(self, data: bytes) -> tuple[int, int]:
        """Write a piece; where it begins and ends comes back."""
        start, end = self.size, self.size + len(data)
        rest = memoryview(data)
        try:
            self._file.seek(start)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(start)
            raise cannot(self.path, error) from error
        self.size = end
        return start, end

    def cut(self, size: int) -> None:
        """Leave only the first ``size`` bytes."""
        self._file.truncate(size)
        self.size = size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``, as many of them as there are."""
        self._file.seek(start)
        parts = []
        while start < end and (part := self._file.read(end - start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def sync(self) -> None:
        """Wait until all of it is on the disk, where not even a power cut reaches it."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot(self.path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def checksum(data: bytes) -> int:
    """Tells whether a piece is whole."""
    return zlib.crc32(data)


def cannot(path: Path, error: OSError) -> FullError:
    """The same trouble, in words that name the file."""
    if isinstance(error, FullError):
        return error
    return FullError(error.errno, f"{path} can't be written: {error.strerror or error}")
