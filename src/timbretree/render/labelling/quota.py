"""Choosing cells so that every clip and every kind of label gets its number."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray


def share_out(total: int, parts: ArrayLike) -> NDArray[np.int64]:
    """Divide a whole number in proportion, as seats are by the largest remainders.

    ``parts`` (C,) are 0 or more, and not all 0. Ties go to the first.
    """
    exact = np.asarray(parts, dtype=np.float64)
    exact = exact * (total / exact.sum())
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return whole


def fit(want: NDArray[np.int64], most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep to what there is: what one column can't give, others do in proportion.

    Both are (2, K), what is wanted of the present and the absent labels of each tag, and how many
    there are at most. The sum stays, and the share of present labels, as far as that is possible.
    """
    got = np.minimum(want, most)
    for rows in (slice(0, 1), slice(1, 2), slice(0, 2)):
        while (missing := int(want[rows].sum() - got[rows].sum())) > 0:
            room = most[rows] - got[rows]
            if not room.any():
                break
            parts = np.where(room > 0, want[rows] + 1, 0).ravel()
            got[rows] += np.minimum(share_out(missing, parts).reshape(room.shape), room)
    return got


def choose(
    weight: NDArray[np.float64],
    *,
    said: NDArray[np.int64],
    amount: NDArray[np.int64],
    want: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Choose cells (N, K) by chance: ``amount`` (N,) of each clip, ``want`` (2, K) of each label.

    ``said`` (N, K) is the row of ``want`` that a cell counts in, 0 or 1; 2 means neither, and it
    isn't chosen. ``weight`` (N, K), above 0, says which are likelier. The amounts are met as far as
    a clip has cells; the labels wanted, as nearly as may be.
    """
    tags = want.shape[1]
    column = np.where(said < 2, said * tags + np.arange(tags), 2 * tags)
    amount = np.minimum(amount, (said < 2).sum(axis=1))
    chosen = _draw(np.where(said < 2, weight, 0.0), column, amount, want.ravel(), rng)
    _trade(chosen, weight, column, want.ravel(), rng)
    return chosen


def _draw(
    weight: NDArray[np.float64],
    column: NDArray[np.int64],
    amount: NDArray[np.int64],
    want: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Clip after clip in random order; what is still wanted of a column makes it likelier."""
    chosen = np.zeros(weight.shape, dtype=bool)
    need = np.append(want, 0).astype(np.float64)
    left = np.bincount(column.ravel(), weight.ravel(), len(need))
    race = rng.exponential(size=weight.shape)  # who comes first is drawn by weight
    for clip in rng.permutation(len(weight)):
        columns, mine = column[clip], weight[clip]
        rate = np.maximum(need[columns], 1e-6) / np.maximum(left[columns], 1e-9)
        speed = np.where(mine > 0, np.maximum(mine * rate, 1e-300), 0.0)
        with np.errstate(divide="ignore"):
            first = np.argsort(race[clip] / speed, kind="stable")[: amount[clip]]
        chosen[clip, first] = True
        need[columns[first]] -= 1
        left[columns] -= mine
    return chosen


def _trade(
    chosen: NDArray[np.bool_],
    weight: NDArray[np.float64],
    column: NDArray[np.int64],
    want: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Let clips trade a chosen cell for another of theirs, until no trade helps the columns."""
    tags, size = chosen.shape[1], len(want)
    taken, there = np.zeros((2, len(chosen), size + 1), dtype=np.float32)
    np.put_along_axis(there, column, 1, 1)
    np.put_along_axis(taken, column, chosen, 1)
    taken, free = taken[:, :size], (there - taken)[:, :size]
    for _ in range(2 * int(taken.sum())):
        surplus = taken.sum(axis=0) - want
        trades = taken.T @ free  # (C, C): how many clips can give one for the other
        route = _route(trades, surplus)
        if route is None:
            break
        for give, get in itertools.pairwise(route):
            clips = np.flatnonzero(taken[:, give] * free[:, get])
            odds = weight[clips, get % tags] / weight[clips, give % tags]
            clip = clips[np.argmin(rng.exponential(size=len(clips)) / odds)]
            for cells in (taken, free):
                cells[clip, [give, get]] = cells[clip, [get, give]]
            chosen[clip, [give % tags, get % tags]] = False, True


def _route(trades: NDArray[np.float32], surplus: NDArray[np.float64]) -> tuple[int, ...] | None:
    """From a column with too many over at most one other to a column with too few."""
    over, under = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
    for give in over[np.argsort(-surplus[over], kind="stable")].tolist():
        for get in under[np.argsort(surplus[under], kind="stable")].tolist():
            if trades[give, get]:
                return give, get
            by = np.minimum(trades[give], trades[:, get])
            if by.max() > 0:
                return give, int(by.argmax()), get
    return None
