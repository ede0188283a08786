"""Teaching a network: ``fit`` yields one epoch after the other and neither prints nor saves."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from timbretree.data import ClipSet
from timbretree.losses import joint_bce, masked_bce
from timbretree.model import InstrumentNet


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the defaults are the paper's (section 4.2), and ours where it says nothing."""

    epochs: int = 30
    """Ours; the paper does not say."""
    warmup: int = 5
    """Epochs of linearly rising learning rate; then it falls to 0 along a cosine (ours)."""
    batch: int = 16
    learning_rate: float = 1e-4
    """The highest one."""
    trunk_share: float = 1.0
    """The learning rate of the backbone as a share of the head's; 0 leaves the backbone alone."""
    weight_decay: float = 1e-4
    fine_weight: float = 0.8
    """lambda of Eq. 2: the share of the tags in the loss."""
    frozen_statistics: bool = False
    """Whether the backbone's BatchNorm keeps the statistics it came with (ours)."""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training clips brought."""

    number: int
    """From 1."""
    train_loss: float
    """Eq. 2, the mean over the batches."""
    valid_fine: float
    """The masked loss of the tags on the validation clips: the lowest one is kept."""
    valid_coarse: float
    seconds: float


def fit(
    net: InstrumentNet,
    train: ClipSet,
    valid: ClipSet,
    config: TrainConfig = TrainConfig(),
    *,
    device: str = "cpu",
) -> Iterator[Epoch]:
    """Train ``net`` in place; after each epoch, while the caller has the turn, it is as it stands.

    Seeds torch's generator; on the CPU, the same seed, data and torch give the same network.
    """
    torch.manual_seed(config.seed)
    net.to(device)
    optimiser = torch.optim.Adam(_parameter_groups(net, config), weight_decay=config.weight_decay)
    steps = math.ceil(len(train) / config.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _rate(step, steps * config.warmup, steps * config.epochs)
    )
    for number in range(1, config.epochs + 1):
        began = time.monotonic()
        _set_training(net, config)
        total = 0.0
        for batch in train.batches(config.batch, seed=config.seed * 100_003 + number):
            batch = batch.to(device)
            prediction = net(batch.waveform)
            loss = joint_bce(prediction, batch.fine, batch.coarse, config.fine_weight)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item()
        fine, coarse = validation_losses(net, valid, device=device)
        yield Epoch(number, total / steps, fine, coarse, time.monotonic() - began)


@torch.inference_mode()
def validation_losses(net: InstrumentNet, clips: ClipSet, *, device: str) -> tuple[float, float]:
    """The masked losses of tags and groups over all observed cells of some clips."""
    net.eval()
    sums, cells = [0.0, 0.0], [0, 0]
    for batch in clips.batches(32):
        batch = batch.to(device)
        prediction = net(batch.waveform)
        for level, labels in enumerate((batch.fine, batch.coarse)):
            count = int(labels.mask.sum())
            sums[level] += masked_bce(prediction[level], labels).item() * count
            cells[level] += count
    return sums[0] / max(1, cells[0]), sums[1] / max(1, cells[1])


def _parameter_groups(net: InstrumentNet, config: TrainConfig) -> list[dict[str, object]]:
    trunk_rate = config.learning_rate * config.trunk_share
    net.backbone.requires_grad_(trunk_rate > 0)
    head: dict[str, object] = {"params": net.head.parameters(), "lr": config.learning_rate}
    trunk: dict[str, object] = {"params": net.backbone.parameters(), "lr": trunk_rate}
    return [head, trunk] if trunk_rate else [head]


def _rate(step: int, warm: int, total: int) -> float:
    """The learning rate at a step as a share of the highest: a ramp, then half a cosine to 0."""
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))


def _set_training(net: InstrumentNet, config: TrainConfig) -> None:
    net.train()
    if config.frozen_statistics or not config.trunk_share:
        for layer in net.backbone.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
