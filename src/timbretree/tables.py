"""Your own data set: a csv file with a row a clip and a column a tag."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from timbretree.annotations import SPLITS, AnnotationError, Annotations
from timbretree.labels import Labels

CELLS = {"1": (True, True), "0": (False, True), "": (False, False)}
"""What a cell says: target and mask."""


def read_table(path: str | Path, tags: tuple[str, ...]) -> Annotations:
    """Read a csv file of labels.

    The first row names the columns: ``file`` (relative to the csv file), ``split`` if you have one
    (train, valid, test; without it all are train), and tags. A cell is 1 (plays), 0 (does not) or
    empty (nobody knows); a tag without a column is unknown everywhere. Raises AnnotationError with
    the row and the column.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: {error}") from error
    _check_columns(path, columns, tags)
    if not rows:
        raise AnnotationError(f"{path}: there are no rows below the names of the columns")
    cells = np.zeros((len(rows), len(tags), 2), dtype=bool)
    for number, (line, row) in enumerate(rows):
        _check_end(path, line, row)
        for column, tag in enumerate(tags):
            cells[number, column] = _cell(path, line, tag, row.get(tag, ""))
    return Annotations(
        tags,
        tuple(path.parent / _file(path, line, row["file"]) for line, row in rows),
        Labels(cells[..., 0], cells[..., 1]),
        tuple(_split(path, line, row.get("split", "train")) for line, row in rows),
    )


def _check_columns(path: Path, columns: list[str], tags: tuple[str, ...]) -> None:
    if "file" not in columns:
        raise AnnotationError(f"{path}: row 1 names no column 'file', it has {', '.join(columns)}")
    if doubles := [name for name in columns if columns.count(name) > 1]:
        raise AnnotationError(f"{path}: row 1 has the column {doubles[0]!r} twice")
    if unknown := [name for name in columns if name not in (*tags, "file", "split")]:
        raise AnnotationError(
            f"{path}: row 1, column {unknown[0]!r} is no tag of the taxonomy ({', '.join(tags)})"
        )


def _check_end(path: Path, line: int, row: dict[Any, Any]) -> None:
    if any(row.get(None, ())):  # where csv puts the cells beyond the last column
        raise AnnotationError(
            f"{path}: row {line} has more cells than row 1 has columns; "
            "put a name that holds a comma into quotes"
        )


def _cell(path: Path, line: int, tag: str, text: str | None) -> tuple[bool, bool]:
    if text is None or text.strip() not in CELLS:
        raise AnnotationError(
            f"{path}: row {line}, column {tag!r}: expected 1, 0 or nothing, got "
            f"{'no cell' if text is None else repr(text)}"
        )
    return CELLS[text.strip()]


def _file(path: Path, line: int, text: str | None) -> str:
    if not text:
        raise AnnotationError(f"{path}: row {line}, column 'file' is empty")
    return text


def _split(path: Path, line: int, text: str | None) -> str:
    if text not in SPLITS:
        raise AnnotationError(
            f"{path}: row {line}, column 'split': expected one of {', '.join(SPLITS)}, got {text!r}"
        )
    return text
