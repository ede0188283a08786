"""Names of files out of playlists (m3u, m3u8, pls) and plain lists, line by line."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, unquote_to_bytes, urlsplit

PLAYLISTS = {".m3u", ".m3u8", ".pls"}
"""How playlists end."""
NET = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)
"""How an address begins that is no file's."""
RECORDING = re.compile(
    rb"OggS\0|fLaC\0|ID3[\2-\4]|\xff[\xf2\xf3\xfa\xfb]|RIFF....WAVE|\0...ftyp", re.DOTALL
)
"""How recordings begin that are piped to where a list belongs; hardly a name of a file does."""
READ = 1 << 16
"""Bytes of a list read at a time, at most."""


def is_playlist(path: Path) -> bool:
    """Whether a file's name ends as a playlist's."""
    return path.suffix.lower() in PLAYLISTS


def read_playlist(path: Path) -> Iterator[str]:
    """The files, folders and addresses that a playlist names: where they are, as seen from here.

    Names are relative to the playlist. They are taken as they stand where there is such a file;
    else as others write them: in Latin-1, with backslashes, in percents. Raises OSError.
    """
    pls = path.suffix.lower() == ".pls"
    with path.open("rb") as file:
        wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        file.seek(0)
        lines = _lines_of_utf16(file) if wide else _lines(file)
        for number, line in enumerate(lines):
            name = line.removeprefix(b"\xef\xbb\xbf") if not number else line
            name = name.strip()
            if pls:
                found = re.fullmatch(rb"file\d*\s*=\s*(.+)", name, re.IGNORECASE)
                name = found[1] if found else b""
            if name and not (name.startswith(b"#") and not pls):
                yield _locate(name, path.parent)


def read_list(file: BinaryIO) -> Iterator[str]:
    """The names in a list, one a line, or each followed by a NUL, which may hold line breaks.

    Raises ValueError where it is no list but a recording.
    """
    held, mark = b"", b""
    while block := _some(file):
        held += block
        if not mark:
            if RECORDING.match(held):
                raise ValueError(
                    "expected a list of names, got a recording; save it as a file, and name that"
                )
            mark = b"\0" if b"\0" in held else b"\n" if b"\n" in held else b""
        if mark:
            *names, held = held.split(mark)
            yield from filter(None, map(_plain, names, [mark] * len(names)))
    if held:
        yield from filter(None, [_plain(held, mark)])


@contextmanager
def open_list(path: Path) -> Iterator[BinaryIO]:
    """A list to be read; ``-`` is standard input. Raises OSError."""
    with open(0 if str(path) == "-" else path, "rb", closefd=str(path) != "-") as file:
        yield file


def _some(file: BinaryIO) -> bytes:
    """What has come, without waiting for more."""
    read = getattr(file, "read1", file.read)
    return bytes(read(READ))


def _plain(name: bytes, mark: bytes) -> str:
    return os.fsdecode(name if mark == b"\0" else name.removesuffix(b"\r"))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines that end as on any system, old Macs too."""
    for line in file:
        yield from line.splitlines()


def _lines_of_utf16(file: BinaryIO) -> Iterator[bytes]:
    text = file.read().decode("utf-16", errors="replace")
    return iter([line.encode() for line in text.splitlines()])


def _locate(name: bytes, folder: Path) -> str:
    if name[:7].lower() == b"file://":
        return _from_url(name)
    written = os.fsdecode(name)
    if NET.match(written):
        return written
    for reading in _readings(name, written):
        place = os.path.join(folder, reading)
        if os.path.lexists(place):
            return place
    return os.path.join(folder, written)


def _readings(name: bytes, written: str) -> Iterator[str]:
    """What a name may mean: the likeliest first."""
    latin = name.decode("latin-1")
    for text in dict.fromkeys((written, latin)):
        for path in dict.fromkeys((text, text.replace("\\", "/"))):
            yield path
            if "%" in path:
                yield unquote(path, errors="surrogateescape")


def _from_url(name: bytes) -> str:
    path = os.fsdecode(unquote_to_bytes(urlsplit(name).path))
    return path.lstrip("/") if re.match(r"/[A-Za-z]:", path) and os.name == "nt" else path
