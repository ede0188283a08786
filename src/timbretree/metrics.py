"""How well probabilities tell present from absent: arrays in, floats out, observed cells only."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


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


def per_tag_average_precision(score: Floats, target: Bools, mask: Bools) -> Floats:
    """(K,): the average precision of each column of (N, K) arrays over its observed cells.

    nan marks a tag that can't be scored, for want of a present or an absent label.
    """
    columns = zip(score.T, target.T, mask.T, strict=True)
    return np.array([average_precision(s[m], t[m]) for s, t, m in columns])


def macro(per_tag: Floats) -> float:
    """The mean over the tags that can be scored; nan where there are none."""
    scored = per_tag[~np.isnan(per_tag)]
    return float(scored.mean()) if len(scored) else float("nan")


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
