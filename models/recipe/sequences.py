"""Lines played on recorded single notes, and the level and room of any line."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
import soxr
from numpy.typing import NDArray

from bank import LENGTH, RATE, SECONDS  # isort: skip

Samples = NDArray[np.float32]
CHORDS = {
    "accordion", "banjo", "guitar", "mallet_percussion", "mandolin", "organ", "piano",
    "synthesizer", "ukulele", "violin", "voice",
}  # fmt: skip
"""Instruments that play several notes at once (violins as a section, voices as a choir)."""
UNSURE = {"loop_": "cymbals"}
"""Recordings that may hold another instrument, by a word in their names: whole drum loops."""


@dataclass(frozen=True)
class Note:
    """One recorded note."""

    path: Path
    tag: str
    source: str


def read_notes(folder: Path) -> list[Note]:
    """What the manifest.csv of a folder of recordings lists."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [
            Note(folder / row["file"], row["tag"], row["source"]) for row in csv.DictReader(file)
        ]


@cache
def samples_of(path: Path) -> Samples:
    """The samples of a note."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert (rate, samples.ndim) == (RATE, 1), f"{path}: expected {RATE} Hz mono"
    return samples


def sequence(
    tag: str, notes: list[Note], rng: np.random.Generator, *, seconds: float = SECONDS
) -> tuple[Samples, tuple[str, ...]]:
    """A line of one instrument on notes of one source, and what else may be in it."""
    pool = [notes[i] for i in rng.permutation(len(notes))[: rng.integers(2, 9)]]
    part = np.zeros(LENGTH, np.float32)
    beat = 60 / rng.uniform(60, 150)
    begin = rng.uniform(0, 4) if rng.random() < 0.15 else rng.uniform(0, 0.3)
    end = seconds - (rng.uniform(0, 4) if rng.random() < 0.15 else 0)
    bend = rng.uniform(-1, 1) * (3 if len(notes) < 30 else 1)  # semitones for the whole line
    rests = 0.1 if rng.random() < 0.7 else 0.4
    while begin < end:
        lasts = beat * rng.choice([0.5, 1, 1, 2, 4])
        voices = rng.integers(2, 5) if tag in CHORDS and rng.random() < 0.3 else 1
        if rng.random() > rests:
            for _ in range(voices):
                note = pool[rng.integers(len(pool))]
                _strike(part, samples_of(note.path), begin, lasts, bend, rng)
        begin += lasts
    unsure = {other for name, other in UNSURE.items() for note in pool if name in note.path.name}
    return part, tuple(sorted(unsure))


def _strike(
    part: Samples, note: Samples, begin: float, lasts: float, bend: float, rng: np.random.Generator
) -> None:
    """Add a note to a line: bent in pitch, with its own force, let go when its time is over."""
    note = soxr.resample(note, RATE, RATE * 2 ** (-bend / 12), quality="LQ").astype(np.float32)
    held = min(len(note), int((lasts * rng.uniform(0.8, 1.6) + 0.05) * RATE))
    fade = min(held, RATE // 20)
    note = note[:held] * 10 ** (rng.uniform(-8, 0) / 20)
    note[held - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    first = int((begin + rng.uniform(0, 0.02)) * RATE)
    left = max(0, LENGTH - first)
    part[first : first + held] += note[:left]


def at_level(part: Samples, decibels: float = 0.0) -> Samples:
    """Bring the loud half of a line to a level."""
    frames = np.square(part[: len(part) // 1600 * 1600]).reshape(-1, 1600).mean(axis=1)
    level = np.sqrt(np.sort(frames)[len(frames) // 2 :].mean()) + 1e-9
    return part / np.float32(level) * np.float32(0.1 * 10 ** (decibels / 20))


def room(part: Samples, rng: np.random.Generator) -> Samples:
    """Mostly, put a line into a room: noise that dies away, darker or brighter."""
    if rng.random() < 0.4:
        return part
    seconds = rng.uniform(0.2, 1.8)
    time = np.arange(int(seconds * RATE)) / RATE
    tail = rng.normal(size=len(time)) * 10 ** (-3 * time / seconds)
    tail = scipy.signal.lfilter([1.0], [1.0, -rng.uniform(0.2, 0.9)], tail)
    tail *= 10 ** (rng.uniform(-18, -4) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] += 1.0
    return scipy.signal.fftconvolve(part, tail)[: len(part)].astype(np.float32)
