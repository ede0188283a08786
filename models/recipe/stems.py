"""Make stems for training.

    python models/recipe/stems.py fonts OUT FONT ... [--keep-from FONT ...] [--clips 3000]
    python models/recipe/stems.py notes OUT FOLDER ... [--held SOURCE ...]
    python models/recipe/stems.py others OUT FOLDER ... [--split train]

``fonts`` plays the parts of rendered music on SoundFonts, each part a stem; presets that share
recordings with a font of ``--keep-from`` (one that is for judging) are left out. ``notes`` plays
lines on folders of recorded notes, without the sources that are held out. ``others`` cuts what has
no labels, or no instruments, into pieces. The same seed makes the same stems.
"""

import argparse
import csv
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from bank import LENGTH, RATE, SECONDS, TAGS, Stem, power, write_shard
from numpy.typing import NDArray
from sequences import Note, at_level, read_notes, room, sequence

from timbretree.render.band.arranger import arrange
from timbretree.render.band.ensembles import Band, choose
from timbretree.render.band.performer import perform
from timbretree.render.music import RATE as PLAYED
from timbretree.render.music import Notes, Part
from timbretree.render.scores.corpus import ScoreError, default_cache, load, pieces
from timbretree.render.sounds.presets import presets
from timbretree.render.sounds.soundfont import SoundFont, read_soundfont
from timbretree.render.sounds.synth import play_preset
from timbretree.workers import as_done

CHUNK = 40
"""Clips, or lines, that make a shard."""
SIZED = {"ukulele": ("guitar", (24,), (4, 8)), "mandolin": ("guitar", (25,), (6, 11))}
"""No font has recordings of these two; they are played on guitars, made smaller by so many
semitones: sped up, which moves the body's resonances as a smaller body does."""
DRIVEN = {"guitar": 0.2, "synthesizer": 0.1, "bass": 0.1, "organ": 0.1}
"""How often each is distorted."""
Row = tuple[Stem, NDArray[np.uint16]]


@dataclass(frozen=True)
class Sound:
    """A preset of a font."""

    font: Path
    key: tuple[int, int]
    weight: float


@lru_cache(maxsize=1)
def sounds(fonts: tuple[Path, ...], apart: tuple[Path, ...]) -> dict[str, list[Sound]]:
    """What each tag can be played on, each font as likely as the others.

    Left out are presets that share recordings with ``apart``; synthesizers and organs made of
    another instrument's recordings; and ukuleles and mandolins, which are guitars in all fonts.
    """
    held = {name for path in apart for used in read_soundfont(path).made_of.values()
            for name in used}  # fmt: skip
    found: dict[str, list[Sound]] = {tag: [] for tag in TAGS}
    for path in fonts:
        font = read_soundfont(path)
        for tag in TAGS:
            kept = {
                key: weight
                for key, weight in presets(font, tag).items()
                if tag not in SIZED
                and not _mostly(font.made_of.get(key, frozenset()), held)
                and not (tag in ("synthesizer", "organ") and _borrowed(font, tag, key))
            }
            total = sum(kept.values())
            found[tag] += [Sound(path, key, weight / total) for key, weight in kept.items()]
    for tag, (other, programs, _) in SIZED.items():
        found[tag] = [each for each in found[other] if each.key[1] in programs]
    return found


def _mostly(used: frozenset[str], others: set[str]) -> bool:
    """Whether half of a preset's recordings have names that are also among the others: fonts are
    made from one another, but some names, such as Snare, are everybody's."""
    return 2 * len(used & others) > len(used)


def _borrowed(font: SoundFont, tag: str, key: tuple[int, int]) -> bool:
    mine = font.made_of.get(key, frozenset())
    others = (presets(font, other) for other in TAGS if other not in (tag, *SIZED))
    return any(mine & font.made_of.get(each, frozenset()) for table in others for each in table)


def font_stems(
    fonts: tuple[Path, ...], apart: tuple[Path, ...], numbers: range, seed: int
) -> Iterator[Row]:
    """The parts of some clips of music, each on one sound; the wanted tag on three."""
    offered = sounds(fonts, apart)
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        wanted = TAGS[number % len(TAGS)]
        try:
            parts = music(wanted, offered, rng)
        except ScoreError:
            continue
        for part in parts:
            for _ in range(3 if part.tag == wanted else 1):
                played, origin = _play(part, draw(offered[part.tag], rng), rng)
                if np.abs(played).max(initial=0) > 1e-3:
                    yield _stem(played, (part.tag,), origin, f"{seed}-{number}", rng)


def music(
    wanted: str, offered: dict[str, list[Sound]], rng: np.random.Generator
) -> tuple[Part, ...]:
    """What a band with the wanted tag plays of some piece. Raises ScoreError."""
    band = _band(wanted, offered, rng)
    entries = pieces("train") + pieces("test")
    piece = load(entries[int(rng.integers(len(entries)))], cache=default_cache())
    arrangement = arrange(piece, band, seconds=SECONDS, rng=rng)
    return perform(
        arrangement.parts, tempo=arrangement.tempo, style=band.style, seconds=SECONDS, rng=rng
    )


def _band(wanted: str, offered: dict[str, list[Sound]], rng: np.random.Generator) -> Band:
    while True:
        band = choose(rng)
        if wanted in band.tags and all(offered[tag] for tag in band.tags):
            return band


def draw(offered: list[Sound], rng: np.random.Generator) -> Sound:
    """One of some sounds, by their weights."""
    weights = np.array([each.weight for each in offered])
    return offered[int(rng.choice(len(offered), p=weights / weights.sum()))]


def _play(part: Part, sound: Sound, rng: np.random.Generator) -> tuple[NDArray[np.float32], str]:
    """A part on a sound: (T,) at RATE, and the font's name."""
    notes = part.notes
    if part.tag in SIZED:
        low, high = SIZED[part.tag][2]
        steps = float(rng.uniform(low, high))
        if part.tag == "mandolin":
            notes = _courses(notes if rng.random() < 0.5 else _tremolo(notes, rng), rng)
        audio = _smaller(sound, notes, steps)
    else:
        audio = play_preset(sound.font, sound.key, notes, seconds=SECONDS).mean(axis=0)
    audio = soxr.resample(audio, PLAYED, RATE)[:LENGTH].astype(np.float32)
    if rng.random() < DRIVEN.get(part.tag, 0):
        audio = np.tanh(at_level(audio) * np.float32(rng.uniform(3, 40)))
    return np.pad(audio, (0, LENGTH - len(audio))), sound.font.name


def _smaller(sound: Sound, notes: Notes, steps: float) -> NDArray[np.float32]:
    """Notes played lower and slower, and sped up again: (T,) at PLAYED."""
    ratio = 2 ** (round(steps) / 12)
    slow = Notes(
        notes.onset * ratio, notes.length * ratio, notes.pitch - round(steps), notes.velocity
    )
    audio = play_preset(sound.font, sound.key, slow, seconds=SECONDS * ratio).mean(axis=0)
    return np.asarray(soxr.resample(audio, PLAYED * ratio, PLAYED), dtype=np.float32)


def _courses(notes: Notes, rng: np.random.Generator) -> Notes:
    """Each note on two strings, a moment apart."""
    onset = np.concatenate([notes.onset, notes.onset + rng.uniform(0.004, 0.02, len(notes))])
    order = np.argsort(onset, kind="stable")
    both = (np.concatenate([each, each]) for each in (notes.length, notes.pitch, notes.velocity))
    return Notes(onset[order], *(each[order] for each in both))


def _tremolo(notes: Notes, rng: np.random.Generator) -> Notes:
    """Long notes struck again and again, as mandolins hold them."""
    gap = 1 / rng.uniform(9, 15)
    rows = []
    for onset, length, pitch, velocity in zip(
        notes.onset, notes.length, notes.pitch, notes.velocity, strict=True
    ):
        for stroke in np.arange(onset, onset + max(length, gap / 2), gap):
            soft = int(np.clip(velocity - rng.integers(0, 25), 1, 127))
            rows.append((stroke, gap, pitch, soft))
    return Notes.of(rows)


def _stem(
    audio: NDArray[np.float32], tags: tuple[str, ...], origin: str, piece: str,
    rng: np.random.Generator, unsure: tuple[str, ...] = (),
) -> Row:  # fmt: skip
    return Stem(tags, origin, piece, unsure), power(at_level(room(audio, rng)))


def note_stems(tag: str, notes: tuple[Note, ...], count: int, seed: int) -> Iterator[Row]:
    """Some lines of one instrument on notes of one source."""
    source = notes[0].source
    rng = np.random.default_rng([seed, zlib.crc32(f"{tag} {source}".encode()), count])
    for _ in range(count):
        audio, unsure = sequence(tag, list(notes), rng)
        yield _stem(audio, (tag,), source, "", rng, unsure)


def other_stems(path: Path, kind: str, origin: str) -> Iterator[Row]:
    """A file in pieces of ten seconds, the last one padded with silence."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert (rate, samples.ndim) == (RATE, 1), f"{path}: expected {RATE} Hz mono"
    for first in range(0, len(samples), LENGTH):
        piece = samples[first : first + LENGTH]
        if len(piece) > RATE and np.abs(piece).max() > 1e-3:
            piece = np.pad(piece, (0, LENGTH - len(piece)))
            yield Stem((), origin, "", kind=kind), power(at_level(piece))


def shard_of_fonts(
    path: Path, fonts: tuple[Path, ...], apart: tuple[Path, ...], numbers: range, seed: int
) -> int:
    """One shard; how many stems it has."""
    return write_shard(path, font_stems(fonts, apart, numbers, seed))


def shard_of_notes(path: Path, tag: str, notes: tuple[Note, ...], count: int, seed: int) -> int:
    """One shard; how many stems it has."""
    return write_shard(path, note_stems(tag, notes, count, seed))


def shard_of_others(path: Path, files: list[tuple[Path, str, str]]) -> int:
    """One shard; how many stems it has."""
    return write_shard(path, (row for file in files for row in other_stems(*file)))


def plan_notes(
    folders: list[Path], held: set[str], per_source: int
) -> Iterator[tuple[object, ...]]:
    """(tag, notes, count) for each tag and source: many notes make more lines, but not as many
    more."""
    groups: dict[tuple[str, str], list[Note]] = {}
    for note in (note for folder in folders for note in read_notes(folder)):
        if note.source not in held:
            groups.setdefault((note.tag, note.source), []).append(note)
    for (tag, _), notes in sorted(groups.items()):
        yield tag, tuple(notes), max(8, round(per_source * min(1, len(notes) / 20) ** 0.5))


def plan_others(folders: list[Path], split: str) -> Iterator[list[tuple[Path, str, str]]]:
    """The files of a split, forty a shard."""
    files = []
    for folder in folders:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["split"] == split:
                    files.append((folder / row["file"], row.get("kind") or "track", row["source"]))
    for first in range(0, len(files), CHUNK):
        yield files[first : first + CHUNK]


def main() -> None:
    """Read the arguments and make everything that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("fonts", "notes", "others"))
    parser.add_argument("out", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--keep-from", type=Path, nargs="*", default=[])
    parser.add_argument("--held", nargs="*", default=[])
    parser.add_argument("--split", default="train")
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--per-source", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    calls: list[tuple[object, ...]] = []
    if asked.what == "fonts":
        function: object = shard_of_fonts
        for first in range(0, asked.clips, CHUNK):
            numbers = range(first, min(first + CHUNK, asked.clips))
            calls.append((asked.out / f"fonts-{asked.seed}-{first:06d}", tuple(asked.inputs),
                          tuple(asked.keep_from), numbers, asked.seed))  # fmt: skip
    elif asked.what == "notes":
        function = shard_of_notes
        for tag, notes, count in plan_notes(asked.inputs, set(asked.held), asked.per_source):
            calls.append((asked.out / f"notes-{tag}-{notes[0].source}", tag, notes, count,
                          asked.seed))  # fmt: skip
    else:
        function = shard_of_others
        for number, files in enumerate(plan_others(asked.inputs, asked.split)):
            calls.append((asked.out / f"{asked.inputs[0].name}-{number:04d}", files))
    todo = [call for call in calls if not call[0].with_suffix(".json").exists()]
    made = 0
    for done, count in enumerate(as_done(function, todo, jobs=asked.jobs), 1):
        made += count
        print(f"{done} of {len(todo)} shards, {made} stems", flush=True)


if __name__ == "__main__":
    main()
