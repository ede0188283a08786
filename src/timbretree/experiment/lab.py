"""Where runs are made: one data set, one trunk, and a network for each cell of the grid."""

import copy
import dataclasses
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from timbretree.checkpoint import Checkpoint
from timbretree.claim import claim
from timbretree.data import ClipSet, shuffled
from timbretree.decoding import Progress
from timbretree.evaluate import choose_thresholds, predict
from timbretree.experiment.ledger import Cell, Heard, Ledger, Record, Study
from timbretree.experiment.statistics import chosen_weight, methods_run
from timbretree.files import write_whole
from timbretree.heads import HEADS
from timbretree.material import Source, prepare, with_validation
from timbretree.methods import METHODS
from timbretree.model import InstrumentNet, build
from timbretree.openmic import is_official
from timbretree.resume import load_learner, train_to_best
from timbretree.scores import Scores, Thresholds, score
from timbretree.session import what_else
from timbretree.start import read_start
from timbretree.train import Learner, TrainConfig, validation_losses


@dataclass(frozen=True)
class LabPlan:
    """What all runs of an experiment have in common."""

    source: Source
    backbone: str = "cnn14"
    start: Path | None = None
    """AudioSet weights of the trunk; the heads start at random (ours: the paper does not say)."""
    frozen: bool = False
    """Whether the trunk is left as it is: see ``timbretree.session.Plan``."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Seed and objective are those of each cell."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the record."""
        train = dataclasses.asdict(self.train)
        del train["seed"], train["objective"]
        return {
            "source": self.source.to_dict(),
            "backbone": self.backbone,
            "start": self.start and str(self.start),
            "frozen": self.frozen,
            "train": train,
        }


@dataclass(frozen=True, eq=False)
class Finished:
    """A run, before it is written down."""

    record: Record
    weights: dict[str, Tensor]
    """Of the best epoch: those of the head where the trunk is frozen, else of the whole network."""
    thresholds: Thresholds


class Lab:
    """A data set and a trunk, ready for runs.

    ``folder`` gets ``plan.json``, the split, the decoded clips, ``runs/`` (the ledger) and
    ``models/`` (for each method and lambda, the checkpoint of the seed with the lowest validation
    fine loss). A folder of the same plan is gone on with; methods, lambdas and seeds may differ.
    Raises ClaimError, AnnotationError, CheckpointError and LedgerError.
    """

    def __init__(
        self, plan: LabPlan, folder: Path, *, where: Accelerator, progress: Progress | None = None
    ) -> None:
        self.plan, self.folder, self.where = plan, folder, where
        torch.manual_seed(0)  # of a trunk without a start
        net = build(plan.backbone, "gmp", plan.source.taxonomy)
        if plan.start is not None:
            net.backbone.load_state_dict(read_start(plan.backbone, plan.start).trunk.state_dict())
        self.trunk = net.backbone
        rate = net.frontend.spec.rate
        annotations = plan.source.read("train", "valid", "test")  # before anything is written
        claim(folder / "plan.json", plan.to_dict() | what_else(annotations, where))
        self.ledger = Ledger(folder / "runs")
        annotations = with_validation(annotations, plan.source, folder)
        self.material = prepare(
            plan.source, annotations, cache=folder, rate=rate, progress=progress
        )
        self.inputs = None
        if plan.frozen:
            cache = folder / f"{plan.backbone}.npy"
            found = self.material.embed(net, cache, device=where.device, progress=progress)
            self.inputs = np.array(found)  # in memory: small, and read thousands of times
        self.valid, self.test = self._part("valid"), self._part("test")
        self.steps = math.ceil(len(self._part("train")) / plan.train.batch)
        """Batches an epoch."""

    def run(self, cell: Cell, *, on_step: Callable[[int], None] | None = None) -> Finished:
        """Train and score one cell; where the trunk is trained, a run that broke off goes on."""
        began = time.monotonic()
        learner = self._learner(cell)
        best = _Best(learner.net, None if self.plan.frozen else self._desk(cell))
        if best.state and best.state.exists():
            load_learner(learner, best.state)
        train = self._part("train", rule=METHODS[cell.method].rule)
        for _ in train_to_best(
            learner, train, self.valid, on_best=best.keep, state=best.state, on_step=on_step
        ):
            pass
        best.restore()
        epoch = min(learner.epochs, key=lambda each: each.valid_fine)  # the first of equals
        thresholds, scores = self._judge(learner.net)
        record = Record(
            cell, epoch.valid_fine, epoch.valid_coarse, epoch.number,
            time.monotonic() - began, scores,
        )  # fmt: skip
        return Finished(record, best.weights, thresholds)

    def keep(self, finished: Finished) -> None:
        """Write a run down, and its network where it is the best of its method and lambda."""
        record, cell = finished.record, finished.record.cell
        others = [each.valid_fine for each in self.ledger.records if each.cell[:2] == cell[:2]]
        if record.valid_fine < min(others, default=math.inf):
            path = self.model(cell.method, cell.fine_weight)
            path.parent.mkdir(exist_ok=True)
            self._checkpoint(finished).save(path)
        self.ledger.add(record)
        shutil.rmtree(self._desk(cell), ignore_errors=True)

    def model(self, method: str, fine_weight: float) -> Path:
        """Where the checkpoint of a method and a lambda is kept."""
        return self.folder / "models" / f"{method}-lambda-{fine_weight:g}.safetensors"

    def study(self) -> Study:
        """All finished runs, as the tables, figures and the report want them."""
        material, source = self.material, self.plan.source
        records = self.ledger.records
        return Study(
            name=source.path.stem,
            openmic=is_official(material.annotations),
            taxonomy=source.taxonomy,
            records=records,
            files=tuple(_name(material.annotations.files[row]) for row in self.test.rows),
            fine=self.test.fine,
            coarse=self.test.coarse,
            heard={name: self._hear(name) for name in methods_run(records)},
            failures={_name(Path(file)): code for file, code in material.failures.items()},
            settings=self._settings(),
        )

    def time_run(self) -> float:
        """About how many seconds one run takes, from a short trial of ResAtt."""
        learner = self._learner(Cell("resatt", 0.8, 0))
        size = self.plan.train.batch
        train, valid = self._part("train"), self.valid
        trial = shuffled(len(train), seed=0)[: size * (50 if self.plan.frozen else 3)]
        learner.net.train()
        for batch in train.batches(size, order=trial[:size], device=self.where.device):
            learner.step(batch)  # the first takes longer
        began, steps = time.monotonic(), 0
        for batch in train.batches(size, order=trial, device=self.where.device):
            learner.step(batch)
            steps += 1
        step = (time.monotonic() - began) / steps
        some = valid.take(np.arange(min(len(valid), 4096 if self.plan.frozen else 32)))
        began = time.monotonic()
        validation_losses(learner.net, some, where=self.where)
        clip = (time.monotonic() - began) / len(some)
        epoch = self.steps * step + len(valid) * clip
        return self.plan.train.epochs * epoch + (len(valid) + len(self.test)) * clip

    def _settings(self) -> dict[str, str]:
        """What was run, in words."""
        plan, config = self.plan, self.plan.train
        split = "artists kept apart" if plan.source.artist else "stratified"
        return {
            "Backbone": f"{plan.backbone}, {'frozen' if plan.frozen else 'trained with the head'}",
            "Start": "random weights" if plan.start is None else plan.start.name,
            "Clips": f"{len(self._part('train'))} to learn from, {len(self.valid)} to choose by, "
            f"{len(self.test)} to score",
            "Validation": f"{split}, seed {plan.source.split_seed}",
            "Training": f"{config.epochs} epochs of {self.steps} steps of {config.batch} clips, "
            f"learning rate {config.learning_rate:g} after {config.warmup} epochs of warm-up",
            "Families": plan.source.taxonomy.name,
            "Calculated on": f"{self.where.device.type}, precision {self.where.mixed_precision}, "
            f"torch {torch.__version__}",
        }

    def _part(self, split: str, *, rule: str = "observed-any") -> ClipSet:
        return self.material.part(split, rule=rule, inputs=self.inputs)

    def _learner(self, cell: Cell) -> Learner:
        """A new network for a cell: the trunk as it came, a head at random."""
        plan, method, tree = self.plan, METHODS[cell.method], self.plan.source.taxonomy
        torch.manual_seed(cell.seed)
        head = HEADS.pick(method.head)(self.trunk.num_features, tree)
        net = head if plan.frozen else self._net(head)
        objective = method.objective(cell.fine_weight)
        config = dataclasses.replace(plan.train, seed=cell.seed, objective=objective)
        return Learner(net, tree, config, steps=self.steps, where=self.where)

    def _net(self, head: nn.Module) -> InstrumentNet:
        return InstrumentNet(self.trunk if self.plan.frozen else copy.deepcopy(self.trunk), head)

    def _desk(self, cell: Cell) -> Path:
        """Where an unfinished run lies."""
        return self.folder / "unfinished" / f"{cell.method}-{cell.name}"

    def _judge(self, net: nn.Module) -> tuple[Thresholds, Scores]:
        """Thresholds from the validation clips, and what the network scores on the test clips."""
        device, test = self.where.device, self.test
        said = predict(net, self.valid, device=device)
        thresholds = Thresholds(
            choose_thresholds(said.fine, self.valid.fine),
            choose_thresholds(said.coarse, self.valid.coarse),
        )
        heard = predict(net, test, device=device)
        tree = self.plan.source.taxonomy
        return thresholds, score(
            heard, test.fine, test.coarse, taxonomy=tree, thresholds=thresholds
        )

    def _checkpoint(self, finished: Finished) -> Checkpoint:
        cell, tree = finished.record.cell, self.plan.source.taxonomy
        head = METHODS[cell.method].head
        net = self._net(HEADS.pick(head)(self.trunk.num_features, tree))
        (net.head if self.plan.frozen else net).load_state_dict(finished.weights)
        return Checkpoint(
            net=net,
            backbone=self.plan.backbone,
            head=head,
            taxonomy=tree,
            tag_thresholds=finished.thresholds.tags,
            group_thresholds=finished.thresholds.groups,
            seconds=self.plan.source.seconds,
            config=self.plan.to_dict() | {"cell": cell._asdict()},
        )

    def _hear(self, method: str) -> Heard:
        """What the kept network of a method says of the test clips, at the chosen lambda."""
        path = self.model(method, chosen_weight(self.ledger.records, method))
        checkpoint = Checkpoint.load(path)
        net = checkpoint.net.head if self.plan.frozen else checkpoint.net
        said = predict(net, self.test, device=self.where.device)
        return Heard(said, checkpoint.tag_thresholds, checkpoint.group_thresholds)


def _name(file: Path) -> str:
    """A clip's name for readers elsewhere: file and folder, nothing of this machine above them."""
    return "/".join(file.parts[-2:])


class _Best:
    """The weights of the best epoch: in memory, or in a folder where a kill must not lose them."""

    def __init__(self, net: nn.Module, desk: Path | None) -> None:
        self.net, self.desk = net, desk
        self.state = desk and desk / "state.safetensors"
        self.weights: dict[str, Tensor] = {}
        if desk:
            desk.mkdir(parents=True, exist_ok=True)

    def keep(self) -> None:
        """The network as it stands is the best."""
        weights = {name: each.detach().cpu() for name, each in self.net.state_dict().items()}
        if self.desk:
            write_whole(self.desk / "best.safetensors", to_bytes(weights))
        else:
            self.weights = {name: each.clone() for name, each in weights.items()}

    def restore(self) -> None:
        """Give the network its best weights back."""
        if self.desk:  # it may be of an earlier process
            self.weights = load_file(self.desk / "best.safetensors")
        self.net.load_state_dict(self.weights)
