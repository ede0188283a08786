"""How high a recorded note sounds: from its sound, and from its file's name."""

import re

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

LOW, HIGH = 25.0, 4500.0
"""The pitches looked for, in Hz: a piano has 27.5 to 4,186."""
WINDOW = 0.2
"""Seconds of sound that one estimate is made of."""
CLOSE = 0.9
"""Of all lags, the shortest that fits so nearly as well as the best one is the period."""
LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
NOTE = re.compile(r"(?<![a-z])([a-g])(s|b|#|)(-?[0-9])(?![0-9])")
HERTZ = re.compile(r"(?<![0-9])([0-9]{2,4}\.[0-9]{2,3})(?![0-9])")
KEY = re.compile(r"-([0-9]{2})$")


def measure_pitch(audio: NDArray[np.float32], rate: int) -> tuple[float, float]:
    """The pitch of one note (T,) as a MIDI key with a fraction, and how certain it is, 0 to 1.

    The normalised autocorrelation of McLeod and Wyvill (2005) at several moments after the note is
    loudest; it is certain where the moments agree and the sound repeats itself well.
    """
    size = int(WINDOW * rate)
    if len(audio) < size // 2:
        return 0.0, 0.0
    loudest = int(np.argmax(np.abs(audio)))
    found = []
    for wait in (0.03, 0.12, 0.25):
        first = min(loudest + int(wait * rate), max(len(audio) - size, 0))
        found.append(_period(audio[first : first + size], rate))
    keys = 69 + 12 * np.log2(np.array([rate / period / 440 for period, _ in found]))
    key = float(np.median(keys))
    agree = np.abs(keys - key) < 0.5
    return key, float(np.mean([fits for _, fits in found]) * agree.mean())


def told_pitch(stem: str) -> tuple[float, str] | None:
    """The pitch that a file's name tells, and what of the name comes before it; None = nothing.

    Understands ``Gs3``, ``bb2``, ``261.625`` (Hz) and, at the end, ``-60`` (MIDI key). Octaves are
    counted from C4 = 60; not all makers count so.
    """
    name = stem.lower()
    if found := HERTZ.search(name):
        return 69 + 12 * float(np.log2(float(found[1]) / 440)), name[: found.start()]
    if notes := list(NOTE.finditer(name)):
        letter, sign, octave = notes[-1].groups()
        step = LETTERS[letter] + {"": 0, "s": 1, "#": 1, "b": -1}[sign]
        return float(12 * (int(octave) + 1) + step), name[: notes[-1].start()]
    if found := KEY.search(name):
        return float(found[1]), name[: found.start()]
    return None


def _period(audio: NDArray[np.float32], rate: int) -> tuple[float, float]:
    """The lag in samples after which the sound repeats itself, and how well it does."""
    audio = audio - audio.mean()
    count = len(audio)
    spectrum = rfft(audio, next_fast_len(2 * count, real=True))
    alike = irfft(spectrum * spectrum.conj())[:count]
    power = np.concatenate([[0.0], np.cumsum(audio.astype(np.float64) ** 2)])
    lags = np.arange(min(int(rate / LOW) + 2, count // 2))
    energy = power[count - lags] + power[count] - power[lags]
    fit = 2 * alike[lags] / np.maximum(energy, 1e-9)
    inner = fit[1:-1]
    peaks = np.flatnonzero((inner > fit[:-2]) & (inner >= fit[2:]) & (inner > 0)) + 1
    below = np.flatnonzero(fit < 0)  # the first peak is the sound itself
    peaks = peaks[(peaks >= rate / HIGH) & (peaks > (below[0] if len(below) else count))]
    if not len(peaks):
        return float(rate), 0.0
    best = peaks[fit[peaks] >= CLOSE * fit[peaks].max()][0]
    left, top, right = fit[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float(best + (0.5 * (left - right) / bend if bend else 0)), float(max(top, 0))
