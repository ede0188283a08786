"""Decoding a data set: each clip once, never another file's, and no harm from a kill."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbretree import decoding as room
from timbretree.decoding import decode, decode_clips

RATE = 8000
LEVELS = (0.1, 0.2, 0.3, 0.4)
"""Each file is a constant; so it can be told from the others."""


def clip_file(folder: Path, number: int, seconds: float = 0.5) -> Path:
    path = folder / f"{number}.wav"
    samples = np.full(round(RATE * seconds), LEVELS[number], np.float32)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


def decoded(folder: Path, *files: Path, seconds: float = 0.5) -> tuple[np.ndarray, dict[str, str]]:
    return decode_clips(files, folder / "cache" / "audio.npy", rate=RATE, seconds=seconds)


def levels(samples: np.ndarray) -> list[float]:
    """The constant that each row holds."""
    return [round(float(np.median(row)) / 32768, 3) for row in samples]


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


def test_what_was_decoded_before_a_kill_is_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CHUNK", 1)
    files = [clip_file(tmp_path, number) for number in range(3)]
    heard: list[str] = []
    plain = room._beginning

    def watch(file: Path, *rest: int) -> np.ndarray:
        heard.append(file.name)
        if len(heard) == 3:
            raise KeyboardInterrupt
        return plain(file, *rest)

    monkeypatch.setattr(room, "_beginning", watch)
    with pytest.raises(KeyboardInterrupt):
        decoded(tmp_path, *files)
    assert not (tmp_path / "cache" / "audio.npy").exists()
    samples, _ = decoded(tmp_path, *files)
    assert heard == ["0.wav", "1.wav", "2.wav", "2.wav"]
    assert levels(samples) == [0.1, 0.2, 0.3]
    assert sorted(each.name for each in (tmp_path / "cache").iterdir()) == [
        "audio.json",
        "audio.npy",
    ]


def test_what_is_there_stays_until_the_new_one_is_whole(
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
    assert levels(decoded(tmp_path, old)[0]) == [0.1]
    assert levels(decoded(tmp_path, new)[0]) == [0.2]


def test_many_clips_are_decoded_side_by_side(tmp_path: Path) -> None:
    """By processes of their own; each row is still its own file, and a broken one is told."""
    files = [clip_file(tmp_path, number % 4).rename(tmp_path / f"c{number}.wav")
             for number in range(150)]  # fmt: skip
    files[77].write_text("no audio " * 99)
    told: list[tuple[int, int]] = []
    samples, failures = decode_clips(
        files, tmp_path / "audio.npy", rate=RATE, seconds=0.5,
        progress=lambda *done: told.append(done),
    )  # fmt: skip
    assert failures == {str(files[77]): "not_audio"}
    assert levels(samples) == [0.0 if n == 77 else LEVELS[n % 4] for n in range(150)]
    assert told[-1] == (150, 150)
    assert told == sorted(told)


def test_half_a_clip_is_left_out(tmp_path: Path) -> None:
    """What its labels name may have been in the other half."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * 10)
    soundfile.write(tmp_path / "whole.flac", noise, RATE)
    content = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "half.flac").write_bytes(content[: len(content) // 2])
    files = [tmp_path / "whole.flac", tmp_path / "half.flac"]
    _, failures = decoded(tmp_path, *files, seconds=10.0)
    assert list(failures) == [str(files[1])]
    assert failures[str(files[1])] in ("corrupt", "truncated")


def test_a_few_clips_in_memory_are_the_same(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_text("no audio " * 99)
    files = [clip_file(tmp_path, 2), broken, clip_file(tmp_path, 0, 0.2)]
    samples, codes = decode(files, rate=RATE, length=RATE // 2)
    assert codes == [None, "not_audio", None]
    stored, _ = decoded(tmp_path, *files)
    np.testing.assert_allclose(samples, stored / 32768, atol=1e-4)


def test_the_record_appears_whole(tmp_path: Path) -> None:
    decoded(tmp_path, clip_file(tmp_path, 0))
    record = json.loads((tmp_path / "cache" / "audio.json").read_text())
    assert record["notes"] == {}
    assert record["shape"] == [1, RATE // 2]
