"""Noise computed from a generator of random numbers: nothing in them is music."""

from collections.abc import Callable, Mapping

import numpy as np

RATE = 32_000
Make = Callable[[int, np.random.Generator], np.ndarray]


def coloured(power: float, low: float = 20, high: float = 16_000) -> Make:
    """Noise whose power goes as frequency**power between two frequencies in Hz.

    0 is white, -1 pink, -2 brown, 2 violet.
    """

    def make(samples: int, rng: np.random.Generator) -> np.ndarray:
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        frequency = np.fft.rfftfreq(samples, 1 / RATE)
        inside = (frequency >= low) & (frequency <= high)
        return _scaled(np.fft.irfft(spectrum * np.where(inside, (frequency + 1) ** (power / 2), 0)))

    return make


def hum(mains: float) -> Make:
    """Mains hum, `mains` in Hz, with harmonics of drawn strength over faint hiss."""

    def make(samples: int, rng: np.random.Generator) -> np.ndarray:
        time = np.arange(samples) / RATE
        sound = 0.02 * rng.standard_normal(samples)
        for harmonic in range(1, 13):
            strength = rng.uniform(0.1, 1) / harmonic
            phase = rng.uniform(0, 2 * np.pi)
            sound += strength * np.sin(2 * np.pi * mains * harmonic * time + phase)
        return _scaled(sound)

    return make


def bursts(a_second: float, lasts: float, *, low: float, high: float, hiss: float) -> Make:
    """Decaying bursts of noise at drawn times over hiss: crackle, clicks or patter.

    a_second: how many; lasts: the seconds in which one falls to 1/e; low, high: its band in Hz.
    """
    burst = coloured(0, low, high)

    def make(samples: int, rng: np.random.Generator) -> np.ndarray:
        sound = hiss * rng.standard_normal(samples)
        long = int(6 * lasts * RATE) + 8
        fall = np.exp(-np.arange(long) / (lasts * RATE))
        bank = [burst(4 * long, rng)[:long] * fall for _ in range(50)]
        for _ in range(rng.poisson(a_second * samples / RATE)):
            place = rng.integers(samples - long)
            sound[place : place + long] += rng.exponential() * bank[rng.integers(len(bank))]
        return _scaled(sound)

    return make


def _scaled(sound: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    return scaled


MADE: Mapping[str, tuple[str, int, Make]] = {
    "white": ("train", 2, coloured(0)),
    "brown": ("train", 3, coloured(-2)),
    "violet": ("train", 2, coloured(2)),
    "hum 50": ("train", 4, hum(50)),
    "crackle": ("train", 4, bursts(12, 5e-4, low=200, high=9000, hiss=0.01)),
    "patter": ("train", 4, bursts(150, 6e-3, low=600, high=4000, hiss=0)),
    "pink": ("dev", 2, coloured(-1)),
    "hiss": ("dev", 2, coloured(0.5, 2000)),
    "rumble": ("dev", 2, coloured(-1, 20, 400)),
    "hum 60": ("dev", 2, hum(60)),
    "clicks": ("dev", 2, bursts(2, 1e-3, low=1000, high=12_000, hiss=0.002)),
    "taps": ("dev", 2, bursts(25, 9e-3, low=900, high=3000, hiss=0.01)),
}
"""Name: split, minutes and maker of each; no kind of noise is in both splits."""
