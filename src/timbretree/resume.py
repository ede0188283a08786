"""Training that a kill at any moment does no harm to: a learner on disk after each epoch."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from timbretree.data import ClipSet
from timbretree.files import write_whole
from timbretree.train import Epoch, Learner, fit

KEY = "timbretree-learner"


class ResumeError(ValueError):
    """A saved learner that can't be gone on with; the message says why."""


def train_to_best(
    learner: Learner,
    train: ClipSet,
    valid: ClipSet,
    *,
    on_best: Callable[[], None],
    state: Path | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Iterator[Epoch]:
    """Train, and call ``on_best`` after each epoch with a lower fine loss on ``valid`` than any
    before it.

    With a file ``state``, the learner is saved there after each epoch. One that was loaded from
    there goes on, and comes on the CPU to the same outcome, bit for bit.
    """
    lowest = min((epoch.valid_fine for epoch in learner.epochs), default=float("inf"))
    for epoch in fit(learner, train, valid, on_step=on_step):
        if epoch.valid_fine < lowest:
            lowest = epoch.valid_fine
            on_best()
        if state and learner.where.is_main_process:
            save_learner(learner, state)
        learner.where.wait_for_everyone()
        yield epoch


def save_learner(learner: Learner, path: Path) -> None:
    """Write network, optimiser, schedule, random state and epochs to one file, whole or not."""
    optimiser = learner.optimiser.state_dict()
    tensors = {f"net.{name}": value for name, value in learner.net.state_dict().items()}
    for number, slots in optimiser["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in slots.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if learner.where.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    scaler = learner.where.scaler  # of fp16 alone
    record = {
        "groups": optimiser["param_groups"],
        "schedule": learner.schedule.state_dict() | {"lr_lambdas": []},
        "epochs": [dataclasses.asdict(epoch) for epoch in learner.epochs],
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    content = to_bytes(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        {KEY: json.dumps(record)},
    )
    write_whole(path, content)


def load_learner(learner: Learner, path: Path) -> None:
    """Put a learner back to where it was saved. Raises ResumeError for a file of another kind."""
    try:
        with safe_open(str(path), framework="pt") as file:
            record = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _restore(learner, record, tensors)
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise ResumeError(
            f"{path} is no saved training of this network: {error}; "
            "delete it to start this run from its beginning"
        ) from error


def _restore(learner: Learner, record: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    net: dict[str, Tensor] = {}
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, rest = name.split(".", 1)
        if kind == "net":
            net[rest] = value
        elif kind == "optimiser":
            number, slot = rest.split(".")
            slots.setdefault(int(number), {})[slot] = value
    learner.net.load_state_dict(net)
    learner.optimiser.load_state_dict({"state": slots, "param_groups": record["groups"]})
    learner.schedule.load_state_dict(record["schedule"])
    learner.epochs[:] = [Epoch(**epoch) for epoch in record["epochs"]]
    if learner.where.scaler is not None and record["scaler"] is not None:
        learner.where.scaler.load_state_dict(record["scaler"])
    if learner.where.num_processes == 1:  # several would all draw what the first one draws
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and learner.where.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"])
