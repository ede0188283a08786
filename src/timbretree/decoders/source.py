"""A sound file as bytes: opened without ever waiting, and read from any place."""

import io
import os
import stat
from pathlib import Path

from timbretree.reasons import AudioError

HEAD = 1 << 16
"""Bytes at a file's beginning from which its kind is told."""


class Source:
    """The bytes of one regular file, opened for reading.

    Raises AudioError where the name is not that of a regular file with bytes in it: a pipe would
    keep us waiting and a device would never end.
    """

    def __init__(self, path: Path) -> None:
        try:
            _refuse_what_is_no_file(os.stat(path).st_mode)
            descriptor = os.open(path, _FLAGS)
        except PermissionError:
            raise AudioError("unreadable") from None
        except ValueError:  # a name with a zero byte in it
            raise AudioError("missing") from None
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError) or _no_such(error):
                raise AudioError("missing") from None
            raise AudioError("unreadable", str(error.strerror)) from None
        self._path, self._file = path, io.BufferedReader(io.FileIO(descriptor), HEAD)
        found = os.fstat(descriptor)
        self.size, self.failed = found.st_size, False
        try:  # the name may be another's since we asked
            _refuse_what_is_no_file(found.st_mode)
            if not self.size:
                raise AudioError("empty")
            self.head = self.read_at(0, HEAD)
            if self.failed:
                raise AudioError("unreadable")
        except AudioError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read_at(self, start: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``start``; fewer at the end, and where the disk fails."""
        if start >= self.size:  # a made-up place may be too large for a file
            return b""
        try:
            self._file.seek(max(0, start))
            return self._file.read(size)
        except OSError:
            self.failed = True
            return b""

    def read_into(self, start: int, buffer: memoryview) -> int:
        """Fill a buffer from ``start``, and say how many bytes there were."""
        if start >= self.size:
            return 0
        try:
            self._file.seek(start)
            return self._file.readinto(buffer)
        except OSError:
            self.failed = True
            return 0

    def reopen(self) -> int | None:
        """Another descriptor of the same file, at its beginning; None where there is none to be
        had, and on Windows, where native code has descriptors of its own."""
        if os.name == "nt":
            return None
        try:
            descriptor = os.open(self._path, _FLAGS)
        except OSError:
            return None
        if os.path.sameopenfile(descriptor, self._file.fileno()):
            return descriptor
        os.close(descriptor)  # the name is another's by now
        return None


class View:
    """A file that a decoder reads: ``head``, then the bytes of a source from ``start`` on.

    It has no name, so that a decoder can't judge by it, and it never raises into native code.
    """

    def __init__(self, source: Source, start: int = 0, head: bytes = b"") -> None:
        self.source, self.start, self.head = source, start, head
        self.size = len(head) + source.size - start
        self._place = 0

    @property
    def reached(self) -> int:
        """The place in the source up to which it was read."""
        return self.start + max(0, self._place - len(self.head))

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from here, and say how many bytes there were."""
        view = memoryview(buffer)
        if self._place < len(self.head):
            part = self.head[self._place :][: len(view)]
            view[: len(part)] = part
            count = len(part)
        else:
            count = self.source.read_into(self.reached, view)
        self._place += count
        return count

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes from here."""
        buffer = bytearray(max(0, min(size, self.size - self._place)))
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and say where that is."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place


class Whole(View):
    """A whole file that native code reads by itself, from a descriptor that it closes.

    An MP3 is read in pieces of 300 bytes; to ask us for each would take an eighth of the time of
    decoding it.
    """

    def __init__(self, source: Source, descriptor: int) -> None:
        super().__init__(source)
        self.descriptor = descriptor

    @property
    def reached(self) -> int:
        """The place in the source up to which it was read."""
        place = os.lseek(self.descriptor, 0, os.SEEK_CUR)
        self.source.read_at(place, 1)  # where the disk fails, this tells
        return place


_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
)


def _refuse_what_is_no_file(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise AudioError("is_folder")
    if not stat.S_ISREG(mode):
        raise AudioError("not_a_file")


def _no_such(error: OSError) -> bool:
    """Whether it is a name that is too long, or a link that goes round in a circle."""
    import errno

    return error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
