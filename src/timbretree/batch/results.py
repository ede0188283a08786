"""Where the results of a job lie: together in one file, or each in a file of its own in a folder.

Beside them lie the journal, and ``errors.jsonl``: each recording of which nothing, or not all,
could be used, with the reason.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from timbretree.batch.inputs import Input
from timbretree.batch.journal import Entry, Journal, JournalError
from timbretree.batch.known import Stamp
from timbretree.batch.tail import cannot
from timbretree.files import alone, write_whole
from timbretree.tags import Tags

LONGEST = 255
"""Bytes that a file's name may have on nearly all disks."""

Write = Callable[[Tags], bytes]
Plan = dict[str, Any]


class Results(ABC):
    """Results that survive a kill, made by one process at a time. Use it as a context.

    ``plan`` is plain data that says what they are of: results of another plan are not gone on with,
    and what is no result of ours is not overwritten, unless ``anew``. Raises JournalError for
    these, BusyError where another process is at it, and OSError where they can't be written.
    """

    def __init__(self, place: Path, plan: Plan, *, anew: bool = False) -> None:
        self.place, self.plan, self.anew = place, plan, anew

    @property
    @abstractmethod
    def journal_path(self) -> Path:
        """Where its journal lies."""

    @property
    @abstractmethod
    def errors_path(self) -> Path:
        """Where it is told what went wrong."""

    @abstractmethod
    def _foreign(self) -> Path | None:
        """What is there though there is no journal, or None."""

    @abstractmethod
    def clear(self) -> None:
        """Take away what is there, results of each in its own file excepted."""

    @abstractmethod
    def _open_journal(self) -> Journal:
        """The journal of these results."""

    @abstractmethod
    def add(self, what: Input, stamp: Stamp, tags: Tags) -> None:
        """Write down what was heard in a recording. Raises OSError."""

    def is_done(self, what: Input, stamp: Stamp, *, retry: bool) -> bool:
        """Whether a recording need not be tagged: it is done, and the file is as it was.

        With ``retry`` those of which nothing could be used are not done.
        """
        known = self.journal.known
        number = known.last(what.place)
        if number is None or not known.is_same(number, stamp):
            return False
        return not (retry and known.has_failed(number))

    def has_failed(self, what: Input) -> bool:
        """Whether nothing could be used of a recording that is done."""
        number = self.journal.known.last(what.place)
        return number is not None and self.journal.known.has_failed(number)

    def finish(self) -> None:
        """Leave each recording once, and tell what went wrong. Raises OSError."""
        self.journal.tidy()
        troubles = [_trouble(each) for each in self.journal.entries() if each.status != "ok"]
        if not troubles:
            return _remove(self.errors_path)
        try:
            write_whole(self.errors_path, "".join(troubles))
        except OSError as error:
            raise cannot(self.errors_path, error) from error

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            try:
                self.journal_path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot(self.place, error) from error
            stack.enter_context(alone(self.journal_path))
            foreign = None if self.journal_path.exists() else self._foreign()
            if self.anew:
                self.clear()
            elif foreign is not None:
                raise JournalError(f"{foreign} exists already; add --force to overwrite it")
            self.journal = stack.enter_context(self._open_journal())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


class OneFile(Results):
    """All rows in one file that grows at its end: JSON Lines, or csv after a ``head``."""

    def __init__(
        self, place: Path, plan: Plan, write: Write, head: bytes = b"", *, anew: bool = False
    ) -> None:
        super().__init__(place, plan, anew=anew)
        self.write, self.head = write, head

    @property
    def rows(self) -> Path:
        """The file that grows."""
        return self.place

    @property
    def journal_path(self) -> Path:
        return self.place.with_name(self.place.name + ".journal")

    @property
    def errors_path(self) -> Path:
        return self.place.with_name(self.place.name + ".errors.jsonl")

    def _foreign(self) -> Path | None:
        return next((path for path in (self.place, self.rows) if path.exists()), None)

    def clear(self) -> None:
        for path in (self.journal_path, self.rows, self.place, self.errors_path):
            _remove(path)

    def _open_journal(self) -> Journal:
        return Journal(self.journal_path, self.plan, self.rows, self.head)

    def add(self, what: Input, stamp: Stamp, tags: Tags) -> None:
        self.journal.add(entry(what, stamp, tags), self.write(tags))


class Gathered(OneFile):
    """All rows in one file that can't grow: they are kept as JSON Lines beside it (``.records``),
    and ``gather(path, lines)`` makes it of them at the end."""

    def __init__(
        self,
        place: Path,
        plan: Plan,
        write: Write,
        gather: Callable[[Path, Iterator[bytes]], None],
        *,
        anew: bool = False,
    ) -> None:
        super().__init__(place, plan, write, anew=anew)
        self.gather = gather

    @property
    def rows(self) -> Path:
        return self.place.with_name(self.place.name + ".records")

    def finish(self) -> None:
        super().finish()
        rows = (self.journal.text(each) for each in self.journal.entries())
        try:
            self.gather(self.place, rows)
        except OSError as error:
            raise cannot(self.place, error) from error


class Folder(Results):
    """Each recording in a file of its own, below a folder as the recordings lie below theirs."""

    def __init__(
        self, place: Path, plan: Plan, write: Write, suffix: str, *, anew: bool = False
    ) -> None:
        super().__init__(place, plan, anew=anew)
        self.write, self.suffix = write, suffix

    @property
    def journal_path(self) -> Path:
        return self.place / "timbretree.journal"

    @property
    def errors_path(self) -> Path:
        return self.place / "errors.jsonl"

    def _foreign(self) -> Path | None:
        names = {path.name for path in self.place.iterdir()}
        return self.place if names - {self.journal_path.name + ".lock"} else None

    def clear(self) -> None:
        _remove(self.journal_path)
        _remove(self.errors_path)

    def _open_journal(self) -> Journal:
        return Journal(self.journal_path, self.plan, None)

    def result_path(self, what: Input) -> Path:
        """Where the result of a recording lies."""
        path = self.place / what.key
        name = path.name + self.suffix
        if len(os.fsencode(name)) > LONGEST:
            mark = blake2b(os.fsencode(name), digest_size=6).hexdigest() + self.suffix
            while len(os.fsencode(name)) > LONGEST - len(mark) - 1:
                name = name[:-1]
            name += "~" + mark
        return path.with_name(name)

    def is_done(self, what: Input, stamp: Stamp, *, retry: bool) -> bool:
        return super().is_done(what, stamp, retry=retry) and self.result_path(what).exists()

    def add(self, what: Input, stamp: Stamp, tags: Tags) -> None:
        path = self.result_path(what)
        half = path.with_name(f".{blake2b(os.fsencode(path.name)).hexdigest()[:16]}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                half.write_bytes(self.write(tags))
                self.journal.add(entry(what, stamp, tags))
                os.replace(half, path)  # last, so that a kill before it shows
            finally:
                _remove(half)
        except OSError as error:
            raise cannot(path, error) from error


def entry(what: Input, stamp: Stamp, tags: Tags) -> Entry:
    """The line of a recording."""
    return Entry(
        path=what.place,
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        status=tags.status,
        reason=tags.reason,
        message=tags.message,
        seconds=round(tags.seconds, 3),
    )


def _trouble(entry: Entry) -> str:
    told = {name: getattr(entry, name) for name in ("path", "status", "reason", "message")}
    return json.dumps(told) + "\n"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
