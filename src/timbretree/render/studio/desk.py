"""What a mixing desk does to one sound: equaliser, compressor, drive, chorus, place."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from timbretree.render.music import RATE
from timbretree.render.studio.loudness import Audio

_BLOCK = 64
"""Samples that share a point of a compressor's envelope: 1.5 ms."""


class Band(NamedTuple):
    """A bell of an equaliser: ``gain`` in dB at ``hertz``, ``q`` is how narrow."""

    hertz: float
    gain: float
    q: float


def equalise(audio: Audio, bands: Sequence[Band]) -> Audio:
    """Raise and lower parts of the spectrum; what is below 25 Hz is taken out.

    The bells are those of R. Bristow-Johnson's "Audio EQ cookbook".
    """
    rows = [scipy.signal.butter(2, 25, "highpass", fs=RATE, output="sos")[0]]
    for hertz, gain, q in bands:
        amplitude, angle = 10 ** (gain / 40), 2 * np.pi * hertz / RATE
        alpha = np.sin(angle) / (2 * q)
        up, down, middle = alpha * amplitude, alpha / amplitude, -2 * np.cos(angle)
        rows.append(np.array([1 + up, middle, 1 - up, 1 + down, middle, 1 - down]) / (1 + down))
    return cut(audio, np.array(rows))


def cut(audio: Audio, sections: NDArray[np.float64]) -> Audio:
    """Filter by second-order sections (N, 6), as scipy.signal designs them, in single precision."""
    return np.asarray(scipy.signal.sosfilt(sections.astype(np.float32), audio))


class Compression(NamedTuple):
    """What is above ``threshold`` (dB full scale, peaks) is brought down to 1 / ``ratio``.

    ``attack`` in seconds; it lets go by ``release`` dB a second.
    """

    threshold: float
    ratio: float
    attack: float = 0.005
    release: float = 80.0


def compress(audio: Audio, how: Compression) -> Audio:
    """Make loud moments softer, in both channels alike."""
    frames = audio.shape[1]
    blocks = -(-frames // _BLOCK)
    padded = np.pad(audio, ((0, 0), (0, blocks * _BLOCK - frames)))
    peaks = np.abs(padded).reshape(len(audio), blocks, _BLOCK).max(axis=(0, 2))
    level = 20 * np.log10(np.maximum(peaks.astype(np.float64), 1e-6))
    fall = how.release * _BLOCK / RATE * np.arange(blocks)
    level = np.maximum.accumulate(level + fall) - fall  # falls no faster than the release
    reduction = np.maximum(level - how.threshold, 0.0) * (1 / how.ratio - 1)
    keep = np.exp(-_BLOCK / RATE / how.attack)
    reduction, _ = scipy.signal.lfilter([1 - keep], [1, -keep], reduction, zi=keep * reduction[:1])
    gain = (10 ** (reduction / 20)).astype(np.float32)
    ramp = np.arange(_BLOCK, dtype=np.float32) / _BLOCK
    steps = np.diff(gain, append=gain[-1:])
    curve = gain[:, None] + steps[:, None] * ramp
    return np.asarray(audio * curve.reshape(-1)[:frames])


def drive(audio: Audio, gain: float) -> Audio:
    """Overdrive like a valve: ``gain`` in dB by which peaks go over the bend."""
    peak = float(np.abs(audio).max(initial=0.0))
    if not peak:
        return audio
    bend = peak / 10 ** (gain / 20)
    return np.asarray(np.tanh(audio / bend) * bend)


def delayed(audio: Audio, seconds: NDArray[np.float64]) -> Audio:
    """The same sound later by a delay that changes from sample to sample (T,).

    Between samples a cubic is drawn (Catmull and Rom); beyond the ends the end holds on.
    """
    where = np.arange(audio.shape[1]) - seconds * RATE
    whole = np.floor(where).astype(np.int64)
    part = (where - whole).astype(np.float32)
    out = np.empty_like(audio)
    for channel, result in zip(audio, out, strict=True):
        a, b, c, d = (np.take(channel, whole + step, mode="clip") for step in (-1, 0, 1, 2))
        bend = 2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)
        result[:] = b + 0.5 * part * (c - a + part * bend)
    return out


def sway(frames: int, hertz: float, depth: float, phase: float = 0.0) -> NDArray[np.float64]:
    """A delay in seconds (T,) that swings by ``depth`` to both sides."""
    return np.asarray(depth * np.sin(2 * np.pi * hertz / RATE * np.arange(frames) + phase))


def chorus(audio: Audio, hertz: float, depth: float) -> Audio:
    """Double a sound by a copy 12 ms later that swings in pitch; ``depth`` in seconds."""
    return np.asarray(
        0.8 * audio + 0.6 * delayed(audio, 0.012 + sway(audio.shape[1], hertz, depth))
    )


def place(audio: Audio, pan: float, width: float) -> Audio:
    """Put a sound between left (-1) and right (1); ``width`` 0 makes it a point, 1 leaves it."""
    middle, side = 0.5 * (audio[0] + audio[1]), 0.5 * width * (audio[0] - audio[1])
    angle = (pan + 1) * np.pi / 4
    left, right = float(np.sqrt(2) * np.cos(angle)), float(np.sqrt(2) * np.sin(angle))
    return np.stack([left * (middle + side), right * (middle - side)])
