"""Labels as few and as doubtful as OpenMIC's, for clips whose truth is known."""

import csv
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from conftest import OPENMIC
from timbretree.render.labelling.folder import make_keys
from timbretree.render.labelling.labeller import Observed, complete, label, noise, shortfalls
from timbretree.render.labelling.listeners import mistakable, relevance
from timbretree.render.labelling.openmic_facts import ALIKE, LABELS, LABELS_A_CLIP
from timbretree.render.labelling.quota import choose, fit, share_out
from timbretree.render.labelling.truth import Truth

TAGS = tuple(OPENMIC)


def clips(number: int, seed: int = 0) -> tuple[Truth, tuple[str, ...]]:
    """Random clips of two to four instruments, some of them short or faint, and their splits.

    The rarest tag is in one clip of thirteen, the commonest in one of five.
    """
    rng = np.random.default_rng(seed)
    pace = rng.exponential(size=(number, len(TAGS))) / np.linspace(0.8, 2.6, len(TAGS))
    plays = pace.argsort(axis=1).argsort(axis=1) < rng.integers(2, 5, size=(number, 1))
    seconds = np.where(plays, (10 * rng.beta(2, 1, plays.shape)).round(3) + 0.05, 0)
    loudness = np.where(plays, np.minimum(rng.normal(-10, 6, plays.shape).round(2), -0.1), -np.inf)
    test = rng.permutation(number) < round(number * 5085 / 20_000)
    sounds = np.where(plays, 'Grand "Piano", bright', "").astype(object)
    truth = Truth(make_keys(number), TAGS, seconds, loudness, sounds)
    return truth, tuple(np.where(test, "test", "train").tolist())


@lru_cache
def labelled(number: int, seed: int = 0) -> tuple[Truth, tuple[str, ...], Observed]:
    truth, splits = clips(number, seed)
    return truth, splits, label(truth, splits=splits, rng=np.random.default_rng(seed))


def counts(observed: Observed, rows: np.ndarray) -> np.ndarray:
    """(2, K): present and absent labels of some clips."""
    target, mask = (cells[rows] for cells in observed.labels)
    return np.stack([(target & mask).sum(axis=0), (~target & mask).sum(axis=0)])


def official(shared: Path, name: str) -> np.ndarray:
    """(N, 20): 1 present, -1 absent, 0 not labelled."""
    with (shared / "openmic" / name).open(newline="", encoding="utf-8") as file:
        return np.array([[int(row[tag]) for tag in TAGS] for row in csv.DictReader(file)])


def test_the_numbers_of_openmic_are_those_of_its_files(shared: Path) -> None:
    with (shared / "openmic" / "label-counts.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["instrument"]: row for row in csv.DictReader(file)}
    for split, table in LABELS.items():
        assert table == {
            tag: (int(row[f"{split}_pos"]), int(row[f"{split}_neg"])) for tag, row in rows.items()
        }
    test, valid = official(shared, "test-labels.csv"), official(shared, "valid-labels.csv")
    amounts = [np.bincount((labels != 0).sum(axis=1))[1:] for labels in (test, valid)]
    assert LABELS_A_CLIP["test"] == tuple(amounts[0])
    assert LABELS_A_CLIP["train"] == tuple(np.append(amounts[0], 0) + amounts[1])


def test_relevance_is_what_openmic_makes_of_its_answers(shared: Path) -> None:
    folder = shared / "openmic" / "fixtures"
    with (folder / "openmic-2018-individual-responses.csv").open(encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    with (folder / "openmic-2018-aggregated-labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            mine = [each for each in answers if each["instrument"] == row["instrument"]]
            trust = np.array([float(each["worker_trust"]) for each in mine])
            yes = np.array([float(each["response"]) for each in mine])
            found = relevance((trust * yes).sum(), trust.sum(), np.False_)
            assert float(found) == float(row["relevance"])
            assert len(mine) == int(row["num_responses"])


@pytest.mark.parametrize(("number", "seed"), [(400, 1), (2000, 2), (6000, 3)])
def test_labels_are_as_many_as_openmic_s(number: int, seed: int) -> None:
    truth, splits, observed = labelled(number, seed)
    target, mask = observed.labels
    assert mask.any(axis=1).all()
    assert mask.sum() / number == pytest.approx(2.065, abs=0.02)
    assert target[mask].mean() == pytest.approx(0.4268, abs=0.005)
    for split in LABELS:
        rows = np.array(splits) == split
        amounts = np.bincount(mask[rows].sum(axis=1), minlength=9)[1:]
        ideal = np.array(LABELS_A_CLIP[split]) / sum(LABELS_A_CLIP[split]) * rows.sum()
        np.testing.assert_allclose(amounts[: len(ideal)], ideal, atol=1)
        parts = np.array([LABELS[split][tag] for tag in TAGS]).T
        ideal = parts / parts.sum() * mask[rows].sum()
        missing = np.abs(counts(observed, rows) - ideal)
        assert missing.max() <= max(3, 0.1 * ideal.max())
        assert missing.sum() <= 40 + 0.01 * ideal.sum()  # half a label a column is rounding
    short = shortfalls(truth, splits=splits, observed=observed)
    assert sum(each.wanted - each.got for each in short) <= 0.005 * mask.sum() + 2


def test_counts_of_the_official_test_split_are_met_to_the_label(shared: Path) -> None:
    truth, _ = clips(5085)
    splits = ("test",) * 5085
    observed = label(truth, splits=splits, rng=np.random.default_rng(0))
    real = official(shared, "test-labels.csv")
    theirs = np.stack([(real > 0).sum(axis=0), (real < 0).sum(axis=0)])
    assert np.abs(counts(observed, np.arange(5085)) - theirs).sum() <= 10
    mine = np.bincount(observed.labels.mask.sum(axis=1))
    np.testing.assert_array_equal(mine, np.bincount((real != 0).sum(axis=1)))


def test_people_are_a_few_per_cent_wrong_and_sometimes_undecided() -> None:
    truth, _, observed = labelled(6000)
    assert 0.02 < noise(truth, observed) < 0.06
    asked = np.isfinite(observed.relevance)
    undecided = observed.relevance == 0.5
    assert 0.003 < undecided.sum() / asked.sum() < 0.01  # OpenMIC has 0.0064
    assert not observed.labels.mask[undecided].any()
    told = observed.relevance[observed.labels.mask]
    assert (np.abs(told - 0.5) >= 0.25).all()
    assert 0.5 < np.isin(told, (0, 1)).mean() < 0.95
    assert np.bincount(observed.responses[asked]).argmax() == 3
    assert not observed.responses[~asked].any()


def test_what_is_faint_or_short_is_missed_more_often() -> None:
    truth, _, observed = labelled(6000)
    target, mask = observed.labels
    plain = (truth.seconds > 3) & (truth.loudness > -12)
    hard = truth.present & ((truth.seconds < 1.5) | (truth.loudness < -22))
    missed = [(~target & mask & cells).sum() / (mask & cells).sum() for cells in (plain, hard)]
    assert missed[0] < 0.02 < 0.1 < missed[1]


def test_absent_labels_are_where_something_alike_sounds() -> None:
    truth, _, observed = labelled(6000)
    absent = observed.labels.mask & ~observed.labels.target & ~truth.present
    alike = mistakable(truth)
    assert alike[absent].mean() > 1.5 * alike[~truth.present].mean()
    wrong = observed.labels.mask & observed.labels.target & ~truth.present
    assert alike[wrong].mean() > 1.5 * alike[absent].mean()


def test_relevance_can_be_checked_by_the_answers() -> None:
    _, _, observed = labelled(400)
    answers = observed.answers
    assert answers is not None
    for clip, tag in np.argwhere(np.isfinite(observed.relevance)):
        given = answers.given[clip, tag]
        workers = answers.worker[clip, tag][given]
        assert len(set(workers)) == len(workers) == observed.responses[clip, tag]
        trust, yes = answers.trust[workers], answers.yes[clip, tag][given]
        share = trust @ yes / trust.sum()
        if 2 * yes.sum() == len(yes):
            assert observed.relevance[clip, tag] == 0.5
        else:
            winner = max(share, 1 - share)
            expected = 0.5 + np.sign(share - 0.5) * winner / 2
            assert observed.relevance[clip, tag] == pytest.approx(expected, abs=1e-4)


def test_the_same_seed_labels_the_same() -> None:
    truth, splits, first = labelled(500)
    again = label(truth, splits=splits, rng=np.random.default_rng(0))
    other = label(truth, splits=splits, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(first.relevance, again.relevance)
    assert not np.array_equal(first.relevance, other.relevance, equal_nan=True)


def test_a_tag_that_sounds_seldom_is_not_invented() -> None:
    truth, splits = clips(2000)
    banjo = TAGS.index("banjo")
    loudness = truth.loudness.copy()
    loudness[np.flatnonzero(truth.present[:, banjo])[5:], banjo] = -np.inf
    truth = replace(
        truth, loudness=loudness, seconds=np.where(loudness > -np.inf, truth.seconds, 0)
    )
    observed = label(truth, splits=splits, rng=np.random.default_rng(0))
    told = observed.labels.mask & observed.labels.target
    assert told[:, banjo].sum() < 40  # five that are there, and some that people think they hear
    assert told.sum() / observed.labels.mask.sum() == pytest.approx(0.4268, abs=0.005)
    short = shortfalls(truth, splits=splits, observed=observed)
    assert {(each.split, each.tag, each.present) for each in short} >= {
        ("train", "banjo", True),
        ("test", "banjo", True),
    }
    assert all(each.got < each.wanted for each in short)


@pytest.mark.parametrize("number", [1, 2, 5, 20])
@pytest.mark.parametrize("sounding", [0.0, 0.1, 1.0])
def test_few_clips_and_strange_ones_have_labels_all_the_same(number: int, sounding: float) -> None:
    plays = np.random.default_rng(0).random((number, len(TAGS))) < sounding
    truth = Truth(make_keys(number), TAGS, plays * 9.0, np.where(plays, -3.0, -np.inf))
    observed = label(truth, splits=("train",) * number, rng=np.random.default_rng(0))
    assert observed.labels.mask.any(axis=1).all()


def test_complete_labels_are_the_truth() -> None:
    truth, _ = clips(100)
    observed = complete(truth)
    assert observed.labels.mask.all()
    np.testing.assert_array_equal(observed.labels.target, truth.present)
    assert noise(truth, observed) == 0


def test_what_can_t_be_labelled() -> None:
    truth, splits = clips(10)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="10 clips, but 9 splits"):
        label(truth, splits=splits[:9], rng=rng)
    with pytest.raises(ValueError, match="train or test, got 'valid'"):
        label(truth, splits=("valid",) * 10, rng=rng)
    with pytest.raises(ValueError, match="'zither' is no tag of OpenMIC"):
        label(replace(truth, tags=("zither", *TAGS[1:])), splits=splits, rng=rng)


def test_pairs_are_tags_in_order() -> None:
    assert all(one < other and {one, other} <= {*TAGS} for one, other in ALIKE)
    assert all(0 < weight <= 1 for weight in ALIKE.values())
    assert {tag for pair in ALIKE for tag in pair} == {*TAGS}


@pytest.mark.parametrize("seed", range(5))
def test_quotas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, 50, 12)
    shares = share_out(997, parts)
    assert shares.sum() == 997
    assert (np.abs(shares - 997 * parts / parts.sum()) < 1).all()
    want, most = rng.integers(0, 50, (2, 2, 6))
    got = fit(want, most)
    assert (got <= most).all()
    assert got.sum() == min(want.sum(), most.sum())
    said = rng.integers(0, 3, (60, 6))
    amount = rng.integers(0, 4, 60)
    some = choose(np.ones((60, 6)), said=said, amount=amount, want=want, rng=rng)
    assert not some[said == 2].any()
    np.testing.assert_array_equal(some.sum(axis=1), np.minimum(amount, (said < 2).sum(axis=1)))


def test_the_heavier_is_chosen_more_often() -> None:
    rng = np.random.default_rng(0)
    weight = np.where(np.arange(1000) < 500, 3.0, 1.0)[:, None] * np.ones((1, 4))
    zeros = np.zeros((1000, 4), dtype=np.int64)
    column = np.broadcast_to(np.array([0, 0, 1, 1]), (1000, 4))
    weight[:, 2:] = weight[::-1, 2:]  # what is heavy in the one half is light in the other
    some = choose(
        weight,
        said=column + zeros,
        amount=np.ones(1000, dtype=np.int64),
        want=np.array([[250, 250, 0, 0], [0, 0, 250, 250]]),
        rng=rng,
    )
    np.testing.assert_array_equal(some.sum(axis=0), 250)
    assert some[:500, :2].sum() == pytest.approx(375, abs=40)
