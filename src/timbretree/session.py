"""One training run in a folder of its own: a data set in, a checkpoint out."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch.utils.tensorboard import SummaryWriter

from timbretree.annotations import Annotations
from timbretree.calibration import calibrate
from timbretree.checkpoint import Checkpoint
from timbretree.claim import claim
from timbretree.decoding import Progress
from timbretree.evaluate import predict
from timbretree.files import write_whole
from timbretree.material import Source, digest, prepare, with_validation
from timbretree.methods import METHODS
from timbretree.model import InstrumentNet, build
from timbretree.resume import load_learner, train_to_best
from timbretree.start import Fresh, read_start, start_from
from timbretree.train import Epoch, Learner, TrainConfig

BEST = "best.safetensors"
STATE = "state.safetensors"


class SessionError(ValueError):
    """A run that can't be started or gone on with; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What to train, on what."""

    source: Source
    backbone: str = "mn04"
    method: str = "resatt"
    """One of ``timbretree.methods.METHODS``."""
    start: Path | None = None
    """A model file to start from, or AudioSet weights (EfficientAT's for mn04, PANNs' for cnn14),
    or None for random ones."""
    frozen: bool = False
    """Whether the trunk is left as it is, without SpecAugment and dropout, so that each clip goes
    through it once and the head learns in seconds."""
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_dict(self) -> dict[str, object]:
        """Plain data, for the record."""
        plain = dataclasses.asdict(dataclasses.replace(self, source=None))  # type: ignore[arg-type]
        return plain | {"source": self.source.to_dict(), "start": self.start and str(self.start)}


class Session:
    """A run: reads and decodes the data set, then ``epochs()`` trains, keeping the best network.

    ``folder`` gets ``plan.json``, the split, ``epochs.jsonl``, TensorBoard's events, the learner as
    it stands and ``best.safetensors``; ``cache`` (default: ``folder``) the decoded clips. A folder
    that holds a broken-off run of the same plan goes on. Raises ClaimError, SessionError,
    AnnotationError and CheckpointError.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        where: Accelerator,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.plan, self.folder, self.where = plan, folder, where
        tree, method = plan.source.taxonomy, METHODS[plan.method]
        self.net, self.fresh = _start(plan)
        annotations = plan.source.read("train", "valid")  # before anything is written
        cache = folder if cache is None else cache
        with where.main_process_first():  # it claims and decodes; the others find it done
            claim(folder / "plan.json", plan.to_dict() | what_else(annotations, where))
            annotations = with_validation(annotations, plan.source, folder)
            mine = np.isin(annotations.splits, ("train", "valid"))
            self.material = prepare(
                plan.source, annotations.take(np.flatnonzero(mine)), cache=cache,
                rate=self.net.frontend.spec.rate, progress=progress,
            )  # fmt: skip
            inputs = None
            if plan.frozen:
                inputs = self.material.embed(
                    self.net, cache / f"{plan.backbone}.npy",
                    device=where.device, progress=progress,
                )  # fmt: skip
        self.train = self.material.part("train", rule=method.rule, inputs=inputs)
        self.valid = self.material.part("valid", inputs=inputs)  # judged by observed-any
        self.steps = math.ceil(len(self.train) / plan.train.batch)
        """Batches an epoch."""
        learning = self.net.head if plan.frozen else self.net
        self.learner = Learner(learning, tree, plan.train, steps=self.steps, where=where)
        if (folder / STATE).exists():
            load_learner(self.learner, folder / STATE)
            if self.learner.epochs and not (folder / BEST).exists():
                raise SessionError(
                    f"{folder / BEST}, the best network of this run so far, is gone; "
                    f"delete {folder / STATE} to train from the beginning"
                )

    @property
    def failures(self) -> dict[str, str]:
        """Files that were left out, with the reason code."""
        return self.material.failures

    def epochs(self, *, on_step: Callable[[int], None] | None = None) -> Iterator[Epoch]:
        """Train. After each epoch with the lowest fine loss on ``valid``, the checkpoint is saved.

        It is calibrated on ``valid``, by which it was chosen.
        """
        training = train_to_best(
            self.learner, self.train, self.valid,
            on_best=self._keep, state=self.folder / STATE, on_step=on_step,
        )  # fmt: skip
        if not self.where.is_main_process:
            yield from training
            return
        first = len(self.learner.epochs) + 1
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=first) as board:
            for epoch in training:
                _log(self.folder / "epochs.jsonl", self.learner.epochs)
                for name in ("train_loss", "valid_fine", "valid_coarse", "seconds"):
                    board.add_scalar(name, getattr(epoch, name), epoch.number)
                yield epoch

    def checkpoint(self) -> Checkpoint:
        """The network as it stands, with the calibration and thresholds that ``valid`` asks for."""
        said = predict(self.learner.net, self.valid, device=self.where.device)
        found = calibrate(said.fine, said.coarse, self.valid.fine, self.valid.coarse)
        return Checkpoint(
            net=self.net,
            backbone=self.plan.backbone,
            head=METHODS[self.plan.method].head,
            taxonomy=self.plan.source.taxonomy,
            seconds=self.plan.source.seconds,
            config=self.plan.to_dict(),
            **found._asdict(),
        )

    def _keep(self) -> None:
        if self.where.is_main_process:
            self.checkpoint().save(self.folder / BEST)


def what_else(annotations: Annotations, where: Accelerator) -> dict[str, object]:
    """What makes a run another one beside its plan."""
    return {"labels": digest(annotations), "precision": where.mixed_precision}


def _log(path: Path, epochs: list[Epoch]) -> None:
    write_whole(path, "".join(json.dumps(dataclasses.asdict(each)) + "\n" for each in epochs))


def _start(plan: Plan) -> tuple[InstrumentNet, Fresh]:
    """A new network, and what of it is random though the start could have lent it."""
    torch.manual_seed(plan.train.seed)  # before the first random weight
    head, tree = METHODS[plan.method].head, plan.source.taxonomy
    net = build(plan.backbone, head, tree)
    if plan.start is None:
        return net, Fresh()
    start = read_start(plan.backbone, plan.start)
    return net, start_from(net, start, head=head, taxonomy=tree)
