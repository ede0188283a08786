"""Which recordings are done: 17 bytes for each, so that a million of them fit in the memory."""

from array import array
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np


class Stamp(NamedTuple):
    """What tells whether a file is the same as it was; (-1, 0) where there is none."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look at a file."""
        try:
            found = path.stat()
        except (OSError, ValueError):
            return cls(-1, 0)
        return cls(found.st_size, found.st_mtime_ns)


class Known:
    """The lines of a journal, by the paths in them: names and stamps are kept as 64-bit hashes."""

    def __init__(self) -> None:
        self._paths, self._stamps, self._failed = array("Q"), array("Q"), array("b")
        self.sort()

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, path: str, stamp: Stamp, *, failed: bool) -> None:
        """Take note of the next line."""
        self._paths.append(_hash(path))
        self._stamps.append(_hash(f"{stamp.size} {stamp.mtime_ns}"))
        self._failed.append(failed)

    def sort(self) -> None:
        """Make it ready to be asked, once all is added."""
        paths = np.array(self._paths, np.uint64)
        self._order = np.argsort(paths, kind="stable")
        self._sorted = paths[self._order]

    def last(self, path: str) -> int | None:
        """The number of the last line of a recording, which counts; or None."""
        wanted = np.uint64(_hash(path))
        place = int(np.searchsorted(self._sorted, wanted, side="right")) - 1
        if place < 0 or self._sorted[place] != wanted:
            return None
        return int(self._order[place])

    def is_same(self, number: int, stamp: Stamp) -> bool:
        """Whether the file is as it was when that line was written."""
        return self._stamps[number] == _hash(f"{stamp.size} {stamp.mtime_ns}")

    def has_failed(self, number: int) -> bool:
        """Whether nothing of the recording could be used then."""
        return bool(self._failed[number])

    @property
    def doubles(self) -> bool:
        """Whether some recording has more than one line."""
        return bool((self._sorted[1:] == self._sorted[:-1]).any())


def _hash(text: str) -> int:
    data = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
