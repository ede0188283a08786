"""The tables of results: Table 1, further measures, and how each lambda was chosen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from timbretree.experiment.ledger import Record, Study
from timbretree.experiment.markup import Column, Entry, Table, Value
from timbretree.experiment.paper import COLUMNS, PASST_S, TABLE_1
from timbretree.experiment.statistics import (
    Summary,
    choose,
    chosen,
    methods_run,
    summary,
)
from timbretree.experiment.wording import (
    NOTHING,
    loss,
    percent,
    points,
    short,
    weight,
)
from timbretree.methods import METHODS

LEVELS = {"fine": "Tags", "coarse": "Groups"}
HEADS = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC", "f1_both": "F1"}
FURTHER = {
    "fine.f1_present": Column("F1 of present", "Tags"),
    "fine.calibration_error": Column("calibration error", "Tags"),
    "coarse.f1_present": Column("F1 of present", "Groups"),
    "coarse.calibration_error": Column("calibration error", "Groups"),
    "hierarchical_precision": Column("precision", "Hierarchical"),
    "hierarchical_recall": Column("recall", "Hierarchical"),
    "hierarchical_f1": Column("F1", "Hierarchical"),
    "violations": Column("claims", "Violations"),
    "violations_probability": Column("probabilities", "Violations"),
}
"""The measures beyond Table 1, by their paths in Scores."""
LOW = {"fine.calibration_error", "coarse.calibration_error", "violations", "violations_probability"}
"""Those of which less is better."""


@dataclass(frozen=True)
class _Line:
    """What a method brought at its chosen lambda."""

    method: str
    weight: float
    runs: list[Record]
    scores: dict[str, Summary]


def table_1(study: Study) -> Table:
    """Table 1 of the paper from our runs, with the paper's own figures where they may be compared.

    ROC-AUC, PR-AUC and F1 (the mean of the F1 of present and of absent) of tags and of groups.
    """
    columns = {
        f"{level}.{key}": Column(head, above)
        for level, above in LEVELS.items()
        for key, head in HEADS.items()
    }
    notes = [
        "In percent: mean ± standard deviation over the seeds.",
        "Bold: the best mean of a column; equal ones, as printed, are all bold.",
        "λ was chosen by the validation loss of the tags alone.",
        "F1 is the mean of the F1 of present and the F1 of absent.",
    ]
    if len({record.cell.seed for record in study.records}) == 1:
        notes[0] = "In percent. One seed was run, so there is no spread."
    if study.openmic:
        notes.append("In brackets: the paper's figure.")
        notes.append(f"PaSST-S, the paper's first row: tags PR-AUC {PASST_S}, no other figure.")
    table = _results(study, columns, f"Results on {study.name}", notes)
    rows = [
        (*row, Entry(weight(line.weight)), Entry(str(len(line.runs))))
        for row, line in zip(table.rows, _lines(study, ()), strict=True)
    ]
    heads = (*table.columns, Column("λ"), Column("seeds"))
    return replace(table, columns=heads, rows=tuple(rows))


def further_measures(study: Study) -> Table:
    """What Table 1 does not show: positive F1, calibration, and how well the levels agree."""
    notes = [
        "In percent, as above; bold: the best mean.",
        "F1 of present counts present labels alone.",
        "Calibration error: how far probabilities are from shares, in points; less is better.",
        "Hierarchical: precision, recall and F1 of each claim together with all groups above it.",
        "Violations: pairs of a tag or group and the group above it in which the lower one is "
        "claimed and the upper is not, or is the more probable; less is better.",
    ]
    return _results(study, FURTHER, f"Further measures on {study.name}", notes)


def result_rows(study: Study, measures: Iterable[str]) -> list[dict[str, Value]]:
    """One row a method for csv, in percent: mean, spread and, where it may stand, the paper's."""
    rows = []
    for line in _lines(study, measures):
        row: dict[str, Value] = {"method": line.method, "title": METHODS[line.method].title}
        row |= {"lambda": line.weight, "seeds": len(line.runs)}
        for measure, scored in line.scores.items():
            name = measure.replace(".", "_")
            row |= {name: points(scored.mean), f"{name}_spread": points(scored.spread)}
            if study.openmic and measure in COLUMNS:
                row[f"{name}_paper"] = _paper(line.method, measure)
        rows.append(row)
    return rows


def weights(study: Study) -> Table:
    """The validation loss of the tags by lambda: how lambda was chosen."""
    choices = {method: choose(study.records, method) for method in methods_run(study.records)}
    grid = sorted({value for choice in choices.values() for value in choice.losses})
    columns = [Column("Method"), *(Column(weight(value), "λ") for value in grid), Column("seeds")]
    rows, notes = [], [
        "Mean over the seeds that every λ of the method has; bold: the λ chosen, which is the "
        "lowest, and of equals the larger.",
        "The test split has no part in it.",
    ]  # fmt: skip
    for method, choice in choices.items():
        cells = [
            Entry(loss(choice.losses[value]), value == choice.weight)
            if value in choice.losses
            else Entry("")
            for value in grid
        ]
        rows.append((Entry(short(method)), *cells, Entry(str(len(choice.seeds) or NOTHING))))
        if not choice.seeds:
            notes.append(
                f"{short(method)}: no seed was run with every λ; each mean is over its own."
            )
    return Table("Validation loss of the tags", tuple(columns), tuple(rows), tuple(notes))


def weight_rows(study: Study) -> list[dict[str, Value]]:
    """One row for each method and lambda, for csv."""
    return [
        {
            "method": method,
            "lambda": value,
            "valid_fine": mean,
            "chosen": int(value == choice.weight),
            "seeds": len(choice.seeds),
        }
        for method in methods_run(study.records)
        for choice in [choose(study.records, method)]
        for value, mean in choice.losses.items()
    ]


def best(columns: Sequence[Sequence[float | None]], less: Sequence[bool]) -> list[list[bool]]:
    """Which entries of each column are the best as printed, so that equals are equals.

    ``less``: for each column, whether less is better. None is never the best.
    """
    marks = []
    for column, low in zip(columns, less, strict=True):
        printed = [None if share is None else float(percent(share)) for share in column]
        known = [value for value in printed if value is not None]
        target = (min(known) if low else max(known)) if known else None
        marks.append([value is not None and value == target for value in printed])
    return marks


def _lines(study: Study, measures: Iterable[str]) -> list[_Line]:
    lines = []
    for method in methods_run(study.records):
        runs = chosen(study.records, method)
        scores = {measure: summary(runs, measure) for measure in measures}
        lines.append(_Line(method, runs[0].cell.fine_weight, runs, scores))
    return lines


def _results(study: Study, measures: dict[str, Column], title: str, notes: list[str]) -> Table:
    lines = _lines(study, measures)
    means = [[line.scores[measure].mean for line in lines] for measure in measures]
    marks = best(means, [measure in LOW for measure in measures])
    columns = (Column("Method"), *measures.values())
    rows = tuple(
        (
            Entry(short(line.method), beside=METHODS[line.method].figure),
            *(
                _scored(study, line, measure, marks[place][row])
                for place, measure in enumerate(measures)
            ),
        )
        for row, line in enumerate(lines)
    )
    ours = [row for row, line in enumerate(lines) if METHODS[line.method].figure == "ours"]
    breaks = tuple(row for row in ours[:1] if row)
    return Table(title, columns, rows, tuple(notes), breaks)


def _scored(study: Study, line: _Line, measure: str, mark: bool) -> Entry:
    scored = line.scores[measure]
    after = "" if scored.spread is None else f"± {percent(scored.spread)}"
    paper = _paper(line.method, measure) if study.openmic and measure in COLUMNS else None
    return Entry(percent(scored.mean), mark, after, "" if paper is None else f"{paper:.1f}")


def _paper(method: str, measure: str) -> float | None:
    return TABLE_1[method][COLUMNS.index(measure)] if method in TABLE_1 else None
