"""What was heard, written down: for people, for other programs, and for tables of many files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from timbretree.plugins import Table

if TYPE_CHECKING:
    from timbretree.tags import Tags


@dataclass(frozen=True)
class Writer:
    """One way to write down what was heard in one recording."""

    suffix: str
    """How its files end, with the dot; no two are the same."""
    write: Callable[[Tags, bool], str | bytes]
    """From Tags, and whether to explain them (why was each family heard?), to a file: bytes, or
    lines of text that can always be encoded as UTF-8, whatever the recording's name. Raises
    ImportError, which says what to install, where a package is missing."""


def _written_by(module: str) -> Callable[[Tags, bool], str | bytes]:
    """Imported when it first writes: this table is read where nothing is written, too."""

    def write(tags: Tags, explain: bool) -> str | bytes:
        written: str | bytes = import_module(f"timbretree.writers.{module}").write(tags, explain)
        return written

    return write


WRITERS = Table(
    "writer",
    Writer,
    {
        "text": Writer(".txt", _written_by("as_text")),
        "json": Writer(".json", _written_by("as_json")),
        "jsonl": Writer(".jsonl", _written_by("as_json")),
        "csv": Writer(".csv", _written_by("as_csv")),
        "parquet": Writer(".parquet", _written_by("as_parquet")),
        "jams": Writer(".jams", _written_by("as_jams")),
        "audacity": Writer(".labels.txt", _written_by("as_audacity")),
        "sonic-visualiser": Writer(".regions.csv", _written_by("as_sonic_visualiser")),
        "html": Writer(".html", _written_by("as_html")),
    },
)
