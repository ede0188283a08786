"""A library that answers: which of my tracks have a clarinet, and where?"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from timbretree.library import rows
from timbretree.library.answers import Page, Row, Stats, Track
from timbretree.library.binding import Binding
from timbretree.library.compiling import (
    SORTS,
    Compiler,
    Sql,
    asked_for,
    asks_status,
    asks_texts,
    narrowed,
)  # fmt: skip
from timbretree.library.keeping import recall
from timbretree.library.query import Query
from timbretree.library.reading import parse
from timbretree.library.records import DamagedError
from timbretree.library.similar import alike, kept, of
from timbretree.library.stats import count
from timbretree.library.store import LibraryError, Readers, binding_of
from timbretree.library.words import Vocabulary
from timbretree.tags import Tags, plain

ALL = -1
"""SQLite's word for no limit."""
TRACKS = "tracks t"


class UnknownTrackError(LibraryError):
    """There is no track with this id."""


class Library:
    """A collection of music that was scanned, to be asked. Any number of threads may ask at once,
    and a scan may write meanwhile: each answer is of one moment.

    >>> with Library("music.db") as library:
    ...     for row in library.search("clarinet and not drums", limit=10).rows:
    ...         print(row.track.path, row.matches[0].spans)

    Nothing is ever written. Raises LibraryError where there is no library at ``path``, or one of
    a newer timbretree.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._readers = Readers(self.path)
        with self._reading():
            pass

    @property
    def binding(self) -> Binding:
        """The model, the taxonomy and the hop that all tracks were heard with."""
        with self._reading() as now:
            return now.binding

    def search(
        self,
        query: str = "",
        *,
        groups: Sequence[str] = (),
        min_seconds: float = 0.0,
        sort: str | None = None,
        limit: int | None = 50,
        offset: int = 0,
        unsure: bool = False,
    ) -> Page:
        """The tracks that a question is true of, and where in them what it asks for plays.

        ``query`` is in the language of ``timbretree.library.HELP``; the empty one is true of all.
        ``groups`` are families all of which must play, too. ``min_seconds`` is how long each name
        that is asked for must play; names that are ruled out need not. ``sort`` is one of
        ``SORTS``, by default share, or path where no name is asked for; the most comes first,
        and of equals what was scanned first. ``unsure`` lets a name that is asked for only perhaps
        play. ``limit`` None is all. Raises QueryError, which points at the word; LibraryError for
        another sort or group.
        """
        with self._reading() as now:
            names = Vocabulary(now.binding.taxonomy)
            tree = narrowed(parse(query, names), [_group(each, now.binding) for each in groups])
            compiler = Compiler(names, min_seconds, unsure)
            found = _Found.of(compiler, tree, sort)
            total, chosen = found.page(now.db, ALL if limit is None else limit, offset)
            answers = now.rows(chosen, list(asked_for(tree)))
        return Page(total, answers, found.sort)

    def like(self, recording: str | Tags, *, limit: int | None = 20, offset: int = 0) -> Page:
        """The tracks that are most like one of the library, by its id, or like any recording.

        ``Row.value`` is their likeness, which ``timbretree.library.similar`` explains: 1 is the
        same, 0 as unlike as two tracks of the library usually are. ``Row.matches`` are the
        instruments that play in both, or may. The track itself is not among them. Raises
        UnknownTrackError; LibraryError for a recording that failed, or Tags of another model.
        """
        with self._reading() as now:
            own = None if isinstance(recording, Tags) else now.number(recording)
            if isinstance(recording, Tags):
                tags, sound = recording, None if recording.status == "failed" else of(recording)
                if recording.taxonomy.tags != now.binding.taxonomy.tags:
                    raise LibraryError(
                        f"the library has other instruments than {recording.taxonomy.name}"
                    )
            else:
                tags, sound = now.recall(recording), kept(now.db, now.number(recording))
            if sound is None:
                raise LibraryError(
                    f"nothing can be like {tags.file or 'this recording'}, which could not be heard"
                )
            numbers, values = alike(now.db, sound, besides=own)
            some = slice(offset, None if limit is None else offset + limit)
            chosen = [*zip(numbers[some].tolist(), values[some].tolist(), strict=True)]
            found = now.rows(chosen, [*tags.present, *tags.unsure])
        return Page(len(numbers), tuple(map(rows.in_both, found)), "likeness")

    def track(self, id: str) -> Track:
        """One track by its id. Raises UnknownTrackError."""
        with self._reading() as now:
            return rows.track(now.db, now.number(id))

    def windows(self, id: str) -> Tags:
        """All that was heard in a track, as when it was tagged: any writer can write it.

        Probabilities of windows are kept to four places, as all writers write them; there is no
        embedding. Of a track that failed only the reason is there. Raises UnknownTrackError.
        """
        with self._reading() as now:
            return now.recall(id)

    def path_of(self, id: str) -> Path:
        """Where the file of a track lies. Raises UnknownTrackError."""
        return self.track(id).path

    def id_of(self, path: str | Path) -> str | None:
        """The id of the track that lies there; None where there is none."""
        place = (os.fsencode(os.path.abspath(path)),)
        with self._reading() as now:
            found = now.db.execute("SELECT id FROM tracks WHERE path = ?", place).fetchone()
            return None if found is None else str(found[0])

    def stats(self) -> Stats:
        """The collection in numbers: tracks, hours, and each instrument and family across it."""
        with self._reading() as now:
            return count(now.db, now.binding)

    def close(self) -> None:
        """Let go of the file."""
        self._readers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator["_Now"]:
        with self._readers.lent() as db:
            try:
                yield _Now(db, binding_of(db, self.path))
            except DamagedError as error:
                raise LibraryError(
                    f"{self.path} is damaged: of one track, {error}; move it away and scan again"
                ) from error


@dataclass(frozen=True)
class _Now:
    """The library at one moment."""

    db: sqlite3.Connection
    binding: Binding

    def number(self, id: str) -> int:
        found = self.db.execute("SELECT number FROM tracks WHERE id = ?", (id,)).fetchone()
        if found is None:
            raise UnknownTrackError(f"there is no track {id!r} in this library")
        return int(found[0])

    def recall(self, id: str) -> Tags:
        return recall(self.db, self.number(id), self.binding)

    def rows(self, chosen: Sequence[tuple[int, float | None]], asked: list[str]) -> tuple[Row, ...]:
        return tuple(rows.row(self.db, self.binding, *each, asked=asked) for each in chosen)


def _group(name: str, binding: Binding) -> str:
    found = Vocabulary(binding.taxonomy).find(name)
    if found not in binding.taxonomy.groups:
        families = ", ".join(map(plain, binding.taxonomy.groups))
        raise LibraryError(f"there is no family {name!r}; there are {families}")
    return found


@dataclass(frozen=True)
class _Found:
    """What a question finds, as SQL. What is heard is in a narrow table of its own, which is all
    that is read unless the question speaks of texts."""

    tables: str
    where: Sql
    order: Sql | None
    """The number to sort by; None for the path."""
    sort: str
    counted: str
    """The tables by which they are counted."""

    @classmethod
    def of(cls, compiler: Compiler, query: Query, sort: str | None) -> "_Found":
        if sort is not None and sort not in SORTS:
            raise LibraryError(f"answers are sorted by {', '.join(SORTS)}; got {sort!r}")
        by = sort or SORTS[0]
        order = None if by == "path" else compiler.order(query, by)
        so = compiler.condition(query)
        if asks_status(query):
            every = f"{TRACKS} LEFT JOIN heard h ON h.track = t.number"
            return cls(every, Sql(f"t.there AND ({so.text})", so.bound), order, by, every)
        here = f"h.track NOT IN (SELECT number FROM tracks WHERE NOT there) AND ({so.text})"
        both = f"{TRACKS} JOIN heard h ON h.track = t.number"
        needed = both if asks_texts(query) else "heard h"
        where = Sql(here, so.bound)
        return cls(needed if order else both, where, order, by if order else "path", needed)

    def page(
        self, db: sqlite3.Connection, limit: int, offset: int
    ) -> tuple[int, list[tuple[int, float | None]]]:
        """How many there are, and the numbers of some of them with what they are sorted by."""
        number = "h.track" if self.tables == "heard h" else "t.number"
        found = f"FROM {self.tables} WHERE {self.where.text}"
        if self.order is None:  # by an index, so that no more is read than is shown
            chosen = db.execute(
                f"SELECT {number}, NULL {found} ORDER BY t.path LIMIT ? OFFSET ?",
                (*self.where.bound, limit, offset),
            ).fetchall()
            counted = f"FROM {self.counted} WHERE {self.where.text}"
            return db.execute(f"SELECT count(*) {counted}", self.where.bound).fetchone()[0], chosen
        value, by = self.order, f"2 DESC, {number}"
        rows = db.execute(
            f"SELECT {number}, {value.text}, count(*) OVER () {found} ORDER BY {by} "
            "LIMIT ? OFFSET ?",
            (*value.bound, *self.where.bound, limit, offset),
        ).fetchall()
        if rows:
            return rows[0][2], [(row[0], row[1]) for row in rows]
        return db.execute(f"SELECT count(*) {found}", self.where.bound).fetchone()[0], []
