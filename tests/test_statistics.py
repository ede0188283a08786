"""What the records say, against scipy and against sums done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from studies import make_study
from timbretree.experiment.ledger import Cell, Record
from timbretree.experiment.statistics import (
    Summary,
    choose,
    chosen,
    chosen_weight,
    compare,
    compare_proposed,
    holm,
    methods_run,
    read,
    summarise,
    summary,
)
from timbretree.scores import LevelScores, Scores


def scores(value: float | None) -> Scores:
    """Scores in which every measure is the same."""
    level = LevelScores(value, value, value, value, value, (), {})
    return Scores(10, level, level, value, value, value, value, value)


def run(method: str, weight: float, seed: int, *, loss: float = 0.3, value: float | None = 0.9):
    return Record(Cell(method, weight, seed), loss, 9.0 - loss, 3, 60.0, scores(value))


def test_lambda_has_the_lowest_mean_loss_over_the_seeds_that_all_lambdas_share() -> None:
    records = [
        run("gmp", 0.7, 0, loss=0.30),
        run("gmp", 0.7, 1, loss=0.20),
        run("gmp", 0.7, 2, loss=0.10),  # a lucky seed that the other has not run
        run("gmp", 0.9, 0, loss=0.22),
        run("gmp", 0.9, 1, loss=0.24),
        run("resatt", 0.8, 0, loss=0.01),
    ]
    choice = choose(records, "gmp")
    assert choice.losses == pytest.approx({0.7: 0.25, 0.9: 0.23})
    assert (choice.weight, choice.seeds) == (0.9, (0, 1))
    assert chosen_weight(records, "gmp") == 0.9
    assert [record.cell for record in chosen(records, "gmp")] == [("gmp", 0.9, 0), ("gmp", 0.9, 1)]


def test_the_group_loss_has_no_part_in_the_choice() -> None:
    records = [run("gmp", 0.7, 0, loss=0.2), run("gmp", 0.9, 0, loss=0.4)]
    assert records[0].valid_coarse > records[1].valid_coarse
    assert chosen_weight(records, "gmp") == 0.7


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_lambdas_the_larger_is_chosen(order: int) -> None:
    records = [run("gmp", weight, 0) for weight in (0.7, 0.8, 0.75)][::order]
    assert chosen_weight(records, "gmp") == 0.8


def test_without_a_shared_seed_each_lambda_has_its_own_mean_and_that_is_said() -> None:
    records = [
        run("gmp", 0.7, 0, loss=0.3),
        run("gmp", 0.9, 1, loss=0.2),
        run("gmp", 0.9, 2, loss=0.3),
    ]
    choice = choose(records, "gmp")
    assert choice.losses == pytest.approx({0.7: 0.3, 0.9: 0.25})
    assert (choice.weight, choice.seeds) == (0.9, ())


def test_a_run_that_diverged_is_never_the_best() -> None:
    records = [run("gmp", 0.7, 0, loss=0.5), run("gmp", 0.9, 0, loss=math.nan)]
    assert chosen_weight(records, "gmp") == 0.7


def test_a_method_without_runs_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="'lp'"):
        choose([run("gmp", 0.7, 0)], "lp")


def test_runs_are_listed_by_seed_and_methods_in_the_order_of_the_table() -> None:
    records = [run("resatt", 0.8, 2), run("flat", 1.0, 0), run("resatt", 0.8, 0)]
    assert [record.cell.seed for record in chosen(records, "resatt")] == [0, 2]
    assert methods_run(records) == ["flat", "resatt"]


def test_summary_by_hand() -> None:
    runs = [run("gmp", 0.8, seed, value=value) for seed, value in enumerate((0.90, 0.92, 0.97))]
    # mean .93; deviations -.03, -.01, +.04; squares .0009 + .0001 + .0016 = .0026, half is .0013
    result = summary(runs, "coarse.pr_auc")
    assert (result.mean, result.spread) == pytest.approx((0.93, math.sqrt(0.0013)))
    assert result.count == 3


def test_what_could_not_be_scored_is_left_out_of_mean_and_count() -> None:
    assert summarise([0.5, None, 0.7]) == Summary(pytest.approx(0.6), pytest.approx(0.02**0.5), 2)
    assert summarise([0.5]) == Summary(0.5, None, 1)
    assert summarise([None]) == summarise([]) == Summary(None, None, 0)


def test_measures_are_read_by_their_paths() -> None:
    study = make_study(("flat",))
    record = study.records[0].scores
    assert read(record, "fine.pr_auc") == record.fine.pr_auc
    assert read(record, "violations") == record.violations
    assert read(scores(None), "fine.pr_auc") is None
    assert read(scores(math.nan), "fine.pr_auc") is None


FLAT = (0.850, 0.853, 0.849, 0.856, 0.851)
OURS = {
    "gap": (0.852, 0.851, 0.850, 0.853, 0.855),
    "gmp": (0.859, 0.858, 0.856, 0.864, 0.855),
    "resatt": (0.860, 0.864, 0.857, 0.868, 0.860),
}


def grid() -> list[Record]:
    records = [run("flat", 1.0, seed, value=value) for seed, value in enumerate(FLAT)]
    for method, values in OURS.items():
        records += [run(method, 0.8, seed, value=value) for seed, value in enumerate(values)]
    return records


def test_paired_tests_are_those_of_scipy() -> None:
    rows = {row.method: row for row in compare(grid(), "fine.pr_auc")}
    assert list(rows) == ["gap", "gmp", "resatt"]
    for method, values in OURS.items():
        expected = stats.ttest_rel(values, FLAT)
        interval = expected.confidence_interval(0.95)
        row = rows[method]
        assert row.difference == pytest.approx(np.mean(values) - np.mean(FLAT))
        assert row.p == pytest.approx(expected.pvalue)
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high))
        assert row.seeds == (0, 1, 2, 3, 4)
        assert not row.untested
    ordered = sorted(row.p for row in rows.values())
    assert rows["resatt"].adjusted == pytest.approx(3 * ordered[0])
    assert rows["gmp"].adjusted == pytest.approx(2 * ordered[1])
    assert rows["gap"].adjusted == pytest.approx(ordered[2])


def test_only_seeds_that_both_have_are_compared_and_by_seed_not_by_order() -> None:
    records = [record for record in grid() if record.cell != Cell("resatt", 0.8, 3)][::-1]
    row = next(row for row in compare(records, "fine.pr_auc") if row.method == "resatt")
    keep = [0, 1, 2, 4]
    expected = stats.ttest_rel([OURS["resatt"][s] for s in keep], [FLAT[s] for s in keep])
    assert row.seeds == tuple(keep)
    assert row.p == pytest.approx(expected.pvalue)


def test_only_runs_at_the_chosen_lambda_are_compared() -> None:
    worse = [run("resatt", 0.7, seed, loss=0.9, value=0.1) for seed in range(5)]
    assert compare(grid() + worse, "fine.pr_auc") == compare(grid(), "fine.pr_auc")


@pytest.mark.parametrize(
    ("records", "words", "difference"),
    [
        ([run("gmp", 0.8, 0, value=0.95)], "one seed", 0.05),
        ([run("gmp", 0.8, 7, value=0.95)], "no seed", None),
        ([run("gmp", 0.8, seed, value=None) for seed in (0, 1)], "no seed", None),
        ([run("gmp", 0.8, seed, value=0.93) for seed in (0, 1)], "the same", 0.03),
    ],
)
def test_where_there_is_no_test_the_reason_is_said(
    records: list[Record], words: str, difference: float | None
) -> None:
    flat = [run("flat", 1.0, seed, value=0.9) for seed in (0, 1)]
    tested = [run("resatt", 0.8, 0, value=0.91), run("resatt", 0.8, 1, value=0.93)]
    row, other = compare(flat + records + tested, "fine.pr_auc")
    assert words in row.untested
    assert row.difference == (None if difference is None else pytest.approx(difference))
    assert (row.low, row.high, row.p, row.adjusted) == (None, None, None, None)
    assert other.adjusted == other.p, "a method that was not tested costs the others nothing"


def test_resatt_and_gmp_are_compared_by_seed_with_p_as_it_is() -> None:
    values = {"gmp": (0.80, 0.81, 0.83), "resatt": (0.83, 0.82, 0.82), "flat": (0.7, 0.9, 0.8)}
    records = [
        run(method, 0.8, seed, value=value)
        for method, column in values.items()
        for seed, value in enumerate(column)
    ]
    row = compare_proposed(records, "fine.pr_auc")
    assert row is not None
    wanted = stats.ttest_rel(values["resatt"], values["gmp"])
    assert (row.method, row.baseline) == ("resatt", "gmp")
    assert row.p == pytest.approx(wanted.pvalue)
    assert row.adjusted == row.p
    assert (row.low, row.high) == pytest.approx(tuple(wanted.confidence_interval()))
    assert compare_proposed([each for each in records if each.cell.method != "gmp"], "a") is None


def test_without_a_baseline_there_is_nothing_to_compare() -> None:
    assert compare([run("gmp", 0.8, 0)], "fine.pr_auc") == []
    assert compare([], "fine.pr_auc") == []


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_step_down_procedure_rejects(p: list[float], level: float) -> None:
    rejected = set()
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        if (len(p) - rank) * p[place] > level:
            break
        rejected.add(place)
    assert {place for place, value in enumerate(holm(p)) if value <= level} == rejected
