"""Score all methods on a rendered data set twice: as the paper would, and against the truth.

    python benchmarks/rendered/method_table.py DATA OUT --start WEIGHTS ...
        [--json FILE] [--page]

DATA, OUT and what ... stands for are those of heard.py, which must have run. Lambda is chosen for
each method by the validation loss of the partial labels, thresholds by the partial validation
labels; the truth is looked at in the end alone. --json writes all figures, --page puts them into
docs/results.md.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from heard import add_options, plan_of, read
from matplotlib.figure import Figure
from page import PAGE, percent, put, table
from siblings import push_down
from truths import true_labels

from timbretree.experiment.lab import Lab
from timbretree.experiment.ledger import Record
from timbretree.experiment.statistics import (
    BASELINE,
    Comparison,
    choose,
    chosen,
    compare,
    compare_pair,
    holm,
    methods_run,
    summary,
)
from timbretree.experiment.statistics import read as read_measure
from timbretree.figures import box_plots, save
from timbretree.labels import Labels
from timbretree.methods import METHODS
from timbretree.metrics import average_precision
from timbretree.scores import Thresholds, score
from timbretree.train import accelerator

MEASURES = ["fine.roc_auc", "fine.pr_auc", "fine.f1_both", "coarse.roc_auc", "coarse.pr_auc",
            "coarse.f1_both"]  # fmt: skip
HEAD = ["method", "λ", "tags: ROC-AUC", "PR-AUC", "F1", "groups: ROC-AUC", "PR-AUC", "F1"]
RESAMPLES = 300
PAIRS = [("gmp", "flat"), ("resatt", "flat"), ("resatt", "gmp"), ("gmp-kleene", "gmp"),
         ("resatt-kleene", "resatt")]  # fmt: skip
"""What is compared over resampled test clips, too."""


class Resampled(NamedTuple):
    """One difference, over test clips drawn anew."""

    method: str
    baseline: str
    scored: str
    """On the truth or on the partial labels."""
    level: str
    difference: float
    low: float
    high: float


def against_truth(lab: Lab, out: Path, fine: Labels, coarse: Labels) -> list[Record]:
    """All runs, scored on everything that truly sounds in the test clips."""
    records = []
    for record in lab.ledger.records:
        said, _, tags, groups = read(out, record.cell)
        thresholds = Thresholds(tuple(tags.tolist()), tuple(groups.tolist()))
        tree = lab.plan.source.taxonomy
        scores = score(said, fine, coarse, taxonomy=tree, thresholds=thresholds)
        records.append(dataclasses.replace(record, scores=scores))
    return records


def method_table(records: list[Record]) -> str:
    """The rows of Table 1, then ours: the mean over the seeds and the standard deviation."""
    rows = []
    for method in methods_run(records):
        runs = chosen(records, method)
        cells = [METHODS[method].short, f"{runs[0].cell.fine_weight:g}"]
        for measure in MEASURES:
            found = summary(runs, measure)
            spread = f" ±{100 * found.spread:.2f}" if found.spread is not None else ""
            cells.append(f"{percent(found.mean)}{spread}")
        rows.append(cells)
    return table(HEAD, rows)


def tests(records: list[Record], measure: str) -> list[Comparison]:
    """Each method against the flat baseline; ResAtt against GMP; kleene against observed-any."""
    found = compare(records, measure)
    proposed = compare_pair(records, measure, "resatt", "gmp")
    kleene = [
        each
        for name in methods_run(records)
        if (each := compare_pair(records, measure, f"{name}-kleene", name)) is not None
    ]
    known = [each for each in kleene if each.p is not None]
    adjusted = dict(zip([k.method for k in known], holm([k.p or 0.0 for k in known]), strict=True))
    kleene = [dataclasses.replace(k, adjusted=adjusted.get(k.method)) for k in kleene]
    return [*found, *([proposed] if proposed else []), *kleene]


def resampled(lab: Lab, out: Path, by_labels: dict[str, tuple[Labels, Labels]]) -> list[Resampled]:
    """Differences of mean PR-AUC over the seeds when the test clips are drawn anew, as another
    test set of the kind would have them: the 95 % interval of the bootstrap."""
    rng = np.random.default_rng(0)
    clips = len(lab.test)
    draws = [np.arange(clips), *(rng.integers(clips, size=clips) for _ in range(RESAMPLES))]
    names = {name for pair in PAIRS for name in pair} & set(methods_run(lab.ledger.records))
    values: dict[tuple[str, str, int], np.ndarray] = {}
    for name in sorted(names):
        said = [read(out, run.cell)[0] for run in chosen(lab.ledger.records, name)]
        for scored, levels in by_labels.items():
            for place in (0, 1):
                heard = [each[place] for each in said]
                values[name, scored, place] = np.array(
                    [mean_precision(heard, levels[place], draw) for draw in draws]
                )
    rows = []
    for ours, other in (pair for pair in PAIRS if {*pair} <= names):
        for scored in by_labels:
            for place, level in enumerate(("fine", "coarse")):
                apart = values[ours, scored, place] - values[other, scored, place]
                low, high = np.quantile(apart[1:], [0.025, 0.975])
                ends = float(apart[0]), float(low), float(high)
                rows.append(Resampled(ours, other, scored, level, *ends))
    return rows


def mean_precision(said: list[np.ndarray], labels: Labels, draw: np.ndarray) -> float:
    """Macro average precision of some clips over their observed cells, its mean over the seeds."""
    target, mask = labels.target[draw], labels.mask[draw]
    found = []
    for k in range(target.shape[1]):
        there = target[mask[:, k], k]
        if there.any() and not there.all():
            found += [average_precision(each[draw[mask[:, k]], k], there) for each in said]
    return float(np.mean(found))


def tests_table(found: list[tuple[str, list[Comparison]]]) -> str:
    """Differences in points with the 95 % interval and Holm's p, one column a measure."""
    titles = {"fine.pr_auc": "PR-AUC of tags", "coarse.pr_auc": "PR-AUC of groups"}
    head = ["method", "against", *(f"{titles[name]}: difference [95 %], p" for name, _ in found)]
    rows = []
    for each in zip(*(rows for _, rows in found), strict=True):
        cells = [METHODS[each[0].method].short, METHODS[each[0].baseline].short]
        rows.append([*cells, *map(say, each)])
    return table(head, rows)


def say(test: Comparison) -> str:
    """One difference in points, and how sure it is."""
    if test.p is None or test.low is None or test.high is None or test.adjusted is None:
        return test.untested
    p = "<.001" if test.adjusted < 0.001 else f"{test.adjusted:.3f}"
    sure = "**" if test.adjusted < 0.05 else ""
    difference = percent(test.difference, digits=2, sign=True)
    return f"{sure}{difference}{sure} [{100 * test.low:+.2f}, {100 * test.high:+.2f}], {p}"


def setting(lab: Lab) -> str:
    """What was run, in words."""
    plan, cells = lab.plan, [record.cell for record in lab.ledger.records]
    seeds, weights = len({c.seed for c in cells}), sorted({c.fine_weight for c in cells} - {1.0})
    parts = [len(lab.material.part(split)) for split in ("train", "valid", "test")]
    return (
        f"{len(cells)} runs: {len({c.method for c in cells})} methods, {seeds} seeds, λ of "
        f"{', '.join(f'{w:g}' for w in weights)}. {plan.backbone} from AudioSet, "
        f"{'frozen: only the heads learn' if plan.frozen else 'trained whole'}; "
        f"{plan.train.epochs} epochs, learning rate {plan.train.learning_rate:g}, "
        f"batches of {plan.train.batch}. {parts[0]:,} clips to learn from, {parts[1]:,} to choose "
        f"by, {parts[2]:,} to score. λ, epoch and thresholds come from the partial labels of the "
        "validation clips. Means over the seeds at the chosen λ, in percent, ± standard deviation."
    )


def boxes(records: list[Record]) -> Figure:
    """Fig. 3 on the truth: each method's scores over the seeds, tags and groups."""
    titles = {"fine.pr_auc": "PR-AUC of tags, truth", "coarse.pr_auc": "PR-AUC of groups, truth"}
    panels = {
        title: {
            METHODS[name].short: [100 * (read_measure(run.scores, measure) or 0.0)
                                  for run in chosen(records, name)]
            for name in methods_run(records)
        }
        for measure, title in titles.items()
    }  # fmt: skip
    return box_plots(panels, reference=METHODS[BASELINE].short)


def main() -> None:
    """Read the arguments, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    lab = Lab(plan_of(asked), asked.out, where=accelerator("cpu"))
    truth = true_labels(lab.material)
    fine = Labels(*(each[lab.test.rows] for each in truth))
    coarse = lab.plan.source.taxonomy.lift(fine, "observed-any")
    partial, true = list(lab.ledger.records), against_truth(lab, asked.out, fine, coarse)
    measures = ("fine.pr_auc", "coarse.pr_auc")
    found = {f"{name}, {measure}": tests(records, measure)
             for name, records in (("partial", partial), ("truth", true))
             for measure in measures}  # fmt: skip
    blocks = {
        "table-partial": method_table(partial),
        "table-truth": method_table(true),
        "setting": setting(lab),
        **{
            f"tests-{scored}": tests_table([(m, found[f"{scored}, {m}"]) for m in measures])
            for scored in ("truth", "partial")
        },
    }
    pushed = push_down(lab, asked.out, truth)
    blocks["siblings"], blocks["false-absences"] = pushed.table(), pushed.facts()
    again = resampled(
        lab, asked.out, {"truth": (fine, coarse), "partial": (lab.test.fine, lab.test.coarse)}
    )
    blocks["resampled"] = table(
        ["method", "against", "scored on", "level", "difference", "95 % interval"],
        [[METHODS[r.method].short, METHODS[r.baseline].short, r.scored, r.level,
          percent(r.difference, digits=2, sign=True),
          f"[{100 * r.low:+.2f}, {100 * r.high:+.2f}]"] for r in again],
    )  # fmt: skip
    for name, text in blocks.items():
        print(f"\n{name}\n{text}")
        if asked.page:
            put(name, text)
    if asked.page:
        (PAGE.parent / "results").mkdir(exist_ok=True)
        save(boxes(true), PAGE.parent / "results" / "methods")
    if asked.json:
        methods = methods_run(partial)
        record = {
            "lambda": {m: dataclasses.asdict(choose(partial, m)) for m in methods},
            "means": {
                name: {m: {x: dataclasses.asdict(summary(chosen(records, m), x)) for x in MEASURES}
                       for m in methods}
                for name, records in (("partial", partial), ("truth", true))
            },
            "tests": {name: [dataclasses.asdict(t) for t in rows] for name, rows in found.items()},
            "siblings": pushed.to_dict(),
            "resampled": [each._asdict() for each in again],
        }  # fmt: skip
        asked.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
