"""Whether a file is shorter than it says of itself: its containers know how long they are.

Decoders do not tell: libsndfile reads the half of a WAV as if it were all of it.
"""

import struct
from collections.abc import Callable

from timbretree.decoders.kinds import Kind
from timbretree.decoders.source import HEAD, Source

UNKNOWN = 0xFFFF_FE00
"""Lengths from here on are those of a program that wrote into a pipe and never came back."""
MOST = 10_000
"""Parts of a file that are looked at, so that a made-up one can't keep us busy."""


def is_cut(source: Source, kind: Kind) -> bool:
    """Whether something at the end of the file is missing, as far as its container tells."""
    ask = CONTAINERS.get(kind.name)
    return ask is not None and ask(source)


def _riff(source: Source) -> bool:
    """WAV and AVI; a data chunk of length 0 is one whose writer never came back."""
    order = ">" if source.head[:4] == b"RIFX" else "<"
    if source.head[:4] in (b"RF64", b"BW64"):
        return _rf64(source)
    return _chunks(source, 12, order, (b"data", b"LIST"))


def _aiff(source: Source) -> bool:
    return _chunks(source, 12, ">", (b"SSND",))


def _chunks(source: Source, place: int, order: str, long: tuple[bytes, ...]) -> bool:
    for _ in range(MOST):
        head = source.read_at(place, 8)
        if len(head) < 8:
            return False
        size = struct.unpack(order + "I", head[4:])[0]
        end = place + 8 + size
        if head[:4] in long:
            if size >= UNKNOWN:
                return False
            if end > source.size:
                return True
        place = end + size % 2
    return False


def _rf64(source: Source) -> bool:
    if source.head[12:16] != b"ds64" or len(source.head) < 36:
        return False
    place, (size,) = 12, struct.unpack("<Q", source.head[28:36])
    for _ in range(MOST):
        head = source.read_at(place, 8)
        if len(head) < 8:
            return False
        if head[:4] == b"data":
            return bool(size < 1 << 62 and place + 8 + size > source.size)
        length = struct.unpack("<I", head[4:])[0]
        place += 8 + length + length % 2
    return False


def _w64(source: Source) -> bool:
    place = 40
    for _ in range(MOST):
        head = source.read_at(place, 24)
        if len(head) < 24:
            return False
        size = struct.unpack("<Q", head[16:])[0]
        if head[:4] == b"data":
            return bool(size < 1 << 62 and place + size > source.size)
        if size < 24:
            return False
        place += -(-size // 8) * 8
    return False


def _caf(source: Source) -> bool:
    place = 8
    for _ in range(MOST):
        head = source.read_at(place, 12)
        if len(head) < 12:
            return False
        size = struct.unpack(">q", head[4:])[0]
        if size < 0:  # the last chunk goes to the end of the file
            return False
        place += 12 + size
        if place > source.size:
            return True
    return False


def _au(source: Source) -> bool:
    if len(source.head) < 12:
        return False
    start, size = struct.unpack(">II", source.head[4:12])
    return bool(size < UNKNOWN and start + size > source.size)


def _mp4(source: Source) -> bool:
    place = 0
    for _ in range(MOST):
        head = source.read_at(place, 16)
        if len(head) < 8:
            return place > source.size
        size = struct.unpack(">I", head[:4])[0]
        if size == 1 and len(head) == 16:
            size = struct.unpack(">Q", head[8:])[0]
        if size < 8:  # 0: up to the end of the file
            return False
        place += size
    return False


def _matroska(source: Source) -> bool:
    place = 0
    for _ in range(2):
        head = source.head[place : place + 12]
        if len(head) < 12 or not head[4]:
            return False
        width = 9 - head[4].bit_length()
        size = int.from_bytes(head[4 : 4 + width]) & ((1 << 7 * width) - 1)
        if size == (1 << 7 * width) - 1:  # written into a pipe
            return False
        place += 4 + width + size
    return place > source.size


def _asf(source: Source) -> bool:
    place = source.head.find(bytes.fromhex("a1dcab8c 47a9cf11 8ee400c0 0c205365"))
    if place < 0 or len(source.head) < place + 92:
        return False
    size, flags = struct.unpack("<Q40xI", source.head[place + 40 : place + 92])
    return bool(not flags & 1 and size > source.size)


def _transport_stream(source: Source) -> bool:
    return source.size % 188 > 0


def _ogg(source: Source) -> bool:
    """Each page says how long it is, and the last one of a stream that it is the last."""
    start = max(0, source.size - 2 * HEAD)
    tail = source.read_at(start, 2 * HEAD)
    place = tail.rfind(b"OggS\x00")
    if place < 0 or len(tail) < place + 27:
        return True
    laces = tail[place + 27 : place + 27 + tail[place + 26]]
    end = place + 27 + tail[place + 26] + sum(laces)
    return end > len(tail) or not tail[place + 5] & 4


CONTAINERS: dict[str, Callable[[Source], bool]] = {
    "wav": _riff,
    "avi": _riff,
    "aiff": _aiff,
    "w64": _w64,
    "caf": _caf,
    "au": _au,
    "mp4": _mp4,
    "matroska": _matroska,
    "asf": _asf,
    "ogg": _ogg,
    "mpeg transport stream": _transport_stream,
}
"""How a kind of file tells its length."""
