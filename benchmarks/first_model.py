"""Score model files on real notes from sources that training never saw.

    python benchmarks/first_model.py MIXES [--start WEIGHTS] [MODEL.onnx ...]

MIXES is what ``models/mixes.py`` made. Without a MODEL, the shipped one is scored. ``--start`` adds
the untrained start: AudioSet's trunk and its classifier rows for the 20 tags, groups by maximum.
Prints a Markdown table and the average precision of each tag, and writes both as JSON beside it.
"""

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from timbretree.metrics import average_precision, macro, per_tag
from timbretree.modelfile import SHIPPED
from timbretree.tables import read_table
from timbretree.tagger import Tagger
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")


def hear(model: Path, files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """What one model says of some ten-second files: (N, F) and (N, C)."""
    tagger = Tagger(model)
    windows = [tagger(file).windows[0] for file in files]
    return np.stack([each.tags for each in windows]), np.stack([each.groups for each in windows])


def hear_all(model: Path, files: tuple[Path, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The same on two cores."""
    halves = [list(files[: len(files) // 2]), list(files[len(files) // 2 :])]
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(hear, [model, model], halves))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def score(model: Path, mixes: Path) -> dict[str, object]:
    """All figures of one model."""
    alone = read_table(mixes / "test-sequences.csv", TREE.tags)
    fine, _ = hear_all(model, alone.files)
    right = alone.labels.target.argmax(axis=1)
    rank = (fine > fine[np.arange(len(fine)), right][:, None]).sum(axis=1)
    mixed = read_table(mixes / "test-mixes.csv", TREE.tags)
    fine, coarse = hear_all(model, mixed.files)
    by_tag = per_tag(average_precision, fine, mixed.labels.target, mixed.labels.mask)
    groups = TREE.lift(mixed.labels)
    by_group = per_tag(average_precision, coarse, groups.target, groups.mask)
    by_max = np.where(TREE.members, fine[..., None], -1).max(axis=1)
    recall = [float((rank[right == tag] == 0).mean()) for tag in range(len(TREE.tags))]
    return {
        "sequences_top1": float((rank == 0).mean()),
        "sequences_top3": float((rank < 3).mean()),
        "mixes_fine_map": macro(by_tag),
        "mixes_coarse_map": macro(by_group),
        "mixes_coarse_map_by_max": macro(
            per_tag(average_precision, by_max, groups.target, groups.mask)
        ),
        "tags": {
            tag: {"mixes_ap": float(by_tag[n]), "sequences_top1": recall[n]}
            for n, tag in enumerate(TREE.tags)
            if not np.isnan(by_tag[n])
        },
    }


def make_start(weights: Path, folder: Path) -> Path:
    """A model file of the untrained start."""
    from timbretree.checkpoint import Checkpoint, load_efficientat, start_from_audioset
    from timbretree.export import export
    from timbretree.model import build

    net = build("mn04", "gmp", TREE)
    start_from_audioset(net, load_efficientat(weights), TREE.tags)
    half = (0.5,) * len(TREE.tags), (0.5,) * len(TREE.groups)
    path = folder / "AudioSet-start.onnx"
    export(Checkpoint(net, "mn04", "gmp", TREE, *half), path, name="start", licence="MIT",
           provenance="EfficientAT mn04, untrained")  # fmt: skip
    return path


def main() -> None:
    """Read the arguments, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mixes", type=Path)
    parser.add_argument("models", type=Path, nargs="*", default=[SHIPPED])
    parser.add_argument("--start", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = [make_start(asked.start, Path(folder))] if asked.start else []
        scores = {model.stem: score(model, asked.mixes) for model in [*models, *asked.models]}
    measures = [name for name in next(iter(scores.values())) if name != "tags"]
    print("| | " + " | ".join(scores) + " |\n|---" * 1 + "|---" * len(scores) + "|")
    for name in measures:
        row = " | ".join(f"{100 * float(each[name]):.1f}" for each in scores.values())
        print(f"| {name} | {row} |")
    for tag in next(iter(scores.values()))["tags"]:
        row = " | ".join(
            "{mixes_ap:.2f} / {sequences_top1:.2f}".format(**each["tags"][tag])
            for each in scores.values()
        )
        print(f"| {tag}: AP in mixes / top-1 in sequences | {row} |")
    if asked.json:
        asked.json.write_text(json.dumps(scores, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
