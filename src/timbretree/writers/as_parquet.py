"""What was heard as a Parquet table, typed and small: for duckdb, pandas, polars and the like."""

import io
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from timbretree.tags import Tags
from timbretree.writers.table import Row, rows

GROUP = 1 << 16
"""Rows that are held and written together."""
NUMBERS = {"start": "double", "end": "double", "probability": "float", "plays": "double"}
"""The columns that are no text, and their types."""


def write(tags: Tags, explain: bool) -> bytes:
    """A file with a row for each tag and group (``table.Row``), where unknown cells are null;
    ``explain`` adds the same for each window. Raises ImportError without pyarrow.
    """
    file = io.BytesIO()
    _write(file, rows(tags, explain, _safe))
    return file.getvalue()


def write_all(path: Path, recordings: Iterable[Tags], *, explain: bool = False) -> None:
    """One file of many recordings, of which few are in memory at a time.

    It is there whole, or as it was before. Raises ImportError without pyarrow, and OSError.
    """
    half_written = path.with_name(path.name + ".part")
    try:
        with half_written.open("wb") as file:
            _write(file, chain.from_iterable(rows(tags, explain, _safe) for tags in recordings))
            file.flush()
            os.fsync(file.fileno())
        os.replace(half_written, path)
    finally:
        half_written.unlink(missing_ok=True)


def _write(file: IO[bytes], table: Iterator[Row]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'timbretree[parquet]'") from error
    schema = _schema(pyarrow)
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := [*islice(table, GROUP)]:
            columns = zip(*group, strict=True)
            arrays = [
                pyarrow.array(column, kind)
                for column, kind in zip(columns, schema.types, strict=True)
            ]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


def _schema(pyarrow: Any) -> Any:
    kinds = [(name, NUMBERS.get(name, "string")) for name in Row._fields]
    return pyarrow.schema(kinds)


def _safe(text: str) -> str:
    """The same text, but undecodable bytes, which no UTF-8 can hold, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
