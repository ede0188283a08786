"""Teach the network on mixes made anew for each step.

    python models/recipe/teach.py START OUT FOLDER ...
        [--goes-on NETWORK ...] [--set NAME=VALUE ...]

START is EfficientAT's mn04_as_mAP_432.pt, FOLDERs are banks of stems. OUT gets a checkpoint, the
average of the weights over the last steps; OUT.json tells what was done. One process uses one core:
run two with other seeds side by side, and average what they learned.
"""

import argparse
import json
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from bank import TAGS, Bank
from mixer import Mixed, Mixer, Recipe
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from timbretree.checkpoint import load_efficientat, start_from_audioset
from timbretree.model import InstrumentNet, build
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")
Weights = dict[str, Tensor]
WARM = 0.05
"""The share of the time in which the learning rate rises."""


@dataclass(frozen=True)
class Teaching:
    """How to teach; each field that an ablation may change."""

    head: str = "gmp"
    minutes: float = 46.0
    """Of one core."""
    batch: int = 32
    learning_rate: float = 1e-3
    """Of the head."""
    trunk_rate: float = 8e-4
    """Of the uppermost layers of the trunk;"""
    decay: float = 0.85
    """each block below learns at this share of the one above it,"""
    frozen_blocks: int = 7
    """and the lowest ones, which cost most and hear least of music, not at all."""
    frozen_statistics: bool = True
    """Whether BatchNorm keeps AudioSet's mean and variance."""
    weight_decay: float = 1e-4
    coarse: float = 0.2
    """The weight of the groups in the loss (1 - lambda)."""
    distil: float = 1.0
    """The weight of what the start hears in real music."""
    average: float = 0.999
    """How much of the running average of the weights stays at each step."""
    seed: int = 0


class Start(nn.Module):
    """The start as a teacher: its own classifier, each tag's logit moved to where it means what it
    says on mixes whose truth is known (Platt, 1999)."""

    def __init__(self, net: InstrumentNet) -> None:
        super().__init__()
        self.net = deepcopy(net).eval().requires_grad_(False)
        self.slope, self.offset = torch.ones(len(TAGS)), torch.zeros(len(TAGS))

    @torch.inference_mode()
    def logits(self, mel: Tensor) -> Tensor:
        """(B, F) as AudioSet says."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embedding = self.net.backbone(mel)
        return self.net.head.fine(embedding.float())

    def level(self, mixes: list[Mixed]) -> None:
        """Find slope and offset of each tag."""
        logits = torch.cat([self.logits(mix.mel) for mix in mixes]).clone()
        target = torch.cat([mix.target for mix in mixes]).float()
        known = torch.cat([mix.known & ~mix.track[:, None] for mix in mixes])
        slope = torch.ones(len(TAGS), requires_grad=True)
        offset = torch.zeros(len(TAGS), requires_grad=True)
        optimiser = torch.optim.LBFGS([slope, offset], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            each = F.binary_cross_entropy_with_logits(
                slope * logits + offset, target, reduction="none"
            )
            found = each[known].mean() + 1e-3 * (slope - 1).square().sum()
            found.backward()
            return found

        optimiser.step(loss)
        self.slope, self.offset = slope.detach(), offset.detach()

    def forward(self, mel: Tensor) -> Tensor:
        """(B, F): probabilities."""
        return (self.slope * self.logits(mel) + self.offset).sigmoid()


def layers(net: InstrumentNet, how: Teaching) -> list[dict[str, object]]:
    """The parameters with their learning rates: lower blocks learn more slowly."""
    trunk = net.backbone
    groups: list[dict[str, object]] = [
        {"params": list(net.head.parameters()), "lr": how.learning_rate},
        {"params": list(trunk.embed.parameters()), "lr": how.trunk_rate},
    ]
    for depth, block in enumerate(reversed(trunk.features)):
        if depth >= len(trunk.features) - how.frozen_blocks:
            block.requires_grad_(False)
            continue
        rate = how.trunk_rate * how.decay**depth
        groups.append({"params": list(block.parameters()), "lr": rate})
    return groups


def loss_of(net: InstrumentNet, start: Start, mix: Mixed, how: Teaching) -> Tensor:
    """Cross entropy of tags and groups where they are known; of real music, with the start."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedding = net.backbone(mix.mel)
    said = net.head(embedding.float())
    target, known = mix.target.float(), mix.known.float()
    if mix.track.any():
        heard = start(mix.mel[mix.track])
        target[mix.track], known[mix.track] = heard, how.distil
    fine = _cross_entropy(said.fine, target, known)
    members = torch.from_numpy(TREE.members)  # (F, C)
    below = torch.where(members, target[:, :, None], torch.zeros(()))
    coarse_target = below.amax(dim=1)
    sure = torch.where(members, known[:, :, None], torch.ones(())).amin(dim=1)
    one = (members & (mix.target & mix.known)[:, :, None]).any(dim=1)
    coarse = _cross_entropy(said.coarse, coarse_target, torch.maximum(sure, one.float()))
    return (1 - how.coarse) * fine + how.coarse * coarse


def _cross_entropy(said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    each = F.binary_cross_entropy(said.clamp(1e-6, 1 - 1e-6), target, reduction="none")
    return (each * weight).sum() / weight.sum().clamp_min(1)


def levelled(net: InstrumentNet, mixer: Mixer) -> Start:
    """Level the start on mixes, and the network itself with it."""
    start = Start(net)
    start.level([mixer.batch(64) for _ in range(30)])
    with torch.no_grad():
        net.head.fine.weight.mul_(start.slope[:, None])
        net.head.fine.bias.mul_(start.slope).add_(start.offset)
    return start


def teach(
    net: InstrumentNet, start: Start, mixer: Mixer, how: Teaching
) -> tuple[InstrumentNet, int]:
    """Teach for so many minutes; the average network and the number of steps come back."""
    torch.manual_seed(how.seed)
    net = net.to(memory_format=torch.channels_last)
    start.net = start.net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(layers(net, how), weight_decay=how.weight_decay, fused=True)
    highest = [group["lr"] for group in optimiser.param_groups]
    average, steps, began, sums = deepcopy(net), 0, time.process_time(), []
    while (done := (time.process_time() - began) / 60 / how.minutes) < 1:
        net.train()
        if how.frozen_statistics:
            for layer in net.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        share = min(done / WARM, 0.5 * (1 + np.cos(np.pi * done)))
        for group, rate in zip(optimiser.param_groups, highest, strict=True):
            group["lr"] = rate * share
        loss = loss_of(net, start, mixer.batch(how.batch), how)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
        kept = min(how.average, 1 - 1 / (1 + steps / 10))
        with torch.no_grad():
            for mean, now in zip(
                average.state_dict().values(), net.state_dict().values(), strict=True
            ):
                if mean.is_floating_point():
                    mean.lerp_(now, 1 - kept)
                else:
                    mean.copy_(now)
        sums.append(loss.item())
        if steps % 100 == 0:
            print(f"{steps} steps, {100 * done:.0f} %: loss {np.mean(sums[-100:]):.4f}", flush=True)
    return average.eval(), steps


def mean(networks: Sequence[Weights]) -> Weights:
    """The average of some networks, weight by weight."""
    return {
        name: torch.stack([net[name] for net in networks]).mean(dim=0)
        if value.is_floating_point() else value
        for name, value in networks[0].items()
    }  # fmt: skip


def main() -> None:
    """Read the arguments, teach, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("banks", type=Path, nargs="+")
    parser.add_argument(
        "--goes-on", type=Path, nargs="+", metavar="NETWORK", help="begin with their average"
    )
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    how, recipe = Teaching(), Recipe()
    for name, value in (each.split("=", 1) for each in asked.set):
        made = json.loads(value)
        if name in {field.name for field in fields(Teaching)}:
            how = replace(how, **{name: made})
        else:
            recipe = replace(recipe, **{name: made})
    torch.manual_seed(how.seed)
    net = build("mn04", how.head, TREE)
    start_from_audioset(net, load_efficientat(asked.start), TAGS)
    mixer = Mixer(Bank(asked.banks), recipe, how.seed)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    start = levelled(net, Mixer(Bank(asked.banks), recipe, 1000))
    torch.save(net.state_dict(), asked.out.with_suffix(".start"))
    if asked.goes_on:
        net.load_state_dict(mean([torch.load(each, weights_only=True) for each in asked.goes_on]))
    average, steps = teach(net, start, mixer, how)
    torch.save(average.state_dict(), asked.out)
    record = {"teaching": asdict(how), "recipe": asdict(recipe), "steps": steps}
    asked.out.with_suffix(".json").write_text(json.dumps(record, indent=1), "utf-8")


if __name__ == "__main__":
    main()
