"""The one file of a library: its tables, who may open it, and what it was heard with."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Lock
from urllib.parse import quote

from timbretree.files import own_folder
from timbretree.library.binding import Binding

OURS = 0x74626C31
"""The application id of a library, which SQLite keeps in the head of the file: tbl1."""
SCHEMA = 1
"""The version of the tables below; a newer one is refused, an older one will be brought up."""
MOST_NAMES = 400
"""Tags and groups of a library: each has four columns, and SQLite has 2000 at most."""
PATIENCE = 10.0
"""Seconds to wait where another process writes."""

TABLES = """
CREATE TABLE binding (json TEXT NOT NULL);
CREATE TABLE tracks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,        -- random; stays when the file is moved
    path BLOB NOT NULL UNIQUE,      -- absolute, the bytes of the file system
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB,                    -- of the whole file
    there INTEGER NOT NULL,         -- 0: it was gone at the last scan
    status TEXT,                    -- NULL: to be tagged again
    reason TEXT,
    message TEXT,
    seconds REAL NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '[]',
    title TEXT, artist TEXT, album TEXT,
    path_key TEXT NOT NULL,         -- folded, as texts are compared
    title_key TEXT NOT NULL DEFAULT '',
    artist_key TEXT NOT NULL DEFAULT '',
    album_key TEXT NOT NULL DEFAULT '',
    tagged_at REAL
);
CREATE INDEX by_digest ON tracks (digest);
CREATE INDEX by_size ON tracks (size);
CREATE TABLE sounds (
    track INTEGER PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    scores BLOB NOT NULL, windows BLOB NOT NULL, looks BLOB
);
CREATE INDEX gone ON tracks (number) WHERE NOT there;
CREATE TABLE profiles (block INTEGER PRIMARY KEY, vectors BLOB NOT NULL);
CREATE TABLE embeddings (block INTEGER PRIMARY KEY, vectors BLOB NOT NULL);
"""
"""All but ``heard``, whose columns are those of the taxonomy: for name number k its answer ``v``
(0, 1, 2), its probability ``p`` in 10,000ths, and the milliseconds in which it plays, ``s``, and
may play, ``u``; ``whole`` is the milliseconds of the recording. ``profiles`` and ``embeddings`` are
``similar``'s."""


class LibraryError(ValueError):
    """A library that can't be used so; the message says why, and what to do."""


def default_place() -> Path:
    """Where a library lies that nobody gave a place."""
    return own_folder("DATA") / "library.db"


def create(path: Path, binding: Binding) -> None:
    """Make an empty library, whole or not at all. Raises LibraryError."""
    if (count := len(binding.taxonomy.tags) + len(binding.taxonomy.groups)) > MOST_NAMES:
        raise LibraryError(
            f"a library holds taxonomies of at most {MOST_NAMES} tags and groups, "
            f"{binding.taxonomy.name} has {count}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    half_made = path.with_name(path.name + ".part")
    half_made.unlink(missing_ok=True)
    with translated(path), closing(sqlite3.connect(half_made)) as db:
        db.executescript(f"BEGIN;{TABLES}PRAGMA application_id = {OURS};"
                         f"PRAGMA user_version = {SCHEMA};COMMIT;")  # fmt: skip
        bind(db, binding)
        db.commit()
    os.replace(half_made, path)


def bind(db: sqlite3.Connection, binding: Binding) -> None:
    """Begin anew with a model: what was heard with another one is forgotten, the files are not."""
    count = len(binding.taxonomy.tags) + len(binding.taxonomy.groups)
    columns = (f"{kind}{k} INTEGER" for k in range(count) for kind in "vpsu")
    db.execute("DROP TABLE IF EXISTS heard")
    db.execute(
        "CREATE TABLE heard (track INTEGER PRIMARY KEY REFERENCES tracks ON DELETE CASCADE, "
        f"whole INTEGER, {', '.join(columns)})"
    )
    for table in ("sounds", "profiles", "embeddings", "binding"):
        db.execute(f"DELETE FROM {table}")
    db.execute("UPDATE tracks SET status = NULL, reason = NULL, message = NULL, notes = '[]'")
    db.execute("INSERT INTO binding VALUES (?)", (binding.to_json(),))


@contextmanager
def to_write(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a library to write in it, while others read; at the end it is one file again."""
    with closing(_connect(path, "rw")) as db:
        check(db, path)
        with translated(path):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            try:
                yield db
            finally:
                db.execute("PRAGMA busy_timeout = 0")
                # where somebody reads, the next scan does it
                with suppress(sqlite3.OperationalError):
                    db.execute("PRAGMA journal_mode = DELETE")


class Readers:
    """Connections that only read: each is lent to one thread at a time, and taken back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._free: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._all: list[sqlite3.Connection] = []
        self._lock = Lock()
        with self.lent():
            pass

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """A connection within one state of the library, whatever is written meanwhile."""
        try:
            db = self._free.get_nowait()
        except Empty:
            db = _connect(self.path, "ro")
            with self._lock:
                self._all.append(db)
            check(db, self.path)
        try:
            with translated(self.path):
                db.execute("BEGIN")
                yield db
        finally:
            db.rollback()
            self._free.put(db)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            for db in self._all:
                db.close()
            self._all.clear()


def check(db: sqlite3.Connection, path: Path) -> None:
    """See that a file is a library of this version. Raises LibraryError."""
    with translated(path):
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
    if application != OURS:
        raise LibraryError(
            f"{path} is a database, but no library of timbretree; name another --library"
        )
    if version > SCHEMA:
        raise LibraryError(
            f"{path} was made by a newer timbretree (its tables are of version {version}, "
            f"this one knows {SCHEMA}); update timbretree, or name another --library"
        )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as LibraryError, with what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise LibraryError(
                f"{path} is busy; wait for what writes it, then try again"
            ) from error
        if "full" in str(error):
            raise LibraryError(f"there is no room left where {path} lies") from error
        if "readonly" in str(error):
            raise LibraryError(f"{path} may not be written; make it writable") from error
        raise LibraryError(f"{path} can't be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise LibraryError(
            f"{path} is no library, or a damaged one ({error}); name another --library, or move it "
            "away and scan again"
        ) from error


def binding_of(db: sqlite3.Connection, path: Path) -> Binding:
    """What a library was heard with. Raises LibraryError."""
    try:
        with translated(path):
            (text,) = db.execute("SELECT json FROM binding").fetchone()
        return Binding.from_json(text)
    except LibraryError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise LibraryError(f"{path} is damaged: it does not say of which model it is") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if not path.is_file():
        raise LibraryError(
            f"there is no library {path}; make one with `timbretree scan DIR --library {path}`"
        )
    place = quote(os.fsencode(os.path.abspath(path)))
    try:
        db = sqlite3.connect(
            f"file:{place}?mode={mode}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise LibraryError(f"{path} can't be opened: {error}") from error
    return db
