"""Vorbis comments: the tags of FLAC, Ogg Vorbis and Opus."""

from timbretree.inscribe.splice import InscribeError, Splice

FIELD = "INSTRUMENTS"
VENDOR = b"timbretree"


def change(block: bytes, wants: tuple[str, ...]) -> tuple[tuple[str, ...], list[Splice]]:
    """What comments say already, and what to change in them so that they say what is wanted.

    ``block`` begins with the length of the vendor's name; what follows the last comment stays.
    """
    place = 4 + _number(block, 0)
    count, place = _number(block, place), place + 4
    counted_at, had, old = place - 4, [], []
    for _ in range(count):
        size = _number(block, place)
        end = place + 4 + size
        if end > len(block):
            raise InscribeError("its comments are longer than the block they are in")
        name, _, value = block[place + 4 : end].partition(b"=")
        if name.upper() == FIELD.encode():
            had.append(value.decode("utf-8", "replace"))
            old.append((place, end))
        place = end
    if tuple(had) == wants:
        return wants, []
    at = old[0][0] if old else place
    splices = [
        Splice(counted_at, counted_at + 4, _bytes(count - len(old) + len(wants))),
        Splice(at, at, b"".join(map(_comment, wants))),
        *(Splice(start, end, b"") for start, end in old),
    ]
    return tuple(had), splices


def fresh(wants: tuple[str, ...]) -> bytes:
    """New comments that say nothing else."""
    head = _bytes(len(VENDOR)) + VENDOR + _bytes(len(wants))
    return head + b"".join(map(_comment, wants))


def _comment(value: str) -> bytes:
    text = f"{FIELD}={value}".encode()
    return _bytes(len(text)) + text


def _number(block: bytes, place: int) -> int:
    if place + 4 > len(block):
        raise InscribeError("its comments break off")
    return int.from_bytes(block[place : place + 4], "little")


def _bytes(number: int) -> bytes:
    return number.to_bytes(4, "little")
