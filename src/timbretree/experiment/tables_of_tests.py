"""The tables of paired tests: is a method better than the flat baseline, or only luckier?"""

from timbretree.experiment.ledger import Study
from timbretree.experiment.markup import Column, Entry, Table, Value
from timbretree.experiment.paper import COLUMNS
from timbretree.experiment.statistics import (
    BASELINE,
    SURE,
    Comparison,
    compare,
    compare_proposed,
    methods_run,
)
from timbretree.experiment.tables import HEADS, LEVELS
from timbretree.experiment.wording import chance, points, short, signed

ALONE = "The flat baseline is the only method that was run; there is nothing to compare with it."
PROPOSED = "ResAtt − GMP"
NO_BASELINE = "The flat baseline was not run; there is nothing to compare with."


def paired_tests(study: Study, level: str) -> Table:
    """Each method against the flat baseline on the three measures of one level."""
    measures = {f"{level}.{key}": head for key, head in HEADS.items()}
    tested = [compare(study.records, measure) for measure in measures]
    columns = [Column("Method")]
    for head in measures.values():
        columns += [Column("difference", head), Column("p", head)]
    columns.append(Column("seeds"))
    rows = [_tested(list(row)) for row in zip(*tested, strict=True)]
    proposed = [row for measure in measures if (row := compare_proposed(study.records, measure))]
    if proposed:
        rows.append(_tested(proposed))
    notes = [
        "Difference: the mean over the seeds that both have of method − flat baseline, in "
        "points, with its 95 % confidence interval.",
        "p: paired t-test, two-sided, adjusted by Holm's method over the methods; "
        f"bold where it is below {SURE}.",
    ]
    if proposed:
        notes.append(f"{PROPOSED}: one planned test of the paper's two methods, p as it is.")
    if not tested[0]:
        why = ALONE if BASELINE in methods_run(study.records) else NO_BASELINE
        notes = [why, *(notes[2:] if proposed else [])]
    for row in tested[0]:
        if row.untested:
            notes.append(f"{short(row.method)} was not tested: {row.untested}.")
    title = f"{LEVELS[level]}: against the flat baseline"
    return Table(title, tuple(columns), tuple(rows), tuple(notes))


def paired_test_rows(study: Study) -> list[dict[str, Value]]:
    """One row for each method and measure, for csv, in percentage points."""
    return [
        {
            "method": row.method,
            "baseline": row.baseline,
            "measure": measure.replace(".", "_"),
            "seeds": len(row.seeds),
            "difference": points(row.difference),
            "low": points(row.low),
            "high": points(row.high),
            "p": row.p,
            "p_holm": row.adjusted,
            "untested": row.untested,
        }
        for measure in COLUMNS
        for row in (*compare(study.records, measure), compare_proposed(study.records, measure))
        if row is not None
    ]


def _tested(rows: list[Comparison]) -> tuple[Entry, ...]:
    """One method on the measures of one level."""
    versus = rows[0].baseline != BASELINE
    entries = [Entry(PROPOSED if versus else short(rows[0].method))]
    for row in rows:
        sure = row.adjusted is not None and row.adjusted < SURE
        interval = "" if row.low is None else f"({signed(row.low)} to {signed(row.high)})"
        entries += [
            Entry(signed(row.difference), sure, interval),
            Entry(chance(row.adjusted), sure),
        ]
    return (*entries, Entry(str(len(rows[0].seeds))))
