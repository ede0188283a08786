"""Calibration: a map that keeps rankings, learned from observed cells, and three honest answers."""

import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbretree.bands import Bands
from timbretree.calibration import UNTOUCHED, Calibrated, Calibration, calibrate, read_record
from timbretree.labels import Labels, Prediction
from timbretree.metrics import average_precision, calibration_error, roc_auc
from timbretree.taxonomy import Taxonomy

SEEDS = st.integers(0, 999)
TREE = Taxonomy("duo", ("hum", "whistle"), {"all": ("hum", "whistle")})


def draw(
    clips: int, *, seed: int = 0, apart: float = 2.0, share: float = 0.3, tags: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities of some tags (N, K), and whether they play.

    What is heard is normal and ``apart`` standard deviations higher where a tag plays.
    """
    noise = np.random.default_rng(seed)
    target = noise.random((clips, tags)) < share
    heard = noise.normal(size=target.shape) + apart * target
    logits = apart * heard - apart**2 / 2 + np.log(share / (1 - share))
    return 1 / (1 + np.exp(-logits)), target


def distort(truth: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    """What a network says that must be put right by the map (a, b, c); a = b only."""
    assert a == b
    logits = (np.log(truth) - np.log1p(-truth) - c) / a
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def seen(target: np.ndarray) -> Labels:
    return Labels(target, np.ones_like(target))


# --- the map


def test_a_known_distortion_is_undone() -> None:
    truth, target = draw(20_000)
    said = distort(truth, 0.5, 0.5, -0.7)
    found = Calibration.fit(said, seen(target))
    for column in range(3):
        numbers = found.a[column], found.b[column], found.c[column]
        assert numbers == pytest.approx((0.5, 0.5, -0.7), abs=0.1)
    fresh, labels = draw(20_000, seed=1)
    again = distort(fresh, 0.5, 0.5, -0.7)
    np.testing.assert_allclose(found.apply(again), fresh, atol=0.03)
    before = calibration_error(again.ravel(), labels.ravel())
    after = calibration_error(found.apply(again).ravel(), labels.ravel())
    assert after < 0.01 < 0.05 < before


def test_what_is_right_already_stays_nearly_as_it_is() -> None:
    truth, target = draw(20_000)
    found = Calibration.fit(truth, seen(target))
    np.testing.assert_allclose(found.apply(truth), truth, atol=0.03)


@given(SEEDS)
def test_rankings_stay(seed: int) -> None:
    noise = np.random.default_rng(seed)
    said = noise.random((60, 2)).astype(np.float32)
    target = noise.random((60, 2)) < noise.random()  # even where the network is wrong throughout
    put_right = Calibration.fit(said, seen(target)).apply(said)
    assert put_right.dtype == np.float32
    order = np.argsort(said, axis=0)
    assert (np.diff(np.take_along_axis(put_right, order, axis=0), axis=0) > 0).all()
    for column in range(2):
        for measure in (roc_auc, average_precision):
            wanted = measure(said[:, column], target[:, column])
            assert measure(put_right[:, column], target[:, column]) == pytest.approx(
                wanted, abs=1e-12, nan_ok=True
            )


def test_0_and_1_are_no_trouble() -> None:
    ends = np.array([[0.0], [1e-30], [0.5], [np.nextafter(np.float32(1), 0)], [1.0]], np.float32)
    for numbers in ((1.0, 1.0, 0.0), (0.1, 0.1, 3.0), (40.0, 40.0, -9.0)):
        found = Calibration(*((number,) for number in numbers)).apply(ends)
        assert ((found >= 0) & (found <= 1)).all()
        assert (np.diff(found, axis=0) >= 0).all()
    target = np.array([[True], [False], [True], [False], [True]])
    assert np.isfinite(Calibration.fit(ends, seen(target)).apply(ends)).all()


def test_nothing_is_changed_by_an_empty_map_or_the_identity() -> None:
    said = np.random.default_rng(0).random((50, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(UNTOUCHED.apply(said), said)
    np.testing.assert_allclose(Calibration((1, 1), (1, 1), (0, 0)).apply(said), said, atol=1e-6)


@given(SEEDS)
def test_the_order_of_the_clips_and_what_nobody_observed_change_nothing(seed: int) -> None:
    truth, target = draw(80, seed=seed)
    noise = np.random.default_rng(seed)
    mask, weights = noise.random(target.shape) < 0.6, noise.random(80) + 0.1
    rows = noise.permutation(80)
    wanted = calibrate(truth, truth, Labels(target, mask), Labels(target, mask), weights)
    other = np.where(mask, truth, noise.random(truth.shape))[rows]
    labels = Labels((target ^ ~mask)[rows], mask[rows])
    assert calibrate(other, other, labels, labels, weights[rows]) == wanted


def test_a_weight_of_2_is_the_same_clip_twice() -> None:
    truth, target = draw(200)
    said, labels = distort(truth, 2.0, 2.0, 1.0), seen(target)
    twice = np.repeat(np.arange(200), np.where(np.arange(200) < 50, 2, 1))
    one = Calibration.fit(said, labels, weights=np.where(np.arange(200) < 50, 2.0, 1.0))
    other = Calibration.fit(said[twice], seen(target[twice]))
    np.testing.assert_allclose(one.apply(said), other.apply(said), atol=1e-4)


def test_few_labels_move_little_and_one_sided_ones_nothing() -> None:
    said = np.linspace(0.02, 0.98, 12, dtype=np.float32)[:, None]
    wrong = said < 0.5  # the very opposite of what is said, in 12 cells
    for cells, most in ((2, 0.3), (12, 0.7)):
        rows = np.r_[: cells // 2, 12 - cells // 2 : 12]
        moved = Calibration.fit(said[rows], seen(wrong[rows])).apply(said) - said
        assert 0.02 < np.abs(moved).max() < most
    for target in (np.zeros((12, 1), bool), np.ones((12, 1), bool)):
        np.testing.assert_allclose(Calibration.fit(said, seen(target)).apply(said), said, atol=1e-6)
    nothing = Labels(wrong, np.zeros_like(wrong))
    assert Calibration.fit(said, nothing) == Calibration((1,), (1,), (0,))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (((1,), (1,), (0, 0)), "got 1, 1 and 2"),
        (((0,), (1,), (0,)), "above 0"),
        (((1,), (-1,), (0,)), "above 0"),
        (((1,), (1,), (float("nan"),)), "finite"),
        (((float("inf"),), (1,), (0,)), "finite"),
    ],
)
def test_numbers_that_are_no_map_are_refused(numbers: tuple[tuple[float, ...]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Calibration(*numbers)


def test_arrays_that_do_not_fit_each_other_are_refused() -> None:
    truth, target = draw(10)
    with pytest.raises(ValueError, match=r"one shape, \(clips, tags\)"):
        Calibration.fit(truth[:9], seen(target))
    for weights in (np.ones(9), np.zeros(10), np.ones((10, 3))):
        with pytest.raises(ValueError, match="10 clips have a weight above 0 each"):
            Bands.choose(truth, seen(target), weights=weights)


# --- the three answers


@pytest.mark.parametrize("apart", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("clips", [300, 3000])
def test_the_answers_keep_their_promises_on_fresh_clips(apart: float, clips: int) -> None:
    truth, target = draw(clips, apart=apart)
    found = calibrate(*(distort(truth, 0.5, 0.5, -0.7),) * 2, *(seen(target),) * 2)
    fresh, plays = draw(40_000, seed=1, apart=apart)
    present, unsure = found.tag_bands.read(
        found.tag_calibration.apply(distort(fresh, 0.5, 0.5, -0.7))
    )
    absent = ~present & ~unsure
    for tag in range(3):
        claims, missed = present[:, tag], (absent & plays)[:, tag].sum() / plays[:, tag].sum()
        if claims.sum() > 100:
            assert plays[claims, tag].mean() > 0.77
        assert missed < 0.12 or found.tag_absent_below[tag] == pytest.approx(0.1)
    assert found.group_thresholds == found.tag_thresholds


def test_what_is_told_well_is_never_unsure_and_what_is_told_badly_often() -> None:
    for apart, share in ((4.0, (0.0, 0.01)), (1.0, (0.4, 0.9))):
        truth, target = draw(3000, apart=apart)
        bands = Bands.choose(truth, seen(target))
        unsure = bands.read(truth)[1]
        assert share[0] <= unsure.mean() <= share[1]
        for low, high in zip(bands.absent_below, bands.present_from, strict=True):
            assert 0.1 <= low <= high
            assert high >= 0.5


def test_where_no_more_can_be_told_the_bands_are_those_of_calibrated_numbers() -> None:
    said = np.array([[0.9], [0.8], [0.2], [0.1]])
    for target in ([1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]):
        labels = seen(np.array(target, bool)[:, None])
        assert Bands.choose(said, labels) == ((0.8,), (0.1,))
    assert Bands.choose(said, Labels(said > 0, said < 0)) == ((0.8,), (0.1,))


@given(SEEDS, st.integers(1, 3))
def test_a_few_lucky_cells_decide_nothing(seed: int, lucky: int) -> None:
    noise = np.random.default_rng(seed)
    said = np.linspace(0.99, 0.01, 400)[:, None]
    target = noise.random((400, 1)) < 0.3  # what is said says nothing at all
    target[:lucky], target[lucky] = True, False
    assert Bands.choose(said, seen(target)).present_from >= (0.8,)


def test_bands_by_hand() -> None:
    bands = Bands((0.6, 0.5), (0.2, 0.5))
    present, unsure = bands.read(np.array([[0.6, 0.5], [0.59, 0.49], [0.2, 0.2], [0.19, 0.1]]))
    assert present.tolist() == [[True, True], [False, False], [False, False], [False, False]]
    assert unsure.tolist() == [[False, False], [True, False], [True, False], [False, False]]
    # 30 that play above 30 that do not: one threshold, halfway
    said = np.concatenate([np.linspace(0.7, 0.99, 30), np.linspace(0.01, 0.4, 30)])[:, None]
    found = Bands.choose(said, seen(said > 0.5))
    assert found == ((pytest.approx(0.55),), (pytest.approx(0.55),))


# --- both levels


def test_calibrated_is_what_checkpoints_and_model_files_hold() -> None:
    truth, target = draw(100, tags=2)
    labels, together = seen(target), seen(target.any(axis=1, keepdims=True))
    found = calibrate(truth, truth.max(axis=1, keepdims=True), labels, together)
    found.check(TREE)
    assert (len(found.tag_thresholds), len(found.group_thresholds)) == (2, 1)
    assert Calibrated.of(found) == found
    plain = json.loads(
        json.dumps(
            {
                name: dataclasses.asdict(value) if isinstance(value, Calibration) else value
                for name, value in found._asdict().items()
            }
        )
    )
    assert Calibrated(*found[:2], **read_record(plain)) == found


def test_the_attention_is_not_calibrated() -> None:
    numbers = Calibration((2.0, 2.0), (2.0, 2.0), (0.0, 0.0))
    look = np.full((1, 2, 1), 0.5, np.float32)
    said = Prediction(np.full((1, 2), 0.8, np.float32), np.full((1, 1), 0.8, np.float32), look)
    found = Calibrated((0.5, 0.5), (0.5,), tag_calibration=numbers).correct(said)
    assert found.attention is look
    np.testing.assert_allclose(found.fine, 16 / 17, rtol=1e-6)
    np.testing.assert_array_equal(found.coarse, said.coarse)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tag_absent_below": (0.1,)}, "2 tags but there are 1 numbers in absent_below"),
        ({"tag_absent_below": (0.1, 0.6)}, "whistle is absent below 0.6"),
        ({"group_absent_below": (-0.1,)}, "all is absent below -0.1"),
        ({"group_absent_below": (float("nan"),)}, "all is absent below nan"),
        ({"tag_thresholds": (0.5,)}, "2 tags but there are 1 thresholds"),
        ({"group_calibration": Calibration((1, 1), (1, 1), (0, 0))}, "1 groups but 2 are calib"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], said: str) -> None:
    good = Calibrated((0.5, 0.5), (0.5,))
    good.check(TREE)
    with pytest.raises(ValueError, match=re.escape(said)):
        good._replace(**change).check(TREE)
