"""The tables of single tags and groups: which instruments a method hears well."""

from timbretree.experiment.ledger import Study
from timbretree.experiment.markup import Column, Entry, Table, Value
from timbretree.experiment.statistics import BASELINE, chosen, methods_run, read, summarise
from timbretree.experiment.tables import HEADS, LEVELS, best
from timbretree.experiment.wording import percent, points, short
from timbretree.scores import LevelScores, Scores, TagScores
from timbretree.writers.words import listed, named

SHOWN = (BASELINE, "gmp", "resatt")
"""The methods whose single tags are shown: those of the paper's Fig. 3. The csv has all."""


def per_tag(study: Study, level: str) -> Table:
    """Each tag (``fine``) or group (``coarse``) on its own, for the methods of the paper's Fig. 3.

    Means over the seeds. Without any of these methods, the first three that were run.
    """
    run = methods_run(study.records)
    methods = [method for method in SHOWN if method in run] or run[:3]
    columns = [Column(LEVELS[level][:-1]), Column("present"), Column("absent")]
    columns += [Column(head, short(method)) for method in methods for head in HEADS.values()]
    notes = ["In percent, means over the seeds; bold: the best of the methods shown."]
    if missing := unscored(study, level):
        notes.append(f"Not scored, for want of a present or an absent label: {listed(missing)}.")
    scored = {method: _by_name(study, method, level) for method in methods}
    rows = [_tag_row(name, [scored[method].get(name, []) for method in methods])
            for name in _names(study, level)]  # fmt: skip
    return Table(f"Single {LEVELS[level].lower()}", tuple(columns), tuple(rows), tuple(notes))


def per_tag_rows(study: Study) -> list[dict[str, Value]]:
    """One row for each method and each tag or group, for csv, in percent."""
    rows = []
    for method in methods_run(study.records):
        for level in LEVELS:
            scored = _by_name(study, method, level)
            for name in _names(study, level):
                row: dict[str, Value] = {"method": method, "level": level, "name": name}
                row |= _tag_values(scored.get(name, []))
                rows.append(row)
    return rows


def unscored(study: Study, level: str) -> list[str]:
    """The names of the tags or groups of which no run could be scored, for want of labels."""
    missing = {name for run in study.records for name in _level(run.scores, level).unscored}
    return [named(name) for name in _names(study, level) if name in missing]


def _by_name(study: Study, method: str, level: str) -> dict[str, list[TagScores]]:
    runs = [_level(run.scores, level).by_name for run in chosen(study.records, method)]
    return {name: [run[name] for run in runs if name in run] for name in _names(study, level)}


def _level(scores: Scores, level: str) -> LevelScores:
    return scores.fine if level == "fine" else scores.coarse


def _names(study: Study, level: str) -> tuple[str, ...]:
    return study.taxonomy.tags if level == "fine" else study.taxonomy.groups


def _tag_row(name: str, scored: list[list[TagScores]]) -> tuple[Entry, ...]:
    means = [[_mean(scores, key) for scores in scored] for key in HEADS]
    marks = best(means, [False] * len(HEADS))
    counts = next((scores[0] for scores in scored if scores), None)
    entries = [Entry(named(name))]
    entries += (
        [Entry(str(counts.present)), Entry(str(counts.absent))] if counts else [Entry("")] * 2
    )
    for method in range(len(scored)):
        for place in range(len(HEADS)):
            entries.append(Entry(percent(means[place][method]), marks[place][method]))
    return tuple(entries)


def _mean(scores: list[TagScores], key: str) -> float | None:
    return summarise([read(score, key) for score in scores]).mean


def _tag_values(scores: list[TagScores]) -> dict[str, Value]:
    counts = {"present": scores[0].present, "absent": scores[0].absent} if scores else {}
    return {
        "present": counts.get("present"), "absent": counts.get("absent"), "seeds": len(scores),
        **{key: points(_mean(scores, key)) for key in HEADS},
    }  # fmt: skip
