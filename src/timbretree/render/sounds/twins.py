"""Sources of recordings that are one: collections borrow from one another, under new names."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from timbretree.render.sounds.samples import Instrument, Recording, read_head

LENGTH = 1 << 15
"""Samples of each that are compared, about a second; twice as many with silence."""
ALIKE = 0.84
"""Correlation from which on two recordings are taken for one, or for one instrument in one room.

In a folder of 40 sources, recordings of a note by different makers reach 0.82, with one exception
at 0.89; copies of a recording 0.99; those of one piano by one maker 0.93.
"""
PAIRS = 3
"""Recordings that two sources must have in common."""
NEAR = 0.06
"""Semitones between copies of a note."""


def groups(instruments: Sequence[Instrument]) -> list[tuple[str, ...]]:
    """The sources, those together that have recordings in common. Raises SamplesError."""
    parts: list[tuple[str, ...]] = [
        (source,) for source in sorted({each.source for each in instruments})
    ]
    for tag in sorted({each.tag for each in instruments}):
        played = [each for each in instruments if each.tag == tag]
        heads: dict[Path, NDArray[np.complex64]] = {}
        for one, other in combinations(sorted({each.source for each in played}), 2):
            mine, theirs = _of(played, one), _of(played, other)
            if _copies(mine, theirs, heads) >= PAIRS:
                joined = [part for part in parts if one in part or other in part]
                rest = [part for part in parts if part not in joined]
                parts = [*rest, tuple(sorted(name for part in joined for name in part))]
    return sorted(parts)


def _of(instruments: list[Instrument], source: str) -> list[Recording]:
    return [record for each in instruments if each.source == source for record in each.recordings]


def _copies(
    mine: list[Recording], theirs: list[Recording], heads: dict[Path, NDArray[np.complex64]]
) -> int:
    """How many of two lists of recordings are the same."""
    count = 0
    for one in mine:
        for other in theirs:
            if one.kind == other.kind and abs(one.pitch - other.pitch) < NEAR:
                count += _alike(_head(one, heads), _head(other, heads)) > ALIKE
    return count


def _head(recording: Recording, heads: dict[Path, NDArray[np.complex64]]) -> NDArray[np.complex64]:
    """The spectrum of its beginning, scaled to a power of 1."""
    if recording.path not in heads:
        audio = read_head(recording.path)[:LENGTH]
        power = float(np.sqrt((audio.astype(np.float64) ** 2).sum()))
        heads[recording.path] = rfft(audio / np.float32(power), 2 * LENGTH).astype(np.complex64)
    return heads[recording.path]


def _alike(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> float:
    return float(np.abs(irfft(one * other.conj(), 2 * LENGTH)).max())
