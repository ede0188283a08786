"""Render ten-second solos of all twenty instruments from a SoundFont: something to judge by.

    python models/solos.py SOUNDFONT OUT [--clips 12] [--seed 0]

No network learns from them; ``models/first.py`` chooses by them where real notes can't say enough.
OUT gets FLAC files and solos.csv. Needs FluidSynth (see examples/README.md) and a General MIDI font
with a mandolin at 16:25 and a ukulele at 8:24, such as FluidR3 GM.
"""

import argparse
import csv
from pathlib import Path

import fluidsynth
import numpy as np
import soundfile

from timbretree.taxonomy import Taxonomy

RATE, SECONDS = 32_000, 10
TAGS = Taxonomy.load("tone7").tags
# (bank, program) choices and the lowest and highest key
PRESETS = {
    "accordion": ([(0, 21), (0, 23)], 53, 89), "banjo": ([(0, 105)], 48, 79),
    "bass": ([(0, 32), (0, 33), (0, 34), (0, 35)], 28, 52), "cello": ([(0, 42)], 36, 72),
    "clarinet": ([(0, 71)], 50, 86), "flute": ([(0, 73)], 60, 93),
    "guitar": ([(0, 24), (0, 25), (0, 26), (0, 27)], 40, 79),
    "mallet_percussion": ([(0, 9), (0, 11), (0, 12), (0, 13)], 60, 91),
    "mandolin": ([(16, 25)], 55, 88), "organ": ([(0, 16), (0, 17), (0, 19)], 40, 86),
    "piano": ([(0, 0), (0, 1), (0, 4)], 30, 90),
    "saxophone": ([(0, 64), (0, 65), (0, 66), (0, 67)], 46, 80),
    "synthesizer": ([(0, 80), (0, 81), (0, 88), (0, 90)], 40, 84),
    "trombone": ([(0, 57)], 40, 70), "trumpet": ([(0, 56)], 55, 82),
    "ukulele": ([(8, 24)], 60, 81), "violin": ([(0, 40)], 55, 91),
    "voice": ([(0, 52), (0, 53)], 48, 79),
}  # fmt: skip
KIT = {"drums": [35, 36, 38, 40, 41, 45, 48], "cymbals": [42, 46, 49, 51, 57, 59]}
SCALE = [0, 2, 4, 5, 7, 9, 11]


def render(synth: fluidsynth.Synth, font: int, tag: str, rng: np.random.Generator) -> np.ndarray:
    """A random walk on a major scale, or random strokes, by one instrument."""
    if tag in KIT:
        channel, keys = 9, KIT[tag]
        synth.program_select(channel, font, 128, 0)
    else:
        presets, low, high = PRESETS[tag]
        bank, program = presets[rng.integers(len(presets))]
        channel, key = 0, rng.integers(12)
        keys = [k for k in range(low, high + 1) if (k - key) % 12 in SCALE]
        if synth.program_select(channel, font, bank, program) or not synth.sfpreset_name(
            font, bank, program
        ):
            raise SystemExit(f"the font has no preset {bank}:{program} for {tag}")
    beat, place, pieces = 60 / rng.uniform(70, 140), rng.integers(len(keys)), []
    while sum(map(len, pieces)) < 2 * RATE * SECONDS:
        place = int(np.clip(place + rng.integers(-3, 4), 0, len(keys) - 1))
        lasts = int(RATE * beat * rng.choice([0.5, 1, 1, 2]))
        synth.noteon(channel, int(keys[place]), int(rng.integers(60, 120)))
        pieces.append(synth.get_samples(lasts))
        synth.noteoff(channel, int(keys[place]))
    synth.system_reset()
    stereo = np.concatenate(pieces)[: 2 * RATE * SECONDS].reshape(-1, 2).astype(np.float32)
    mono = stereo.mean(axis=1)
    return mono / np.abs(mono).max() * np.float32(0.5)


def main() -> None:
    """Read the arguments and render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soundfont", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, default=12, help="of each instrument")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    synth = fluidsynth.Synth(samplerate=float(RATE))
    font = synth.sfload(str(asked.soundfont))
    if font < 0:
        raise SystemExit(f"{asked.soundfont} is no SoundFont that FluidSynth can load")
    with (asked.out / "solos.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", *TAGS, "split"])
        for row, tag in enumerate(TAGS):
            for number in range(asked.clips):
                rng = np.random.default_rng([asked.seed, row, number])
                name = f"{tag}-{number:02d}.flac"
                soundfile.write(asked.out / name, render(synth, font, tag, rng), RATE)
                table.writerow([name, *(int(other == tag) for other in TAGS), "valid"])


if __name__ == "__main__":
    main()
