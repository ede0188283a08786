"""Teaching a network: ``fit`` yields one epoch after the other and neither prints nor saves."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from timbretree.data import Batch, ClipSet, Rows, shuffled
from timbretree.labels import Labels, Prediction
from timbretree.losses import JointLoss, Mean, masked_bce, total
from timbretree.model import InstrumentNet
from timbretree.objective import Objective
from timbretree.taxonomy import Taxonomy


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the defaults are the paper's (section 4.2), and ours where it says nothing."""

    epochs: int = 30
    """Ours; the paper does not say."""
    warmup: int = 5
    """Epochs of linearly rising learning rate; then it falls to 0 along a cosine (ours)."""
    batch: int = 16
    """Clips a step, on all devices together."""
    learning_rate: float = 1e-4
    """The highest one."""
    trunk_share: float = 1.0
    """The learning rate of the backbone as a share of the head's; 0 leaves the backbone alone."""
    weight_decay: float = 1e-4
    objective: Objective = field(default_factory=Objective)
    """What is made small."""
    frozen_statistics: bool = False
    """Whether the backbone's BatchNorm keeps the statistics it came with (ours)."""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training clips brought."""

    number: int
    """From 1."""
    train_loss: float
    """What was made small, the mean over the batches."""
    valid_fine: float
    """The masked loss of the tags on the validation clips: the lowest one is kept."""
    valid_coarse: float
    seconds: float


BOUND = 1e9
"""No weight of use is as large as this."""


class DivergedError(ValueError):
    """A training that came to nothing: its weights grew beyond all bounds."""


def accelerator(device: str = "auto", precision: str = "no") -> Accelerator:
    """Where to calculate, and in which precision: accelerate's own object.

    ``device``: cpu, or auto for a GPU where there is one. ``precision``: no (float32), bf16 or
    fp16. Started by ``accelerate launch``, several processes train one network together.
    """
    cpu = device == "cpu" or not torch.cuda.is_available()
    return Accelerator(cpu=cpu, mixed_precision=precision)


class Learner:
    """A network with its loss, its optimiser and its schedule: all that an epoch changes.

    ``net`` is an InstrumentNet, or the head of one where its trunk is frozen; it is moved to the
    device. ``steps`` is the number of batches an epoch. Seeds torch's generator.
    """

    def __init__(
        self,
        net: nn.Module,
        taxonomy: Taxonomy,
        config: TrainConfig,
        *,
        steps: int,
        where: Accelerator,
    ) -> None:
        torch.manual_seed(config.seed + 7_919 * where.process_index)
        if where.num_processes > 1 and where.device.type == "cuda":
            # the statistics of the whole batch, not of a device's part of it
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
        self.net, self.config, self.where = net.to(where.device), config, where
        self.loss = JointLoss(config.objective, taxonomy).to(where.device)
        self.epochs: list[Epoch] = []
        """What the epochs up to now have brought."""
        optimiser = torch.optim.Adam(
            _parameter_groups(net, config), weight_decay=config.weight_decay, fused=True
        )
        warm, end = steps * config.warmup, steps * config.epochs
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: _rate(step, warm, end)
        )
        self.spread, self.optimiser, self._backward = self.net, optimiser, _backward
        if where.num_processes > 1 or where.mixed_precision != "no":
            # what accelerate wraps must not be ``net`` itself: it is judged and saved as it is
            self.spread, self.optimiser = where.prepare(_Spread(self.net), optimiser)
            self._backward = where.backward

    def step(self, batch: Batch) -> Tensor:
        """Learn from one batch; the loss comes back, of all devices together."""
        prediction: Prediction = self.spread(batch.inputs)
        loss = self._together(self.loss(prediction, batch.fine, batch.coarse))
        self.optimiser.zero_grad()
        self._backward(loss)
        self.optimiser.step()
        self.schedule.step()
        return loss.detach()

    def _together(self, terms: list[tuple[float, Mean]]) -> Tensor:
        """The loss whose gradient, averaged over the devices, is that of the whole batch: each
        device's sum is divided by the cells that all of them observed."""
        if self.where.num_processes == 1:
            return total(terms)
        device = self.where.device
        counts = torch.stack([torch.as_tensor(each.count, device=device) for _, each in terms])
        counts = self.where.reduce(counts, "sum") / self.where.num_processes
        return total(
            [
                (weight, Mean(each.sum / count.clamp_min(1e-9), 1))
                for (weight, each), count in zip(terms, counts, strict=True)
            ]
        )


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


class _Spread(nn.Module):
    """A network as accelerate may wrap it for mixed precision and for several devices."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Prediction:
        prediction: Prediction = self.net(inputs)
        return prediction


def fit(
    learner: Learner,
    train: ClipSet,
    valid: ClipSet,
    *,
    on_step: Callable[[int], None] | None = None,
) -> Iterator[Epoch]:
    """Train until ``config.epochs`` are done; while the caller has the turn, the network is as it
    stands after an epoch, and ``learner`` may be saved.

    ``on_step`` is called with the number of steps done in the epoch. On the CPU, the same seed,
    data and torch give the same network, also where a saved learner goes on. Raises DivergedError.
    """
    config, where = learner.config, learner.where
    workers = 2 if where.device.type == "cuda" and train.inputs.dtype == np.int16 else 0
    for number in range(len(learner.epochs) + 1, config.epochs + 1):
        began = time.monotonic()
        order = shuffled(len(train), seed=config.seed * 100_003 + number)
        plan = [order[first : first + config.batch] for first in range(0, len(order), config.batch)]
        mine = [share(rows, where.process_index, where.num_processes) for rows in plan]
        with _threads_for(train), _divergence_told(learner.net, number):
            _set_training(learner.net, config)
            loss = torch.zeros((), device=where.device)
            for step, batch in enumerate(train.load(mine, device=where.device, workers=workers), 1):
                if len(plan[step - 1]) <= where.process_index:
                    batch = _unlabelled(batch)
                loss += learner.step(batch)
                if on_step:
                    on_step(step)
            mean = where.reduce(loss, "mean").item() / len(plan)
            fine, coarse = validation_losses(learner.net, valid, where=where)
        epoch = Epoch(number, mean, fine, coarse, time.monotonic() - began)
        learner.epochs.append(epoch)
        yield epoch


@contextmanager
def _threads_for(clips: ClipSet) -> Iterator[None]:
    """One thread where only a head learns: it is too small to be shared, and waiting for each other
    costs several times the work where the machine has other things to do."""
    before = torch.get_num_threads()
    if clips.inputs.dtype != np.int16:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _divergence_told(net: nn.Module, number: int) -> Iterator[None]:
    """Say that weights have run away to infinity, of which torch only says that a loss can't be."""
    try:
        yield
    except RuntimeError as error:
        if all((weights.abs() < BOUND).all() for weights in net.parameters()):  # false for nan
            raise
        raise DivergedError(
            f"in epoch {number} the weights grew beyond all bounds; try a lower learning rate"
        ) from error


def share(rows: Rows, process: int, processes: int) -> Rows:
    """What one of several processes takes of a batch; where nothing is left for it, a clip all the
    same, since all must go through the network together."""
    mine = rows[process::processes]
    return mine if len(mine) else rows[:1]


def _unlabelled(batch: Batch) -> Batch:
    fine, coarse = (Labels(each.target, torch.zeros_like(each.mask)) for each in batch[1:])
    return Batch(batch.inputs, fine, coarse)


@torch.inference_mode()
def validation_losses(net: nn.Module, clips: ClipSet, *, where: Accelerator) -> tuple[float, float]:
    """The masked losses of tags and groups over all observed cells of some clips, in float32."""
    net.eval()
    sums = torch.zeros(2, 2, device=where.device, dtype=torch.float64)  # level, sum and count
    mine = np.arange(len(clips))[where.process_index :: where.num_processes]
    for batch in clips.batches(_judged_at_once(clips), order=mine, device=where.device):
        prediction: Prediction = net(batch.inputs)
        for level, labels in enumerate((batch.fine, batch.coarse)):
            loss = masked_bce(prediction[level], labels)
            sums[level] += torch.stack([loss.sum.double(), torch.as_tensor(loss.count).double()])
    fine, coarse = where.reduce(sums, "sum").tolist()
    return fine[0] / max(1.0, fine[1]), coarse[0] / max(1.0, coarse[1])


def _judged_at_once(clips: ClipSet) -> int:
    return 32 if clips.inputs.dtype == np.int16 else 4096


def _parameter_groups(net: nn.Module, config: TrainConfig) -> list[dict[str, object]]:
    if not isinstance(net, InstrumentNet):
        return [{"params": net.parameters(), "lr": config.learning_rate}]
    trunk_rate = config.learning_rate * config.trunk_share
    net.backbone.requires_grad_(trunk_rate > 0)
    head: dict[str, object] = {"params": net.head.parameters(), "lr": config.learning_rate}
    trunk: dict[str, object] = {"params": net.backbone.parameters(), "lr": trunk_rate}
    return [head, trunk] if trunk_rate else [head]


def _rate(step: int, warm: int, end: int) -> float:
    """The learning rate at a step as a share of the highest: a ramp, then half a cosine to 0."""
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, end - warm))))


def _set_training(net: nn.Module, config: TrainConfig) -> None:
    net.train()
    if config.frozen_statistics or not config.trunk_share:
        for layer in net.modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()
