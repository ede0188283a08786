"""Make ten-second mixes of real single notes: what the first shipped model learns from.

    python models/mixes.py NOTES OUT [--train 6000] [--valid 900] [--test 800] [--seed 0] [--jobs 2]

NOTES is a folder of short recordings of one instrument each, with a manifest.csv (file, tag,
source). OUT gets 32 kHz FLAC files and three tables that ``timbretree train`` can read: mixes.csv
(splits train and valid), test-mixes.csv and test-sequences.csv (one instrument a clip). Test clips
are made of sources, whole, that nothing in mixes.csv was made of. The same seed makes the same
files, whatever --jobs is.
"""

import argparse
import csv
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
import soxr

from timbretree.taxonomy import Taxonomy

RATE, SECONDS = 32_000, 10
LENGTH = RATE * SECONDS
TAGS = Taxonomy.load("tone7").tags

TEST_SOURCES = {
    "audiophob", "freesound-atonia", "jrhodes-electric-piano", "martin-hd28-steel", "meatbass",
    "scratch", "sonic-pi", "swirly-drums", "vcsl-upright",
}  # fmt: skip
VALID_SOURCES = {"cp80-electric-grand", "freesound-cabled_mess", "freesound-kyster"}
"""Beside one file in seven of every other source that is not for testing: several instruments come
from one source only, which must do for both."""
UNSURE = {"loop_": "cymbals"}
"""Clips that may hold another instrument, by their name: whole drum loops."""
CHORDS = {"guitar", "mallet_percussion", "organ", "piano", "synthesizer", "violin", "voice"}


@dataclass(frozen=True)
class Note:
    """One recorded note."""

    path: Path
    tag: str
    source: str


@dataclass(frozen=True)
class Job:
    """One clip to make."""

    path: Path
    seed: tuple[int, ...]
    notes: tuple[Note, ...]
    parts: int


def read_notes(folder: Path) -> dict[str, list[Note]]:
    """The notes of each split."""
    notes: dict[str, list[Note]] = {"train": [], "valid": [], "test": []}
    others: dict[tuple[str, str], list[Note]] = {}
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            note = Note(folder / row["file"], row["tag"], row["source"])
            if note.source in TEST_SOURCES:
                notes["test"].append(note)
            elif note.source in VALID_SOURCES:
                notes["valid"].append(note)
            else:
                others.setdefault((note.tag, note.source), []).append(note)
    for found in others.values():
        found.sort(key=lambda note: zlib.crc32(note.path.name.encode()))
        held = max(1, len(found) // 7) if len(found) > 3 else 0
        notes["valid"] += found[:held]
        notes["train"] += found[held:]
    return notes


@cache
def samples_of(path: Path) -> np.ndarray:
    """The samples of a note."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE, f"{path}: expected {RATE} Hz, got {rate}"
    return samples


def make(job: Job) -> dict[str, str]:
    """Make one clip, write it, and return its row of the table."""
    rng = np.random.default_rng(job.seed)
    tags = sorted({note.tag for note in job.notes})
    chosen = rng.choice(tags, size=min(job.parts, len(tags)), replace=False).tolist()
    mix, cells = np.zeros(LENGTH, np.float32), dict.fromkeys(TAGS, "0")
    if chosen:  # noise alone holds none of the twenty; a mix only tells of instruments at hand
        cells |= dict.fromkeys(set(TAGS) - set(tags), "")
    for tag in chosen:
        part, unsure = play(tag, job.notes, rng)
        mix += part
        cells[tag] = "1"
        for other in unsure - set(chosen):
            cells[other] = ""
    soundfile.write(job.path, finish(mix, rng), RATE, subtype="PCM_16")
    return {"file": job.path.name, **cells}


def play(
    tag: str, notes: tuple[Note, ...], rng: np.random.Generator
) -> tuple[np.ndarray, set[str]]:
    """A line of one instrument of one source, -12 to 0 dB loud, and what else may be in it."""
    by_source: dict[str, list[Note]] = {}
    for note in notes:
        if note.tag == tag:
            by_source.setdefault(note.source, []).append(note)
    weights = np.sqrt([len(found) for found in by_source.values()])
    found = list(by_source.values())[rng.choice(len(by_source), p=weights / weights.sum())]
    pool = [found[i] for i in rng.permutation(len(found))[: rng.integers(2, 9)]]
    part = np.zeros(LENGTH, np.float32)
    beat = 60 / rng.uniform(60, 150)
    begin = rng.uniform(0, 4) if rng.random() < 0.3 else rng.uniform(0, 0.3)
    end = SECONDS - (rng.uniform(0, 4) if rng.random() < 0.3 else 0)
    bend = rng.uniform(-1, 1) * (3 if len(found) < 30 else 1)  # semitones for the whole line
    while begin < end:
        lasts = beat * rng.choice([0.5, 1, 1, 2, 4])
        voices = rng.integers(2, 5) if tag in CHORDS and rng.random() < 0.3 else 1
        if rng.random() < 0.9:
            for _ in range(voices):
                note = pool[rng.integers(len(pool))]
                strike(part, samples_of(note.path), begin, lasts, bend, rng)
        begin += lasts
    unsure = {other for name, other in UNSURE.items() for note in pool if name in note.path.name}
    return at_level(room(part, rng), rng.uniform(-12, 0)), unsure


def strike(
    part: np.ndarray, note: np.ndarray, begin: float, lasts: float, bend: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add a note to a line: bent in pitch, with its own force, let go when its time is over."""
    note = soxr.resample(note, RATE, RATE * 2 ** (-bend / 12)).astype(np.float32)
    held = min(len(note), int((lasts * rng.uniform(0.8, 1.6) + 0.05) * RATE))
    fade = min(held, RATE // 20)
    note = note[:held] * 10 ** (rng.uniform(-8, 0) / 20)
    note[held - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    first = int((begin + rng.uniform(0, 0.02)) * RATE)
    room_left = max(0, LENGTH - first)
    part[first : first + held] += note[:room_left]


def at_level(part: np.ndarray, decibels: float) -> np.ndarray:
    """Bring the loud half of a line to a level."""
    frames = np.square(part).reshape(-1, RATE // 20).mean(axis=1)
    level = np.sqrt(np.sort(frames)[len(frames) // 2 :].mean()) + 1e-9
    return part / np.float32(level) * np.float32(0.1 * 10 ** (decibels / 20))


def room(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mostly, put a line into a room: noise that dies away, darker or brighter."""
    if rng.random() < 0.4:
        return part
    seconds = rng.uniform(0.2, 1.5)
    time = np.arange(int(seconds * RATE)) / RATE
    tail = rng.normal(size=len(time)) * 10 ** (-3 * time / seconds)
    tail = scipy.signal.lfilter([1.0], [1.0, -rng.uniform(0.2, 0.9)], tail)
    tail *= 10 ** (rng.uniform(-18, -4) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] += 1.0
    return scipy.signal.fftconvolve(part, tail)[:LENGTH].astype(np.float32)


def finish(mix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Equaliser, some noise, sometimes a dull copy, and a level between -20 and -1 dB."""
    if rng.random() < 0.5:
        corner = rng.uniform(100, 6000)
        numerator, denominator = scipy.signal.butter(1, corner, fs=RATE)
        mix = mix + rng.uniform(-0.6, 1.0) * scipy.signal.lfilter(numerator, denominator, mix)
    if rng.random() < 0.15:
        mix = scipy.signal.lfilter(*scipy.signal.butter(6, rng.uniform(4000, 14000), fs=RATE), mix)
    silent = not mix.any()
    if silent or rng.random() < 0.3:
        noise = scipy.signal.lfilter([1.0], [1.0, -rng.uniform(0, 0.99)], rng.normal(size=LENGTH))
        mix = mix + noise / noise.std() * 0.1 * 10 ** (rng.uniform(-50, -15) / 20)
    lowest = -60 if silent else -20
    return (mix / np.abs(mix).max() * 10 ** (rng.uniform(lowest, -1) / 20)).astype(np.float32)


def plan(out: Path, kind: str, notes: list[Note], count: int, seed: int) -> list[Job]:
    """The clips of one table or split: mixes of 1 to 4, or sequences of one instrument."""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    shares = {"train": [0.04, 0.30, 0.28, 0.22, 0.16], "valid": [0.04, 0.24, 0.24, 0.24, 0.24]}
    parts = rng.choice(5, size=count, p=shares.get(kind, [0, 0.25, 0.25, 0.25, 0.25]))
    if kind == "test-sequences":
        parts[:] = 1
    job_seeds = [(seed, zlib.crc32(kind.encode()), number) for number in range(count)]
    names = [out / f"{kind}-{number:05d}.flac" for number in range(count)]
    return [
        Job(path, one, tuple(notes), int(k))
        for path, one, k in zip(names, job_seeds, parts, strict=True)
    ]


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a table that ``timbretree train`` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Read the arguments and make everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notes", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=6000)
    parser.add_argument("--valid", type=int, default=900)
    parser.add_argument("--test", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    notes = read_notes(asked.notes)
    counts = {"train": asked.train, "valid": asked.valid, "test-mixes": asked.test}
    counts["test-sequences"] = asked.test // 2
    rows = {}
    with ProcessPoolExecutor(asked.jobs) as pool:
        for kind, count in counts.items():
            jobs = plan(asked.out, kind, notes[kind.partition("-")[0]], count, asked.seed)
            rows[kind] = list(pool.map(make, jobs, chunksize=20))
            print(
                f"{kind}: {count} clips of {len(notes[kind.partition('-')[0]])} notes", flush=True
            )
    learning = [row | {"split": kind} for kind in ("train", "valid") for row in rows[kind]]
    write_table(asked.out / "mixes.csv", learning)
    write_table(asked.out / "test-mixes.csv", rows["test-mixes"])
    write_table(asked.out / "test-sequences.csv", rows["test-sequences"])


if __name__ == "__main__":
    main()
