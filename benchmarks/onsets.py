"""How well the timeline tells when an instrument enters: rendered music with a known entry.

    python benchmarks/onsets.py FONT ... [--model FILE] [--tracks 60] [--out FILE.json]

Each track is a minute of music by a band; one of its players says nothing before a moment that is
drawn between 10 and 50 s. The fonts should be ones that the model was not trained on. The entry is
found where the tag first passes its threshold in the timeline: the middle of that window if it
comes after others, and 0 if it is the first.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from timbretree.audio import Clip
from timbretree.modelfile import SHIPPED
from timbretree.render.band.arranger import arrange
from timbretree.render.band.ensembles import choose
from timbretree.render.band.performer import perform
from timbretree.render.music import RATE, Part
from timbretree.render.scores.corpus import ScoreError, default_cache, load, pieces
from timbretree.render.sounds.bank import Sound, Sounds
from timbretree.render.sounds.soundfont import read_soundfont
from timbretree.render.studio.mixing import Stem, mix
from timbretree.tagger import Tagger

SECONDS = 60.0
NOT_OWN = ("mandolin", "ukulele")
"""Guitars, in all free fonts."""


def track(sounds: Sounds, rng: np.random.Generator) -> tuple[Clip, str, float] | None:
    """A minute of music, who enters, and when; or nothing where the band does not suit."""
    band = choose(rng)
    if len(band.tags) < 2 or not all(_offered(sounds, tag) for tag in band.tags):
        return None
    entries = pieces("train") + pieces("test")
    try:
        piece = load(entries[int(rng.integers(len(entries)))], cache=default_cache())
    except ScoreError:
        return None
    if piece.beats < 60:
        return None
    made = arrange(piece, band, seconds=SECONDS, rng=rng)
    parts = perform(made.parts, tempo=made.tempo, style=band.style, seconds=SECONDS, rng=rng)
    late = str(rng.choice(band.tags))
    wanted = float(rng.uniform(10, 50))
    parts = tuple(_from(part, wanted) if part.tag == late else part for part in parts)
    onsets = [part.notes.onset.min() for part in parts if part.tag == late and len(part.notes)]
    if not onsets or min(onsets) > 54:
        return None
    stems = [Stem(part.tag, part.role, _play(sounds, part, rng)) for part in parts]
    mixed = mix(stems, rng=rng)
    if late not in mixed.heard:
        return None
    return Clip(mixed.audio.mean(axis=0), RATE), late, float(min(onsets))


def _offered(sounds: Sounds, tag: str) -> list[Sound]:
    return [] if tag in NOT_OWN else sounds.offered(tag, "train") + sounds.offered(tag, "test")


def _from(part: Part, seconds: float) -> Part:
    return Part(part.tag, part.role, part.notes.take(part.notes.onset >= seconds))


def _play(sounds: Sounds, part: Part, rng: np.random.Generator) -> np.ndarray:
    offered = _offered(sounds, part.tag)
    return sounds.play(offered[int(rng.integers(len(offered)))], part.notes, seconds=SECONDS)


def entry(tagger: Tagger, clip: Clip, tag: str) -> float | None:
    """When the timeline says that an instrument enters, in seconds."""
    row = tagger.taxonomy.tags.index(tag)
    for number, window in enumerate(tagger(clip).windows):
        if window.tags[row] >= tagger.info.tag_thresholds[row]:
            return (window.start + window.end) / 2 if number else 0.0
    return None


def main() -> None:
    """Render, listen, and say how far off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fonts", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--tracks", type=int, default=60)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    tagger = Tagger(asked.model)
    sounds = Sounds([read_soundfont(path) for path in asked.fonts], None)
    errors: list[float] = []
    missed, number = 0, 0
    while len(errors) + missed < asked.tracks:
        number += 1
        made = track(sounds, np.random.default_rng([7, number]))
        if made is None:
            continue
        clip, tag, true = made
        found = entry(tagger, clip, tag)
        if found is None:
            missed += 1
        else:
            errors.append(found - true)
        if sys.stderr.isatty():
            print(f"\r{len(errors) + missed} of {asked.tracks}", end="", file=sys.stderr)
    away = np.abs(errors)
    figures = {
        "tracks": asked.tracks,
        "never found": missed,
        "median error, s": round(float(np.median(away)), 2),
        "within 2.5 s": round(float((away <= 2.5).mean()), 3),
        "within 5 s": round(float((away <= 5).mean()), 3),
        "claimed more than 5 s early": round(float((np.array(errors) < -5).mean()), 3),
    }
    print(json.dumps(figures, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
