"""Log-mel spectrograms: what the networks look at, in numpy and scipy.

A Fourier transform in float32 loses what is 120 dB below the loudest of a frame, and a mel that
goes by the logarithm shows it. So a level that reaches down to 1e-10 is calculated in float64; one
that ends at 1e-5, where there is little left to be lost, in float32, which takes half the time.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from timbretree.fourier import transform

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]
Floats = NDArray[np.floating]

BLOCK = 64
"""Frames at a time: what they need stays in the processor's cache."""
MOMENT = 32
"""Frames that both networks merge into one by their strides: the finest that they tell apart."""
GROUP = 16
"""Mel bands at a time: those beside each other share Fourier bins, the others need not be asked."""


@dataclass(frozen=True)
class MelSpec:
    """How sound is turned into a picture: frames in time, mel bands in pitch, level in shades."""

    rate: int
    """Samples per second, in Hz."""
    n_fft: int
    """Samples per Fourier transform."""
    window: int
    """Samples under the Hann window, at the middle of ``n_fft``."""
    hop: int
    """Samples from one frame to the next."""
    mels: int
    """Number of mel bands."""
    low: float
    """Lower edge of the lowest band, in Hz."""
    high: float
    """Upper edge of the highest band, in Hz."""
    scale: Literal["slaney", "kaldi"]
    """slaney: linear below 1 kHz, each filter of equal area. kaldi: 1127 ln(1 + f / 700), each
    filter of peak 1, triangular in mel, without the last Fourier bin."""
    level: Literal["decibel", "scaled-ln"]
    """decibel: 10 log10(max(power, 1e-10)). scaled-ln: (ln(power + 1e-5) + 4.5) / 5."""
    periodic: bool = True
    """Whether the Hann window is periodic or symmetric."""
    preemphasis: float = 0.0
    """a in sample[t + 1] - a * sample[t]; 0 leaves the samples as they are."""

    def frames(self, samples: int) -> int:
        """How many frames so many samples give: centred frames, so one more than whole hops."""
        return 1 + (samples - (self.preemphasis != 0)) // self.hop

    @property
    def shortest(self) -> int:
        """The fewest samples that can be looked at: reflection at the edges needs them."""
        return self.n_fft // 2 + 2


CNN14_16K = MelSpec(16000, 512, 512, 160, 64, 50.0, 8000.0, "slaney", "decibel")
"""PANNs Cnn14_16k, which is the paper's (section 4.2): 10 s give 1001 frames of 64 bands."""
MN04 = MelSpec(32000, 1024, 800, 320, 128, 0.0, 15000.0, "kaldi", "scaled-ln", False, 0.97)
"""EfficientAT mn04: 10 s give 1000 frames of 128 bands."""
PRESETS = {"cnn14_16k": CNN14_16K, "mn04": MN04}


def log_mel(samples: Array, spec: MelSpec) -> Array:
    """The log-mel spectrogram of one mono recording.

    ``samples`` is (T,) at ``spec.rate``; the answer is (frames, mels), float32. Raises ValueError
    for fewer than ``spec.shortest`` samples or another shape.
    """
    if samples.ndim != 1 or len(samples) < spec.shortest:
        raise ValueError(
            f"log_mel expects mono samples (T,), T >= {spec.shortest}, got shape {samples.shape}"
        )
    frames = _frames(samples, spec)
    window, groups = _tables(spec)
    block = np.zeros((BLOCK, spec.n_fft), window.dtype)
    power = np.zeros((len(frames), spec.mels), window.dtype)
    to_spectrum = transform()
    for start in range(0, len(frames), BLOCK):
        some = frames[start : start + BLOCK]
        # where the window stands in the transform does not change the power
        np.multiply(some, window, out=block[: len(some), : spec.window])
        parts = to_spectrum(block[: len(some)]).view(window.dtype)  # real, imaginary, real, ...
        np.square(parts, out=parts)
        for bins, bands, weights in groups:
            np.matmul(parts[:, bins], weights, out=power[start : start + BLOCK, bands])
    return _level(power, spec)


@lru_cache
def hann(spec: MelSpec) -> Numbers:
    """The (window,) Hann window."""
    span = spec.window if spec.periodic else spec.window - 1
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.window) / span))


@lru_cache
def filters(spec: MelSpec) -> Numbers:
    """The (n_fft // 2 + 1, mels) matrix from power per Fourier bin to power per mel band."""
    bins = np.arange(spec.n_fft // 2 + 1) * spec.rate / spec.n_fft  # Hz
    to_mel = _slaney_mel if spec.scale == "slaney" else _kaldi_mel
    low, high = to_mel(np.array([spec.low, spec.high]))
    edges = np.linspace(low, high, spec.mels + 2)  # mel
    if spec.scale == "slaney":  # triangles in Hz, divided by half their width
        edges = _slaney_hertz(edges)
        triangles = _triangles(bins, edges) * 2 / (edges[2:] - edges[:-2])
    else:  # triangles in mel; Kaldi leaves out the bin at half the sampling rate
        triangles = _triangles(to_mel(bins), edges)
        triangles[-1] = 0
    return triangles


def _precision(spec: MelSpec) -> type[np.floating]:
    return np.float32 if spec.level == "scaled-ln" else np.float64


def _frames(samples: Array, spec: MelSpec) -> Floats:
    """(frames, window): what is under the window of each frame, without a copy of any."""
    half, precision = spec.n_fft // 2, _precision(spec)
    padded = np.empty(len(samples) - (spec.preemphasis != 0) + 2 * half, precision)
    wave = padded[half:-half]
    if spec.preemphasis:
        # s[t + 1] - a s[t], in an order in which a deep bass leaves no rounding behind
        np.subtract(samples[1:], samples[:-1], out=wave, dtype=precision)
        wave += precision(1 - spec.preemphasis) * samples[:-1]
    else:
        wave[:] = samples
    padded[:half] = wave[half:0:-1]  # mirrored at both ends
    padded[-half:] = wave[-2 : -half - 2 : -1]
    side = (spec.n_fft - spec.window) // 2
    return sliding_window_view(padded, spec.n_fft)[:: spec.hop, side : side + spec.window]


@lru_cache
def _tables(spec: MelSpec) -> tuple[Floats, list[tuple[slice, slice, Floats]]]:
    """The window; and of each group of mel bands, the parts of the spectrum (two a bin) that it
    hears, which bands they are, and the matrix from the one to the other."""
    precision, matrix, groups = _precision(spec), filters(spec), []
    for first in range(0, spec.mels, GROUP):
        bands = slice(first, first + GROUP)
        heard = np.flatnonzero(matrix[:, bands].any(axis=1))
        if len(heard):
            low, high = heard[0], heard[-1] + 1
            weights = np.repeat(matrix[low:high, bands], 2, axis=0).astype(precision)
            groups.append((slice(2 * low, 2 * high), bands, weights))
    return hann(spec).astype(precision), groups


def _triangles(points: Numbers, edges: Numbers) -> Numbers:
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (points[:, None] - left) / (centre - left)
    falling = (right - points[:, None]) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def _kaldi_mel(hertz: Numbers) -> Numbers:
    return 1127.0 * np.log1p(hertz / 700.0)


# Slaney's Auditory Toolbox (1998): 200/3 Hz a mel up to 1 kHz, then 27 mels for each factor of 6.4
_BREAK_HERTZ, _BREAK_MEL, _LOG_STEP = 1000.0, 15.0, np.log(6.4) / 27.0


def _slaney_mel(hertz: Numbers) -> Numbers:
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HERTZ) / _BREAK_HERTZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HERTZ, hertz * 3.0 / 200.0, above)


def _slaney_hertz(mel: Numbers) -> Numbers:
    above = _BREAK_HERTZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * 200.0 / 3.0, above)


def _level(power: Floats, spec: MelSpec) -> Array:
    """Power to level, in its place."""
    if spec.level == "decibel":
        np.log10(np.maximum(power, 1e-10, out=power), out=power)
        power *= 10.0
    else:
        power += 1e-5
        np.log(power, out=power)
        power += 4.5
        power /= 5.0
    return power.astype(np.float32, copy=False)
