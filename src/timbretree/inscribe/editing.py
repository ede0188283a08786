"""What would change in a file: told by its kind, which its bytes tell and never its name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from timbretree.decoders.kinds import kind_of
from timbretree.decoders.source import Source
from timbretree.inscribe import chunks, flac, id3, mp4, ogg
from timbretree.inscribe.splice import InscribeError, Splice, read_at, trimmed
from timbretree.reasons import AudioError

MOST, LONGEST = 1000, 1000


@dataclass(frozen=True)
class Change:
    """What would change in one file."""

    path: Path
    had: tuple[str, ...]
    """The instruments that it says already."""
    wants: tuple[str, ...]
    """Those it is to say."""
    splices: tuple[Splice, ...]
    """Where which bytes give way; none where it says so already."""
    stamp: tuple[int, int]
    """The size of the file that was looked at, and when it had been changed last (nanoseconds)."""


def look(path: Path, wants: tuple[str, ...]) -> Change:
    """What must change in a file so that it says these instruments; nothing is written.

    Raises InscribeError where it has no place for them, or must be left alone.
    """
    values = tuple(dict.fromkeys(_clean(each) for each in wants))
    if len(values) > MOST or not all(values):
        raise InscribeError(f"expected at most {MOST} names, none of them empty")
    with opened(path) as (file, size, kind):
        stamp = stamp_of(file)
        had, splices = _change(file, size, kind, values)
        return Change(path, had, values, tuple(trimmed(splices, file)), stamp)


def stamp_of(file: BinaryIO) -> tuple[int, int]:
    """What tells an open file from what it is once somebody has changed it."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int, str]]:
    """A file, its size and the name of its kind. Raises InscribeError."""
    try:
        source = Source(path)
        try:
            kind, size = kind_of(source), source.size
        finally:
            source.close()
        with path.open("rb") as file:
            yield file, size, kind.name if kind is not None else ""
    except AudioError as error:
        raise InscribeError(str(error)) from None
    except OSError as error:
        raise InscribeError(f"it can't be read: {error.strerror or error}") from error


def _change(
    file: BinaryIO, size: int, kind: str, wants: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Splice]]:
    if kind == "mp3":
        return _in_front(file, wants)
    if kind == "flac":
        return flac.change(file, _after_tags(file), wants)
    if kind == "ogg":
        return ogg.change(file, wants)
    if kind in ("wav", "aiff"):
        return chunks.change(file, size, wants)
    if kind == "mp4":
        return mp4.change(file, size, wants)
    raise InscribeError(
        "tags can be written into mp3, flac, ogg, opus, wav, aiff, m4a and mp4; "
        + (f"this is {kind}" if kind else "this is none of them")
    )


def _in_front(file: BinaryIO, wants: tuple[str, ...]) -> tuple[tuple[str, ...], list[Splice]]:
    """The tag goes before the sound; those at the end (ID3v1, APE) stay as they are."""
    size = id3.size_of(read_at(file, 0, 10))
    if size:
        return id3.change(read_at(file, 0, size), wants)
    return (), [Splice(0, 0, id3.fresh(wants))] if wants else []


def _after_tags(file: BinaryIO) -> int:
    place = 0
    while size := id3.size_of(read_at(file, place, 10)):
        place += size
    return place


def _clean(name: str) -> str:
    """A name without what would break a list of names apart, or a terminal."""
    safe = "".join(each if each.isprintable() else " " for each in name.replace(";", ","))
    return " ".join(safe.split())[:LONGEST]
