"""In which windows to listen: whole clips, or shorter windows that overlap, and how to pool them.

python models/recipe/windows.py DEVELOPMENT START NETWORK.pt [--out FILE.json]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from develop import TREE, in_windows, network, read
from numpy.typing import NDArray

from timbretree.metrics import average_precision, macro, per_tag

WAYS = [(10.0, 10.0), (5.0, 5.0), (5.0, 2.5), (4.0, 2.0), (3.0, 1.75)]
"""Seconds of a window, and from one to the next."""
Pooled = dict[str, NDArray[np.float32]]


def pooled(said: NDArray[np.float32]) -> Pooled:
    """(W, N, K) to (N, K), in some ways."""
    logits = np.log(said.clip(1e-7)) - np.log1p(-said.clip(max=1 - 1e-7))
    ordered = np.sort(said, axis=0)[::-1]
    return {
        "mean": said.mean(axis=0), "maximum": ordered[0], "best two": ordered[:2].mean(axis=0),
        "mean of logits": 1 / (1 + np.exp(-logits.mean(axis=0))),
    }  # fmt: skip


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("development", "start", "network"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    net = network(asked.network, asked.start)
    found = {}
    for length, hop in WAYS:
        row: dict[str, dict[str, float]] = {}
        for name in ("mixes", "fonts", "sequences"):
            data = read(asked.development / f"{name}.npz")
            groups = TREE.lift(data.labels)
            fine, coarse = map(pooled, in_windows(net, data.mel, (length, hop)))
            for way in fine:
                scores = row.setdefault(way, {})
                if name == "sequences":
                    right = data.labels.target.argmax(axis=1)
                    top = fine[way].argmax(axis=1) == right
                    scores["top-1"] = round(100 * float(top.mean()), 1)
                    continue
                ap = macro(per_tag(average_precision, fine[way], *data.labels))
                above = macro(per_tag(average_precision, coarse[way], *groups))
                scores[f"{name} fine"] = round(100 * ap, 1)
                scores[f"{name} coarse"] = round(100 * above, 1)
        for way, scores in row.items() if hop < 10 else [("whole", row["mean"])]:
            found[f"{length:g} s every {hop:g} s, {way}"] = scores
            print(f"{length:g} s every {hop:g} s, {way}: {json.dumps(scores)}", flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
