"""Networks on disk: our own checkpoints, and other people's AudioSet networks to start from."""

import dataclasses
import hashlib
import io
import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from timbretree.backbones import Backbone, Cnn14, MobileNet
from timbretree.calibration import UNCALIBRATED, UNTOUCHED, Calibrated, Calibration, read_record
from timbretree.files import write_whole
from timbretree.model import InstrumentNet, build
from timbretree.taxonomy import Taxonomy, TaxonomyError

SCHEMA, FORMER = 2, 1
"""What is written, and what was before there was calibration."""
KEY = "timbretree"
CNN14_16K_SHA256 = "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6"
"""Of ``Cnn14_16k_mAP=0.438.pth`` as PANNs released it."""
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
    """The length of the windows in which it listens."""
    step: float | None = None
    """Seconds from one window to the next, or None where none overlap."""
    config: dict[str, Any] = field(default_factory=dict)
    """How it was trained."""
    tag_absent_below: tuple[float, ...] = ()
    """(F,), or empty where nothing is unsure; this and the rest as in a model file."""
    group_absent_below: tuple[float, ...] = ()
    tag_calibration: Calibration = UNTOUCHED
    group_calibration: Calibration = UNTOUCHED

    def save(self, path: str | Path) -> None:
        """Write one .safetensors file, whole or not at all: weights, with the rest as JSON in its
        header."""
        record = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)[1:]}
        record |= {"schema": SCHEMA, "taxonomy": self.taxonomy.to_dict()}
        for name in ("tag_calibration", "group_calibration"):
            record[name] = dataclasses.asdict(record[name])
        weights = {name: value.contiguous().cpu() for name, value in self.net.state_dict().items()}
        write_whole(Path(path), to_bytes(weights, {KEY: json.dumps(record)}))

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Rebuild the network from its own record, on the CPU. Raises CheckpointError."""
        try:
            with safe_open(str(path), framework="pt") as file:
                record = json.loads((file.metadata() or {}).get(KEY, "null"))
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} is no checkpoint: {error}") from error
        schema = record.pop("schema", None) if isinstance(record, dict) else None
        if schema not in (FORMER, SCHEMA):
            raise CheckpointError(
                f"{path} is no timbretree checkpoint of schema {FORMER} or {SCHEMA}"
            )
        try:
            record |= read_record(record) if schema == SCHEMA else UNCALIBRATED
            record["taxonomy"] = Taxonomy.from_dict(record["taxonomy"])
            net = build(record["backbone"], record["head"], record["taxonomy"])
            net.load_state_dict(weights)  # strict
            for name in ("tag_thresholds", "group_thresholds"):
                record[name] = tuple(record[name])
            _check_thresholds(record)
            checkpoint = cls(net.eval(), **record)
            Calibrated.of(checkpoint).check(checkpoint.taxonomy)
            return checkpoint
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

    trunk: Backbone
    weight: Tensor
    """(527, D)"""
    bias: Tensor
    """(527,)"""


def load_panns(path: str | Path, *, sha256: str | None = CNN14_16K_SHA256) -> AudioSetStart:
    """Import PANNs' ``Cnn14_16k_mAP=0.438.pth``, strictly: all 84 keys, every shape, no other.

    It is a pickle, so it is opened only if its sha256 is the known one (``sha256=None`` takes any)
    and with ``weights_only``. Raises CheckpointError.
    """
    content = _open(Path(path), sha256)
    weights = content.get("model") if isinstance(content, dict) else None
    return _adopt(Path(path), weights, _PANNS)


def load_efficientat(path: str | Path, *, sha256: str | None = MN04_SHA256) -> AudioSetStart:
    """Import EfficientAT's ``mn04_as_mAP_432.pt``, as strictly as ``load_panns``."""
    return _adopt(Path(path), _open(Path(path), sha256), _EFFICIENTAT)


LOADERS = {"cnn14": load_panns, "mn04": load_efficientat}


def load_start(backbone: str, path: str | Path) -> AudioSetStart:
    """Import the published AudioSet weights of a backbone. Raises CheckpointError."""
    if backbone not in LOADERS:
        raise CheckpointError(
            f"there are no AudioSet weights of backbone {backbone!r}; "
            f"choose from {', '.join(LOADERS)}"
        )
    return LOADERS[backbone](path)


@dataclass(frozen=True)
class _Release:
    """A network as its makers published it."""

    title: str
    make: Callable[[], Backbone]
    their_name: Callable[[str], str]
    """Of one of our trunk's weights."""
    classifier: str
    """The layer of 527 classes, which is no part of our trunk."""
    apart: Mapping[str, tuple[int, ...]]
    """The shapes of what we have no use for."""


_PANNS = _Release(
    "PANNs' Cnn14_16k",
    Cnn14,
    lambda ours: re.sub(r"^blocks\.(\d)", lambda found: f"conv_block{int(found[1]) + 1}", ours),
    "fc_audioset",
    {  # its front end; ours calculates the same in float64
        "spectrogram_extractor.stft.conv_real.weight": (257, 1, 512),
        "spectrogram_extractor.stft.conv_imag.weight": (257, 1, 512),
        "logmel_extractor.melW": (257, 64),
    },
)
_EFFICIENTAT = _Release(
    "EfficientAT's mn04",
    MobileNet,
    lambda ours: re.sub(r"^embed", "classifier.2", re.sub(r"\.fc", ".conc_se_layers.0.fc", ours)),
    "classifier.5",
    {},
)


_DAMAGE = (AssertionError, AttributeError, EOFError, LookupError, RuntimeError, TypeError,
           ValueError, struct.error)  # fmt: skip
"""What torch raises of damaged pickles, as fuzzing it showed."""


def _open(path: Path, sha256: str | None) -> Any:
    """What is in somebody's pickle, if it is the known one."""
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
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # torch's own message advises to load it unsafely
        raise CheckpointError(f"{path} holds no weights that can be opened safely") from error
    except _DAMAGE as error:
        raise CheckpointError(f"{path} is damaged: {type(error).__name__} {error}") from error


def _adopt(path: Path, theirs: Any, release: _Release) -> AudioSetStart:
    """Their weights in a trunk of ours, if they are all there and nothing else is."""
    with torch.device("meta"):
        trunk = release.make()
    names = {release.their_name(ours): ours for ours in trunk.state_dict()}
    wanted = {name: tuple(trunk.state_dict()[ours].shape) for name, ours in names.items()}
    weight, bias = f"{release.classifier}.weight", f"{release.classifier}.bias"
    wanted |= {weight: (527, trunk.num_features), bias: (527,), **release.apart}
    if faults := misfits(theirs, wanted):
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(f"{path} is not {release.title}: {'; '.join(faults[:3])}{more}")
    trunk = release.make()
    trunk.load_state_dict({ours: theirs[name] for name, ours in names.items()})  # strict
    return AudioSetStart(trunk, theirs[weight], theirs[bias])


def misfits(theirs: Any, wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """How a state dict differs from the shapes it should have."""
    if not isinstance(theirs, dict):
        return [f"expected a table of {len(wanted)} weights, got {type(theirs).__name__}"]
    faults = [f"{name} is missing" for name in wanted if name not in theirs]
    faults += [f"{name} does not belong there" for name in theirs if name not in wanted]
    for name in wanted:
        shape = tuple(theirs[name].shape) if isinstance(theirs.get(name), Tensor) else None
        if name in theirs and shape != wanted[name]:
            faults.append(f"{name} has shape {shape}, expected {wanted[name]}")
    return faults


def start_from_audioset(
    net: InstrumentNet, start: AudioSetStart, tags: tuple[str, ...]
) -> list[str]:
    """Copy a pretrained trunk into a network, and the classifier rows of the tags AudioSet has.

    Any head with a linear layer ``fine`` will do. Tags without a counterpart keep their random
    rows; their names are returned. Raises CheckpointError for another backbone, and another head.
    """
    if not isinstance(net.backbone, type(start.trunk)):
        raise CheckpointError(
            f"the weights are those of {type(start.trunk).__name__}, "
            f"the network has a {type(net.backbone).__name__}"
        )
    net.backbone.load_state_dict(start.trunk.state_dict())
    classes = audioset_classes()
    fine = classifier(net.head)
    without = []
    with torch.no_grad():
        for row, tag in enumerate(tags):
            if tag not in classes:
                without.append(tag)
                continue
            fine.weight[row], fine.bias[row] = start.weight[classes[tag]], start.bias[classes[tag]]
    return without


def classifier(head: nn.Module) -> nn.Linear:
    """The layer ``fine`` of a head, with a row for each tag. Raises CheckpointError without one."""
    fine = getattr(head, "fine", None)
    if not isinstance(fine, nn.Linear):
        raise CheckpointError(
            f"the head {type(head).__name__} has no linear layer `fine` for the rows of a start; "
            "start from random weights (--start none)"
        )
    return fine


def audioset_classes() -> dict[str, int]:
    """Which of AudioSet's 527 classes stands for each OpenMIC tag."""
    text = Path(__file__).with_name("audioset_classes.json").read_text("utf-8")
    classes: dict[str, int] = json.loads(text)
    return classes
