"""What was done, line by line, so that a kill or a power cut loses nothing and repeats nothing.

The first line says what the results are of; each other line one recording: its file, size and time
of change, what became of it, and where its rows lie among the results. Rows are written before
their line is, and both reach the disk before a line that says ``synced``. What comes after the last
of those is looked at when the journal is opened again; a torn end is cut off, of the rows as well.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from timbretree.batch.known import Known, Stamp
from timbretree.batch.tail import Tail, checksum

SYNC = 2.0
"""Seconds between two moments at which all that was written is sure to be on the disk."""
VERSION = 1
SYNCED = {"synced": True}


class JournalError(ValueError):
    """Results that can't be gone on with; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One recording that is done."""

    path: str
    """Absolute."""
    size: int
    mtime_ns: int
    status: str
    reason: str | None
    message: str | None
    seconds: float
    start: int = 0
    """The byte at which its rows begin, where all rows lie in one file."""
    end: int = 0
    crc: int = 0
    """The check sum of its rows."""


class Journal:
    """The journal at ``path`` of what ``plan`` (flat, plain data) makes. Use it as a context.

    ``rows`` is the file in which all rows lie, after ``head``; None where each recording has a file
    of its own. Raises JournalError where it is of another plan or another timbretree, or the rows
    are not as it left them; FullError where it can't be written.
    """

    def __init__(
        self, path: Path, plan: Mapping[str, Any], rows: Path | None, head: bytes = b""
    ) -> None:
        self.path, self.rows = path, rows
        self.known = Known()
        """What was done when it was opened."""
        self._plan, self._head = dict(plan), head
        self._again = False
        self._clean, self._synced = True, time.monotonic()
        self._open_files = ExitStack()
        self._finish_swap()
        self._open()
        try:
            self._go_on()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, entry: Entry, rows: bytes = b"") -> None:
        """Write down that a recording is done, and its rows. Raises FullError; then it is not."""
        if self._rows is not None:
            start, end = self._rows.append(rows)
            entry = replace(entry, start=start, end=end, crc=checksum(rows))
        try:
            self._lines.append(_line(asdict(entry)))
        except OSError:
            if self._rows is not None:
                self._rows.cut(entry.start)
            raise
        self._again = self._again or self.known.last(entry.path) is not None
        self._clean = False
        if time.monotonic() - self._synced > SYNC:
            self.sync()

    def sync(self) -> None:
        """See that all of it is on the disk, and say so. Raises FullError."""
        if self._clean:
            return
        if self._rows is not None:
            self._rows.sync()
        self._lines.sync()
        self._lines.append(_line(SYNCED))
        self._clean, self._synced = True, time.monotonic()

    def entries(self) -> Iterator[Entry]:
        """What is done: each recording once, as it was told last."""
        known = Known()
        for entry in self._entries():
            known.add(entry.path, Stamp(0, 0), failed=False)
        known.sort()
        for number, entry in enumerate(self._entries()):
            if known.last(entry.path) == number:
                yield entry

    def text(self, entry: Entry) -> bytes:
        """The rows of an entry."""
        assert self._rows is not None
        return self._rows.read(entry.start, entry.end)

    def tidy(self) -> None:
        """Leave out what no longer counts: lines and rows of recordings that were tagged again.

        Two files are replaced, the rows first: where a kill leaves only the new journal waiting,
        the rows are in their place already. Raises FullError; then all is as before.
        """
        self.sync()
        if not (self._again or self.known.doubles):
            return
        with ExitStack() as stack:
            lines = _new(stack, self.path)
            rows = None if self.rows is None else _new(stack, self.rows, self._head)
            lines.append(self._first_line())
            for entry in self.entries():
                if rows is not None:
                    start, end = rows.append(self.text(entry))
                    entry = replace(entry, start=start, end=end)
                lines.append(_line(asdict(entry)))
            lines.append(_line(SYNCED))
            for each in (rows, lines):
                if each is not None:
                    each.sync()
        self.close()
        if self.rows is not None:
            os.replace(_beside(self.rows), self.rows)
        os.replace(_beside(self.path), self.path)
        self._again, self.known = False, Known()
        self._open()
        self._go_on()

    def close(self) -> None:
        """Let go of the files."""
        self._open_files.close()

    def _open(self) -> None:
        self._lines = Tail(self.path)
        self._open_files.callback(self._lines.close)
        self._rows = None if self.rows is None else Tail(self.rows)
        if self._rows is not None:
            self._open_files.callback(self._rows.close)

    def _finish_swap(self) -> None:
        """Do what a kill left undone when two files were to be replaced."""
        waiting = _beside(self.path)
        if self.rows is not None and _beside(self.rows).exists():  # it may be half written
            waiting.unlink(missing_ok=True)
            _beside(self.rows).unlink()
        elif waiting.exists() and self.rows is not None:
            os.replace(waiting, self.path)
        else:
            waiting.unlink(missing_ok=True)

    def _go_on(self) -> None:
        """Read what is there as far as it is good, and cut off the rest."""
        lines_end, rows_end = 0, len(self._head)
        unsure: list[tuple[int, Entry]] = []
        found: dict[str, Any] = {}
        for data, end in _parsed(self.path):
            if not found:
                if data.get("timbretree") != VERSION:
                    break
                found, lines_end = data, end
            elif data == SYNCED:
                rows_end = max([rows_end, *(entry.end for _, entry in unsure)])
                self._know(entry for _, entry in unsure)
                unsure, lines_end = [], end
            elif "path" in data:
                unsure.append((end, Entry(**data)))
            else:
                break
        if not found and _first_line_of(self.path).endswith(b"\n"):  # one torn by a kill has no end
            raise JournalError(
                f"{self.path} is damaged, or was written by another timbretree; choose another "
                "place, or add --force to begin anew"
            )
        if self._rows is not None and len(self.known) and self._rows.size < rows_end:
            raise JournalError(
                f"{self._rows.path} is shorter than {self.path.name} says; choose another place, "
                "or add --force to begin anew"
            )
        for end, entry in unsure:
            if self._rows is not None and checksum(self.text(entry)) != entry.crc:
                break
            self._know([entry])
            lines_end, rows_end = end, max(rows_end, entry.end)
        self.known.sort()
        if len(self.known):
            self._compare(found["plan"])
        else:  # a journal of nothing may become one of anything
            lines_end = rows_end = 0
        self._lines.cut(lines_end)
        if self._rows is not None:
            self._rows.cut(rows_end)
        if not lines_end:
            self._lines.append(self._first_line())
            if self._rows is not None:
                self._rows.append(self._head)

    def _know(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            stamp = Stamp(entry.size, entry.mtime_ns)
            self.known.add(entry.path, stamp, failed=entry.status == "failed")

    def _compare(self, found: dict[str, Any]) -> None:
        for name in sorted(self._plan.keys() | found.keys()):
            if self._plan.get(name) != found.get(name):
                raise JournalError(
                    f"what is there was made with {name} {found.get(name)}, now asked for is "
                    f"{self._plan.get(name)}; choose another place, or add --force to begin anew"
                )

    def _first_line(self) -> bytes:
        return _line({"timbretree": VERSION, "plan": self._plan})

    def _entries(self) -> Iterator[Entry]:
        for data, _ in _parsed(self.path):
            if "path" in data:
                yield Entry(**data)


def _parsed(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each line as data, and where it ends, as far as they are whole."""
    end = 0
    with path.open("rb") as file:
        for line in file:
            end += len(line)
            try:
                data = json.loads(line)
            except ValueError:
                return
            if not (line.endswith(b"\n") and isinstance(data, dict)):
                return
            yield data, end


def _first_line_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline()


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data).encode() + b"\n"  # in ASCII: a name may be no text


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _new(stack: ExitStack, path: Path, head: bytes = b"") -> Tail:
    """A new file that is to replace another."""
    tail = Tail(_beside(path))
    stack.callback(tail.close)
    tail.cut(0)
    tail.append(head)
    return tail
