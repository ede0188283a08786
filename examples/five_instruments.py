"""Makes a small data set of five made-up instruments: python examples/five_instruments.py FOLDER

120 clips of ten seconds, each with one to three of them; labels.csv says of most cells what plays
(1) and what does not (0), and leaves the others empty; taxonomy.yaml is a tree of three levels.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS, CLIPS = 16000, 10.0, 120
TREE = """\
name: five
groups:
  tuned: [blown, struck]
  blown: [whistle, reed]
  struck: [bell, bar]
  untuned: [shaker]
"""
TAGS = ("whistle", "reed", "bell", "bar", "shaker")
"""In the order in which the tree names them, its columns in labels.csv."""
TELLS = 0.9
"""The share of cells that somebody listened to."""

Array = np.ndarray


def sound(tag: str, random: np.random.Generator) -> Array:
    """(T,): eight notes of one instrument."""
    notes = [note(tag, random.choice(np.arange(57, 82)), random) for _ in range(8)]
    return np.concatenate(notes)


def note(tag: str, pitch: int, random: np.random.Generator) -> Array:
    """A note as long as an eighth of a clip, with the overtones and the decay of its instrument."""
    time = np.arange(round(RATE * SECONDS / 8)) / RATE
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    tones = {
        "whistle": [(1, 1.0, 0.0)],
        "reed": [(k, 1 / k, 0.0) for k in range(1, 12, 2)],  # odd overtones that last
        "bell": [(k, 0.5, 3.0) for k in (1, 2.76, 5.4)],  # overtones that don't fit each other
        "bar": [(1, 1.0, 12.0), (4, 0.3, 25.0)],  # over at once
        "shaker": [],
    }[tag]
    wave = sum(
        (level * np.exp(-decay * time) * np.sin(2 * np.pi * hertz * ratio * time)
         for ratio, level, decay in tones if hertz * ratio < RATE / 2),
        start=np.zeros(len(time)),
    )  # fmt: skip
    if tag == "shaker":
        wave = random.normal(0, 0.3, len(time)) * np.exp(-20 * (time % 0.125))
    return 0.2 * wave * np.minimum(1, 100 * time) * np.minimum(1, 100 * (time[-1] - time))


def main(folder: Path) -> None:
    """Write clips, labels and tree."""
    random = np.random.default_rng(0)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    (folder / "taxonomy.yaml").write_text(TREE, "utf-8")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "split", *TAGS])
        for number in range(CLIPS):
            plays = random.permutation(len(TAGS))[: random.integers(1, 4)]
            wave = sum(sound(TAGS[tag], random) for tag in plays)
            wave = wave + random.normal(0, 0.003, len(wave))
            name = f"clips/{number:03d}.flac"
            soundfile.write(folder / name, wave, RATE)
            told = random.random(len(TAGS)) < TELLS
            cells = [int(tag in plays) if told[tag] else "" for tag in range(len(TAGS))]
            split = ("train", "train", "train", "valid", "test")[number % 5]
            table.writerow([name, split, *cells])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
