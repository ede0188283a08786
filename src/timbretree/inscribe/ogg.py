"""Tags inside Ogg files (Vorbis, Opus, FLAC in Ogg): a packet of comments on pages of its own."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from timbretree.inscribe import comments
from timbretree.inscribe.splice import InscribeError, Splice, applied, read_at

CONTINUED, FIRST, LAST = 1, 2, 4
NOTHING_ENDS = b"\xff" * 8
MOST = 255
"""Segments of a page."""
LONGEST_HEAD = 64 << 20
MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Page(NamedTuple):
    """A page: where it is, and its bytes."""

    place: int
    data: bytes

    @property
    def serial(self) -> bytes:
        return self.data[14:18]

    @property
    def lacing(self) -> bytes:
        return self.data[27 : 27 + self.data[26]]

    @property
    def body(self) -> bytes:
        return self.data[27 + self.data[26] :]

    @property
    def number(self) -> int:
        return int.from_bytes(self.data[18:22], "little")


KINDS = {b"\x01vorbis": b"\x03vorbis", b"OpusHead": b"OpusTags", b"\x7fFLAC": b""}
"""How the first packet begins, and the one with the comments."""


def change(file: BinaryIO, wants: tuple[str, ...]) -> tuple[tuple[str, ...], list[Splice]]:
    """What the file says already, and what to change in it: in the first stream of a chain."""
    start, serial = _stream(file)
    pages = _head_pages(file, serial)
    packets = [*_packets(pages)]
    skip = len(start)
    if start == b"":  # FLAC: the head of a metadata block
        skip = 4
        if packets[0][0] & 127 != 4:
            raise InscribeError("its second packet holds no comments")
    elif not packets[0].startswith(start):
        raise InscribeError("its second packet holds no comments")
    had, within = comments.change(packets[0][skip:], wants)
    if not within:
        return had, []
    body = applied(within, packets[0][skip:])
    head = packets[0][:skip] if start else packets[0][:1] + len(body).to_bytes(3, "big")
    new = _paged([head + body, *packets[1:]], pages)
    splices = [
        Splice(page.place, page.place + len(page.data), data)
        for page, data in zip(pages, [*new, *[b""] * len(pages)], strict=False)
    ]
    if len(new) > len(pages):
        end = pages[-1].place + len(pages[-1].data)
        splices.append(Splice(end, end, b"".join(new[len(pages) :])))
    return had, splices + _renumbered(file, pages[-1], len(new) - len(pages))


def _pages(file: BinaryIO, place: int = 0) -> Iterator[Page]:
    while True:
        file.seek(place)
        head = file.read(27)
        if not head:
            return
        if head[:4] != b"OggS" or len(head) < 27:
            raise InscribeError("there is something between its pages")
        lacing = read_at(file, place + 27, head[26])
        data = head + lacing + read_at(file, place + 27 + head[26], sum(lacing))
        yield Page(place, data)
        place += len(data)


def _stream(file: BinaryIO) -> tuple[bytes, bytes]:
    """How the comments of the first stream of sound begin, and its serial number."""
    for page in _pages(file):
        if not page.data[5] & FIRST:
            break
        for begins, start in KINDS.items():
            if page.body.startswith(begins):
                return start, page.serial
    raise InscribeError("in Ogg files only Vorbis, Opus and FLAC have a place for it")


def _head_pages(file: BinaryIO, serial: bytes) -> list[Page]:
    """The pages from the second of a stream to the first that ends with a packet."""
    found: list[Page] = []
    size = 0
    for page in _pages(file):
        if page.serial != serial or page.data[5] & FIRST:
            continue
        found.append(page)
        size += len(page.data)
        if page.data != checked(page.data):
            raise InscribeError("a page of its tags is damaged")
        if page.lacing and page.lacing[-1] < 255:
            return found
        if size > LONGEST_HEAD:
            break
    raise InscribeError("its tags have no end")


def _packets(pages: list[Page]) -> Iterator[bytes]:
    packet = b""
    for page in pages:
        place = 0
        for size in page.lacing:
            packet += page.body[place : place + size]
            place += size
            if size < 255:
                yield packet
                packet = b""


def _paged(packets: list[bytes], old: list[Page]) -> list[bytes]:
    """Packets on as many pages as before, if they hold them."""
    segments = [
        packet[place : place + 255]
        for packet in packets
        for place in range(0, len(packet) + 1, 255)
    ]
    pages: list[bytes] = []
    place = 0
    for count in _shared(len(segments), [len(page.lacing) for page in old]):
        mine = segments[place : place + count]
        continued = place > 0 and len(segments[place - 1]) == 255
        ends = any(len(each) < 255 for each in mine)
        head = bytearray(old[0].data[:26])
        head[5] = CONTINUED if continued else 0
        head[6:14] = bytes(8) if ends else NOTHING_ENDS
        head[18:22] = (old[0].number + len(pages)).to_bytes(4, "little")
        lacing = bytes(map(len, mine))
        pages.append(checked(bytes([*head, count, *lacing]) + b"".join(mine)))
        place += count
    return pages


def _shared(segments: int, before: list[int]) -> list[int]:
    """How many segments each page gets: as many as before, the last what is left."""
    rest = segments - sum(before[:-1])
    if 0 < rest <= MOST:
        return [*before[:-1], rest]
    pages = max(min(len(before), segments), -(-segments // MOST))
    return [segments * (n + 1) // pages - segments * n // pages for n in range(pages)]


def _renumbered(file: BinaryIO, last: Page, more: int) -> list[Splice]:
    """Where there are more pages now, or fewer, those that follow are counted anew."""
    splices = []
    if not more:
        return []
    for page in _pages(file, last.place + len(last.data)):
        if page.serial != last.serial:
            continue
        if page.data[5] & FIRST:
            break  # the next stream of a chain
        number = ((page.number + more) % (1 << 32)).to_bytes(4, "little")
        data = checked(page.data[:18] + number + page.data[22:])
        splices.append(Splice(page.place + 18, page.place + 26, data[18:26]))
        if page.data[5] & LAST:
            break
    return splices


def checked(page: bytes) -> bytes:
    """A page with its checksum put right."""
    blank = page[:22] + bytes(4) + page[26:]
    # Ogg counts the bits of each byte from the other end than zlib, and begins with zero
    mirrored = zlib.crc32(blank.translate(MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return page[:22] + mirrored.to_bytes(4, "big").translate(MIRROR) + page[26:]
