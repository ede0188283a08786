"""The metrics, against scikit-learn and against counting by hand."""

import math
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from conftest import trees
from timbretree.heads import HEADS
from timbretree.metrics import (
    average_precision,
    best_threshold,
    calibration_error,
    f1_both,
    f1_present,
    hierarchical_f,
    macro,
    per_tag,
    reliability,
    roc_auc,
    violations,
)
from timbretree.taxonomy import Taxonomy

COARSE = st.integers(0, 8).map(lambda eighth: eighth / 8)
"""Scores with many ties, 0 and 1 among them."""
FINE = st.floats(0, 1, width=32)
EDGES = st.integers(0, 15).map(lambda edge: edge / 15)
"""Scores on the borders of the bins of the calibration error."""


@st.composite
def ranked(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores of some clips and whether the tag is there."""
    values = draw(st.sampled_from([COARSE, FINE]))
    pairs = draw(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=40))
    score, target = zip(*pairs, strict=True)
    return np.array(score, np.float32), np.array(target)


def f1_of_both(target: np.ndarray, claimed: np.ndarray) -> float:
    """scikit-learn's F1 of present and of absent, and their mean."""
    return f1_score(target, claimed, labels=[False, True], average="macro", zero_division=0)


def f1_of_present(target: np.ndarray, claimed: np.ndarray) -> float:
    return f1_score(target, claimed, zero_division=0)


# --- ranking


@settings(max_examples=300)
@given(ranked())
def test_average_precision_is_that_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    score, target = pair
    found = average_precision(score, target)
    if target.all() or not target.any():
        assert math.isnan(found)
    else:
        assert abs(found - average_precision_score(target, score)) < 1e-12


def test_average_precision_by_hand() -> None:
    score = np.array([0.9, 0.8, 0.8, 0.1])
    # the tie holds one of two: 1/1 for the first, then 2/3 for the second
    assert average_precision(score, np.array([True, True, False, False])) == (1 + 2 / 3) / 2
    assert average_precision(score, np.array([False, False, False, True])) == 1 / 4


@settings(max_examples=300)
@given(ranked())
def test_roc_auc_counts_the_pairs_ranked_right(pair: tuple[np.ndarray, np.ndarray]) -> None:
    score, target = pair
    found = roc_auc(score, target)
    won = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in score[target]
        for low in score[~target]
    ]
    if not won:
        assert math.isnan(found)
    else:
        assert abs(found - sum(won) / len(won)) < 1e-12
        assert abs(found - roc_auc_score(target, score.astype(float))) < 1e-12


# --- F1


@settings(max_examples=300)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_f1_is_that_of_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    claimed, target = np.array(pairs).T
    assert abs(f1_present(claimed, target) - f1_of_present(target, claimed)) < 1e-12
    assert abs(f1_both(claimed, target) - f1_of_both(target, claimed)) < 1e-12


def test_f1_by_hand() -> None:
    claimed = np.array([True, True, False, False, False])
    target = np.array([True, False, True, False, False])
    assert f1_present(claimed, target) == 2 / 4
    assert f1_both(claimed, target) == (2 / 4 + 4 / 6) / 2


# --- many tags

MEASURES: list[tuple[Callable[..., float], Callable[..., float]]] = [
    (roc_auc, roc_auc_score),
    (average_precision, average_precision_score),
    (f1_present, f1_of_present),
    (f1_both, f1_of_both),
]


@pytest.mark.parametrize(("ours", "theirs"), MEASURES)
@given(seed=st.integers(0, 999), clips=st.integers(1, 30), tags=st.integers(1, 4))
def test_columns_are_scored_over_what_was_heard(
    ours: Callable[..., float], theirs: Callable[..., float], seed: int, clips: int, tags: int
) -> None:
    noise = np.random.default_rng(seed)
    score = noise.integers(0, 9, (clips, tags)) / 8
    if ours in (f1_present, f1_both):
        score = score >= 0.5
    target, mask = noise.random((2, clips, tags)) < 0.5
    found = per_tag(ours, score, target, mask)
    assert found.shape == (tags,)
    for tag in range(tags):
        heard = mask[:, tag]
        some = target[heard, tag]
        if some.any() and not some.all():
            assert abs(found[tag] - theirs(some, score[heard, tag])) < 1e-12
        else:
            assert math.isnan(found[tag])
    other = np.where(mask, score, 1 - score).astype(score.dtype)
    np.testing.assert_array_equal(per_tag(ours, other, target ^ ~mask, mask), found)


def test_what_can_not_be_scored_is_left_out_of_the_mean() -> None:
    score = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1], [0.5, 0.5, 0.5]])
    target = np.array([[True, True, True], [False, True, False], [True, True, True]])
    mask = np.array([[True, True, False], [True, True, True], [True, True, False]])
    for measure in (average_precision, roc_auc, calibration_error):
        by_tag = per_tag(measure, score, target, mask)
        np.testing.assert_array_equal(np.isnan(by_tag), [False, True, True])
    for measure in (f1_present, f1_both):
        by_tag = per_tag(measure, score > 0.3, target, mask)
        np.testing.assert_array_equal(np.isnan(by_tag), [False, True, True])
        assert macro(by_tag) == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(macro(np.array([np.nan, np.nan])))
        assert math.isnan(macro(np.array([])))
    assert macro(np.array([0.5, np.nan, 1.0])) == 0.75


# --- the tree


def closure(tree: Taxonomy) -> tuple[list[str], np.ndarray]:
    """All nodes, and (M, M): which is which or lies above it."""
    names = [*tree.tags, *tree.groups]
    lines = [{name, *tree.path(name)} for name in names]
    return names, np.array([[name in line for name in names] for line in lines])


@settings(max_examples=200)
@given(trees(), st.integers(0, 999), st.integers(1, 5), st.sampled_from([0.1, 0.5, 0.9]))
def test_hierarchical_f_is_that_of_extended_sets(
    tree: Taxonomy, seed: int, clips: int, density: float
) -> None:
    names, above = closure(tree)
    noise = np.random.default_rng(seed)
    claimed, target, mask = noise.random((3, clips, len(names))) < density
    found = hierarchical_f(claimed, target, mask, above=above)
    hits = said = there = 0
    for clip in range(clips):
        heard = {name for name, known in zip(names, mask[clip], strict=True) if known}

        def extend(cells: np.ndarray, heard: set[str] = heard) -> set[str]:
            told = {name for name, true in zip(names, cells, strict=True) if true} & heard
            return {node for name in told for node in (name, *tree.path(name))} & heard

        ours, theirs = extend(claimed[clip]), extend(target[clip])
        hits, said, there = hits + len(ours & theirs), said + len(ours), there + len(theirs)
    assert found.precision == pytest.approx(hits / said if said else math.nan, nan_ok=True)
    assert found.recall == pytest.approx(hits / there if there else math.nan, nan_ok=True)
    harmonic = 2 * hits / (said + there) if there else math.nan
    assert found.f1 == pytest.approx(harmonic, nan_ok=True)
    other = hierarchical_f(claimed ^ ~mask, target ^ ~mask, mask, above=above)
    np.testing.assert_array_equal(other, found)


def test_a_wrong_tag_of_the_right_family_costs_less() -> None:
    tree = Taxonomy("t", ("flute", "oboe", "tuba"), {"wood": ("flute", "oboe"), "brass": ("tuba",)})
    names, above = closure(tree)
    flute = np.array([[name == "flute" for name in names]])
    heard = np.ones_like(flute)
    for wrong, share in (("flute", 1.0), ("oboe", 0.5), ("tuba", 0.0)):
        claimed = np.array([[name == wrong for name in names]])
        assert hierarchical_f(claimed, flute, heard, above=above) == (share, share, share)
    silent = hierarchical_f(np.zeros_like(flute), flute, heard, above=above)
    assert math.isnan(silent.precision)
    assert silent[1:] == (0.0, 0.0)
    absent = hierarchical_f(flute, np.zeros_like(flute), heard, above=above)
    assert absent.precision == 0.0
    assert math.isnan(absent.recall)
    assert math.isnan(absent.f1)


@given(trees(), st.integers(0, 999), st.integers(1, 6))
def test_violations_are_children_above_their_parents(tree: Taxonomy, seed: int, clips: int) -> None:
    names, _ = closure(tree)
    noise = np.random.default_rng(seed)
    probability = noise.integers(0, 5, (clips, len(names))) / 4
    claimed = probability > 0.3
    child, parent = tree.edges.T
    pairs = [
        (row[names.index(low)], row[names.index(high)])
        for row in probability
        for low, high in tree.parents.items()
    ]
    louder = [low > high for low, high in pairs]
    alone = [low > 0.3 and not high > 0.3 for low, high in pairs]
    found = violations(probability[:, child], probability[:, parent])
    assert found == pytest.approx(sum(louder) / len(pairs))
    found = violations(claimed[:, child], claimed[:, parent])
    assert found == pytest.approx(sum(alone) / len(pairs))


@pytest.mark.parametrize("name", ["gmp", "topdown", "mcm"])
def test_heads_that_can_not_contradict_themselves_have_no_violations(name: str) -> None:
    tree = Taxonomy.load("hornbostel_sachs")
    torch.manual_seed(0)
    with torch.inference_mode():
        said = HEADS[name](8, tree)(5 * torch.randn(300, 8))
    nodes = np.hstack([said.fine.numpy(), said.coarse.numpy()])
    child, parent = tree.edges.T
    assert violations(nodes[:, child], nodes[:, parent]) == 0
    assert violations(nodes[:, parent], nodes[:, child]) > 0.1


def test_rounding_is_no_violation() -> None:
    """The mean of 20 equal tags, which is what ResAtt starts from, may come out below them."""
    tag = np.linspace(0, 1, 1001, dtype=np.float32)
    group = np.zeros_like(tag)
    for _ in range(20):
        group = group + np.float32(0.05) * tag
    assert (tag > group).mean() > 0.1  # or this test would show nothing
    assert violations(tag, group) == 0
    assert violations(np.array([0.5001]), np.array([0.5])) == 1
    assert math.isnan(violations(np.zeros((0, 3)), np.zeros((0, 3))))


# --- calibration


@st.composite
def probabilities(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    values = draw(st.sampled_from([FINE, EDGES]))
    pairs = draw(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=40))
    score, target = zip(*pairs, strict=True)
    return np.array(score), np.array(target)


@settings(max_examples=300)
@given(probabilities())
def test_calibration_error_bin_by_bin(pair: tuple[np.ndarray, np.ndarray]) -> None:
    score, target = pair
    found = reliability(score, target)
    error = 0.0
    for place in range(15):
        low, high = place / 15, (place + 1) / 15
        cells = [
            (said, there)
            for said, there in zip(score.tolist(), target.tolist(), strict=True)
            if low <= said < high or (place == 14 and said == 1)
        ]
        assert found.cells[place] == len(cells)
        if not cells:
            assert math.isnan(found.probability[place])
            assert math.isnan(found.present[place])
            continue
        said, present = (sum(each) / len(cells) for each in zip(*cells, strict=True))
        assert found.probability[place] == pytest.approx(said, abs=1e-12)
        assert found.present[place] == pytest.approx(present, abs=1e-12)
        error += len(cells) / len(score) * abs(said - present)
    assert calibration_error(score, target) == pytest.approx(error, abs=1e-12)


def test_calibration_error_by_hand() -> None:
    score = np.array([0.9, 0.9, 0.9, 0.9, 0.1])
    target = np.array([True, True, True, False, False])
    assert calibration_error(score, target) == pytest.approx((4 * 0.15 + 0.1) / 5)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0
    assert calibration_error(np.array([1.0, 0.0]), np.array([False, True])) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(calibration_error(np.array([]), np.array([], bool)))
    assert reliability(np.array([0.6]), np.array([True]), bins=2).cells.tolist() == [0, 1]


# --- thresholds


@settings(max_examples=300)
@given(ranked())
def test_no_threshold_halfway_between_scores_gives_a_better_f1(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    score, target = pair
    assume(target.any())
    exact = score.astype(np.float64)
    steps = np.unique(np.append(exact, 0.0))
    halfway = [(low + high) / 2 for low, high in pairwise(steps)]
    assume(halfway)
    f1 = {middle: f1_score(target, exact >= middle) for middle in halfway}
    chosen = best_threshold(score, target)
    assert isinstance(chosen, float)
    assert f1_score(target, exact >= chosen) >= max(f1.values()) - 1e-12
    if max(f1.values()) > 0:
        equals = [middle for middle in halfway if f1[middle] >= max(f1.values()) - 1e-12]
        assert chosen == max(equals)


def test_thresholds_by_hand() -> None:
    score = np.array([0.9, 0.6, 0.4, 0.1])
    assert best_threshold(score, np.array([True, True, False, False])) == 0.5
    assert best_threshold(score, np.array([True, False, False, False])) == 0.75
    assert best_threshold(score, np.array([False, False, False, True])) == 0.05
    assert best_threshold(score, np.array([True, True, True, True])) == 0.05


def test_a_threshold_parts_scores_that_differ_by_a_hair() -> None:
    """Sure scores are neighbours among float32 numbers, with nothing halfway in float32."""
    high = np.nextafter(np.float32(1), np.float32(0))
    low = np.nextafter(high, np.float32(0))
    score = np.array([1, high, low], np.float32)
    for known in (1, 2):
        chosen = best_threshold(score, np.arange(3) < known)
        np.testing.assert_array_equal(score.astype(float) >= chosen, np.arange(3) < known)
