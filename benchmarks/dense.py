"""What it changes that the trunk runs once over a stretch of windows: beside windows heard apart.

    python benchmarks/dense.py AUDIO ... [--notes NOTES] [--out benchmarks/dense.json]

AUDIO are recordings or folders of them, of which 90 seconds each are heard: by the shipped model as
it tags, by the same with each window heard apart, and again apart in windows that begin 20 and 500
ms later, as a measure for the difference. Tells how far probabilities are from those of windows
heard apart, and how many of the answers (present, unsure, absent) are others, window by window and
for whole recordings. NOTES is a folder of recorded notes with a manifest.csv: of them music of one
to three instruments at a time is made, whose truth is known, and both are scored. Processor time is
per ten seconds of sound, without decoding.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from timbretree import Clip, Tagger, Tags
from timbretree.audio import AudioError, load
from timbretree.calibration import Calibrated
from timbretree.metrics import average_precision, macro, per_tag
from timbretree.modelfile import SHIPPED, ModelFile

SECONDS = 90


class Apart(ModelFile):
    """The same model, but each window is heard for itself."""

    slides = False  # type: ignore[assignment]


def recordings(asked: list[Path]) -> Iterator[Clip]:
    """The first seconds of each sound file."""
    rate = ModelFile(SHIPPED).info.melspec.rate
    for path in asked:
        for file in sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]:
            try:
                clip = load(file, rate=rate)
            except AudioError:
                continue
            yield Clip(clip.samples[: SECONDS * rate], rate)


def played(folder: Path, number: int, rate: int) -> Iterator[tuple[Clip, np.ndarray]]:
    """Music of recorded notes, a minute each, and which tags sound in each tenth of a second."""
    tags = Tagger().taxonomy.tags
    by_tag: dict[str, list[Path]] = {}
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_tag.setdefault(row["tag"], []).append(folder / row["file"])
    rng = np.random.default_rng(5)
    for _ in range(number):
        sound, plays = np.zeros(60 * rate, np.float32), np.zeros((600, len(tags)), bool)
        for _ in range(rng.integers(1, 4)):
            begin = 0.0
            while begin < 60:
                tag = str(rng.choice(sorted(by_tag)))
                notes = rng.choice(by_tag[tag], min(4, len(by_tag[tag])), replace=False)
                end = min(60.0, begin + rng.uniform(6, 15))
                _play(sound, plays[:, tags.index(tag)], notes, (begin, end), rng, rate)
                begin = end + rng.choice([0, 0, 2])
        yield Clip(sound / max(1.0, 2 * float(np.abs(sound).max())), rate), plays


def _play(
    sound: np.ndarray,
    plays: np.ndarray,
    notes: np.ndarray,
    span: tuple[float, float],
    rng: np.random.Generator,
    rate: int,
) -> None:
    at, loudness = span[0], rng.uniform(0.4, 1)
    while at < span[1] - 0.2:
        note, found_rate = soundfile.read(rng.choice(notes), dtype="float32")
        assert found_rate == rate, "notes are expected at the model's rate"
        note = loudness * note[: int(min(2.5, span[1] - at) * rate)]
        first = int(at * rate)
        note = note[: len(sound) - first]
        sound[first : first + len(note)] += note
        plays[int(at * 10) : int((at + len(note) / rate) * 10) + 1] = True
        at += max(0.25, len(note) / rate * rng.uniform(0.6, 1))


def answers(tags: Tags, probabilities: np.ndarray) -> np.ndarray:
    """(2, W, F + C): present, unsure."""
    count = len(tags.taxonomy.tags)
    bands = Calibrated.of(ModelFile(SHIPPED).info) if tags.tag_bands is None else tags
    fine = bands.tag_bands.read(probabilities[:, :count])
    coarse = bands.group_bands.read(probabilities[:, count:])
    return np.concatenate([fine, coarse], axis=2)


def windows(tags: Tags) -> np.ndarray:
    """(W, F + C)."""
    return np.stack([np.concatenate([each.tags, each.groups]) for each in tags.windows])


def whole(tags: Tags) -> np.ndarray:
    """(1, F + C)."""
    return np.array([[each.probability for each in (*tags.tags, *tags.groups)]])


def difference(pairs: list[tuple[Tags, Tags]], of: Callable[[Tags], np.ndarray]) -> dict[str, str]:
    """How far apart what was said is."""
    apart, others, otherwise = [], [], []
    for one, two in pairs:
        ours, theirs = of(one), of(two)
        count = min(len(ours), len(theirs))
        ours, theirs = ours[:count], theirs[:count]
        said, known = answers(one, ours), answers(two, theirs)
        apart.append(np.abs(ours - theirs).ravel())
        others.append((said != known).any(axis=0).ravel())
        otherwise.append((said[0] != known[0]).ravel())
    distance = np.concatenate(apart)
    return {
        "cells": f"{len(distance)}",
        "mean difference of probability": f"{distance.mean():.4f}",
        "95 % differ by less than": f"{np.quantile(distance, 0.95):.3f}",
        "largest": f"{distance.max():.2f}",
        "other answers": f"{np.concatenate(others).mean():.2%}",
        "present or not present changes": f"{np.concatenate(otherwise).mean():.2%}",
    }


def score(said: list[Tags], truths: list[np.ndarray]) -> dict[str, str]:
    """How well tags are told, window by window and for whole pieces."""
    rows, sound, pieces, sounding = [], [], [], []
    for tags, plays in zip(said, truths, strict=True):
        size, step = 50, 25  # tenths of a second; a tag is there that sounds for a second of them
        starts = [*range(0, len(plays) - size + 1, step)]
        assert len(starts) == len(tags.windows)
        sound += [plays[start : start + size].sum(axis=0) >= 10 for start in starts]
        rows += [each.tags for each in tags.windows]
        pieces.append([each.probability for each in tags.tags])
        sounding.append(plays.sum(axis=0) >= 10)
    told = {}
    for name, guess, truth in (("windows", rows, sound), ("pieces", pieces, sounding)):
        guesses, target = np.array(guess), np.array(truth)
        known = np.ones_like(target)
        first = target[np.arange(len(target)), guesses.argmax(axis=1)].mean()
        told[f"{name}: mAP"] = f"{macro(per_tag(average_precision, guesses, target, known)):.4f}"
        told[f"{name}: likeliest tag sounds"] = f"{first:.4f}"
    return told


def cost(taggers: dict[str, Tagger], clip: Clip) -> dict[str, str]:
    """Milliseconds of a processor for ten seconds of sound; the quickest of five."""
    best = dict.fromkeys(taggers, np.inf)
    for _ in range(5):
        for name, tagger in taggers.items():
            before = time.process_time()
            tagger(clip)
            best[name] = min(best[name], (time.process_time() - before) / clip.seconds * 1e4)
    return {name: f"{best:.1f} ms" for name, best in best.items()}


def main() -> None:
    """Read the arguments, hear, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--notes", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    apart, once = Tagger(Apart(SHIPPED)), Tagger()
    each_second, dense = Tagger(Apart(SHIPPED), hop=1), Tagger(hop=1)
    pairs: dict[str, list[tuple[Tags, Tags]]] = {}
    clips = list(recordings(asked.audio))
    for clip in clips:
        known = apart(clip)
        pairs.setdefault("as it tags", []).append((once(clip), known))
        for late in (20, 500):
            later = Clip(clip.samples[late * clip.rate // 1000 :], clip.rate)
            pairs.setdefault(f"apart, {late} ms later", []).append((apart(later), known))
        pairs.setdefault("with a hop of 1 s", []).append((dense(clip), each_second(clip)))
    figures: dict[str, object] = {"recordings": len(clips)}
    for name, both in pairs.items():
        figures[f"windows, {name}"] = difference(both, windows)
        figures[f"whole recordings, {name}"] = difference(both, whole)
    if asked.notes:
        pieces, truths = zip(*played(asked.notes, 60, once.info.melspec.rate), strict=True)
        for name, tagger in (("apart", apart), ("as it tags", once)):
            figures[f"music of notes, {name}"] = score(list(map(tagger, pieces)), list(truths))
    figures["processor time"] = cost(
        {"apart": apart, "as it tags": once, "apart, hop 1": each_second, "hop 1": dense},
        max(clips, key=lambda clip: clip.seconds),
    )
    print(json.dumps(figures, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
