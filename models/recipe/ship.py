"""From what was taught to the model that ships: average, choose, calibrate, export.

    python models/recipe/ship.py START DEVELOPMENT OUT.onnx NETWORK.pt ...

1. The networks, taught alike with other seeds, are averaged weight by weight; their average is
   averaged with the start, by the share that is best on the development data.
2. Calibration, thresholds and the bands of *unsure* are fitted on the same data.
3. All is written into one model file, with what it scored. OUT.json has every figure.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from bank import TAGS
from develop import TREE, agreement, figures, in_windows, pooled, read
from numpy.typing import NDArray
from teach import Weights, mean

from timbretree.bands import Bands
from timbretree.calibration import Calibrated, Calibration
from timbretree.checkpoint import Checkpoint
from timbretree.export import export
from timbretree.figures import save
from timbretree.figures_calibration import calibration_plot
from timbretree.labels import Labels
from timbretree.metrics import calibration_error
from timbretree.model import InstrumentNet, build

WAY = (5.0, 2.5)
"""Seconds of a window, and from one to the next, as ``windows.py`` compares them."""
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
JUDGED = {
    "mixes fine": 1.0, "mixes coarse": 1.0, "fonts fine": 1.0, "top-1": 1.0,
    "music as the start": 0.5,
}  # fmt: skip
"""Their weighted sum decides; of real music only what the start says is known, not the truth."""
WEIGHTS = {"mixes": 1.0, "fonts": 1.0, "sequences": 0.5, "others": 0.25}
"""How much the clips of each set count in the calibration, others so that they do not rule."""
CARD = Path(__file__).with_name("card.txt")


def between(start: Weights, taught: Weights, share: float) -> Weights:
    """On the way from the start to what was taught."""
    return {
        name: share * value + (1 - share) * start[name]
        if value.is_floating_point() and not name.startswith("head.attention") else value
        for name, value in taught.items()
    }  # fmt: skip


def judge(folder: Path, net: InstrumentNet) -> dict[str, Any]:
    """The scores of a network, with how far it agrees with the start on real music."""
    found = figures(folder, net, WAY)
    start = np.load(folder / "start-music.npy")
    found["music as the start"] = agreement(found.pop("music scores"), start)
    return found


class Said(NamedTuple):
    """What a network says of the labelled development data, in windows, and the truth."""

    fine: NDArray[np.float32]
    """(W, N, F)"""
    coarse: NDArray[np.float32]
    """(W, N, C)"""
    tags: Labels
    groups: Labels
    counts: NDArray[np.float64]
    """(N,): how much each clip counts."""

    def take(self, rows: NDArray[np.bool_]) -> "Said":
        """Some of the clips."""
        labels = (Labels(*(each[rows] for each in level)) for level in (self.tags, self.groups))
        return Said(self.fine[:, rows], self.coarse[:, rows], *labels, self.counts[rows])


def answers(folder: Path, net: InstrumentNet) -> Said:
    """What a network says of all labelled development data."""
    parts = []
    for name, weight in WEIGHTS.items():
        data = read(folder / f"{name}.npz")
        labels = data.labels
        if name == "others":  # nothing plays in any of it
            nothing = np.zeros_like(labels.target)
            labels = Labels(nothing, ~nothing)
        heard = in_windows(net, data.mel, WAY)
        parts.append((*heard, labels, TREE.lift(labels, "kleene"), np.full(len(data.mel), weight)))
    fine, coarse = (np.concatenate([part[i] for part in parts], axis=1) for i in (0, 1))
    tags, groups = (
        Labels(*(np.concatenate(each) for each in zip(*(part[i] for part in parts), strict=True)))
        for i in (2, 3)
    )
    return Said(fine, coarse, tags, groups, np.concatenate([part[4] for part in parts]))


def fit(said: Said) -> Calibrated:
    """Calibrate what is said of whole clips, and choose the answers as the tagger gives them."""
    maps, bands = [], []
    for scores, labels in ((said.fine, said.tags), (said.coarse, said.groups)):
        maps.append(Calibration.fit(pooled(scores), labels, weights=said.counts))
        put_right = pooled(maps[-1].apply(scores))
        bands.append(Bands.choose(put_right, labels, weights=said.counts))
    tags, groups = bands
    return Calibrated(
        tags.present_from, groups.present_from, tags.absent_below, groups.absent_below, *maps
    )


def cross_fitted(said: Said) -> NDArray[np.float32]:
    """(N, F): probabilities of whole clips, each calibrated on the half that it is not in."""
    half = np.random.default_rng(0).permutation(len(said.counts)) % 2 == 0
    after = np.zeros(said.fine.shape[1:], np.float32)
    for part in (half, ~half):
        after[~part] = pooled(fit(said.take(part)).tag_calibration.apply(said.fine[:, ~part]))
    return after


def verdicts(said: Said, fitted: Calibrated) -> dict[str, dict[str, float | None]]:
    """How often present is right, absent wrong, and nothing is said, by tag; in percent."""
    present, unsure = fitted.tag_bands.read(pooled(fitted.tag_calibration.apply(said.fine)))
    found = {}
    for row, tag in enumerate(TAGS):
        seen = said.tags.mask[:, row]
        plays, yes, perhaps = (x[seen, row] for x in (said.tags.target, present, unsure))
        shares = {
            "present is right": plays[yes],
            "found of those that play": yes[plays],
            "called absent of those that play": ~(yes | perhaps)[plays],
            "unsure": perhaps,
        }
        found[tag] = {
            name: round(100 * float(cells.mean()), 1) if len(cells) else None
            for name, cells in shares.items()
        }
    return found


def alarms(said: Said, fitted: Calibrated, folder: Path) -> dict[str, dict[str, float]]:
    """Tags that are claimed, or called unsure, in a minute of what holds no instrument, by kind."""
    count = len(read(folder / "others.npz").origin)
    kinds = np.array(read(folder / "others.npz").origin)
    heard = pooled(fitted.tag_calibration.apply(said.fine[:, -count:]))
    answers_ = dict(zip(("present", "unsure"), fitted.tag_bands.read(heard), strict=True))
    return {
        kind: {name: round(6 * float(cells[kinds == kind].sum(axis=1).mean()), 2)
               for name, cells in answers_.items()}
        for kind in sorted(set(kinds.tolist()))
    }  # fmt: skip


def main() -> None:
    """Read the arguments and ship."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("start", "development", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("networks", type=Path, nargs="+")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    how = json.loads(asked.networks[0].with_suffix(".json").read_text("utf-8"))
    taught = mean([torch.load(path, weights_only=True) for path in asked.networks])
    start = mean(
        [torch.load(path.with_suffix(".start"), weights_only=True) for path in asked.networks]
    )
    net = build("mn04", how["teaching"]["head"], TREE)
    tried: dict[float, dict[str, Any]] = {}
    for share in SHARES:
        net.load_state_dict(between(start, taught, share))
        tried[share] = judge(asked.development, net)
        print(share, {name: round(tried[share][name], 1) for name in JUDGED}, flush=True)
    share = max(tried, key=lambda each: sum(w * tried[each][name] for name, w in JUDGED.items()))
    net.load_state_dict(between(start, taught, share))
    said = answers(asked.development, net)
    fitted = fit(said)
    net.to(memory_format=torch.contiguous_format).eval()
    checkpoint = Checkpoint(
        net, "mn04", how["teaching"]["head"], TREE,
        seconds=WAY[0], step=WAY[1], **fitted._asdict(),
    )  # fmt: skip
    chosen = tried[share]
    difference = export(
        checkpoint, asked.out, name="timbretree", provenance=CARD.read_text("utf-8"),
        licence="MIT (weights); what they learned from is in shipped.LICENSES.txt",
        scores={f"valid_{name.replace(' ', '_')}": round(chosen[name] / 100, 4) for name in JUDGED},
    )  # fmt: skip
    before, after = pooled(said.fine), cross_fitted(said)
    plot = calibration_plot(before, after, said.tags, names=TAGS, title="Development data")
    save(plot, asked.out.with_name("reliability"))
    seen = said.tags.mask
    errors = [
        100 * calibration_error(each[seen], said.tags.target[seen]) for each in (before, after)
    ]
    net.load_state_dict(start)
    record = {
        "share": share,
        "taught": how,
        "tried": {
            str(each): {name: found[name] for name in JUDGED} for each, found in tried.items()
        },
        "start": judge(asked.development, net),
        "shipped": chosen,
        "calibration error before and after": errors,
        "verdicts": verdicts(said, fitted),
        "alarms a minute": alarms(said, fitted, asked.development),
        "onnx minus torch": difference,
    }
    asked.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps({k: record[k] for k in ("share", "calibration error before and after")}))


if __name__ == "__main__":
    main()
