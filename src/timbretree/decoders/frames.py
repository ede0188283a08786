"""Where in a stream of bytes the next stretch begins that can be decoded: MPEG, Ogg, FLAC."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from timbretree.decoders.source import HEAD, Source

SYNC = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]")
CHAIN = 3
"""Frames that must follow each other before bytes are taken for MPEG audio."""

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS = {  # by (MPEG-1?, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Frame(NamedTuple):
    """The head of a frame of MPEG audio: its ``length`` in bytes, and what all frames share."""

    length: int
    version: int
    layer: int
    rate: int


def mpeg_frame(head: bytes) -> Frame | None:
    """Read the four bytes at the head of a frame of MPEG audio; None where they are none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or kbits in (0, 15) or rate == 3:
        return None
    hertz = _RATES[version][rate]
    bits = _KBITS[version == 3, layer][kbits - 1] * 1000
    if layer == 1:
        return Frame((12 * bits // hertz + padding) * 4, version, layer, hertz)
    slots = 72 if layer == 3 and version != 3 else 144
    return Frame(slots * bits // hertz + padding, version, layer, hertz)


def mpeg_chain(content: bytes, start: int = 0) -> int | None:
    """The place from ``start`` on where frames of MPEG audio follow each other, or None."""
    for found in SYNC.finditer(content, start):
        if _is_chain(content, found.start()):
            return found.start()
    return None


def _is_chain(content: bytes, place: int) -> bool:
    first = mpeg_frame(content[place : place + 4])
    following = first
    for _ in range(CHAIN - 1):
        if following is None or first is None or following[1:] != first[1:]:
            return False
        place += following.length
        following = mpeg_frame(content[place : place + 4])
    return following is not None and first is not None and following[1:] == first[1:]


def adts_chain(content: bytes) -> bool:
    """Whether frames of bare AAC follow each other from the beginning."""
    place = 0
    for _ in range(CHAIN):
        head = content[place : place + 7]
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
            return False
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if length < 7:
            return False
        place += length
    return True


def next_mpeg(source: Source, start: int) -> int | None:
    """Where MPEG audio goes on after ``start``."""
    for place, content in _pieces(source, start):
        found = mpeg_chain(content)
        if found is not None:
            return place + found
    return None


def is_unbroken(source: Source, start: int) -> bool:
    """Whether from the first frame of MPEG audio after ``start`` one frame follows another up to
    the end of the file, but for the tags that stand there."""
    place = next_mpeg(source, start)
    while place is not None and place < source.size:
        frame = mpeg_frame(source.read_at(place, 4))
        if frame is None:
            return next_mpeg(source, place) is None
        place += frame.length
    return place == source.size


def ends_within_mpeg(source: Source) -> bool:
    """Whether the last frame of MPEG audio is longer than the file."""
    place = next_mpeg(source, max(0, source.size - HEAD))
    while place is not None and place < source.size:
        frame = mpeg_frame(source.read_at(place, 4))
        if frame is None:
            return False
        place += frame.length
    return place is not None and place > source.size


class MpegIndex(NamedTuple):
    """What the head of an MP3 says of it: its number of ``frames``, and where it ends."""

    frames: int | None
    end: int | None


def mpeg_index(source: Source, start: int) -> MpegIndex:
    """Read the index that most encoders write into an MP3's first frame, after ``start``."""
    place = next_mpeg(source, start)
    head = b"" if place is None else source.read_at(place, 256)
    found = re.search(rb"Xing|Info", head)
    if found is None or place is None:
        vbri = head.startswith(b"VBRI", 36)
        return MpegIndex(int.from_bytes(head[50:54]), None) if vbri else MpegIndex(None, None)
    flags, at = head[found.end() + 3], found.end() + 4
    count = int.from_bytes(head[at : at + 4]) if flags & 1 else None
    at += 4 * (flags & 1)
    size = int.from_bytes(head[at : at + 4]) if flags & 2 else 0
    return MpegIndex(count, place + size if size else None)


def next_ogg(source: Source, start: int) -> tuple[int, bool] | None:
    """Where after ``start`` another Ogg stream begins, with pages that say they are the first; and
    whether the page before them says it is the last."""
    inside = ended = False
    for place, content in _pieces(source, start):
        found = content.find(b"OggS\x00")
        while 0 <= found < len(content) - 5:
            flags = content[found + 5]
            if flags & 2 and inside:
                return place + found, ended
            inside, ended = inside or not flags & 2, bool(flags & 4)
            found = content.find(b"OggS\x00", found + 1)
    return None


def ends_with_another(source: Source, start: int) -> bool:
    """Whether an Ogg file's last page is of none of the streams that begin at ``start``."""
    begun, place, head = set(), 0, source.read_at(start, HEAD)
    while head.startswith(b"OggS", place) and len(head) > place + 27 and head[place + 5] & 2:
        begun.add(head[place + 14 : place + 18])
        laces = head[place + 27 :][: head[place + 26]]
        place += 27 + len(laces) + sum(laces)
    tail = source.read_at(max(start, source.size - 2 * HEAD), 2 * HEAD)
    last = tail.rfind(b"OggS\x00")
    return last >= 0 and tail[last + 14 : last + 18] not in begun


def next_marker(source: Source, start: int, marker: bytes) -> int | None:
    """Where after ``start`` some bytes stand."""
    for place, content in _pieces(source, start):
        found = content.find(marker)
        if found >= 0:
            return place + found
    return None


def next_flac(source: Source, start: int, sample: int, size: int) -> tuple[int, int] | None:
    """Where after ``start`` the first frame of FLAC begins that holds no sample before ``sample``,
    and which sample it begins with.

    ``size`` is the samples of a frame, in streams where all frames have the same.
    """
    for place, content in _pieces(source, start):
        for found in re.finditer(rb"\xff[\xf8\xf9]", content):
            number = _flac_number(content[found.start() : found.start() + 16])
            unit = 1 if found[0][1] & 1 else size
            if number is not None and number * unit >= sample:
                return place + found.start(), number * unit
    return None


def _flac_number(head: bytes) -> int | None:
    """The number in the head of a frame, or None where its sum is wrong: no head at all."""
    if len(head) < 16 or head[3] & 1:
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    width = ones or 1
    size = {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    end = 4 + width + size
    if ones == 1 or end > 15 or _crc8(head[:end]) != head[end]:
        return None
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 4 + width]:
        number = number << 6 | byte & 0x3F
    return number


def _crc8(content: bytes) -> int:
    remainder = 0
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder << 1 ^ (0x107 if remainder & 0x80 else 0)
    return remainder


def _pieces(source: Source, start: int) -> Iterator[tuple[int, bytes]]:
    """A source from ``start`` on in pieces that overlap by more than any chain is long."""
    size, overlap = HEAD * 16, HEAD // 8
    place = start
    while place < source.size:
        content = source.read_at(place, size)
        if not content:
            return
        yield place, content
        place += max(1, len(content) - overlap) if len(content) == size else len(content)
