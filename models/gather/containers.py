"""The sounds in a file: plain audio, GUS patches (.pat) and compiled Qt resources (.rcc)."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Sound = tuple[str, NDArray[np.float32], int]
"""A name, samples (frames, channels) in -1 to 1, and their rate in hertz."""

HEADER, INSTRUMENT_LAYER = 129, 110
"""Bytes before the first sample of a patch: the file's header, then one instrument and layer."""
SAMPLE = 96
SIXTEEN_BIT, UNSIGNED = 1, 2
"""Bits of a patch sample's mode."""
ZLIB, FOLDER = 1, 2
"""Bits of a resource's flags."""


class ContainerError(ValueError):
    """A file that holds no sound that can be read; the message names it."""


def sounds(path: str | Path) -> Iterator[Sound]:
    """The sounds in a file: one for audio, with its stem as name; several for .pat and .rcc.

    Raises ContainerError.
    """
    path = Path(path)
    if path.suffix == ".pat":
        yield from _patch(path.read_bytes(), path)
    elif path.suffix == ".rcc":
        for name, body in _resources(path.read_bytes(), path):
            if name.endswith((".ogg", ".wav")):
                yield Path(name).stem, *_decode(body, path)
    else:
        yield path.stem, *_decode(path.read_bytes(), path)


def _decode(body: bytes, path: Path) -> tuple[NDArray[np.float32], int]:
    try:
        audio, rate = soundfile.read(io.BytesIO(body), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ContainerError(f"{path}: expected audio: {error}") from error
    return audio, rate


def _patch(body: bytes, path: Path) -> Iterator[Sound]:
    """The samples of a Gravis UltraSound patch, named by their pitch in hertz.

    Only the first layer of its first instrument is read.
    """
    if not body.startswith(b"GF1PATCH1"):
        raise ContainerError(f"{path}: expected a GUS patch, got {body[:12]!r}")
    place = HEADER + INSTRUMENT_LAYER
    for number in range(body[place - 41]):
        size, rate, root, mode = (
            struct.unpack_from("<I", body, place + 8)[0],
            struct.unpack_from("<H", body, place + 20)[0],
            struct.unpack_from("<I", body, place + 30)[0],
            body[place + 55],
        )
        data = body[place + SAMPLE : place + SAMPLE + size]
        if len(data) < size:
            raise ContainerError(f"{path}: cut off in sample {number}; fetch it again")
        width, letter = (2, "<u2") if mode & SIXTEEN_BIT else (1, "u1")
        whole = 1 << (8 * width - 1)
        values = np.frombuffer(data, letter).astype(np.float32) / whole
        # Those with a sign wrap round at the middle of those without one.
        audio = values - 1 if mode & UNSIGNED else (values + 1) % 2 - 1
        yield (
            f"{path.stem}-{number:02}-{root / 1000:.0f}hz",
            audio[:, None].astype(np.float32),
            rate,
        )
        place += SAMPLE + size


def _resources(body: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file in a compiled Qt resource, of version 2 or 3."""
    kind, version, tree, data, names = struct.unpack_from(">4sIIII", body)
    if kind != b"qres" or version not in (2, 3):
        raise ContainerError(f"{path}: expected Qt resources of version 2 or 3")
    waiting = [0]
    while waiting:
        node = tree + 22 * waiting.pop()
        name, flags = struct.unpack_from(">IH", body, node)
        if flags & FOLDER:
            count, first = struct.unpack_from(">II", body, node + 6)
            waiting += range(first, first + count)
            continue
        place = data + struct.unpack_from(">I", body, node + 10)[0]
        size = struct.unpack_from(">I", body, place)[0]
        content = body[place + 4 : place + 4 + size]
        letters = struct.unpack_from(">H", body, names + name)[0]
        text = body[names + name + 6 : names + name + 6 + 2 * letters].decode("utf-16-be")
        if flags & ZLIB:
            content = zlib.decompress(content[4:])
        yield text, content
