"""What each step towards a faster mel brings: ten seconds of the example, one thread.

    python benchmarks/mel.py [--runs 40]

The variants take turns; told is the least time of all runs. Each is checked against the product's
own mel. Writes mel.json, and the table into docs/speed.md.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

import speed_page
from timbretree.audio import load
from timbretree.melspec import MN04, filters, hann, log_mel

EXAMPLE = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"
Mel = Callable[[np.ndarray], np.ndarray]
Transform = Callable[[np.ndarray], np.ndarray]


def variant(precision: type, block: int | None, group: int, transform: Transform) -> Mel:
    """The mel of mn04 in some precision, so many frames and so many bands at a time."""
    window, matrix = hann(MN04).astype(precision), filters(MN04).astype(precision)
    groups = []
    for first in range(0, MN04.mels, group):
        bands = slice(first, first + group)
        heard = np.flatnonzero(matrix[:, bands].any(axis=1)) if group < MN04.mels else [0, 512]
        bins = slice(heard[0], heard[-1] + 1)
        groups.append((bins, bands, np.ascontiguousarray(matrix[bins, bands])))

    def mel(samples: np.ndarray) -> np.ndarray:
        wave = samples.astype(precision)
        wave = np.pad(wave[1:] - precision(0.97) * wave[:-1], 512, mode="reflect")
        frames = sliding_window_view(wave, 1024)[::320, 112:-112]
        power = np.zeros((len(frames), MN04.mels), precision)
        size = block or len(frames)
        for start in range(0, len(frames), size):
            spectrum = transform(frames[start : start + size] * window)
            loud = spectrum.real**2 + spectrum.imag**2
            for bins, bands, weights in groups:
                power[start : start + size, bands] = loud[:, bins] @ weights
        return ((np.log(power + precision(1e-5)) + precision(4.5)) / precision(5)).astype("f")

    return mel


def by_numpy(frames: np.ndarray) -> np.ndarray:
    """NumPy's transform."""
    return np.fft.rfft(frames, n=MN04.n_fft, axis=1)


def by_scipy(frames: np.ndarray) -> np.ndarray:
    """SciPy's transform."""
    return scipy.fft.rfft(frames, n=MN04.n_fft, axis=1)


VARIANTS: dict[str, Mel] = {
    "as it was: float64, all frames at once": variant(np.float64, None, 128, by_scipy),
    "float32": variant(np.float32, None, 128, by_scipy),
    "float32, 64 frames at a time": variant(np.float32, 64, 128, by_scipy),
    "and 16 bands at a time": variant(np.float32, 64, 16, by_scipy),
    "the same by NumPy's transform": variant(np.float32, 64, 16, by_numpy),
    "timbretree: and as little as possible copied": lambda samples: log_mel(samples, MN04),
}


def main() -> None:
    """Read the arguments, take turns, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    asked = parser.parse_args()
    samples = load(EXAMPLE, rate=MN04.rate).samples[: 10 * MN04.rate]
    least = dict.fromkeys(VARIANTS, np.inf)
    for _ in range(asked.runs):
        for name, mel in VARIANTS.items():
            began = time.process_time()
            heard = mel(samples)
            least[name] = min(least[name], time.process_time() - began)
            assert np.abs(heard - log_mel(samples, MN04)).max() < 1e-4, name
    figures = {name: round(1000 * seconds, 2) for name, seconds in least.items()}
    (Path(__file__).with_suffix(".json")).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    speed_page.fill()
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
