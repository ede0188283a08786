"""Tags inside FLAC files: a block of Vorbis comments before the sound."""

from typing import BinaryIO, NamedTuple

from timbretree.inscribe import comments
from timbretree.inscribe.splice import InscribeError, Splice, read_at

COMMENTS, PADDING = 4, 1
LONGEST = (1 << 24) - 1


class Block(NamedTuple):
    """A block of metadata: where its head of four bytes is, and what it is."""

    place: int
    last: bool
    kind: int
    size: int

    @property
    def end(self) -> int:
        return self.place + 4 + self.size


def change(
    file: BinaryIO, start: int, wants: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Splice]]:
    """What the file says already, and what to change in it; ``start`` is where ``fLaC`` is."""
    blocks = _blocks(file, start + 4)
    old = next((block for block in blocks if block.kind == COMMENTS), None)
    if old is None:
        return (), _new_block(blocks, wants) if wants else []
    had, within = comments.change(read_at(file, old.place + 4, old.size), wants)
    if not within:
        return had, []
    growth = sum(each.growth for each in within)
    if old.size + growth > LONGEST:
        raise InscribeError("its comments are as long as FLAC allows already")
    splices = [_head(old, old.size + growth), *(each.moved(old.place + 4) for each in within)]
    return had, splices + _padding(blocks, growth)


def _blocks(file: BinaryIO, place: int) -> list[Block]:
    blocks: list[Block] = []
    while not blocks or not blocks[-1].last:
        head = read_at(file, place, 4)
        kind, size = head[0] & 127, int.from_bytes(head[1:], "big")
        if kind == 127 or (not blocks and kind != 0):
            raise InscribeError("its metadata is damaged")
        blocks.append(Block(place, head[0] > 127, kind, size))
        place = blocks[-1].end
    return blocks


def _head(block: Block, size: int) -> Splice:
    head = bytes([block.kind | 128 * block.last]) + size.to_bytes(3, "big")
    return Splice(block.place, block.place + 4, head)


def _padding(blocks: list[Block], growth: int) -> list[Splice]:
    """Take what is needed from the padding, or give it there, so that the sound stays in place."""
    for block in blocks:
        if block.kind == PADDING and 0 <= block.size - growth <= LONGEST:
            size = block.size - growth
            spare = Splice(block.end - max(growth, 0), block.end, bytes(max(-growth, 0)))
            return [_head(block, size), spare]
    return []


def _new_block(blocks: list[Block], wants: tuple[str, ...]) -> list[Splice]:
    body, first = comments.fresh(wants), blocks[0]
    head = bytes([COMMENTS | 128 * first.last]) + len(body).to_bytes(3, "big")
    not_last = Splice(first.place, first.place + 1, bytes([first.kind]))
    new = Splice(first.end, first.end, head + body)
    return [not_last, new, *_padding(blocks[1:], new.growth)]
