"""What was heard in one track as a few bytes, and back: numbers to four places, as in JSON."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.tags import Tags, WindowScores

STEPS = 10_000
"""A probability is kept as so many parts of 1: to all the places that any writer writes."""

Array = NDArray[Any]


class DamagedError(ValueError):
    """Bytes that are no record; the message says what of it is wrong."""


def pack_scores(tags: Tags) -> bytes:
    """The probabilities (F,) and (C,) of a recording as they are, and its attention (C, F)."""
    tree = tags.taxonomy
    look = np.full((len(tree.groups), len(tree.tags)), np.nan, np.float32)
    for row, group in enumerate(tags.groups):
        if group.attention:
            look[row] = [group.attention.get(tag, 0.0) for tag in tree.tags]
    fine = np.array([score.probability for score in tags.tags], np.float32)
    coarse = np.array([score.probability for score in tags.groups], np.float32)
    return zlib.compress(np.concatenate([fine, coarse, look.ravel()]).astype("<f4").tobytes())


def unpack_scores(blob: bytes, fine: int, coarse: int) -> tuple[Array, Array, Array]:
    """(F,), (C,) and (C, F), whose row is nan where the family has no attention."""
    body = _opened(blob)
    if len(body) != 4 * (fine + coarse + fine * coarse):
        raise DamagedError(f"its scores are {len(body)} bytes")
    numbers = np.frombuffer(body, "<f4")
    return (
        numbers[:fine],
        numbers[fine : fine + coarse],
        numbers[fine + coarse :].reshape(coarse, fine),
    )


def pack_windows(windows: tuple[WindowScores, ...]) -> bytes:
    """The moments and the probabilities of W windows.

    Each column follows itself through time as differences, all their low bytes before all their
    high ones, so that what hardly changes is hardly longer for being kept.
    """
    times = np.array([(window.start, window.end) for window in windows], np.float64).reshape(-1, 2)
    scores = np.array([[*window.tags, *window.groups] for window in windows], np.float64)
    moments = np.diff(np.rint(times.T * 1000).astype("<i8"), axis=1, prepend=0)
    body = moments.tobytes() + _planes(scores.reshape(len(windows), -1))
    return struct.pack("<I", len(windows)) + zlib.compress(body)


def unpack_windows(blob: bytes, columns: int) -> tuple[Array, Array]:
    """(W, 2) seconds and (W, columns) probabilities, float32."""
    count, body = _counted(blob)
    head = count * 16
    if len(body) != head + 2 * count * columns:
        raise DamagedError(f"its {count} windows are {len(body)} bytes")
    times = np.frombuffer(body[:head], "<i8").reshape(2, count).cumsum(axis=1).T / 1000
    return times, _from_planes(body[head:], count, columns)


def pack_looks(windows: tuple[WindowScores, ...]) -> bytes | None:
    """The attention (F, C) of each window; None where there is none at all."""
    if all(window.attention is None for window in windows):
        return None
    shape = next(window.attention.size for window in windows if window.attention is not None)
    there = np.array([window.attention is not None for window in windows])
    looks = np.zeros((len(windows), shape))
    for row, window in enumerate(windows):
        if window.attention is not None:
            looks[row] = window.attention.ravel()
    body = there.astype(np.uint8).tobytes() + _planes(looks)
    return struct.pack("<I", len(windows)) + zlib.compress(body)


def unpack_looks(blob: bytes | None, fine: int, coarse: int) -> Callable[[int], Array | None]:
    """The attention (F, C) of each window by its number."""
    if blob is None:
        return lambda number: None
    count, body = _counted(blob)
    if len(body) != count + 2 * count * fine * coarse:
        raise DamagedError(f"its {count} looks are {len(body)} bytes")
    there = np.frombuffer(body[:count], np.uint8)
    looks = _from_planes(body[count:], count, fine * coarse).reshape(count, fine, coarse)
    return lambda number: looks[number] if there[number] else None


def _planes(values: Array) -> bytes:
    """(W, K) numbers from 0 to 1 as bytes."""
    steps = np.rint(values * STEPS).astype(np.uint16).T  # (K, W)
    changes = np.diff(steps, axis=1, prepend=np.uint16(0))  # beyond 16 bits it begins anew
    return np.stack([changes & 255, changes >> 8]).astype(np.uint8).tobytes()


def _from_planes(body: bytes, count: int, columns: int) -> Array:
    low, high = np.frombuffer(body, np.uint8).reshape(2, columns, count).astype(np.uint16)
    steps = (low | high << 8).cumsum(axis=1, dtype=np.uint16)
    return np.ascontiguousarray(steps.T.astype(np.float32) / np.float32(STEPS))


def _counted(blob: bytes) -> tuple[int, bytes]:
    if len(blob) < 4:
        raise DamagedError("it is cut")
    return int(struct.unpack("<I", blob[:4])[0]), _opened(blob[4:])


def _opened(blob: bytes) -> bytes:
    try:
        return zlib.decompress(blob)
    except zlib.error as error:
        raise DamagedError(f"it can't be unpacked: {error}") from error
