"""What the records say: which lambda was chosen, the mean over the seeds, and paired tests."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
from scipy import stats

from timbretree.experiment.ledger import Record
from timbretree.methods import METHODS
from timbretree.scores import Scores, TagScores

BASELINE = "flat"
"""What every other method is compared with."""
SURE = 0.05
"""A difference counts as more than chance where the adjusted p is below this."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Choice:
    """How the lambda of one method was chosen."""

    weight: float
    """The lambda with the lowest mean; of equals, the larger."""
    losses: dict[float, float]
    """Each lambda that was run, rising, with its mean validation loss of the tags."""
    seeds: tuple[int, ...]
    """The seeds that every lambda has, over which the means are taken. Empty where there is none:
    then each mean is over the seeds that its own lambda has."""


@dataclass(frozen=True)
class Summary:
    """One measure over the seeds."""

    mean: float | None
    """None where no seed has the measure."""
    spread: float | None
    """The standard deviation (n - 1); None below two seeds."""
    count: int
    """How many seeds have it."""


@dataclass(frozen=True)
class Comparison:
    """One method against another, seed by seed."""

    method: str
    measure: str
    seeds: tuple[int, ...]
    """Those that both have."""
    difference: float | None = None
    """The mean over the seeds of method - baseline."""
    low: float | None = None
    """The ends of the 95 % confidence interval of the difference (t distribution)."""
    high: float | None = None
    p: float | None = None
    """Of the two-sided paired t-test."""
    adjusted: float | None = None
    """p after Holm's correction over all methods that were tested on this measure."""
    untested: str = ""
    """Why there is no test, in words; empty where there is one."""
    baseline: str = "flat"
    """The method that it is compared with."""


def read(scores: Scores | TagScores, measure: str) -> float | None:
    """One measure by its path, such as ``fine.pr_auc``; None where it can't be scored."""
    value: float | None = attrgetter(measure)(scores)
    return None if value is None or math.isnan(value) else float(value)


def methods_run(records: Sequence[Record]) -> list[str]:
    """The methods with at least one record, in the order of METHODS."""
    run = {record.cell.method for record in records}
    return [name for name in METHODS if name in run]


def choose(records: Sequence[Record], method: str) -> Choice:
    """Choose the lambda of a method by the validation loss of the tags alone.

    The means are over the seeds that all lambdas of the method share, so that no lambda wins by
    its seeds. A loss that is no number counts as infinite. Raises ValueError for a method without
    records.
    """
    grid: dict[float, dict[int, float]] = {}
    for record in records:
        if record.cell.method == method:
            loss = math.inf if math.isnan(record.valid_fine) else record.valid_fine
            grid.setdefault(record.cell.fine_weight, {})[record.cell.seed] = loss
    if not grid:
        raise ValueError(f"there is no finished run of {method!r}; its lambda can't be chosen")
    seeds = sorted(set.intersection(*map(set, grid.values())))
    losses = {
        weight: float(np.mean([losses[seed] for seed in seeds or losses]))
        for weight, losses in sorted(grid.items())
    }
    best = min(losses, key=lambda weight: (losses[weight], -weight))
    return Choice(best, losses, tuple(seeds))


def chosen_weight(records: Sequence[Record], method: str) -> float:
    """The lambda with the lowest validation loss of the tags; of equals, the larger."""
    return choose(records, method).weight


def chosen(records: Sequence[Record], method: str) -> list[Record]:
    """The runs of a method at its chosen lambda, one a seed, in the order of the seeds."""
    weight = chosen_weight(records, method)
    runs = [
        record
        for record in records
        if record.cell.method == method and record.cell.fine_weight == weight
    ]
    return sorted(runs, key=lambda record: record.cell.seed)


def summarise(values: Sequence[float | None]) -> Summary:
    """The mean and the standard deviation of what could be scored."""
    known = [value for value in values if value is not None]
    mean = float(np.mean(known)) if known else None
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Summary(mean, spread, len(known))


def summary(runs: Sequence[Record], measure: str) -> Summary:
    """The mean and the standard deviation of one measure over some runs."""
    return summarise([read(run.scores, measure) for run in runs])


def compare(records: Sequence[Record], measure: str) -> list[Comparison]:
    """Compare each method at its chosen lambda with the flat baseline over the seeds both have.

    p is adjusted by Holm's method over the methods. Empty where the baseline has not been run.
    """
    methods = methods_run(records)
    if BASELINE not in methods:
        return []
    baseline = _by_seed(records, BASELINE, measure)
    rows = [
        _paired(method, measure, _by_seed(records, method, measure), baseline)
        for method in methods
        if method != BASELINE
    ]
    adjusted = iter(holm([row.p for row in rows if row.p is not None]))
    return [row if row.p is None else replace(row, adjusted=next(adjusted)) for row in rows]


def compare_proposed(records: Sequence[Record], measure: str) -> Comparison | None:
    """Compare the paper's two proposed methods, ResAtt with GMP: one planned test, so p is not
    adjusted. The paper finds no significant difference. None where one of them was not run."""
    return compare_pair(records, measure, "resatt", "gmp")


def compare_pair(
    records: Sequence[Record], measure: str, method: str, baseline: str
) -> Comparison | None:
    """Compare two methods, each at its chosen lambda, over the seeds both have; p is not adjusted.
    None where one of them was not run."""
    if not {method, baseline} <= set(methods_run(records)):
        return None
    ours, other = (_by_seed(records, name, measure) for name in (method, baseline))
    row = _paired(method, measure, ours, other)
    return replace(row, adjusted=row.p, baseline=baseline)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction of several p values, in the order given.

    The k-th smallest of m is multiplied by m - k + 1; none may fall below a smaller one's, nor
    exceed 1. It keeps the chance of even one false discovery below the level of the test.
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def _by_seed(records: Sequence[Record], method: str, measure: str) -> dict[int, float]:
    scored = {run.cell.seed: read(run.scores, measure) for run in chosen(records, method)}
    return {seed: value for seed, value in scored.items() if value is not None}


def _paired(
    method: str, measure: str, ours: dict[int, float], baseline: dict[int, float]
) -> Comparison:
    seeds = tuple(sorted(ours.keys() & baseline.keys()))
    if not seeds:
        return Comparison(method, measure, seeds, untested="no seed in common")
    differences = np.array([ours[seed] - baseline[seed] for seed in seeds])
    mean = float(differences.mean())
    bare = Comparison(method, measure, seeds, mean)
    if len(seeds) < 2:
        return replace(bare, untested="one seed in common; a test needs two")
    error = float(differences.std(ddof=1)) / math.sqrt(len(seeds))
    if error < 1e-12:  # what is left of equal differences after rounding
        return replace(bare, untested="the difference is the same for every seed")
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(seeds) - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, len(seeds) - 1))
    return replace(bare, low=mean - reach, high=mean + reach, p=p)
