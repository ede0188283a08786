"""Log-mel spectrograms: what the networks look at, in numpy and scipy.

Calculated in float64: a faint band beside a loud one is lost in the rounding of a float32 Fourier
transform, so that two libraries would differ in a mel that goes by the logarithm.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]


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
    wave = samples.astype(np.float64)
    if spec.preemphasis:
        wave = wave[1:] - spec.preemphasis * wave[:-1]
    padded = np.pad(wave, spec.n_fft // 2, mode="reflect")
    frames = sliding_window_view(padded, spec.n_fft)[:: spec.hop]
    side = (spec.n_fft - spec.window) // 2
    # where the window stands in the transform does not change the power
    frames = frames[:, side : side + spec.window] * hann(spec)
    spectrum = scipy.fft.rfft(frames, n=spec.n_fft, axis=1)
    power = spectrum.real**2 + spectrum.imag**2  # (frames, n_fft // 2 + 1)
    return _level(power @ filters(spec), spec)


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


def _triangles(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (points[:, None] - left) / (centre - left)
    falling = (right - points[:, None]) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def _kaldi_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hertz / 700.0)


# Slaney's Auditory Toolbox (1998): 200/3 Hz a mel up to 1 kHz, then 27 mels for each factor of 6.4
_BREAK_HERTZ, _BREAK_MEL, _LOG_STEP = 1000.0, 15.0, np.log(6.4) / 27.0


def _slaney_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HERTZ) / _BREAK_HERTZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HERTZ, hertz * 3.0 / 200.0, above)


def _slaney_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HERTZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * 200.0 / 3.0, above)


def _level(power: Numbers, spec: MelSpec) -> Array:
    if spec.level == "decibel":
        return (10.0 * np.log10(np.maximum(power, 1e-10))).astype(np.float32)
    return ((np.log(power + 1e-5) + 4.5) / 5.0).astype(np.float32)
