"""Look at a rendered data set: random clips as spectrograms, its labels beside OpenMIC's.

    python benchmarks/rendered/look.py DATA [--clips 20] [--seed 0] [--json FILE] [--page]

The picture is docs/results/clips.jpg with --page, else DATA/clips.jpg. OpenMIC's figures are those
of its own label files (Humphrey, Durand, McFee, ISMIR 2018, CC BY 4.0).
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
import soxr
from page import PAGE, percent, put, table

from timbretree.files import write_whole
from timbretree.labels import Labels
from timbretree.melspec import MN04, log_mel
from timbretree.openmic import read_openmic
from timbretree.render.labelling.openmic_facts import LABELS, LABELS_A_CLIP
from timbretree.render.labelling.truth import TRUTH, Truth, read_truth


def sheet(data: Path, truth: Truth, clips: list[int], splits: list[str]) -> plt.Figure:
    """Each clip's log-mel, and below it what sounds: its loudness against the mix and how long."""
    records = {r["key"]: r for r in map(json.loads, (data / "clips.jsonl").open(encoding="utf-8"))}
    drawn, axes = plt.subplots(5, len(clips) // 5, figsize=(15, 14), layout="constrained")
    for axis, clip in zip(axes.flat, clips, strict=True):
        key = truth.keys[clip]
        wave, rate = soundfile.read(data / "audio" / key[:3] / f"{key}.ogg", dtype="float32")
        mel = log_mel(soxr.resample(wave.mean(axis=1), rate, MN04.rate), MN04)
        axis.imshow(mel.T, origin="lower", aspect="auto", cmap="magma",
                    extent=(0, len(wave) / rate, 0, mel.shape[1]),
                    vmin=np.quantile(mel, 0.05))  # fmt: skip
        loud, long = truth.loudness[clip], truth.seconds[clip]
        heard = [f"{truth.tags[k]} {loud[k]:+.0f} dB, {long[k]:.0f} s"
                 for k in np.flatnonzero(truth.present[clip])]  # fmt: skip
        record = records[key]
        axis.set_title(f"{record['band']} · {record['group'][:34]} · {splits[clip]}", fontsize=8)
        axis.set_xlabel("\n".join([", ".join(heard[i : i + 2]) for i in range(0, len(heard), 2)]),
                        fontsize=7)  # fmt: skip
        axis.set_yticks([])
        axis.tick_params(labelsize=6)
    return drawn


def main() -> None:
    """Read the arguments, draw and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=20, help="a multiple of 5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    found = read_openmic(asked.data)
    truth = read_truth(asked.data / TRUTH, found.tags)
    chosen = sorted(
        np.random.default_rng(asked.seed).choice(len(found), asked.clips, replace=False)
    )
    drawn = sheet(asked.data, truth, [int(clip) for clip in chosen], list(found.splits))
    folder = PAGE.parent / "results" if asked.page else asked.data
    folder.mkdir(exist_ok=True)
    drawn.savefig(folder / "clips.jpg", dpi=90, pil_kwargs={"quality": 80})
    blocks = {"labels": labels_table(found.labels, truth), "tags": tags_table(found.labels, truth)}
    for name, text in blocks.items():
        print(f"\n{name}\n{text}")
        if asked.page:
            put(name, text)
    if asked.json:
        write_whole(asked.json, json.dumps(counts(found.labels, truth), indent=1) + "\n")


def counts(labels: Labels, truth: Truth) -> dict[str, object]:
    """The figures of both tables, as plain data."""
    target, mask = labels
    a_clip = np.bincount(mask.sum(axis=1), minlength=8)
    wrong = mask & (target != truth.present)
    tags_a_clip = np.bincount(truth.present.sum(axis=1), minlength=9)
    return {
        "clips": len(mask),
        "labels_a_clip": float(mask.sum() / len(mask)),
        "present_share": float(target[mask].mean()),
        "cells_observed": float(mask.mean()),
        "clips_by_labels": a_clip.tolist(),
        "noise": float(wrong.sum() / mask.sum()),
        "noise_present": float((wrong & target).sum() / (mask & target).sum()),
        "noise_absent": float((wrong & ~target).sum() / (mask & ~target).sum()),
        "tags_a_clip": float(truth.present.sum(axis=1).mean()),
        "clips_by_tags": tags_a_clip.tolist(),
        "by_tag": {
            tag: {"sounds": float(truth.present[:, k].mean()),
                  "present": int((target & mask)[:, k].sum()),
                  "absent": int((~target & mask)[:, k].sum())}
            for k, tag in enumerate(truth.tags)
        },
    }  # fmt: skip


def labels_table(labels: Labels, truth: Truth) -> str:
    """Density and shares, ours and OpenMIC's."""
    ours = counts(labels, truth)
    real = {name: [sum(pair[i] for pair in tags.values()) for i in (0, 1)]
            for name, tags in LABELS.items()}  # fmt: skip
    present, absent = sum(r[0] for r in real.values()), sum(r[1] for r in real.values())
    by_labels = ours["clips_by_labels"]
    test = LABELS_A_CLIP["test"]
    rows = [
        ["labels a clip", f"{ours['labels_a_clip']:.2f}", f"{(present + absent) / 20_000:.2f}"],
        ["labels that say present", percent(ours["present_share"]) + " %",
         percent(present / (present + absent)) + " %"],
        ["cells observed", percent(ours["cells_observed"]) + " %",
         percent((present + absent) / 400_000) + " %"],
        *([f"clips with {n} label{'s' if n > 1 else ''} (OpenMIC: test split)",
           percent(by_labels[n] / ours["clips"]) + " %",
           percent(share_of(test, n)) + " %"] for n in (1, 2, 3, 4)),
        ["labels that contradict the truth", percent(ours["noise"]) + " %", "not known"],
        ["of those that say present", percent(ours["noise_present"]) + " %", "not known"],
        ["of those that say absent", percent(ours["noise_absent"]) + " %", "not known"],
        ["instruments that sound in a clip", f"{ours['tags_a_clip']:.2f}", "not known"],
    ]  # fmt: skip
    return table(["", "rendered", "OpenMIC-2018"], rows)


def share_of(test: tuple[int, ...], labels: int) -> float:
    """The share of test clips with so many labels."""
    return test[labels - 1] / sum(test)


def tags_table(labels: Labels, truth: Truth) -> str:
    """By tag: in how many clips it sounds, and its labels beside OpenMIC's, scaled to as many
    clips."""
    ours = counts(labels, truth)
    scale = ours["clips"] / 20_000
    rows = []
    for tag, found in ours["by_tag"].items():
        real = [sum(LABELS[split][tag][i] for split in LABELS) * scale for i in (0, 1)]
        rows.append([tag, percent(found["sounds"]) + " %", f"{found['present']:,}",
                     f"{real[0]:,.0f}", f"{found['absent']:,}", f"{real[1]:,.0f}"])  # fmt: skip
    head = ["tag", "sounds in", "labels: present", "OpenMIC's", "absent", "OpenMIC's"]
    return table(head, rows)


if __name__ == "__main__":
    main()
