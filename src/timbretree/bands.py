"""Three answers from calibrated probabilities: present, absent, and unsure in between."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.labels import Labels

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Cells = tuple[Floats, Bools, Floats]
"""Of one tag: what was said in its observed cells, what was so, and what each cell counts."""

PRECISION, MISSED = 0.8, 0.1
"""Of the claims *present*, the share that must be right; of the clips in which a tag plays, the
share that may be called absent."""
EVEN, IMPROBABLE = 0.5, 0.1
"""The least from which a tag is present; and the least below which it is absent, so that nothing
improbable is called unsure."""
ERRORS = 1.0
"""How many standard errors a share must be on the safe side of what is asked."""


class Bands(NamedTuple):
    """Where on the scale of K tags, or K groups, the three answers begin and end."""

    present_from: tuple[float, ...]
    """(K,): present at this probability and above."""
    absent_below: tuple[float, ...]
    """(K,): absent below this one, which is never above the other; unsure between the two."""

    def read(self, probabilities: Floats) -> tuple[Bools, Bools]:
        """Which of some probabilities (..., K) mean present, and which unsure."""
        exact = np.asarray(probabilities, np.float64)  # a threshold may lie between two float32
        present = exact >= np.array(self.present_from)
        return present, ~present & (exact >= np.array(self.absent_below))

    @classmethod
    def choose(
        cls, probabilities: Floats, labels: Labels, *, weights: Floats | None = None
    ) -> "Bands":
        """The bands of calibrated probabilities (N, K), from the clips they were calibrated on.

        - Present from the lowest probability at which 80% of the claims are right, and at least
          even odds.
        - Absent below the highest at which 10% of the clips that have the tag are missed, within
          10% and even odds.
        - Where the first is not above the second, nothing is unsure: both are the threshold of
          best F1 between them (of equals, the one nearest to even odds).

        Both shares must hold by one standard error (Wilson 1927), so that a few lucky cells decide
        nothing: with fewer than four claims, or nine clips that have the tag, nothing can be held.
        Where that is so, and where only present or only absent is known, present begins at 80% and
        absent ends at 10%, which is what calibrated numbers mean.
        """
        found = [_bands(*column) for column in observed_cells(probabilities, labels, weights)]
        return cls(*zip(*found, strict=True)) if found else cls((), ())


def observed_cells(scores: Floats, labels: Labels, weights: Floats | None) -> Iterator[Cells]:
    """The observed cells of each of K columns, in an order that is not that of the clips.

    ``scores`` (N, K); ``weights`` (N,) is how much each clip counts, by default 1. Raises
    ValueError for arrays that do not fit each other.
    """
    scores, (target, mask) = np.asarray(scores, np.float64), labels
    if not scores.shape == np.shape(target) == np.shape(mask) or scores.ndim != 2:
        raise ValueError(
            "scores and their labels (target, mask) have one shape, (clips, tags); got "
            f"{scores.shape} and {np.shape(target)}, {np.shape(mask)}"
        )
    counts = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    if counts.shape != scores.shape[:1] or not (counts > 0).all():
        raise ValueError(f"{len(scores)} clips have a weight above 0 each; got {counts}")
    for said, so, observed in zip(scores.T, target.T, mask.T, strict=True):
        cells = said[observed], so[observed], counts[observed]
        order = np.lexsort(cells[::-1])
        yield cells[0][order], cells[1][order], cells[2][order]


def _bands(said: Floats, so: Bools, counts: Floats) -> tuple[float, float]:
    if not so.any() or so.all():
        return PRECISION, MISSED
    said, so, counts = said[::-1], so[::-1], counts[::-1]  # the most probable first
    last = np.append(np.flatnonzero(np.diff(said)), len(said) - 1)  # the end of each tie
    cuts = (said[last] + np.append(said[last[1:]], 0.0)) / 2  # those before them are claimed
    claims, squares = np.cumsum(counts)[last], np.cumsum(counts**2)[last]
    hits, playing = np.cumsum(counts * so)[last], counts[so]
    right, missed = hits / claims, 1 - hits / playing.sum()
    precise = _surely(right, claims**2 / squares) >= PRECISION
    found = _surely(1 - missed, playing.sum() ** 2 / (playing**2).sum()) >= 1 - MISSED
    present_from = max(cuts[precise].min(), EVEN) if precise.any() else PRECISION
    absent_below = cuts[found].max() if found.any() else MISSED
    if present_from <= absent_below:
        f1 = 2 * hits / (claims + playing.sum())
        f1[(cuts < present_from) | (cuts > absent_below)] = -1.0
        best = cuts[f1 == f1.max()]
        evenest = float(best[np.abs(best - EVEN).argmin()])
        return evenest, evenest
    return float(present_from), float(np.clip(absent_below, IMPROBABLE, EVEN))


def _surely(share: Floats, cells: Floats) -> Floats:
    """The lower end of Wilson's interval of a share that was found in so many cells."""
    square = ERRORS**2 / cells
    spread = np.sqrt(square * (share * (1 - share) + square / 4))
    return (share + square / 2 - spread) / (1 + square)
