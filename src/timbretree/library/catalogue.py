"""The files of a library as a scan finds them: new, changed, moved, copied, gone or back."""

import hashlib
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from timbretree.inscribe import read_metadata
from timbretree.library.binding import Binding
from timbretree.library.keeping import copy, keep
from timbretree.library.words import folded
from timbretree.tags import Tags

AGAIN = ("crashed", "timed_out", "out_of_memory", "unreadable", "missing", "needs_formats")
"""Reasons that may be another time's, or go away with what is installed."""


@dataclass(frozen=True)
class File:
    """A sound file as the walk found it."""

    path: bytes
    """Absolute."""
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """Its path as Python has it."""
        return os.fsdecode(self.path)

    def digest(self) -> bytes | None:
        """The digest of its bytes; None where it can't be read, which the tagger will tell."""
        try:
            with open(self.name, "rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
        except OSError:
            return None


@dataclass
class Summary:
    """What a scan found and did."""

    unchanged: int = 0
    tagged: int = 0
    failed: int = 0
    """Of those that were tagged."""
    moved: int = 0
    copies: int = 0
    """New files with the bytes of a track that is still there: not tagged again."""
    gone: int = 0
    back: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Of those that were tagged."""
    trouble: list[str] = field(default_factory=list)
    """Folders and files that could not be scanned, in words."""


class Catalogue:
    """The tables of a library while it is scanned. Each call is one transaction, or none."""

    def __init__(self, db: sqlite3.Connection, binding: Binding) -> None:
        self.db, self.binding = db, binding
        self.summary = Summary()
        self._lost: set[int] = set()

    def knows(self, file: File, *, retry: bool) -> bool:
        """Whether a file is as it was and need not be tagged; if it had been gone, it is back."""
        row = self.db.execute(
            "SELECT number, there, status, reason FROM tracks "
            "WHERE path = ? AND size = ? AND mtime_ns = ?",
            (file.path, file.size, file.mtime_ns),
        ).fetchone()
        if row is None:
            return False
        number, there, status, reason = row
        if not there:
            self.db.execute("UPDATE tracks SET there = 1 WHERE number = ?", (number,))
            self.summary.back += 1
        if status is None or (retry and reason in AGAIN):
            return False
        self.summary.unchanged += there
        return True

    def below(self, place: bytes) -> list[tuple[int, bytes]]:
        """The number and the path of each track at a place, or below it, that was there."""
        first = os.path.join(place, b"")
        beyond = first[:-1] + bytes([first[-1] + 1])
        return self.db.execute(
            "SELECT number, path FROM tracks "
            "WHERE there AND (path = ? OR (path >= ? AND path < ?))",
            (place, first, beyond),
        ).fetchall()

    def lose(self, numbers: list[int]) -> None:
        """Mark tracks as gone."""
        with _whole(self.db):
            self.db.executemany(
                "UPDATE tracks SET there = 0 WHERE number = ?", [(each,) for each in numbers]
            )
        self._lost.update(numbers)
        self.summary.gone += len(numbers)

    def may_know(self, file: File) -> bool:
        """Whether there is a track of that size, so that it is worth to read the file's bytes."""
        found = self.db.execute(
            "SELECT 1 FROM tracks WHERE size = ? AND digest NOT NULL AND status NOT NULL LIMIT 1",
            (file.size,),
        )
        return found.fetchone() is not None

    def adopt(self, file: File, digest: bytes) -> bool:
        """Take over what was heard in the same bytes, here or elsewhere, if there is a track."""
        same = self.db.execute(
            "SELECT number, path, size, mtime_ns FROM tracks WHERE digest = ? AND status NOT NULL "
            f"AND ifnull(reason, '') NOT IN ({', '.join('?' * len(AGAIN))}) ORDER BY path != ?",
            (digest, *AGAIN, file.path),
        ).fetchall()
        if not same:
            return False
        origin, path, *_ = same[0]
        left = next((each for each, *at in same if not _is_still_so(*at)), None)
        with _whole(self.db):
            if path == file.path:  # only touched
                self.place(file, digest)
                self.summary.unchanged += 1
            elif left is not None:
                self._move(left, file)
            else:
                number = self.place(file, digest)
                copy(self.db, origin, number)
                self._describe(number, read_metadata(file.name) or {})
                self.summary.copies += 1
        return True

    def put(self, file: File, digest: bytes | None, tags: Tags) -> None:
        """Put down what was heard in a file that is new or has changed."""
        told = read_metadata(file.name) or {}
        with _whole(self.db):
            number = self.place(file, digest)
            keep(self.db, number, tags, self.binding)
            self._describe(number, told)
        self.summary.tagged += 1
        self.summary.failed += tags.status == "failed"
        if tags.reason is not None:
            self.summary.reasons[tags.reason] += 1

    def place(self, file: File, digest: bytes | None) -> int:
        """The row of a file, new or as it is now."""
        found = self.db.execute(
            "INSERT INTO tracks (id, path, path_key, size, mtime_ns, digest, there) "
            "VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (path) DO UPDATE SET "
            "size = excluded.size, mtime_ns = excluded.mtime_ns, digest = excluded.digest, "
            "there = 1 RETURNING number",
            (secrets.token_hex(8), file.path, folded(file.name), file.size, file.mtime_ns, digest),
        )
        return int(found.fetchone()[0])

    def _move(self, number: int, file: File) -> None:
        self._make_room(file, number)
        self.db.execute(
            "UPDATE tracks SET path = ?, path_key = ?, size = ?, mtime_ns = ?, there = 1 "
            "WHERE number = ?",
            (file.path, folded(file.name), file.size, file.mtime_ns, number),
        )
        self.summary.moved += 1
        self.summary.gone -= number in self._lost
        self._lost.discard(number)

    def _make_room(self, file: File, number: int) -> None:
        """Another track that lay there is gone, but its file may have been moved, too."""
        found = self.db.execute(
            "UPDATE tracks SET there = 0, path = CAST(path || ' (' || id || ')' AS BLOB) "
            "WHERE path = ? AND number != ? RETURNING number",
            (file.path, number),
        ).fetchone()
        if found is not None:
            self._lost.add(found[0])
            self.summary.gone += 1

    def _describe(self, number: int, told: dict[str, str]) -> None:
        texts = [told.get(field) for field in ("title", "artist", "album")]
        self.db.execute(
            "UPDATE tracks SET title = ?, artist = ?, album = ?, title_key = ?, artist_key = ?, "
            "album_key = ? WHERE number = ?",
            (*texts, *(folded(text or "") for text in texts), number),
        )


def _is_still_so(path: bytes, size: int, mtime_ns: int) -> bool:
    """Whether a file lies where it lay, as it was."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (size, mtime_ns)


@contextmanager
def _whole(db: sqlite3.Connection) -> Iterator[None]:
    """All of a block is written, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    db.execute("COMMIT")
