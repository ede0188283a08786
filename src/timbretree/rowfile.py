"""An array on disk that is filled row by row, and that a kill at any moment does no harm to."""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from timbretree.files import alone, write_whole


class RowFile:
    """An .npy file of N rows, with a note for the rows that have one.

    As long as rows are missing, it is ``NAME.npy.part``, with a journal of the rows that are done;
    ``finish`` gives it its name. Opened again, it goes on where it was, or is there at once.
    ``identity`` says what the rows are made of: a file of another identity, shape or kind of number
    is made anew, and stays in place until then. Raises OSError where there is no room on the disk.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: DTypeLike, *, identity: str
    ) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self._head = {"identity": identity, "shape": list(shape), "dtype": self.dtype.str}
        self._part = path.with_name(path.name + ".part")
        self._journal = path.with_name(path.name + ".journal")
        self._record = path.with_suffix(".json")
        self.notes: dict[int, str] = {}
        """What was said of some rows on marking them."""
        self.finished = self._find_finished()
        self._turn = ExitStack()  # until it is finished, or the process ends
        if not self.finished:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._turn.enter_context(alone(path))
            self.finished = self._find_finished()  # another process may just have made it
        done = set(range(shape[0])) if self.finished else self._find_started()
        self.todo = [row for row in range(shape[0]) if row not in done]
        """The rows that are still missing, in order."""

    @property
    def array(self) -> NDArray[Any]:
        """The rows, mapped from the disk: to read when finished, to read and write before."""
        if self.finished:
            return np.load(self.path, mmap_mode="r")  # type: ignore[no-any-return]
        return np.load(self._part, mmap_mode="r+")  # type: ignore[no-any-return]

    @property
    def part(self) -> Path:
        """Where the unfinished rows are, for other processes to write into."""
        return self._part

    def mark(self, rows: Sequence[int], notes: Sequence[str | None]) -> None:
        """Say that some rows are written, each with a note or None."""
        lines = [json.dumps([row, note]) for row, note in zip(rows, notes, strict=True)]
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write("".join(line + "\n" for line in lines))
            journal.flush()
            os.fsync(journal.fileno())
        self.notes |= {row: note for row, note in zip(rows, notes, strict=True) if note is not None}

    def finish(self) -> Self:
        """Give the file its name, all rows being done."""
        if not self.finished:
            self._record.unlink(missing_ok=True)
            os.replace(self._part, self.path)
            notes = {str(row): note for row, note in sorted(self.notes.items())}
            write_whole(self._record, json.dumps({**self._head, "notes": notes}))
            self._journal.unlink(missing_ok=True)
            self.finished = True
            self._turn.close()
        return self

    def _find_finished(self) -> bool:
        if not (self.path.exists() and self._record.exists()):
            return False
        record = _read(self._record)
        notes = record.pop("notes", None) if isinstance(record, dict) else None
        if record != self._head or not isinstance(notes, dict) or not self._is_array(self.path):
            return False
        self.notes = {int(row): note for row, note in notes.items()}
        return True

    def _is_array(self, path: Path) -> bool:
        """Whether a file is an array of our shape and kind of number, as far as its head says."""
        try:
            array = np.load(path, mmap_mode="r")
        except (OSError, EOFError, ValueError):  # damaged: made anew
            return False
        return bool(array.shape == self.shape and array.dtype == self.dtype)

    def _find_started(self) -> set[int]:
        """The rows that an earlier process finished, or a new file where there was none."""
        self.notes = {}
        if self._part.exists() and self._journal.exists():
            head, *lines = self._journal.read_text("utf-8").splitlines(keepends=True) or [""]
            if head == json.dumps(self._head) + "\n" and self._is_array(self._part):
                whole = [json.loads(line) for line in lines if line.endswith("\n")]
                self.notes = {row: note for row, note in whole if note is not None}
                if lines and not lines[-1].endswith("\n"):  # cut off by a kill
                    self._write_journal(whole)
                return {row for row, _ in whole}
        np.lib.format.open_memmap(self._part, "w+", self.dtype, self.shape).flush()
        self._reserve()
        self._write_journal([])
        return set()

    def _reserve(self) -> None:
        """Take the room on the disk now: a mapped file on a full disk ends the process later."""
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            with self._part.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, self._part.stat().st_size)
        except OSError:
            self._part.unlink()
            self._turn.close()
            raise

    def _write_journal(self, lines: list[list[Any]]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in [self._head, *lines])
        write_whole(self._journal, text)


def _read(path: Path) -> Any:
    """What a JSON file holds; None where it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None
