"""Decoded audio: decoded once, never another file's, and always with its own labels."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timbretree import data as room
from timbretree.annotations import Annotations
from timbretree.data import Batch, ClipSet, clip_set, decode_clips
from timbretree.labels import Labels
from timbretree.taxonomy import Taxonomy

RATE = 8000
LEVELS = (0.1, 0.2, 0.3, 0.4)
"""Each file is a constant; so it can be told from the others."""


def clip_file(folder: Path, number: int, seconds: float = 0.5) -> Path:
    path = folder / f"{number}.wav"
    samples = np.full(round(RATE * seconds), LEVELS[number], np.float32)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


def listed(*files: Path) -> Annotations:
    none = np.zeros((len(files), 1), bool)
    return Annotations(("t",), files, Labels(none, none), ("train",) * len(files))


def decoded(folder: Path, *files: Path, seconds: float = 0.5) -> tuple[np.ndarray, dict[str, str]]:
    cache = folder / "cache" / "audio.npy"
    return decode_clips(listed(*files), cache, rate=RATE, seconds=seconds)


def levels(samples: np.ndarray) -> list[float]:
    """The constant that each row holds."""
    return [round(float(np.median(row)) / 32768, 3) for row in samples]


# --- decoding


def test_each_row_is_its_own_file(tmp_path: Path) -> None:
    files = [clip_file(tmp_path, number) for number in (2, 0, 1)]
    samples, failures = decoded(tmp_path, *files)
    assert (samples.shape, samples.dtype, failures) == ((3, RATE // 2), np.int16, {})
    assert levels(samples) == [0.3, 0.1, 0.2]
    assert [file.name for file in sorted((tmp_path / "cache").iterdir())] == [
        "audio.json",
        "audio.npy",
    ]


def test_long_clips_are_cut_and_short_ones_end_in_silence(tmp_path: Path) -> None:
    files = [clip_file(tmp_path, 0, 0.2), clip_file(tmp_path, 1, 3.0)]
    samples, failures = decoded(tmp_path, *files)
    assert not failures
    assert levels(samples[:, : RATE // 10]) == [0.1, 0.2]
    assert levels(samples[:, -RATE // 10 :]) == [0.0, 0.2]


def test_full_scale_does_not_wrap_around(tmp_path: Path) -> None:
    samples = np.repeat([1.0, -1.0, 1.5, -1.5], RATE // 4)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    row = decoded(tmp_path, tmp_path / "a.wav", seconds=1.0)[0][0].reshape(4, -1)
    assert np.median(row, axis=1).tolist() == [32767, -32768, 32767, -32768]


def test_the_cache_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [clip_file(tmp_path, 0), tmp_path / "missing.wav"]
    first, _ = decoded(tmp_path, *files)
    cache = tmp_path / "cache" / "audio.npy"
    os.utime(cache, (1, 1))

    def never(*_: object) -> None:
        raise AssertionError("it decodes again")

    monkeypatch.setattr(room, "_beginning", never)
    again, failures = decoded(tmp_path, *files)
    np.testing.assert_array_equal(again, first)
    assert failures == {str(tmp_path / "missing.wav"): "missing"}
    assert cache.stat().st_mtime == 1


def test_what_changes_is_decoded_again(tmp_path: Path) -> None:
    files = [clip_file(tmp_path, number) for number in (0, 1)]
    assert levels(decoded(tmp_path, *files)[0]) == [0.1, 0.2]
    # the same size, another content and time
    soundfile.write(files[0], np.full(RATE // 2, 0.4, "f4"), RATE, subtype="FLOAT")
    os.utime(files[0], (5, 5))
    assert levels(decoded(tmp_path, *files)[0]) == [0.4, 0.2]
    assert levels(decoded(tmp_path, *files[::-1])[0]) == [0.2, 0.4]  # another order
    assert levels(decoded(tmp_path, files[1])[0]) == [0.2]  # fewer
    assert decoded(tmp_path, files[1], seconds=0.25)[0].shape == (1, RATE // 4)
    late = clip_file(tmp_path, 2)
    late.unlink()
    assert decoded(tmp_path, late)[1] == {str(late): "missing"}
    assert levels(decoded(tmp_path, clip_file(tmp_path, 2))[0]) == [0.3]


def test_a_broken_file_is_reported_and_silent(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_text("no audio " * 99)
    files = [clip_file(tmp_path, 0), broken, tmp_path / "missing.wav", clip_file(tmp_path, 1)]
    samples, failures = decoded(tmp_path, *files)
    assert failures == {str(broken): "not_audio", str(files[2]): "missing"}
    assert levels(samples) == [0.1, 0.0, 0.0, 0.2]
    assert not samples[1:3].any()


def test_what_breaks_off_in_the_middle_is_never_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = clip_file(tmp_path, 0), clip_file(tmp_path, 1)
    decoded(tmp_path, old)
    with monkeypatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(room, "_beginning", interrupt)
        with pytest.raises(KeyboardInterrupt):
            decoded(tmp_path, new)
        patch.undo()
        patch.setattr(room.json, "dumps", interrupt)  # later still: the samples are written
        with pytest.raises(KeyboardInterrupt):
            decoded(tmp_path, new)
    assert levels(decoded(tmp_path, old)[0]) == [0.1]
    assert levels(decoded(tmp_path, new)[0]) == [0.2]


def test_the_record_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record broken off in the middle would stop every later run."""
    written: list[str] = []
    plain = Path.write_text

    def watch(path: Path, *rest: object) -> int:
        written.append(path.name)
        return plain(path, *rest)

    monkeypatch.setattr(Path, "write_text", watch)
    decoded(tmp_path, clip_file(tmp_path, 0))
    assert written
    assert "audio.json" not in written
    assert json.loads((tmp_path / "cache" / "audio.json").read_text())["failures"] == {}


# --- batches


def numbered(clips: int) -> ClipSet:
    """Clip n sounds as the number n, and its labels are n in binary digits."""
    rows = np.random.default_rng(0).permutation(clips + 5)[:clips]
    samples = np.repeat(np.arange(clips + 5, dtype=np.int16)[:, None], 3, axis=1)
    digits = (rows[:, None] >> np.arange(7)) & 1 == 1
    fine, coarse = Labels(digits, ~digits), Labels(digits[:, :2], digits[:, 2:4])
    return ClipSet(samples, rows, fine, coarse)


def number_of(batch: Batch) -> list[int]:
    return (batch.waveform[:, 0] * 32768).round().int().tolist()


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 17), st.none() | st.integers(0, 99))
def test_batches_hold_each_clip_once_with_its_labels(
    clips: int, size: int, seed: int | None
) -> None:
    whole = numbered(clips)
    batches = list(whole.batches(size, seed=seed))
    assert [len(batch.waveform) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    order = [number for batch in batches for number in number_of(batch)]
    assert sorted(order) == sorted(whole.rows.tolist())
    if seed is None:
        assert order == whole.rows.tolist()
    for batch in batches:
        assert batch.waveform.dtype == torch.float32
        digits = (np.array(number_of(batch))[:, None] >> np.arange(7)) & 1 == 1
        np.testing.assert_array_equal(batch.fine.target, digits)
        np.testing.assert_array_equal(batch.fine.mask, ~digits)
        np.testing.assert_array_equal(batch.coarse.target, digits[:, :2])
        np.testing.assert_array_equal(batch.coarse.mask, digits[:, 2:4])
        assert batch.fine.target.dtype == torch.bool


def test_the_seed_shuffles() -> None:
    def order(seed: int | None) -> list[int]:
        return [n for batch in numbered(30).batches(7, seed=seed) for n in number_of(batch)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != order(None)


def test_samples_are_between_minus_one_and_one() -> None:
    samples = np.array([[-32768, 0, 32767]], np.int16)
    none = Labels(np.zeros((1, 1), bool), np.zeros((1, 1), bool))
    batch = next(ClipSet(samples, np.array([0]), none, none).batches(1))
    assert batch.waveform.tolist() == [[-1.0, 0.0, 32767 / 32768]]


def test_a_batch_moves_whole() -> None:
    batch = next(numbered(3).batches(3)).to("meta")
    assert {each.device.type for each in (batch.waveform, *batch.fine, *batch.coarse)} == {"meta"}


@pytest.mark.parametrize("rule", ["observed-any", "kleene"])
def test_a_clip_set_takes_the_labels_of_its_rows(rule: str) -> None:
    tree = Taxonomy("", ("a", "b", "c"), {"x": ("a", "b"), "y": ("c",)})
    noise = np.random.default_rng(0)
    labels = Labels(*(noise.random((2, 9, 3)) < 0.5))
    files = tuple(Path(str(number)) for number in range(9))
    annotations = Annotations(tree.tags, files, labels, ("train",) * 9)
    rows = np.array([8, 1, 4])
    clips = clip_set(annotations, np.zeros((9, 4), np.int16), tree, rows, rule=rule)
    assert len(clips) == 3
    np.testing.assert_array_equal(clips.fine.target, labels.target[rows])
    lifted = tree.lift(labels, rule)
    np.testing.assert_array_equal(clips.coarse.target, lifted.target[rows])
    np.testing.assert_array_equal(clips.coarse.mask, lifted.mask[rows])
