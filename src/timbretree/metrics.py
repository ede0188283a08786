"""How well predictions agree with what people said: arrays in, floats out.

Most measures are of one tag, and take (N,) arrays of the clips in which somebody listened for it;
``per_tag`` finds those clips in arrays of many tags.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Array = NDArray[Any]
"""Probabilities or claims."""
Measure = Callable[[Array, Bools], float]

ROUNDING = 1e-6
"""How far two probabilities may differ and still be the same: the mean of 20 equal float32 numbers,
as a group is the mean of tags in GAP and ResAtt, can be off by a quarter of it."""


def roc_auc(score: Floats, target: Bools) -> float:
    """How often a clip with the tag is ranked above a clip without it; a tie counts half.

    ``score`` and ``target`` are (N,). The area under the ROC curve as Mann and Whitney's U, the
    same as scikit-learn's ``roc_auc_score``. nan where all or none are present.
    """
    present, absent = score[target], np.sort(score[~target])
    if not len(present) or not len(absent):
        return float("nan")
    below = np.searchsorted(absent, present, side="left")
    not_above = np.searchsorted(absent, present, side="right")
    return float((below + not_above).sum() / (2 * len(present) * len(absent)))


def average_precision(score: Floats, target: Bools) -> float:
    """The area under the precision-recall curve as a sum over its steps, for one tag.

    ``score`` and ``target`` are (N,). The same as scikit-learn's ``average_precision_score``, ties
    included. nan where all or none are present.
    """
    if target.all() or not target.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(target[order])
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)  # the end of each tie
    precision = hits[last] / (last + 1)
    found = np.diff(hits[last], prepend=0)
    return float((precision * found).sum() / hits[-1])


def f1_present(claimed: Bools, target: Bools) -> float:
    """How well the clips claimed to have a tag are those that have it.

    Both (N,). The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); the same as
    scikit-learn's ``f1_score`` with ``zero_division=0``: 0 where none is claimed and none present.
    """
    return _f1(int((claimed & target).sum()), int(claimed.sum()), int(target.sum()))


def f1_both(claimed: Bools, target: Bools) -> float:
    """How well a tag is told present where it is and absent where it is not.

    Both (N,). The mean of the F1 of present and the F1 of absent, scikit-learn's ``f1_score`` with
    ``average="macro"`` over both; almost surely what the paper calls F1, as OpenMIC's own baseline
    and published rows agree with it.
    """
    return (f1_present(claimed, target) + f1_present(~claimed, ~target)) / 2


def per_tag(measure: Measure, score: Array, target: Bools, mask: Bools) -> Floats:
    """(K,): a measure of each column of (N, K) arrays over its observed cells.

    ``measure`` takes a column of ``score`` (probabilities or claims, as it needs) and of
    ``target``. nan marks a tag that can't be scored, for want of a present or an absent label,
    whatever the measure would say of it.
    """
    columns = ((s[m], t[m]) for s, t, m in zip(score.T, target.T, mask.T, strict=True))
    return np.array(
        [measure(s, t) if t.any() and not t.all() else np.nan for s, t in columns], np.float64
    )


def macro(by_tag: Floats) -> float:
    """The mean over the tags that can be scored; nan where there are none."""
    scored = by_tag[~np.isnan(by_tag)]
    return float(scored.mean()) if len(scored) else float("nan")


class Overlap(NamedTuple):
    """How well the nodes claimed are the nodes that are there."""

    precision: float
    """Of the nodes claimed, the share that is there; nan where nothing is claimed."""
    recall: float
    """Of the nodes that are there, the share claimed; nan where nothing is there."""
    f1: float
    """Their harmonic mean; nan where nothing is there, 0 where something is and nothing claimed."""


def hierarchical_f(claimed: Bools, target: Bools, mask: Bools, *, above: Bools) -> Overlap:
    """How well tags and groups together are told: a wrong tag of the right family costs less.

    All (N, M) over the M nodes of the tree, tags and groups alike; ``above`` is (M, M), True where
    node j is node i itself or lies above it. As Kiritchenko et al. (2005) define it, both the
    claimed and the present nodes of a clip are extended by everything above them, and the sizes of
    the sets and of their intersections are summed over all clips before dividing (the micro
    average of Silla and Freitas, 2011).

    A cell (clip, node) counts if it is observed, as a hit, a miss or a false alarm; no other does.
    A claim or a label in a cell that is not observed extends to nothing: a tag nobody listened for
    may be right, and so may the group that it alone would claim.
    """
    claimed, target = (((cells & mask) @ above) & mask for cells in (claimed, target))
    hits, said, there = (int(each.sum()) for each in (claimed & target, claimed, target))
    return Overlap(
        hits / said if said else float("nan"),
        hits / there if there else float("nan"),
        _f1(hits, said, there) if there else float("nan"),
    )


def violations(child: Array, parent: Array) -> float:
    """How often a child is claimed without its parent, or is more probable than it.

    Two arrays of one shape, such as (N, E) for N clips and the E pairs of ``Taxonomy.edges``, of
    claims (bool) or of probabilities; the share of cells in which the child is above the parent by
    more than rounding. It needs no labels: every cell counts. nan where there are no cells.
    """
    above = np.subtract(child, parent, dtype=np.float64) > ROUNDING
    return float(above.mean()) if above.size else float("nan")


class Reliability(NamedTuple):
    """What was said and what was so, bin by bin from probability 0 up."""

    probability: Floats
    """(bins,): the mean probability of the cells of each bin; nan in an empty one."""
    present: Floats
    """(bins,): the share of its cells in which the tag is present; nan in an empty one."""
    cells: Ints
    """(bins,): how many there are in each."""


def reliability(score: Floats, target: Bools, *, bins: int = 15) -> Reliability:
    """How what was said compares with what was so, in bins of equal width by probability.

    ``score`` (probabilities) and ``target`` are (N,). A probability on the border of two bins is in
    the upper one.
    """
    place = np.digitize(score, np.arange(1, bins) / bins)
    count = np.bincount(place, minlength=bins)
    filled = np.where(count, count, np.nan)
    said, present = (np.bincount(place, each, bins) / filled for each in (score, target))
    return Reliability(said, present, count)


def calibration_error(score: Floats, target: Bools) -> float:
    """How far probabilities are from the share of clips in which the tag is really present.

    ``score`` and ``target`` are (N,). The expected calibration error over 15 bins of equal width
    (Naeini et al. 2015; Guo et al. 2017) for a yes or no: the mean of |mean probability - share
    present| over the bins, weighted by their cells. nan where there are no cells.
    """
    if not len(score):
        return float("nan")
    said, present, count = reliability(score, target)
    return float(np.nansum(count * np.abs(said - present)) / count.sum())


def best_threshold(score: Floats, target: Bools) -> float:
    """The threshold that gives one tag the best F1: halfway between two neighbouring scores.

    ``score`` and ``target`` are (N,), with at least one present. Of equals, the highest is taken.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    hits = np.cumsum(target[order])
    claimed = np.arange(1, len(ranked) + 1)
    f1 = 2 * hits / (claimed + target.sum())
    following = np.append(ranked[1:], 0.0)
    f1[ranked == following] = -1.0  # a threshold can't fall between equals
    best = int(f1.argmax())
    return float((ranked[best] + following[best]) / 2)


def _f1(hits: int, claimed: int, present: int) -> float:
    return 2 * hits / (claimed + present) if claimed + present else 0.0
