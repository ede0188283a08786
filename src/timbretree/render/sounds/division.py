"""Who learns from which sounds: what is played in training is not played in the test."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
TEST = 0.25
"""The share of each tag's sounds that should be in the test."""


def divide(owned: Sequence[Mapping[tuple[str, str], int]]) -> list[bool]:
    """Whether each group of sounds, such as a family of SoundFonts, goes to the test.

    ``owned`` says how many sounds each group has of a kind (font, samples) and a tag. First as many
    tags as can be are to be on both sides; then as many of each kind; then a quarter of each tag's
    sounds is to be in the test. The best that changes of one group or two lead to, from the groups
    all in training: always the same, if the groups come in the same order.
    """
    columns = sorted({key for group in owned for key in group})
    if not columns:
        return [False] * len(owned)
    counts = np.array([[group.get(key, 0) for key in columns] for group in owned])
    tags = sorted({tag for _, tag in columns})
    into = np.array([[tag == other for other in tags] for _, tag in columns])
    held = np.zeros(len(owned), dtype=bool)
    best = _merit(held, counts, into)
    while True:
        changes = [held ^ flip for flip in _flips(len(owned))]
        merits = [_merit(change, counts, into) for change in changes]
        top = max(range(len(changes)), key=merits.__getitem__)
        if merits[top] <= best:
            return [bool(side) for side in held]
        held, best = changes[top], merits[top]


def share(clusters: Sequence[Sequence[T]]) -> tuple[list[T], list[T]]:
    """Divide what one side has alone among both: a quarter of the clusters, the smallest, for the
    test. A single cluster is on both sides."""
    if len(clusters) == 1:
        return list(clusters[0]), list(clusters[0])
    ordered = sorted(clusters, key=len)
    count = max(1, round(TEST * len(ordered)))
    test = [each for cluster in ordered[:count] for each in cluster]
    return [each for cluster in ordered[count:] for each in cluster], test


def _flips(count: int) -> list[NDArray[np.bool_]]:
    """All changes of one group, and of two."""
    single = np.eye(count, dtype=bool)
    return [*single, *(single[a] | single[b] for a in range(count) for b in range(a))]


def _merit(
    held: NDArray[np.bool_], counts: NDArray[np.int64], into: NDArray[np.bool_]
) -> tuple[int, int, float]:
    """How good a division is; the greater the better, the first number before the second."""
    sides = np.array([counts[~held].sum(axis=0), counts[held].sum(axis=0)])
    tags = sides @ into
    shares = tags[1] / np.maximum(tags.sum(axis=0), 1)
    miss = round(float(((shares - TEST) ** 2).sum()), 9)
    return int((tags > 0).sum()), int((sides > 0).sum()), -miss
