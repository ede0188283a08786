"""The metrics, against scikit-learn and against trying every threshold."""

import math
import warnings
from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from timbretree.metrics import (
    average_precision,
    best_threshold,
    macro,
    per_tag_average_precision,
)

COARSE = st.integers(0, 8).map(lambda eighth: eighth / 8)
"""Scores with many ties, 0 and 1 among them."""
FINE = st.floats(0, 1, width=32)


@st.composite
def ranked(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores of some clips and whether the tag is there."""
    values = draw(st.sampled_from([COARSE, FINE]))
    pairs = draw(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=40))
    score, target = zip(*pairs, strict=True)
    return np.array(score, np.float32), np.array(target)


@settings(deadline=None, max_examples=300)
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


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(2, 30), st.integers(1, 4))
def test_columns_are_scored_over_what_was_heard(seed: int, clips: int, tags: int) -> None:
    noise = np.random.default_rng(seed)
    score = noise.integers(0, 9, (clips, tags)) / 8
    target, mask = noise.random((2, clips, tags)) < 0.5
    found = per_tag_average_precision(score, target, mask)
    assert found.shape == (tags,)
    for tag in range(tags):
        heard = mask[:, tag]
        some = target[heard, tag]
        if some.any() and not some.all():
            wanted = average_precision_score(some, score[heard, tag])
            assert abs(found[tag] - wanted) < 1e-12
        else:
            assert math.isnan(found[tag])
    hidden = per_tag_average_precision(np.where(mask, score, 0.5), target ^ ~mask, mask)
    np.testing.assert_array_equal(hidden, found)


def test_what_can_not_be_scored_is_left_out_of_the_mean() -> None:
    score = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1], [0.5, 0.5, 0.5]])
    target = np.array([[True, True, True], [False, True, False], [True, True, True]])
    mask = np.array([[True, True, False], [True, True, True], [True, True, False]])
    per_tag = per_tag_average_precision(score, target, mask)
    np.testing.assert_array_equal(np.isnan(per_tag), [False, True, True])
    assert macro(per_tag) == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(macro(np.array([np.nan, np.nan])))
        assert math.isnan(macro(np.array([])))
    assert macro(np.array([0.5, np.nan, 1.0])) == 0.75


# --- thresholds


@settings(deadline=None, max_examples=300)
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
