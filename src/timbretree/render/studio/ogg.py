"""Clips as Ogg Vorbis files that are the same to the last byte whenever they are made."""

import zlib
from pathlib import Path

import numpy as np

from timbretree.files import write_whole
from timbretree.render.studio.codec import Codec, encode
from timbretree.render.studio.loudness import Audio

QUALITY = 0.5
"""Of the files, on Vorbis' scale from 0 to 1: about 160 kilobits a second."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def write_ogg(path: Path, audio: Audio, *, serial: int) -> None:
    """Write a clip (2, T), float32 within -1 and 1, as Ogg Vorbis at 44.1 kHz.

    ``serial`` is the number of the stream in the file, which libsndfile would draw from the clock.
    Raises ValueError for sound that can't be written, OSError where the disk says no.
    """
    if audio.ndim != 2 or len(audio) != 2 or not audio.shape[1]:
        raise ValueError(f"expected sound of shape (2, samples), got {audio.shape}")
    if not np.abs(audio).max() <= 1:  # false for nan, too
        raise ValueError("expected sound between -1 and 1: scale it down before writing it")
    write_whole(path, with_serial(encode(audio, Codec("vorbis", 1 - QUALITY)), serial))


def with_serial(content: bytes, serial: int) -> bytes:
    """The same Ogg file with another serial number in all its pages.

    Pages are those of RFC 3533, section 6. Raises ValueError where the bytes are not whole pages.
    """
    out = []
    place = 0
    while place < len(content):
        head = content[place : place + 27]
        if len(head) < 27 or head[:4] != b"OggS":
            raise ValueError(f"expected a page of an Ogg file at byte {place}, got {head[:4]!r}")
        lengths = content[place + 27 : place + 27 + head[26]]
        end = place + 27 + head[26] + sum(lengths)
        rest = content[place + 26 : end]
        head = head[:14] + serial.to_bytes(4, "little") + head[18:22]
        out += [head, _checksum(head + bytes(4) + rest), rest]
        place = end
    if place != len(content):
        raise ValueError(f"expected {place} bytes of Ogg pages, got {len(content)}")
    return b"".join(out)


def _checksum(page: bytes) -> bytes:
    """The check sum of a page, in which its own place holds zeros, as it is put there.

    Ogg takes the polynomial of zlib's, but the highest bit first and without inversions.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return mirrored.to_bytes(4, "big").translate(_MIRRORED)
