"""The rows of a csv file, each of which knows where it stands, so that an error can say it."""

import csv
import difflib
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from timbretree.annotations import AnnotationError


@dataclass(frozen=True)
class Row:
    """One row of a csv file."""

    path: Path
    line: int
    """The line of the file that it ends on; the first is 1."""
    cells: dict[str, str | None]
    """The text in each column; None where the row ends before it."""

    def error(self, column: str, words: str) -> AnnotationError:
        """What to raise for a cell that can't be used."""
        return AnnotationError(f"{self.path}: row {self.line}, column {column!r}{words}")

    def text(self, column: str) -> str:
        """The text of a cell that must hold some, without the blanks around it."""
        text = (self.cells[column] or "").strip()
        if not text:
            raise self.error(column, " is empty")
        if "\0" in text:
            raise self.error(column, " holds a NUL, which no name can")
        return text

    def number(self, column: str, *, least: float = -math.inf, most: float = math.inf) -> float:
        """The number in a cell that must hold a finite one, within these bounds."""
        text = self.text(column)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and least <= number <= most):
            bounds = f" from {least:g} to {most:g}" if math.isfinite(most - least) else ""
            raise self.error(column, f": expected a number{bounds}, got {text!r}")
        return number


def read_rows(path: Path, *columns: str) -> list[Row]:
    """Read a csv file whose first row names its columns; ``columns`` must be among them.

    Raises AnnotationError for a file that can't be read, a column that is missing or comes twice,
    and a row with more cells than there are columns.
    """
    (_, names), *records = _read(path) or [(1, [])]
    for name in columns:
        if name not in names:
            raise AnnotationError(
                f"{path}: row 1 names no column {name!r}, it has {', '.join(names)}"
                f"{_parted_otherwise(names)}"
            )
    if doubles := [name for name in names if names.count(name) > 1]:
        raise AnnotationError(f"{path}: row 1 has the column {doubles[0]!r} twice")
    return [_row(path, line, names, record) for line, record in records]


def read_column(path: Path, name: str) -> list[Row]:
    """Read a csv file of one column without a row that names it; we call it ``name``."""
    return [_row(path, line, [name], record) for line, record in _read(path)]


def guess(name: str, names: Iterable[str]) -> str:
    """What somebody may have meant who wrote a name that is none of these, as words to append."""
    near = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _read(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            return [(reader.line_num, record) for record in reader if record]
    except OSError as error:
        raise AnnotationError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: expected text in UTF-8, save it so ({error})") from error
    except csv.Error as error:
        raise AnnotationError(f"{path}: {error}") from error


def _parted_otherwise(names: list[str]) -> str:
    """What to do where all names of columns came as one, as words to append."""
    signs = {";": "semicolons", "\t": "tabs"}
    found = [word for sign, word in signs.items() if len(names) == 1 and sign in names[0]]
    return f"; its columns are parted by {found[0]}, save it with commas" if found else ""


def _row(path: Path, line: int, names: list[str], record: list[str]) -> Row:
    if any(record[len(names) :]):
        raise AnnotationError(
            f"{path}: row {line} has more cells than row 1 has columns; "
            "put a name that holds a comma into quotes"
        )
    return Row(path, line, dict(itertools.zip_longest(names, record[: len(names)])))
