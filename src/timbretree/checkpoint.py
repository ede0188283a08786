"""Networks on disk: our own checkpoints, and other people's AudioSet networks to start from."""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from timbretree.backbones import MobileNet
from timbretree.model import InstrumentNet, build
from timbretree.taxonomy import Taxonomy, TaxonomyError

SCHEMA = 1
KEY = "timbretree"
MN04_SHA256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
"""Of ``mn04_as_mAP_432.pt`` as EfficientAT released it."""


class CheckpointError(ValueError):
    """A file that is no checkpoint, or not one of this network; the message says why."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network and all that is needed to rebuild it, judge it and use it."""

    net: InstrumentNet
    backbone: str
    head: str
    taxonomy: Taxonomy
    tag_thresholds: tuple[float, ...]
    group_thresholds: tuple[float, ...]
    seconds: float = 10.0
    """The length of the clips it was trained on."""
    config: dict[str, Any] = field(default_factory=dict)
    """How it was trained."""

    def save(self, path: str | Path) -> None:
        """Write one .safetensors file, whole or not at all: weights, with the rest as JSON in its
        header."""
        path = Path(path)
        record = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)[1:]}
        record |= {"schema": SCHEMA, "taxonomy": self.taxonomy.to_dict()}
        weights = {name: value.contiguous().cpu() for name, value in self.net.state_dict().items()}
        half_written = path.with_name(path.name + ".part")
        half_written.write_bytes(to_bytes(weights, {KEY: json.dumps(record)}))
        os.replace(half_written, path)

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Rebuild the network from its own record, on the CPU. Raises CheckpointError."""
        try:
            with safe_open(str(path), framework="pt") as file:
                record = json.loads((file.metadata() or {}).get(KEY, "null"))
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} is no checkpoint: {error}") from error
        if not isinstance(record, dict) or record.pop("schema", None) != SCHEMA:
            raise CheckpointError(f"{path} is no timbretree checkpoint of schema {SCHEMA}")
        try:
            record["taxonomy"] = Taxonomy.from_dict(record["taxonomy"])
            net = build(record["backbone"], record["head"], record["taxonomy"])
            net.load_state_dict(weights)  # strict
            for name in ("tag_thresholds", "group_thresholds"):
                record[name] = tuple(record[name])
            _check_thresholds(record)
            return cls(net.eval(), **record)
        except (KeyError, TypeError, RuntimeError, TaxonomyError, ValueError) as error:
            raise CheckpointError(f"{path} does not fit the network it names: {error}") from error


def _check_thresholds(record: dict[str, Any]) -> None:
    found = len(record["tag_thresholds"]), len(record["group_thresholds"])
    wanted = len(record["taxonomy"].tags), len(record["taxonomy"].groups)
    if found != wanted:
        raise ValueError(f"expected {wanted} thresholds of tags and groups, got {found}")


@dataclass(frozen=True, eq=False)
class AudioSetStart:
    """A network that somebody trained on AudioSet: its trunk, and its 527 classifier rows."""

    trunk: MobileNet
    weight: Tensor
    """(527, D)"""
    bias: Tensor
    """(527,)"""


def load_efficientat(path: str | Path, *, sha256: str | None = MN04_SHA256) -> AudioSetStart:
    """Import EfficientAT's ``mn04_as_mAP_432.pt``, strictly: every key, every shape, no other.

    It is a pickle, so it is opened only if its sha256 is the known one (``sha256=None`` takes any)
    and with ``weights_only``. Raises CheckpointError.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise CheckpointError(
            f"{path}: expected the file with sha256 {sha256}, got {found}; "
            "fetch it again, it is damaged or another one"
        )
    try:
        upstream: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        weight, bias = upstream.pop("classifier.5.weight"), upstream.pop("classifier.5.bias")
        trunk = MobileNet()
        trunk.load_state_dict({_our_name(name): value for name, value in upstream.items()})
    except UnpicklingError as error:  # torch's own message advises to load it unsafely
        raise CheckpointError(f"{path} holds no weights that can be opened safely") from error
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not EfficientAT's mn04: {error}") from error
    if weight.shape != (527, trunk.num_features) or bias.shape != (527,):
        raise CheckpointError(f"{path}: expected 527 classes, got {tuple(weight.shape)}")
    return AudioSetStart(trunk, weight, bias)


def start_from_audioset(
    net: InstrumentNet, start: AudioSetStart, tags: tuple[str, ...]
) -> list[str]:
    """Copy a pretrained trunk into a network, and the classifier rows of the tags AudioSet has.

    Any head with a linear layer ``fine`` will do. Tags without a counterpart keep their random
    rows; their names are returned. Raises CheckpointError for another backbone.
    """
    if not isinstance(net.backbone, type(start.trunk)):
        raise CheckpointError(
            f"the weights are those of {type(start.trunk).__name__}, "
            f"the network has a {type(net.backbone).__name__}"
        )
    net.backbone.load_state_dict(start.trunk.state_dict())
    classes = audioset_classes()
    fine = net.head.fine
    assert isinstance(fine, nn.Linear)
    without = []
    with torch.no_grad():
        for row, tag in enumerate(tags):
            if tag not in classes:
                without.append(tag)
                continue
            fine.weight[row], fine.bias[row] = start.weight[classes[tag]], start.bias[classes[tag]]
    return without


def audioset_classes() -> dict[str, int]:
    """Which of AudioSet's 527 classes stands for each OpenMIC tag."""
    text = Path(__file__).with_name("audioset_classes.json").read_text("utf-8")
    classes: dict[str, int] = json.loads(text)
    return classes


def _our_name(upstream: str) -> str:
    """EfficientAT's name of a weight to ours."""
    return upstream.replace("conc_se_layers.0.", "").replace("classifier.2.", "embed.")
