"""Who learns from what: taking parts, and holding some clips out for validation."""

from pathlib import Path

import numpy as np
import pytest

from timbretree.annotations import AnnotationError, Annotations, hold_out
from timbretree.labels import Labels


def openmic_like(clips: int = 600, tags: int = 5, tests: int = 100) -> Annotations:
    """Sparse labels: each cell seen in a third of the clips; the first clips are for testing."""
    noise = np.random.default_rng(0)
    labels = Labels(*(noise.random((2, clips, tags)) < [[[0.5]], [[0.33]]]))
    splits = ("test",) * tests + ("train",) * (clips - tests)
    files = tuple(Path(f"{number}.wav") for number in range(clips))
    return Annotations(tuple("abcdefgh"[:tags]), files, labels, splits)


def test_taking_some_clips_keeps_what_belongs_together() -> None:
    whole = openmic_like()
    some = whole.take(np.array([150, 7, 7]))
    assert some.files == (Path("150.wav"), Path("7.wav"), Path("7.wav"))
    assert some.splits == ("train", "test", "test")
    np.testing.assert_array_equal(some.labels.target, whole.labels.target[[150, 7, 7]])
    np.testing.assert_array_equal(some.labels.mask, whole.labels.mask[[150, 7, 7]])
    assert len(some) == 3
    assert (len(whole.part("test")), len(whole.part("valid")), len(whole)) == (100, 0, 600)
    assert whole.part("test").files == whole.files[:100]


def test_held_out_clips_are_stratified_over_present_and_absent() -> None:
    whole = openmic_like()
    held = hold_out(whole)
    assert held.splits[:100] == whole.splits[:100]  # what is for testing stays so
    assert (held.files, held.labels) == (whole.files, whole.labels)
    valid = np.array(held.splits) == "valid"
    assert valid[100:].mean() == pytest.approx(0.15, abs=0.01)
    train = np.array(whole.splits) == "train"
    for plays in (True, False):
        cells = (held.labels.target == plays) & held.labels.mask
        share = cells[valid].sum(axis=0) / cells[train].sum(axis=0)
        np.testing.assert_allclose(share, 0.15, atol=0.02)


def test_absent_labels_are_held_out_in_proportion_too() -> None:
    """Stratified on the present labels alone, two of these tags drift by 6 points and more."""
    noise = np.random.default_rng(3)
    target = noise.random((400, 12)) < 0.15
    labels = Labels(target, noise.random((400, 12)) < 0.1)
    files = tuple(Path(str(number)) for number in range(400))
    held = hold_out(Annotations(tuple("abcdefghijkl"), files, labels, ("train",) * 400))
    valid = np.array(held.splits) == "valid"
    absent = ~labels.target & labels.mask
    share = absent[valid].sum(axis=0) / absent.sum(axis=0)
    np.testing.assert_allclose(share, 0.15, atol=0.03)


def test_the_seed_decides() -> None:
    whole = openmic_like()
    assert hold_out(whole, seed=1).splits == hold_out(whole, seed=1).splits
    assert hold_out(whole, seed=1).splits != hold_out(whole, seed=2).splits


def test_another_share_and_clips_that_are_valid_already() -> None:
    whole = openmic_like()
    whole = Annotations(whole.tags, whole.files, whole.labels, ("valid",) * 10 + whole.splits[10:])
    held = hold_out(whole, share=0.3)
    assert held.splits[:100] == whole.splits[:100]
    assert held.splits.count("valid") - 10 == pytest.approx(150, abs=5)


@pytest.mark.parametrize("clips", [0, 1])
def test_too_few_to_hold_any_out(clips: int) -> None:
    with pytest.raises(AnnotationError, match=f"there are {clips} training clips"):
        hold_out(openmic_like(clips=10 + clips, tests=10))
