"""Batches: always each clip with its own labels, in the order that was asked for."""

from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from timbretree.data import Batch, ClipSet, shuffled
from timbretree.labels import Labels


def numbered(clips: int) -> ClipSet:
    """Clip n sounds as the number n, and its labels are n in binary digits."""
    rows = np.random.default_rng(0).permutation(clips + 5)[:clips]
    samples = np.repeat(np.arange(clips + 5, dtype=np.int16)[:, None], 3, axis=1)
    digits = (rows[:, None] >> np.arange(7)) & 1 == 1
    fine, coarse = Labels(digits, ~digits), Labels(digits[:, :2], digits[:, 2:4])
    return ClipSet(samples, rows, fine, coarse)


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [batch.inputs, *batch.fine, *batch.coarse]


def number_of(batch: Batch) -> list[int]:
    return (batch.inputs[:, 0] * 32768).round().int().tolist()


@given(st.integers(1, 40), st.integers(1, 17), st.none() | st.integers(0, 99))
def test_batches_hold_each_clip_once_with_its_labels(
    clips: int, size: int, seed: int | None
) -> None:
    whole = numbered(clips)
    order = None if seed is None else shuffled(clips, seed=seed)
    batches = list(whole.batches(size, order=order))
    assert [len(batch.inputs) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    found = [number for batch in batches for number in number_of(batch)]
    assert found == whole.rows[slice(None) if order is None else order].tolist()
    for batch in batches:
        assert batch.inputs.dtype == torch.float32
        digits = (np.array(number_of(batch))[:, None] >> np.arange(7)) & 1 == 1
        np.testing.assert_array_equal(batch.fine.target, digits)
        np.testing.assert_array_equal(batch.fine.mask, ~digits)
        np.testing.assert_array_equal(batch.coarse.target, digits[:, :2])
        np.testing.assert_array_equal(batch.coarse.mask, digits[:, 2:4])
        assert batch.fine.target.dtype == torch.bool


def test_the_seed_shuffles() -> None:
    assert sorted(shuffled(30, seed=1).tolist()) == list(range(30))
    np.testing.assert_array_equal(shuffled(30, seed=1), shuffled(30, seed=1))
    assert (shuffled(30, seed=1) != shuffled(30, seed=2)).any()
    assert (shuffled(30, seed=1) != np.arange(30)).any()


def test_processes_that_read_ahead_bring_the_same(tmp_path: Path) -> None:
    whole = numbered(20)
    np.save(tmp_path / "samples.npy", whole.inputs)
    stored = np.load(tmp_path / "samples.npy", mmap_mode="r")
    mapped = ClipSet(stored, whole.rows, whole.fine, whole.coarse)
    order = shuffled(20, seed=3)
    plan = [order[first : first + 6] for first in range(0, 20, 6)]
    for one, other in zip(whole.load(plan), mapped.load(plan, workers=2), strict=True):
        for mine, theirs in zip(tensors(one), tensors(other), strict=True):
            assert torch.equal(mine, theirs)


def test_some_of_the_clips() -> None:
    whole = numbered(9)
    some = whole.take(np.array([8, 0]))
    assert number_of(next(some.batches(9))) == whole.rows[[8, 0]].tolist()
    np.testing.assert_array_equal(some.coarse.mask, whole.coarse.mask[[8, 0]])


def test_embeddings_come_as_they_are() -> None:
    none = Labels(np.zeros((2, 1), bool), np.zeros((2, 1), bool))
    clips = ClipSet(np.array([[1.5, -2.0], [70_000.0, 0.0]], np.float32), np.arange(2), none, none)
    assert next(clips.batches(2)).inputs.tolist() == [[1.5, -2.0], [70_000.0, 0.0]]


def test_samples_are_between_minus_one_and_one() -> None:
    samples = np.array([[-32768, 0, 32767]], np.int16)
    none = Labels(np.zeros((1, 1), bool), np.zeros((1, 1), bool))
    batch = next(ClipSet(samples, np.array([0]), none, none).batches(1))
    assert batch.inputs.tolist() == [[-1.0, 0.0, 32767 / 32768]]


def test_a_batch_moves_whole() -> None:
    batch = next(numbered(3).batches(3)).to("meta")
    assert {each.device.type for each in (batch.inputs, *batch.fine, *batch.coarse)} == {"meta"}
