"""Tags inside WAV and AIFF files: a chunk that holds an ID3 tag."""

from typing import BinaryIO, NamedTuple

from timbretree.inscribe import id3
from timbretree.inscribe.splice import InscribeError, Splice, read_at

NAMES = (b"id3 ", b"ID3 ")
LONGEST = (1 << 32) - 1


class Chunk(NamedTuple):
    """A chunk: its name, where its data begins, and how long they are."""

    name: bytes
    place: int
    size: int

    @property
    def end(self) -> int:
        return self.place + self.size


def change(
    file: BinaryIO, size: int, wants: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Splice]]:
    """What the file says already, and what to change in it; ``size`` is that of the file."""
    head = read_at(file, 0, 12)
    order = {b"RIFF": "little", b"FORM": "big", b"RIFX": "big"}.get(head[:4])
    if head[:3] == b"ID3":
        raise InscribeError("a tag comes before its header, where none belongs; it is left alone")
    if order is None:
        raise InscribeError("it is a WAV file of more than 4 GB, which has no place for it")
    end = 8 + _number(head[4:8], order)
    if not 12 <= end <= size:
        raise InscribeError("it is not as long as its header says; it is left alone")
    chunks = _chunks(file, end, order)
    old = next((chunk for chunk in chunks if chunk.name in NAMES), None)
    if old is None:
        if not wants:
            return (), []
        tag = id3.fresh(wants, room=0)
        name = NAMES[0] if head[:4] == b"RIFF" else NAMES[1]
        new = name + _bytes(len(tag), order) + tag + bytes(len(tag) % 2)
        last = chunks[-1].end if chunks else 12
        splices = [Splice(end, end, bytes(max(0, last + last % 2 - end)) + new)]
        return (), [*_grown(head, splices, order), *splices]
    tag = read_at(file, old.place, old.size)
    whole = id3.size_of(tag[:10])
    if not 10 <= whole <= old.size:
        raise InscribeError("its ID3 tag is damaged")
    had, within = id3.change(tag[:whole], wants)
    if not within:
        return had, []
    splices = [each.moved(old.place) for each in within]
    length = old.size + sum(each.growth for each in splices)
    splices.append(Splice(old.place - 4, old.place, _bytes(length, order)))
    if old.end < size and old.size % 2:  # each chunk has an even number of bytes
        splices.append(Splice(old.end, old.end + 1, bytes(length % 2)))
    else:
        splices.append(Splice(old.end, old.end, bytes(length % 2)))
    return had, [*_grown(head, splices, order), *splices]


def _chunks(file: BinaryIO, end: int, order: str) -> list[Chunk]:
    found, place = [], 12
    while place + 8 <= end:
        head = read_at(file, place, 8)
        chunk = Chunk(head[:4], place + 8, _number(head[4:], order))
        if chunk.end > end:
            raise InscribeError("a part of it is longer than the whole; it is left alone")
        found.append(chunk)
        place = chunk.end + chunk.size % 2
    return found


def _grown(head: bytes, splices: list[Splice], order: str) -> list[Splice]:
    """The size of the whole."""
    growth = sum(each.growth for each in splices)
    size = _number(head[4:8], order) + growth
    if size > LONGEST:
        raise InscribeError("it is as long as such a file can be already")
    return [Splice(4, 8, _bytes(size, order))]


def _number(data: bytes, order: str) -> int:
    return int.from_bytes(data, "little" if order == "little" else "big")


def _bytes(number: int, order: str) -> bytes:
    return number.to_bytes(4, "little" if order == "little" else "big")
