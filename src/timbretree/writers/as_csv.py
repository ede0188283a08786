"""What was heard as comma-separated values: a tidy table for spreadsheets, pandas and R."""

import csv
import io
from dataclasses import replace

from timbretree.tags import Tags
from timbretree.writers.table import Row, rows
from timbretree.writers.words import shown

FORMULA = ("=", "+", "-", "@")
"""What begins like this, a spreadsheet would run."""


def write(tags: Tags, explain: bool) -> str:
    """A line with the names of the columns and a row for each tag and group (``table.Row``);
    ``explain`` adds the same for each window. Values are quoted where they must be (RFC 4180), and
    none begins like a formula: ``-a.wav`` becomes ``./-a.wav``, which is the same file.
    """
    if tags.file.startswith(FORMULA):
        tags = replace(tags, file=f"./{tags.file}")
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Row._fields)
    table.writerows(map(_cells, rows(tags, explain, _safe)))
    return text.getvalue()


def _safe(text: str) -> str:
    text = shown(text)
    return f" {text}" if text.startswith(FORMULA) else text


def _cells(row: Row) -> tuple[object, ...]:
    return tuple(f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row)
