"""A file, or the part of it that was asked for (HTTP range requests): players seek by them."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from starlette.responses import StreamingResponse

from timbretree.web.trouble import TroubleError

BLOCK = 1 << 16
LONGEST = 64
"""Letters of a Range header that are read; those who ask in more are given all."""


def part(asked: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last of what a Range header asks for.

    None where all of it is asked for, or in a way that may be ignored (RFC 9110): several parts,
    other units, nonsense. Raises TroubleError (416) where it lies beyond the end.
    """
    unit, _, span = (asked or "").partition("=")
    first, dash, last = span.strip().partition("-")
    digits = all(not text or (text.isascii() and text.isdigit()) for text in (first, last))
    if (
        unit.strip().lower() != "bytes"
        or not dash
        or not digits
        or not (first or last)
        or len(asked or "") > LONGEST
    ):
        return None
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        raise TroubleError(
            416,
            "no_such_part",
            f"the file has {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end


def send(path: Path, kind: str, asked: str | None) -> StreamingResponse:
    """Answer with a file, or a part of it. Raises TroubleError where it can't be read."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # to open a pipe would wait for ever
            raise FileNotFoundError
        file = path.open("rb")
    except OSError:
        raise TroubleError(410, "gone", "the file is not where it was; scan again") from None
    try:
        span = part(asked, about.st_size)
    except TroubleError:
        file.close()
        raise
    start, end = span or (0, about.st_size)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{about.st_size}"
    return StreamingResponse(
        _blocks(file, start, end), 206 if span else 200, headers, media_type=kind
    )


def _blocks(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (block := file.read(min(BLOCK, end - start))):
            start += len(block)
            yield block
