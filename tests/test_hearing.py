"""Hearing: one long spectrogram, windows at any hop, and what waits for what."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest

from timbretree import Clip, Tagger
from timbretree.hearing import CHUNK, Spectrogram, hear
from timbretree.labels import Prediction
from timbretree.melspec import MOMENT, PRESETS, MelSpec, log_mel
from timbretree.modelfile import SHIPPED, Listened, ModelFile

RATE = 32_000


class Apart(ModelFile):
    """The shipped model, but each window is heard for itself."""

    slides = False


class Counting(ModelFile):
    """The shipped model with other windows; it notes what it is shown and finds nothing."""

    slides = True

    def __init__(self, seconds: float, step: float | None) -> None:
        self.info = dataclasses.replace(Tagger().info, seconds=seconds, step=step)
        self.shown: list[tuple[int, list[list[int]]]] = []

    def listen(
        self, mel: np.ndarray, spans: np.ndarray | None = None, past: np.ndarray | None = None
    ) -> Listened:
        spans = np.array([[0, mel.shape[1]]]) if spans is None else spans
        before = 0 if past is None else past.shape[2] * MOMENT
        assert spans.min() >= 0
        assert spans.max() <= before + mel.shape[1]
        self.shown.append((mel.shape[1], spans.tolist()))
        nothing = [np.zeros((len(spans), count), np.float32) for count in (20, 7)]
        moments = np.zeros((1, 4, math.ceil(mel.shape[1] / MOMENT)), np.float32)
        return Listened(Prediction(*nothing), np.ones((len(spans), 4), np.float32), moments)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def in_blocks(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[start : start + size] for start in range(0, len(samples), size)]


@pytest.mark.parametrize("spec", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("size", [777, 40_000, 10**7])
@pytest.mark.parametrize("samples", [3.0, 5.12, 11.3])
def test_a_stream_has_the_spectrogram_of_the_whole(
    spec: MelSpec, size: int, samples: float
) -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, round(samples * spec.rate)).astype(np.float32)
    sound = Spectrogram(spec)
    for block in in_blocks(wave, size):
        sound.add(block)
    sound.finish(0)
    assert (sound.samples, sound.frames) == (len(wave), spec.frames(len(wave)))
    np.testing.assert_allclose(sound.cut(0, sound.frames), log_mel(wave, spec), atol=1e-5)


def test_what_is_forgotten_leaves_the_rest_where_it_is() -> None:
    spec, wave = PRESETS["mn04"], noise(12)
    wave[:100_000] = 0
    sound = Spectrogram(spec)
    for block in in_blocks(wave, 50_000):
        sound.add(block)
        assert sound.samples / spec.hop - sound.frames <= 50_000 / spec.hop + CHUNK
    sound.forget(200)
    sound.finish(0)
    np.testing.assert_allclose(sound.cut(500, 900), log_mel(wave, spec)[500:900], atol=1e-5)
    assert sound.is_silent(200 * 320, 35_840)
    assert not sound.is_silent(200 * 320, 36_160)


@pytest.mark.parametrize("seconds", [0.2, 4.9, 5.0, 5.1, 12.5, 33.33])
@pytest.mark.parametrize("hop", [None, 0.1, 1.0, 2.5, 3.33, 5.0])
def test_windows_cover_a_recording_at_any_hop(seconds: float, hop: float | None) -> None:
    model = Counting(5.0, 2.5)
    heard = list(hear(model, in_blocks(noise(seconds), 30_000), hop))
    for use, step in (("pooled", 2.5), ("shown", hop or 2.5)):
        spans = [(each.start, each.end) for each in heard if getattr(each, use)]
        assert spans[0][0] == 0
        assert spans[-1][1] == pytest.approx(seconds, abs=1e-4)
        for (start, _), (after, end) in pairwise(spans):
            assert 0 < after - start <= step + 0.011
            assert end - after == pytest.approx(5, abs=1e-9)
    assert all(after.start >= before.start for before, after in pairwise(heard))
    assert max(frames for frames, _ in model.shown) <= 3_100


def test_the_trunk_hears_each_moment_once() -> None:
    def frames(seconds: float, step: float | None, hop: float | None) -> float:
        """Frames that the network sees, for each frame of the recording."""
        model = Counting(seconds, step)
        assert list(hear(model, in_blocks(noise(120), 60_000), hop))
        return sum(frames for frames, _ in model.shown) / 12_000

    for hop in (None, 1.0, 0.1, 5.0):
        assert frames(5.0, 2.5, hop) == 1
    assert frames(10.0, None, None) == 1


def test_windows_that_follow_each_other_are_heard_alone() -> None:
    model = Counting(10.0, None)
    list(hear(model, [noise(35)]))
    assert model.shown == [(1000, [[0, 1000]])] * 4


@pytest.mark.parametrize("hop", [0.5, 1.0, 1.3, 5.0])
@pytest.mark.parametrize("seconds", [8.0, 18.0, 41.7])
def test_a_denser_timeline_changes_nothing_of_the_whole(hop: float, seconds: float) -> None:
    clip = Clip(noise(seconds), RATE)
    clip.samples[: 3 * RATE] = 0
    clip.samples[25 * RATE : 36 * RATE] = 0
    usual, dense = Tagger()(clip), Tagger(hop=hop)(clip)
    for ours, theirs in ((usual.tags, dense.tags), (usual.groups, dense.groups)):
        assert [each.probability for each in ours] == pytest.approx(
            [each.probability for each in theirs], abs=1e-6
        )
    np.testing.assert_allclose(usual.embedding, dense.embedding, atol=1e-5)
    assert len(dense.windows) == pytest.approx((seconds - 5) / hop + 1.5, abs=1)


@pytest.mark.parametrize("step", [2.5, None])
def test_short_ones_are_heard_as_windows_apart(step: float | None) -> None:
    """A window that is alone in its recording is a whole clip to the network."""
    for seconds in (1.0, 5.0):
        one = next(iter(hear(ModelFile(SHIPPED), [noise(seconds)])))
        other = next(iter(hear(Apart(SHIPPED), [noise(seconds)])))
        np.testing.assert_allclose(one.said.fine, other.said.fine, atol=1e-6)


def test_in_pieces_is_heard_nearly_what_is_heard_apart() -> None:
    time = np.arange(20 * RATE) / RATE
    wave = sum(np.sin(2 * np.pi * 220 * n * time) / n for n in range(1, 9)).astype(np.float32)
    wave *= 0.1 * (np.exp(-3 * (time % 0.5)) + 0.1)
    once, apart = (list(hear(kind(SHIPPED), [wave])) for kind in (ModelFile, Apart))
    assert [each.start for each in once] == [each.start for each in apart]
    distance = [np.abs(a.said.fine - b.said.fine) for a, b in zip(once, apart, strict=True)]
    assert 0 < np.mean(distance) < 0.04


@pytest.mark.parametrize("hop", [None, 1.0])
def test_a_window_is_pooled_from_the_moments_of_its_pieces(hop: float | None) -> None:
    """Also where it reaches back into a piece in which nothing else was to be heard."""
    model, wave = ModelFile(SHIPPED), noise(90)
    wave[14 * RATE : 40 * RATE] = 0
    mel = log_mel(wave, PRESETS["mn04"])[None]
    pieces = list(pairwise([0, 1984, 3968, 5952, 7936, 9000]))
    moments = [model.listen(mel[:, a:b], np.array([(0, 500)])).moments for a, b in pieces]
    for window in hear(model, in_blocks(wave, 44_100), hop):
        if window.said is None:
            assert window.start >= 14
            assert window.end <= 40
            continue
        span = np.array([(window.start, window.end)]) * 100
        number, (first, last) = next(
            (number, piece) for number, piece in enumerate(pieces) if span[0, 1] <= piece[1]
        )
        past = np.concatenate(moments[:number], axis=2) if number else None
        wanted = model.listen(mel[:, first:last], span, past)
        np.testing.assert_allclose(window.said.fine, wanted.prediction.fine[0], atol=1e-5)
        np.testing.assert_allclose(window.embedding, wanted.embedding[0], atol=1e-4)


def test_in_silence_nothing_is_heard() -> None:
    wave = noise(60)
    wave[20 * RATE : 50 * RATE] = 0
    for hop in (None, 1.0):
        for window in hear(ModelFile(SHIPPED), in_blocks(wave, 44_100), hop):
            silent = window.start >= 20 and window.end <= 50
            assert (window.said is None, window.embedding is None) == (silent, silent)
