"""Fine-tune the shipped model on a small collection of one's own: what it brings.

    python benchmarks/fine_tune.py FOLDER ... --held SOURCE ... --work WORK [--out FILE.json]

FOLDERs hold recorded notes with a manifest.csv; sources are those that the model was not taught on.
Of each source and tag half the notes are "mine": ten-second clips of them are for training, clips
of the other half for the test. WORK gets the clips and a table; then the real commands run:

    timbretree train WORK/mine.csv WORK/run --start shipped --method gmp --epochs 6 ...
    timbretree evaluate MODEL WORK/mine.csv --split test
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "recipe"))
from bank import RATE, TAGS
from develop import mixes
from sequences import Note, read_notes

from timbretree.modelfile import SHIPPED


def halves(notes: list[Note]) -> tuple[list[Note], list[Note]]:
    """Of each source and tag every other note; what has one note only is left out."""
    by_origin: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        by_origin.setdefault((note.tag, note.source), []).append(note)
    pairs = [found for found in by_origin.values() if len(found) > 1]
    mine = [note for found in pairs for note in found[::2]]
    return mine, [note for found in pairs for note in found[1::2]]


def make(work: Path, notes: list[Note]) -> None:
    """The clips, and mine.csv."""
    work.mkdir(parents=True, exist_ok=True)
    mine, others = halves(notes)
    rows = []
    for split, some, count, seed in (
        ("train", mine, 240, 1), ("valid", mine, 80, 2), ("test", others, 200, 3),
    ):  # fmt: skip
        for number, (audio, said) in enumerate(mixes(some, np.random.default_rng(seed), count)):
            name = f"{split}-{number:03d}.flac"
            soundfile.write(work / name, audio, RATE, subtype="PCM_16")
            cells = {tag: {True: "1", None: ""}.get(said.get(tag, False), "0") for tag in TAGS}
            rows.append({"file": name, "split": split, **cells})
    with (work / "mine.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def timbretree(*words: object) -> None:
    """Run a command."""
    call = [sys.executable, "-m", "timbretree", *map(str, words)]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)


def scores(model: Path, work: Path) -> dict[str, float]:
    """What a model scores on the test clips."""
    out = work / f"scores-{model.stem}"
    timbretree(
        "evaluate", model, work / "mine.csv", "--split", "test", "--out", out, "--force",
    )  # fmt: skip
    found = json.loads((out / "scores.json").read_text("utf-8"))
    return {level: found["scores"][level]["pr_auc"] for level in ("fine", "coarse")}


def main() -> None:
    """Make the clips, judge, train, judge again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--held", nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    notes = [note for folder in asked.folders for note in read_notes(folder)]
    make(asked.work, [note for note in notes if note.source in set(asked.held)])
    before = scores(SHIPPED, asked.work)
    timbretree(
        "train", asked.work / "mine.csv", asked.work / "run", "--start", "shipped",
        "--method", "gmp", "--epochs", 6, "--warmup", 1, "--learning-rate", 3e-4,
        "--frozen-statistics",
    )  # fmt: skip
    after = scores(asked.work / "run" / "best.safetensors", asked.work)
    told = {
        f"mAP of {name}": f"{100 * before[level]:.1f} → {100 * after[level]:.1f}"
        for level, name in (("fine", "tags"), ("coarse", "families"))
    }
    print(json.dumps(told, ensure_ascii=False, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
