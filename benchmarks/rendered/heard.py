"""Train every method on a rendered data set, and keep what each network says of all clips.

    python benchmarks/rendered/heard.py DATA OUT --start WEIGHTS [--backbone mn04|cnn14]
        [--learning-rate 1e-4] [--full] [--methods all] [--seeds 8] [--lambdas .70,.75,.80,.85,.90]
        [--device cpu|auto]

DATA is a folder that ``timbretree render`` made, OUT gets the runs and may be gone on with. Without
--full the trunk is frozen, and heads learn side by side, one a core. The grid is that of
``timbretree reproduce``; here each run's answers for the train and test clips are kept as well
(OUT/heard), so that method_table.py can score them against the truth without another training.

On a GPU, the whole network on 20,000 clips:
    python benchmarks/rendered/heard.py DATA OUT --start WEIGHTS --full --device auto
"""

import argparse
import copy
import io
import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from timbretree.data import ClipSet
from timbretree.evaluate import predict
from timbretree.experiment.lab import Finished, Lab, LabPlan
from timbretree.experiment.ledger import Cell, grid
from timbretree.files import write_whole
from timbretree.heads import HEADS
from timbretree.labels import Prediction
from timbretree.material import Source
from timbretree.methods import METHODS, PAPER
from timbretree.model import InstrumentNet
from timbretree.taxonomy import Taxonomy
from timbretree.train import TrainConfig, accelerator
from timbretree.workers import as_done


def plan_of(asked: argparse.Namespace) -> LabPlan:
    """What all runs have in common: as in ``timbretree reproduce``."""
    source = Source(asked.data, Taxonomy.load("tone7"))
    config = TrainConfig(learning_rate=asked.learning_rate)
    start = None if asked.start == "none" else Path(asked.start)
    return LabPlan(source, asked.backbone, start, not asked.full, config)


def network(lab: Lab, finished: Finished) -> InstrumentNet:
    """The network of a finished run; of a frozen trunk, the head alone."""
    head = HEADS[METHODS[finished.record.cell.method].head](
        lab.trunk.num_features, lab.plan.source.taxonomy
    )
    net = head if lab.plan.frozen else InstrumentNet(copy.deepcopy(lab.trunk), head)
    net.load_state_dict(finished.weights)
    return net


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what all runs have in common, for every script that reads them."""
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", required=True, help="AudioSet weights, or none: random ones")
    parser.add_argument("--backbone", default="mn04")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--full", action="store_true", help="train the trunk, too")


def place(out: Path, cell: Cell) -> Path:
    """Where a run's answers are kept."""
    return out / "heard" / cell.method / f"{cell.name}.npz"


def train_part(lab: Lab) -> ClipSet:
    """The clips that were learnt from."""
    return lab.material.part("train", inputs=lab.inputs)


def run(lab: Lab, cell: Cell) -> tuple[Finished, bytes]:
    """Train a cell; the second answer is the file of what its network says."""
    finished = lab.run(cell)
    net = network(lab, finished)
    test = predict(net, lab.test, device=lab.where.device)
    train = predict(net, train_part(lab), device=lab.where.device)
    file = io.BytesIO()
    np.savez(
        file, fine=test.fine, coarse=test.coarse, train=train.fine.astype(np.float16),
        tag_thresholds=finished.thresholds.tags, group_thresholds=finished.thresholds.groups,
    )  # fmt: skip
    return finished, file.getvalue()


def read(out: Path, cell: Cell) -> tuple[Prediction, np.ndarray, np.ndarray, np.ndarray]:
    """What a run said: of the test clips, of the train clips' tags, and both thresholds."""
    with np.load(place(out, cell)) as file:
        said = Prediction(file["fine"], file["coarse"], None)
        return said, file["train"], file["tag_thresholds"], file["group_thresholds"]


@lru_cache(maxsize=1)
def _enter(plan: LabPlan, out: Path) -> Lab:
    return Lab(plan, out, where=accelerator("cpu"))


def _run_apart(plan: LabPlan, out: Path, cell: Cell) -> tuple[Finished, bytes]:
    return run(_enter(plan, out), cell)


def run_all(lab: Lab, cells: list[Cell]) -> Iterator[tuple[Finished, bytes]]:
    """Train cells: one a core where heads learn on the CPU, else one after the other."""
    if not lab.plan.frozen or lab.where.device.type != "cpu":
        yield from (run(lab, cell) for cell in cells)
        return
    yield from as_done(_run_apart, ((lab.plan, lab.folder, cell) for cell in cells))


def main() -> None:
    """Read the arguments and train what is not trained yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--methods", default="all", help="all, paper, or names with commas")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--lambdas", default=".70,.75,.80,.85,.90")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    named = {"all": list(METHODS), "paper": list(PAPER)}
    methods = named.get(asked.methods) or asked.methods.split(",")
    cells = grid(methods, [float(each) for each in asked.lambdas.split(",")], asked.seeds)
    lab = Lab(plan_of(asked), asked.out, where=accelerator(asked.device))
    left = [c for c in cells if c not in lab.ledger or not place(asked.out, c).exists()]
    print(f"{len(cells)} runs, {len(left)} to go, on {os.cpu_count()} cores", flush=True)
    began = time.monotonic()
    for number, (finished, said) in enumerate(run_all(lab, left), 1):
        path = place(asked.out, finished.record.cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, said)
        lab.keep(finished)
        if number % 20 == 0 or number == len(left):
            each = (time.monotonic() - began) / number
            print(f"{number}/{len(left)}, {each:.2f} s each", flush=True)


if __name__ == "__main__":
    main()
