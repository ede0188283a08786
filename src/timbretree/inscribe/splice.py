"""Changing a file in few places: what is cut out, what is put there, and how it is undone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

BLOCK = 1 << 20


class InscribeError(ValueError):
    """A file that is left as it is, and why."""


@dataclass(frozen=True)
class Splice:
    """Bytes from ``start`` up to ``end`` that give way to others."""

    start: int
    end: int
    new: bytes

    @property
    def growth(self) -> int:
        """By how many bytes the file grows."""
        return len(self.new) - (self.end - self.start)

    def moved(self, by: int) -> "Splice":
        """The same further on."""
        return Splice(self.start + by, self.end + by, self.new)


def trimmed(splices: Iterable[Splice], file: BinaryIO) -> list[Splice]:
    """The same changes in order, without what stays as it is at either end of each."""
    found = (_trimmed(each, read_at(file, each.start, each.end - each.start)) for each in splices)
    ordered = sorted((each for each in found if each.new or each.start < each.end), key=_place)
    for left, right in pairwise(ordered):
        assert left.end <= right.start, f"{left} and {right} overlap"
    return ordered


def spliced(splices: list[Splice], file: BinaryIO) -> Iterator[bytes]:
    """The changed file in blocks, from one whose splices are in order."""
    place = 0
    for each in splices:
        yield from _blocks(file, place, each.start)
        yield each.new
        place = each.end
    yield from _blocks(file, place, None)


def applied(splices: Iterable[Splice], data: bytes) -> bytes:
    """The same of bytes at hand, of splices in any order; of equal ones the first comes first."""
    parts, place = [], 0
    for each in sorted(splices, key=_place):
        parts += [data[place : each.start], each.new]
        place = each.end
    return b"".join([*parts, data[place:]])


def inverse(splices: list[Splice], file: BinaryIO) -> list[Splice]:
    """The splices of the changed file that give this one again."""
    found, grown = [], 0
    for each in splices:
        start = each.start + grown
        old = read_at(file, each.start, each.end - each.start)
        found.append(Splice(start, start + len(each.new), old))
        grown += each.growth
    return found


def read_at(file: BinaryIO, place: int, size: int) -> bytes:
    """So many bytes from a place in a file. Raises InscribeError where they aren't there."""
    file.seek(place)
    data = file.read(size)
    if len(data) != size:
        raise InscribeError("the file ends in the middle of its tags")
    return data


def _place(splice: Splice) -> tuple[int, int]:
    return splice.start, splice.end


def _trimmed(splice: Splice, old: bytes) -> Splice:
    new, most = splice.new, min(len(splice.new), len(old))
    first = next((n for n in range(most) if old[n] != new[n]), most)
    most -= first
    last = next((n for n in range(most) if old[-1 - n] != new[-1 - n]), most)
    return Splice(splice.start + first, splice.end - last, new[first : len(new) - last])


def _blocks(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    file.seek(start)
    while end is None or start < end:
        data = file.read(BLOCK if end is None else min(BLOCK, end - start))
        if not data:
            return
        start += len(data)
        yield data
