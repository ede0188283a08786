"""Tags inside MP4 files (m4a, mp4): an atom among those of iTunes."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from timbretree.inscribe.splice import InscribeError, Splice, read_at

MEAN, FIELD = b"com.apple.iTunes", "INSTRUMENTS"
TEXT = (1).to_bytes(4, "big") + bytes(4)
ROOM = 1024
HANDLER = b"\0\0\0\0\0\0\0\0mdirappl" + bytes(9)
SEVERAL = (b"trak", b"mdia", b"minf", b"stbl")


class Atom(NamedTuple):
    """An atom: its name, where it and what is in it begin, and where it ends."""

    name: bytes
    place: int
    inside: int
    end: int


def change(
    file: BinaryIO, size: int, wants: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Splice]]:
    """What the file says already, and what to change in it; ``size`` is that of the file."""
    atoms = [*_atoms(file, 0, size)]
    moov = next((atom for atom in atoms if atom.name == b"moov"), None)
    if moov is None:
        raise InscribeError("it has no atom moov, so it is no whole MP4 file")
    above, place = [moov], moov.inside
    for name in (b"udta", b"meta", b"ilst"):
        found = next((a for a in _atoms(file, place, above[-1].end) if a.name == name), None)
        if found is None:
            break
        above.append(found)
        place = found.inside + 4 * (name == b"meta" and _versioned(file, found))
        if place > found.end:
            raise InscribeError("an atom of it is shorter than it can be; it is left alone")
    had, splices = _within(file, above, wants)
    if not splices:
        return had, []
    growth = sum(each.growth for each in splices)
    if beside := _absorbed(file, above, growth):
        return had, [*splices, *beside, _resized(above[3], growth)]
    splices += _outside(atoms, moov, growth) or _shifted(file, atoms, moov, growth)
    return had, splices + [_resized(atom, growth) for atom in above]


def _within(
    file: BinaryIO, above: list[Atom], wants: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Splice]]:
    """What the list of tags says, and what to change in it."""
    if len(above) < 4:
        if not wants:
            return (), []
        new = _atom(b"ilst", _ours(wants)) + _atom(b"free", bytes(ROOM))
        if len(above) < 3:
            new = _atom(b"meta", bytes(4) + _atom(b"hdlr", HANDLER) + new)
        if len(above) < 2:
            new = _atom(b"udta", new)
        start = above[-1].inside + 4 * (len(above) == 3 and _versioned(file, above[-1]))
        # QuickTime may end the list with a zero, before which it must be
        at = max([start, *(atom.end for atom in _atoms(file, start, above[-1].end))])
        return (), [Splice(at, at, new)]
    ilst = above[3]
    had: list[str] = []
    old = []
    for atom in _atoms(file, ilst.inside, ilst.end):
        if (values := _values(file, atom)) is not None:
            had += values
            old.append(atom)
    if tuple(had) == wants:
        return wants, []
    at = old[0].place if old else ilst.end
    gone = [Splice(atom.place, atom.end, b"") for atom in old]
    return tuple(had), [Splice(at, at, _ours(wants) if wants else b""), *gone]


def _values(file: BinaryIO, atom: Atom) -> list[str] | None:
    if atom.name != b"----":
        return None
    parts = [*_atoms(file, atom.inside, atom.end)]
    texts = {part.name: _text(file, part, 4) for part in parts if part.name in (b"mean", b"name")}
    name = texts.get(b"name", b"").decode("utf-8", "replace")
    if texts.get(b"mean") != MEAN or name.upper() != FIELD:
        return None
    data = [_text(file, part, 8) for part in parts if part.name == b"data"]
    return [each.decode("utf-8", "replace") for each in data]


def _text(file: BinaryIO, atom: Atom, skip: int) -> bytes:
    return read_at(file, atom.inside, atom.end - atom.inside)[skip:]


def _ours(wants: tuple[str, ...]) -> bytes:
    parts = [_atom(b"mean", bytes(4) + MEAN), _atom(b"name", bytes(4) + FIELD.encode())]
    parts += [_atom(b"data", TEXT + value.encode()) for value in wants]
    return _atom(b"----", b"".join(parts))


def _absorbed(file: BinaryIO, above: list[Atom], growth: int) -> list[Splice]:
    """Take what is needed from the free room after the list of tags, or give it there."""
    if len(above) < 4:
        return []
    meta, ilst = above[2:]
    after = next((atom for atom in _atoms(file, ilst.end, meta.end)), None)
    return [] if after is None or after.name != b"free" else _room(after, growth)


def _outside(atoms: list[Atom], moov: Atom, growth: int) -> list[Splice]:
    """The same of the free room after all that is said of the sound."""
    after = next((atom for atom in atoms if atom.place == moov.end), None)
    return [] if after is None or after.name != b"free" else _room(after, growth)


def _room(free: Atom, growth: int) -> list[Splice]:
    size = free.end - free.place - growth
    if size < 8 or free.inside - free.place != 8:
        return []
    spare = Splice(free.end - max(growth, 0), free.end, bytes(max(-growth, 0)))
    return [Splice(free.place, free.place + 4, size.to_bytes(4, "big")), spare]


def _shifted(file: BinaryIO, atoms: list[Atom], moov: Atom, growth: int) -> list[Splice]:
    """Where sound comes after what grows, all that says where it lies is put right."""
    if not any(atom.place >= moov.end and atom.name not in (b"free", b"skip") for atom in atoms):
        return []
    if any(atom.name in (b"moof", b"mfra", b"sidx") for atom in atoms):
        raise InscribeError("it is in fragments, and its tags have no room to grow")
    splices = []
    for table in _tables(file, moov.inside, moov.end):
        width = 8 if table.name == b"co64" else 4
        data = read_at(file, table.inside, table.end - table.inside)
        count = int.from_bytes(data[4:8], "big")
        if 8 + count * width > len(data):
            raise InscribeError("the table of where its sound lies is damaged")
        places = [
            int.from_bytes(data[8 + n * width : 8 + (n + 1) * width], "big") for n in range(count)
        ]
        moved = [place + growth * (place >= moov.end) for place in places]
        if max(moved, default=0) >= 1 << 8 * width:
            raise InscribeError("its tags have no room to grow")
        new = b"".join(place.to_bytes(width, "big") for place in moved)
        splices.append(Splice(table.inside + 8, table.inside + 8 + len(new), new))
    return splices


def _tables(file: BinaryIO, start: int, end: int) -> Iterator[Atom]:
    for atom in _atoms(file, start, end):
        if atom.name in SEVERAL:
            yield from _tables(file, atom.inside, atom.end)
        elif atom.name in (b"stco", b"co64"):
            yield atom
        elif atom.name == b"saio":
            raise InscribeError("it is encrypted, and its tags have no room to grow")


def _resized(atom: Atom, growth: int) -> Splice:
    size = atom.end - atom.place + growth
    if atom.inside - atom.place == 16:
        return Splice(atom.place + 8, atom.place + 16, size.to_bytes(8, "big"))
    if size >= 1 << 32:
        raise InscribeError("its tags have no room to grow")
    return Splice(atom.place, atom.place + 4, size.to_bytes(4, "big"))


def _versioned(file: BinaryIO, meta: Atom) -> bool:
    """Whether what is in it comes after four bytes of version, as in MP4, but not in QuickTime."""
    head = read_at(file, meta.inside, min(8, meta.end - meta.inside))
    return head[4:8] != b"hdlr"


def _atom(name: bytes, inside: bytes) -> bytes:
    return (8 + len(inside)).to_bytes(4, "big") + name + inside


def _atoms(file: BinaryIO, start: int, end: int) -> Iterator[Atom]:
    place = start
    while place + 8 <= end:
        head = read_at(file, place, 8)
        size, inside = int.from_bytes(head[:4], "big"), place + 8
        if size == 1:
            size, inside = int.from_bytes(read_at(file, place + 8, 8), "big"), place + 16
        elif head == bytes(8):
            return
        elif size == 0:
            size = end - place
        stop = place + size
        if stop < inside or stop > end:
            raise InscribeError("an atom of it is longer than what it is in; it is left alone")
        yield Atom(head[4:], place, inside, stop)
        place = stop
