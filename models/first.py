"""From a training run to the first shipped model: average with the start, calibrate, export.

    python models/first.py RUN MIXES SOLOS START OUT.onnx

RUN is what ``timbretree train`` made of MIXES/mixes.csv, SOLOS what ``models/solos.py`` made, START
EfficientAT's weights. Every choice is made on the validation mixes and the solos, none on the test
tables, which this script does not open:

1. The share of the trained weights in their average with the start: highest mean of the mAP on
   the validation mixes and on the solos.
2. Tags that had no training audio keep AudioSet's rows, but nothing held their level: their bias is
   moved so that the threshold of best F1 on mixes and solos together is 0.5.
3. The attention layer, which has no start to be averaged with, learns again on the training mixes
   with all else fixed; the epoch with the lowest loss of groups on the validation mixes and the
   solos (the mean of the two) is kept.
4. Thresholds: best F1 on the validation mixes and the solos together; 0.5 for the tags of point 2.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from timbretree.calibration import Calibrated
from timbretree.checkpoint import Checkpoint, load_efficientat, start_from_audioset
from timbretree.data import ClipSet
from timbretree.decoding import decode_clips
from timbretree.evaluate import choose_thresholds, predict
from timbretree.export import export
from timbretree.labels import Labels
from timbretree.losses import masked_bce
from timbretree.metrics import average_precision, best_threshold, macro, per_tag
from timbretree.model import InstrumentNet, build
from timbretree.tables import read_table
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")
SHARES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CARD = Path(__file__).with_name("first.card.txt")


def read(table: Path, net: InstrumentNet, split: str) -> ClipSet:
    """The clips of one split of a table."""
    annotations = read_table(table, TREE.tags)
    rate = net.frontend.spec.rate
    samples, failures = decode_clips(
        annotations.files, table.with_suffix(".npy"), rate=rate, seconds=10.0
    )
    assert not failures, failures
    rows = np.flatnonzero(np.array(annotations.splits) == split)
    fine = annotations.take(rows).labels
    return ClipSet(samples, rows, fine, TREE.lift(fine))


def mean_ap(net: InstrumentNet, clips: ClipSet) -> tuple[float, float]:
    """The macro mAP of tags and of groups."""
    said = predict(net, clips)
    fine = per_tag(average_precision, said.fine, clips.fine.target, clips.fine.mask)
    coarse = per_tag(average_precision, said.coarse, clips.coarse.target, clips.coarse.mask)
    return macro(fine), macro(coarse)


def average(
    net: InstrumentNet, tuned: dict[str, torch.Tensor], start: dict[str, torch.Tensor], share: float
) -> None:
    """Set the weights between start and tuned; the attention layer has no start to return to."""
    net.load_state_dict(
        {
            name: value
            if name.startswith("head.attention") or not value.is_floating_point()
            else share * value + (1 - share) * start[name]
            for name, value in tuned.items()
        }
    )


def level(net: InstrumentNet, rows: np.ndarray, mixes: ClipSet, solos: ClipSet) -> None:
    """Move the bias of the tags in ``rows``, so that their best threshold is 0.5."""
    score = np.concatenate([predict(net, mixes).fine, predict(net, solos).fine])
    for row in rows:
        absent = np.zeros(len(mixes), bool)  # the mixes hold none of these, as their maker knows
        target = np.concatenate([absent, solos.fine.target[:, row]])
        threshold = np.clip(best_threshold(score[:, row], target), 1e-6, 1 - 1e-6)
        with torch.no_grad():
            net.head.fine.bias[row] -= float(np.log(threshold / (1 - threshold)))


@torch.inference_mode()
def embed(net: InstrumentNet, clips: ClipSet) -> torch.Tensor:
    """(N, D): what the trunk makes of some clips."""
    net.eval()
    return torch.cat([net.backbone(net.frontend(each.inputs)) for each in clips.batches(32)])


def teach_attention(
    net: InstrumentNet, train: ClipSet, judges: tuple[ClipSet, ...], epochs: int = 40
) -> None:
    """Train the attention layer alone, on fixed embeddings; keep what the judges like best."""
    torch.manual_seed(0)
    heard = [embed(net, clips).clone() for clips in (train, *judges)]
    labels = [Labels(*map(torch.from_numpy, clips.coarse)) for clips in (train, *judges)]
    optimiser = torch.optim.Adam(net.head.attention.parameters(), lr=3e-4, weight_decay=1e-4)
    lowest, best = float("inf"), net.head.attention.state_dict()
    for _ in range(epochs):
        for some in torch.randperm(len(train)).split(32):
            said = net.head(heard[0][some]).coarse
            loss = masked_bce(said, Labels(*(each[some] for each in labels[0]))).value
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.inference_mode():
            pairs = zip(heard[1:], labels[1:], strict=True)
            found = sum(masked_bce(net.head(z).coarse, label).value.item() for z, label in pairs)
        if found < lowest:
            lowest = found
            best = {k: v.clone() for k, v in net.head.attention.state_dict().items()}
    net.head.attention.load_state_dict(best)


def thresholds(net: InstrumentNet, *sets: ClipSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The thresholds of tags and of groups, from all the sets together."""
    said = [predict(net, clips) for clips in sets]
    chosen = []
    for level_, labels in ((0, [c.fine for c in sets]), (1, [c.coarse for c in sets])):
        together = Labels(*(np.concatenate(each) for each in zip(*labels, strict=True)))
        chosen.append(choose_thresholds(np.concatenate([each[level_] for each in said]), together))
    return chosen[0], chosen[1]


def main() -> None:
    """Read the arguments; average, calibrate, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("run", "mixes", "solos", "start", "out"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    checkpoint = Checkpoint.load(asked.run / "best.safetensors")
    net, tuned = checkpoint.net, {k: v.clone() for k, v in checkpoint.net.state_dict().items()}
    fresh = build("mn04", "resatt", TREE)
    start_from_audioset(fresh, load_efficientat(asked.start), TREE.tags)
    start = fresh.state_dict()
    mixes = read(asked.mixes / "mixes.csv", net, "valid")
    solos = read(asked.solos / "solos.csv", net, "valid")
    train = read(asked.mixes / "mixes.csv", net, "train")
    tried = {}
    print("| share of training | mixes fine | mixes coarse | solos fine | solos coarse |")
    print("|---|---|---|---|---|")
    for share in SHARES:
        average(net, tuned, start, share)
        tried[share] = (*mean_ap(net, mixes), *mean_ap(net, solos))
        print(
            f"| {share} | " + " | ".join(f"{100 * x:.1f}" for x in tried[share]) + " |", flush=True
        )
    share = max(tried, key=lambda each: tried[each][0] + tried[each][2])
    average(net, tuned, start, share)
    rows = np.flatnonzero(~(train.fine.target & train.fine.mask).any(axis=0))
    level(net, rows, mixes, solos)
    teach_attention(net, train, (mixes, solos))
    tags, groups = thresholds(net, mixes, solos)
    tags = tuple(0.5 if row in rows else each for row, each in enumerate(tags))
    final = replace(checkpoint, **Calibrated(tags, groups)._asdict())
    now = (*mean_ap(net, mixes), *mean_ap(net, solos))
    scores = {
        "valid_mixes_fine_map": now[0],
        "valid_mixes_coarse_map": now[1],
        "valid_solos_fine_map": now[2],
        "valid_solos_coarse_map": now[3],
    }
    difference = export(
        final, asked.out, name="timbretree first", licence="MIT (weights); see first.LICENSES.txt",
        provenance=CARD.read_text("utf-8"), scores={k: round(v, 4) for k, v in scores.items()},
    )  # fmt: skip
    print(
        json.dumps(
            {
                "share": share,
                "untrained": [TREE.tags[row] for row in rows],
                "onnx_minus_torch": difference,
                **scores,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
