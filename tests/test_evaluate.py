"""Thresholds from what a network said of the validation clips: of observed cells, tag by tag."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbretree import Clip, Tagger
from timbretree.evaluate import _in_windows, choose_thresholds
from timbretree.labels import Labels
from timbretree.metrics import best_threshold
from timbretree.modelfile import SHIPPED, ModelFile

SEEDS = st.integers(0, 999)


def some(seed: int, clips: int = 30, tags: int = 4) -> tuple[np.ndarray, Labels]:
    """Scores and labels of which a third is observed; the first clip is there for every tag."""
    noise = np.random.default_rng(seed)
    target, mask = noise.random((2, clips, tags)) < [[[0.4]], [[0.33]]]
    target[0], mask[0] = True, True
    return noise.random((clips, tags)), Labels(target, mask)


@given(SEEDS)
def test_each_tag_has_the_best_threshold_of_its_observed_clips(seed: int) -> None:
    score, labels = some(seed)
    wanted = []
    for tag in range(4):
        heard = labels.mask[:, tag]
        wanted.append(best_threshold(score[heard, tag], labels.target[heard, tag]))
    assert choose_thresholds(score, labels) == tuple(wanted)


@given(SEEDS)
def test_what_nobody_observed_moves_no_threshold(seed: int) -> None:
    score, labels = some(seed)
    other = np.where(labels.mask, score, 1 - score)
    elsewhere = Labels(labels.target ^ ~labels.mask, labels.mask)
    assert choose_thresholds(other, elsewhere) == choose_thresholds(score, labels)


def test_where_nothing_is_known_to_play_one_in_a_hundred_may_be_claimed() -> None:
    score = np.random.default_rng(0).permutation(np.arange(1000) / 1000)[:, None]
    labels = Labels(np.zeros((1000, 1), bool), np.ones((1000, 1), bool))
    (threshold,) = choose_thresholds(score, labels)
    assert (score >= threshold).sum() == 10


def test_where_nothing_is_observed_the_threshold_is_a_half() -> None:
    labels = Labels(np.ones((5, 2), bool), np.zeros((5, 2), bool))
    assert choose_thresholds(np.full((5, 2), 0.9), labels) == (0.5, 0.5)
    assert choose_thresholds(np.zeros((0, 1)), Labels(*np.zeros((2, 0, 1), bool))) == (0.5,)


def test_thresholds_are_plain_numbers_that_a_file_can_hold() -> None:
    score, labels = some(3)
    found = choose_thresholds(score.astype(np.float32), labels)
    assert {type(each) for each in found} == {float}
    assert found == pytest.approx(choose_thresholds(score, labels), abs=1e-6)


def test_a_model_file_of_short_windows_is_judged_as_it_tags() -> None:
    file = ModelFile(SHIPPED)
    file.info = replace(file.info, seconds=5.0, step=2.5)
    rng = np.random.default_rng(3)
    clip = (0.1 * rng.normal(size=320_000) * (np.arange(320_000) > 150_000)).astype("f4")
    said = _in_windows(file, clip[None])
    tags = Tagger(file)(Clip(clip, 32_000))
    wanted = [[score.probability for score in level] for level in (tags.tags, tags.groups)]
    np.testing.assert_allclose(said.fine[0], wanted[0], atol=1e-6)
    np.testing.assert_allclose(said.coarse[0], wanted[1], atol=1e-6)
