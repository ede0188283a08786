"""The tables: what stands where, what is bold, and that each way to write them loses nothing."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studies import TONE, make_study
from timbretree.experiment.ledger import Cell, Record, Study
from timbretree.experiment.markup import Column, Entry, Table, csv_text, latex, markdown
from timbretree.experiment.paper import COLUMNS, TABLE_1
from timbretree.experiment.statistics import chosen, compare, compare_proposed, read
from timbretree.experiment.tables import (
    FURTHER,
    best,
    further_measures,
    result_rows,
    table_1,
    weight_rows,
    weights,
)
from timbretree.experiment.tables_of_tests import paired_test_rows, paired_tests
from timbretree.experiment.tables_per_tag import per_tag, per_tag_rows
from timbretree.experiment.wording import chance, percent, short, signed
from timbretree.experiment.wording import weight as lambda_text
from timbretree.methods import METHODS
from timbretree.scores import LevelScores, Scores, TagScores
from timbretree.taxonomy import Taxonomy

TOY = Taxonomy("toy", ("low_hum", "whistle"), {"below": ("low_hum",), "above": ("whistle",)})


def level(roc: float | None, pr: float | None = 0.8, f1: float | None = 0.7) -> LevelScores:
    hum = TagScores(3, 4, roc, pr, f1, 0.6, 0.1)
    whistle = TagScores(0, 7, None, None, None, None, None)
    by_name = {"low_hum": hum, "below": hum, "whistle": whistle, "above": whistle}
    return LevelScores(roc, pr, f1, 0.6, 0.1, ("whistle", "above"), by_name)


def run(method: str, seed: int, roc: float | None, *, weight: float = 0.8, loss: float = 0.3):
    scores = Scores(7, level(roc), level(0.9), 0.8, 0.7, 0.75, 0.02, 0.03)
    return Record(Cell(method, weight, seed), loss, 0.4, 5, 60.0, scores)


def toy(*records: Record, openmic: bool = True) -> Study:
    return replace(make_study(clips=5, tree=TOY), records=records, openmic=openmic)


THREE = (
    run("resatt", 0, 0.9202),
    run("resatt", 1, 0.9204),  # mean .9203, printed 92.0
    run("flat", 0, 0.9170, weight=1.0),
    run("flat", 1, 0.9210, weight=1.0),  # mean .9190
    run("gmp", 0, 0.9199),  # printed 92.0 too
)


def column(table: Table, title: str, above: str) -> int:
    return table.columns.index(Column(title, above))


def parsed(rows: list) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(rows))))


# Table 1


def test_table_1_is_in_the_order_of_the_methods_the_papers_first() -> None:
    table = table_1(make_study(tuple(METHODS)[::-1], seeds=1, lambdas=(0.8,)))
    assert [row[0].text for row in table.rows] == [short(method) for method in METHODS]
    (line,) = table.breaks
    figures = [row[0].beside for row in table.rows]
    assert "ours" not in figures[:line]
    assert set(figures[line:]) == {"ours"}


def test_table_1_says_mean_spread_lambda_seeds_and_the_papers_figure() -> None:
    table = table_1(toy(*THREE))
    place = column(table, "ROC-AUC", "Tags")
    flat, gmp, resatt = table.rows
    # flat: mean .9190; deviations ±.0020, spread .0020 * sqrt(2) = .00283
    assert flat[place] == Entry("91.9", False, "± 0.3", "91.7")
    assert gmp[place] == Entry("92.0", True, "", "91.9")
    assert resatt[place] == Entry("92.0", True, "± 0.0", "92.0")
    assert [entry.text for entry in flat[-2:]] == ["1", "2"]
    assert [entry.text for entry in gmp[-2:]] == ["0.80", "1"]


def test_each_of_the_six_columns_shows_its_own_measure() -> None:
    study = make_study(("gmp",), seeds=1, lambdas=(0.8,))
    (row,) = table_1(study).rows
    (record,) = study.records
    for place, measure in enumerate(COLUMNS, 1):
        assert row[place].text == f"{100 * read(record.scores, measure):.1f}"
        assert row[place].beside == f"{TABLE_1['gmp'][place - 1]:.1f}"


def test_the_papers_figures_stand_only_beside_results_on_its_data() -> None:
    assert not any(e.beside for row in table_1(toy(*THREE, openmic=False)).rows for e in row[1:])
    assert not any("_paper" in name for name in result_rows(toy(*THREE, openmic=False), COLUMNS)[0])


def test_bold_is_the_best_as_printed_and_never_what_could_not_be_scored() -> None:
    columns = [[0.92031, 0.91968, None], [0.031, 0.0312, 0.05], [None, None, None], [0.1, 0.2, 0.2]]
    marks = best(columns, [False, True, False, False])
    assert marks == [
        [True, True, False],
        [True, True, False],
        [False, False, False],
        [False, True, True],
    ]


def test_less_is_better_for_errors_and_violations() -> None:
    good, bad = run("gmp", 0, 0.92), run("resatt", 0, 0.92)
    bad = replace(bad, scores=replace(bad.scores, violations=0.5, hierarchical_f1=0.1))
    table = further_measures(toy(good, bad))
    for title, above in (("claims", "Violations"), ("F1", "Hierarchical")):
        place = column(table, title, above)
        assert [row[place].best for row in table.rows] == [True, False]


def test_a_measure_without_a_score_is_a_dash() -> None:
    table = table_1(toy(run("flat", 0, None, weight=1.0), run("flat", 1, None, weight=1.0)))
    assert table.rows[0][1] == Entry("–", False, "", "91.7")
    assert parsed(result_rows(toy(run("gmp", 0, None)), COLUMNS))[0]["fine_roc_auc"] == ""


def test_one_seed_is_said_to_have_no_spread() -> None:
    assert "no spread" in markdown(table_1(toy(run("gmp", 0, 0.9))))
    assert "no spread" not in markdown(table_1(toy(*THREE)))


def test_csv_of_results_parses_back_to_the_numbers() -> None:
    study = make_study()
    for row in parsed(result_rows(study, [*COLUMNS, *FURTHER])):
        runs = chosen(study.records, row["method"])
        assert float(row["lambda"]) == runs[0].cell.fine_weight
        assert int(row["seeds"]) == len(runs)
        for measure in (*COLUMNS, *FURTHER):
            values = [read(record.scores, measure) for record in runs]
            name = measure.replace(".", "_")
            assert float(row[name]) == pytest.approx(100 * np.mean(values), abs=1e-4)
            assert float(row[f"{name}_spread"]) == pytest.approx(
                100 * np.std(values, ddof=1), abs=1e-4
            )
        paper = [float(row[f"{measure.replace('.', '_')}_paper"]) for measure in COLUMNS]
        assert tuple(paper) == TABLE_1[row["method"]]


def test_the_paper_is_quoted_as_printed(shared: Path) -> None:
    text = (shared / "paper" / "zhong2023-resatt.txt").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") >= 6]
    printed = [tuple(re.sub(r"</?b>", "", cell) for cell in row[-6:]) for row in rows]
    for numbers in TABLE_1.values():
        assert tuple(f"{number:.1f}" for number in numbers) in printed


# lambdas


def test_weights_show_each_loss_and_mark_the_one_chosen() -> None:
    study = toy(
        run("flat", 0, 0.9, weight=1.0, loss=0.31),
        run("gmp", 0, 0.9, weight=0.7, loss=0.30125),
        run("gmp", 0, 0.9, weight=0.9, loss=0.29),
    )
    table = weights(study)
    assert [column.title for column in table.columns] == ["Method", "0.70", "0.90", "1", "seeds"]
    flat, gmp = table.rows
    assert gmp[1:] == (Entry("0.3013"), Entry("0.2900", True), Entry(""), Entry("1"))
    assert flat[1:] == (Entry(""), Entry(""), Entry("0.3100", True), Entry("1"))
    rows = [(row["method"], row["lambda"], row["chosen"]) for row in parsed(weight_rows(study))]
    assert rows == [("flat", "1.0", "1"), ("gmp", "0.7", "0"), ("gmp", "0.9", "1")]


def test_weights_say_where_no_seed_has_every_lambda() -> None:
    table = weights(toy(run("gmp", 0, 0.9, weight=0.7), run("gmp", 1, 0.9, weight=0.9)))
    assert table.rows[0][-1].text == "–"
    assert any(note.startswith("GMP: no seed") for note in table.notes)


def test_a_run_that_diverged_is_said_to_have() -> None:
    table = weights(
        toy(run("gmp", 0, 0.9, loss=float("nan")), run("gmp", 0, 0.9, weight=0.9, loss=0.3))
    )
    assert [entry.text for entry in table.rows[0][1:3]] == ["diverged", "0.3000"]


# single tags


def test_per_tag_is_the_mean_over_seeds_with_counts_and_plain_names() -> None:
    hum, whistle = per_tag(toy(*THREE), "fine").rows
    assert [entry.text for entry in hum] == [
        "low hum", "3", "4", "91.9", "80.0", "70.0", "92.0", "80.0", "70.0", "92.0", "80.0", "70.0",
    ]  # fmt: skip
    assert [entry.best for entry in hum[3:]] == [False, True, True] + [True] * 6
    assert [entry.text for entry in whistle[:3]] == ["whistle", "0", "7"]
    assert {entry.text for entry in whistle[3:]} == {"–"}


def test_what_could_not_be_scored_is_listed_by_name() -> None:
    assert per_tag(toy(*THREE), "fine").notes[-1].endswith(": whistle.")
    assert per_tag(toy(*THREE), "coarse").notes[-1].endswith(": above.")
    assert len(per_tag(make_study(clips=400), "fine").notes) == 1


def test_per_tag_shows_the_methods_of_fig_3_or_else_the_first_three() -> None:
    shown = [above for above, _ in per_tag(make_study(tuple(METHODS), seeds=1), "fine").spans()]
    assert shown == ["", "Flat", "GMP", "ResAtt"]
    others = make_study(("levelwise", "topdown", "gap", "lp"), seeds=1)
    shown = [above for above, _ in per_tag(others, "fine").spans()]
    assert shown == ["", "Level-wise", "Top-down", "GAP"]


def test_csv_of_single_tags_has_every_method_tag_and_group() -> None:
    study = make_study()
    rows = {(row["method"], row["level"], row["name"]): row for row in parsed(per_tag_rows(study))}
    assert len(rows) == 4 * (len(TONE.tags) + len(TONE.groups))
    runs = chosen(study.records, "resatt")
    for part in ("fine", "coarse"):
        for name, first in getattr(runs[0].scores, part).by_name.items():
            row = rows["resatt", part, name]
            assert (int(row["present"]), int(row["absent"])) == (first.present, first.absent)
            scores = [getattr(record.scores, part).by_name[name].pr_auc for record in runs]
            if None in scores:
                assert row["pr_auc"] == ""
            else:
                assert float(row["pr_auc"]) == pytest.approx(100 * np.mean(scores), abs=1e-4)


# tests


def test_tests_say_difference_interval_and_p_and_mark_what_is_sure() -> None:
    study = make_study(("flat", "gmp", "lp"), seeds=8, lambdas=(0.8,))
    table = paired_tests(study, "coarse")
    for place, row in enumerate(compare(study.records, "coarse.pr_auc")):
        entry, p = table.rows[place][3:5]
        assert entry.text == signed(row.difference)
        assert entry.after == f"({signed(row.low)} to {signed(row.high)})"
        assert p.text == chance(row.adjusted)
        assert entry.best == p.best == (row.adjusted < 0.05)
    assert [row[-1].text for row in table.rows] == ["8", "8"]


def test_bold_goes_by_the_adjusted_p() -> None:
    values = {
        "flat": (0.850, 0.853, 0.849, 0.856, 0.851),
        "gap": (0.854, 0.855, 0.852, 0.857, 0.852),
        "gmp": (0.850, 0.854, 0.848, 0.857, 0.850),
        "topdown": (0.851, 0.852, 0.850, 0.855, 0.852),
    }
    study = toy(*(run(method, seed, value) for method in values
                  for seed, value in enumerate(values[method])))  # fmt: skip
    between = [row for row in compare(study.records, "fine.roc_auc") if row.p < 0.05]
    assert [row.adjusted > 0.05 for row in between] == [True]
    assert not any(row[1].best or row[2].best for row in paired_tests(study, "fine").rows)


def test_where_nothing_was_tested_the_table_says_why() -> None:
    one = paired_tests(make_study(("flat", "gmp"), seeds=1), "fine")
    assert [entry.text for entry in one.rows[0]][2:] == ["–", one.rows[0][3].text, "–",
                                                         one.rows[0][5].text, "–", "1"]  # fmt: skip
    assert any("GMP was not tested: one seed" in note for note in one.notes)
    assert "baseline was not run" in paired_tests(make_study(("gmp",)), "fine").notes[0]
    assert "only method" in paired_tests(make_study(("flat",)), "fine").notes[0]


def test_the_papers_two_methods_are_compared_with_each_other() -> None:
    """It says that the difference between GMP and ResAtt is not significant (section 5)."""
    study = make_study(("flat", "gmp", "resatt"), seeds=6, lambdas=(0.8,))
    table = paired_tests(study, "fine")
    assert [row[0].text for row in table.rows] == ["GMP", "ResAtt", "ResAtt − GMP"]
    assert any("one planned test" in note for note in table.notes)
    assert len(paired_tests(make_study(("flat", "gmp")), "fine").rows) == 1
    alone = paired_tests(make_study(("gmp", "resatt")), "fine")
    assert [row[0].text for row in alone.rows] == ["ResAtt − GMP"]
    assert any("baseline was not run" in note for note in alone.notes)


def test_csv_of_tests_parses_back_to_the_numbers() -> None:
    study = make_study(seeds=4)
    rows = parsed(paired_test_rows(study))
    assert len(rows) == 6 * 4  # three methods against the baseline, and ResAtt against GMP
    for row in rows:
        measure = ".".join(row["measure"].split("_", 1))
        tests = *compare(study.records, measure), compare_proposed(study.records, measure)
        (expected,) = (
            test
            for test in tests
            if test and (test.method, test.baseline) == (row["method"], row["baseline"])
        )
        assert float(row["p"]) == expected.p
        assert float(row["p_holm"]) == expected.adjusted
        assert float(row["low"]) == pytest.approx(100 * expected.low, abs=1e-4)
        assert float(row["difference"]) == pytest.approx(100 * expected.difference, abs=1e-4)


# words and marks


def test_numbers_are_rounded_alike_and_never_minus_nothing() -> None:
    assert [percent(share) for share in (0.91749, 1, 0, -0.0001, None)] == [
        "91.7", "100.0", "0.0", "0.0", "–",
    ]  # fmt: skip
    assert [signed(share) for share in (0.0031, -0.0031, 0.0004, -0.0004, 0, None)] == [
        "+0.3", "−0.3", "0.0", "0.0", "0.0", "–",
    ]  # fmt: skip
    assert [chance(p) for p in (0.0123, 0.00049, 0.0005, 1, None)] == [
        "0.012", "<0.001", "0.001", "1.000", "–",
    ]  # fmt: skip
    assert [lambda_text(value) for value in (0.7, 0.85, 1.0, 0.725)] == [
        "0.70",
        "0.85",
        "1",
        "0.725",
    ]


HOSTILE = Table(
    r"50% of A&B_{x} \cmd #1 $5 ~ ^ <i>|",
    (Column("Method"), Column("F_1", "100 %"), Column("x|y", "100 %"), Column("n")),
    (
        (Entry("a_b & c", beside="<script>"), Entry("1 ± 2", True, "± #"), Entry("*"), Entry("")),
        (Entry("λ − –"), Entry("$"), Entry("`x`"), Entry("[a](b)")),
    ),
    ("100% of {it}.",),
    (1,),
)


def test_markdown_reads_back_as_it_was() -> None:
    lines = markdown(HOSTILE).splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    assert {len(row) for row in rows} == {4}
    plain = [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in rows]
    assert plain[0] == ["Method", "100 % F_1", "100 % x|y", "n"]
    assert plain[2] == ["a_b & c (<script>)", "**1 ± 2** ± #", "*", ""]
    assert plain[3] == ["λ − –", "$", "`x`", "[a](b)"]
    assert not re.search(r"(?<!\\)[<`\[]", markdown(HOSTILE))


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    text = latex(HOSTILE)
    assert (
        r"\caption{50\% of A\&B\_\{x\} \textbackslash{}cmd \#1 \$5 \textasciitilde{} "
        r"\textasciicircum{} \textless{}i\textgreater{}|. 100\% of \{it\}.}" in text
    )
    assert (
        r"a\_b \& c {\tiny (\textless{}script\textgreater{})} & \textbf{1 $\pm$ 2} $\pm$ \#" in text
    )
    assert r"\multicolumn{1}{c}{} & \multicolumn{2}{c}{100 \%} & \multicolumn{1}{c}{} \\" in text
    assert r"\cmidrule(lr){2-3}" in text
    body = text[text.index(r"\midrule") :].splitlines()
    assert body[0] == body[2] == r"\midrule"
