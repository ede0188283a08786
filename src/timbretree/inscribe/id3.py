"""Tags in ID3v2: the frame TXXX:INSTRUMENTS among the others, each of which stays as it is."""

import re
import zlib
from typing import NamedTuple

from timbretree.inscribe.splice import InscribeError, Splice, applied

FIELD = "INSTRUMENTS"
ROOM = 1024
"""Bytes of padding in a new tag, and in an old one that had too little of it."""
LONGEST = (1 << 28) - 1
UNSYNCHRONISED, EXTENDED, FOOTER = 0x80, 0x40, 0x10
ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")


class Frame(NamedTuple):
    """One frame: where it is in the body, its name, its flags and what it says."""

    start: int
    end: int
    name: bytes
    flags: bytes
    data: bytes


def size_of(head: bytes) -> int:
    """How long a tag is that begins with these ten bytes; 0 where there is none."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + _syncsafe(head[6:10]) + 10 * bool(head[5] & FOOTER)


def fresh(wants: tuple[str, ...], room: int = ROOM) -> bytes:
    """A new tag, of version 2.4, that says nothing else."""
    body = _frame(wants, 4) + bytes(room)
    return b"ID3\x04\x00\x00" + _unsyncsafe(len(body)) + body


def change(raw: bytes, wants: tuple[str, ...]) -> tuple[tuple[str, ...], list[Splice]]:
    """What a whole tag says already, and what to change in it so that it says what is wanted.

    Its version stays, and so does its size where its padding is enough.
    """
    version, flags = raw[3], raw[5]
    if version not in (2, 3, 4):
        raise InscribeError(f"its ID3 tag is of version 2.{version}; 2.2, 2.3 and 2.4 are known")
    if flags & (EXTENDED | FOOTER):
        raise InscribeError("its ID3 tag has an extended header or a footer, which is left alone")
    body = raw[10:]
    mixed = bool(flags & UNSYNCHRONISED) and version < 4  # 2.4 does it frame by frame
    if mixed:
        body = body.replace(b"\xff\x00", b"\xff")
        if _unsynchronised(body) != raw[10:]:
            raise InscribeError("its ID3 tag is written so that it can't be put back as it was")
    had, splices = _change_body(body, version, wants)
    if not splices:
        return had, []
    if mixed:
        splices = [Splice(0, len(raw) - 10, _unsynchronised(applied(splices, body)))]
    size = len(raw) - 10 + sum(each.growth for each in splices)
    if size > LONGEST:
        raise InscribeError("its ID3 tag is as long as ID3 allows already")
    return had, [Splice(6, 10, _unsyncsafe(size)), *(each.moved(10) for each in splices)]


def _change_body(
    body: bytes, version: int, wants: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Splice]]:
    frames = _frames(body, version)
    ours = [(frame, values) for frame in frames if (values := _values(frame, version)) is not None]
    had = tuple(value for _, values in ours for value in values)
    if had == wants:
        return had, []
    end = frames[-1].end if frames else 0
    new = _frame(wants, version) if wants else b""
    at = ours[0][0].start if ours else end
    splices = [Splice(at, at, new), *(Splice(each.start, each.end, b"") for each, _ in ours)]
    growth, spare = sum(each.growth for each in splices), len(body) - end
    if any(body[end:]):  # something that is no frame and no padding
        return had, splices
    if growth > spare:
        splices.append(Splice(len(body), len(body), bytes(ROOM)))
    else:
        splices.append(Splice(len(body) - max(growth, 0), len(body), bytes(max(-growth, 0))))
    return had, splices


def _frames(body: bytes, version: int) -> list[Frame]:
    """The frames up to the padding, or to what is no frame."""
    found, end = _walk(body, version, syncsafe=version == 4)
    if version == 4 and any(body[end:]):  # old iTunes wrote the sizes of 2.3 in 2.4
        others, their_end = _walk(body, version, syncsafe=False)
        if their_end > end:
            return others
    return found


def _walk(body: bytes, version: int, *, syncsafe: bool) -> tuple[list[Frame], int]:
    name, head = (3, 6) if version == 2 else (4, 10)
    found, place = [], 0
    while re.fullmatch(rb"[A-Z][A-Z0-9]*[ \0]?", body[place : place + name]):
        digits = body[place + name : place + 2 * name]
        if len(digits) < name:
            break
        size = _syncsafe(digits) if syncsafe else int.from_bytes(digits, "big")
        end = place + head + size
        if end > len(body) or (syncsafe and max(digits) > 127):
            break
        flags = body[place + 2 * name : place + head]
        data = body[place + head : end]
        found.append(Frame(place, end, body[place : place + name], flags, data))
        place = end
    return found, place


def _values(frame: Frame, version: int) -> list[str] | None:
    """What a frame says if it is ours; None of all others."""
    if frame.name not in (b"TXXX", b"TXX"):
        return None
    data = _plain(frame, version)
    if not data or data[0] >= len(ENCODINGS):
        return None
    encoding = ENCODINGS[data[0]]
    try:
        text = data[1:].decode(encoding)
    except UnicodeDecodeError:
        text = data[1:].decode(encoding, "replace")
    about, _, value = text.partition("\0")
    if about.lstrip("\ufeff").upper() != FIELD:
        return None
    parts = re.split(r"\0" if version == 4 else r"\0|; ", value.rstrip("\0"))
    return [part.lstrip("\ufeff") for part in parts]


def _plain(frame: Frame, version: int) -> bytes | None:
    """The data of a frame, unpacked; None where that can't be done."""
    data, form = frame.data, frame.flags[1] if frame.flags else 0
    if version == 3 and form:
        packed, locked, skip = form & 0x80, form & 0x40, 4 * bool(form & 0x80) + bool(form & 0x20)
    elif version == 4 and form:
        packed, locked, skip = form & 8, form & 4, bool(form & 0x40) + 4 * bool(form & 1)
        if form & 2:
            data = data.replace(b"\xff\x00", b"\xff")
    else:
        return data
    if locked:
        return None
    try:
        return zlib.decompress(data[skip:]) if packed else data[skip:]
    except zlib.error:
        return None


def _frame(wants: tuple[str, ...], version: int) -> bytes:
    if version == 4:  # several values are parted by a zero; before 2.4 there is but one text
        data = b"\x03" + "\0".join([FIELD, *wants]).encode()
        return b"TXXX" + _unsyncsafe(len(data)) + b"\0\0" + data
    text = "; ".join(wants)
    if text.isascii():
        data = b"\0" + f"{FIELD}\0{text}".encode()
    else:
        data = b"\x01" + FIELD.encode("utf-16") + b"\0\0" + text.encode("utf-16")
    if version == 3:
        return b"TXXX" + len(data).to_bytes(4, "big") + b"\0\0" + data
    return b"TXX" + len(data).to_bytes(3, "big") + data


def _unsynchronised(body: bytes) -> bytes:
    """Zeros put in so that nothing in it looks like the beginning of sound."""
    whole = re.sub(rb"\xff(?=[\xe0-\xff\x00])", b"\xff\x00", body)
    return whole + b"\0" if whole.endswith(b"\xff") else whole


def _syncsafe(size: bytes) -> int:
    number = 0
    for byte in size:
        number = number << 7 | byte & 127
    return number


def _unsyncsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
