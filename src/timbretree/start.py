"""Where training starts: the network of a model file, or somebody's AudioSet weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from timbretree.backbones import Backbone
from timbretree.checkpoint import (
    AudioSetStart,
    CheckpointError,
    classifier,
    load_start,
    misfits,
    start_from_audioset,
)
from timbretree.model import InstrumentNet, build
from timbretree.modelfile import ModelFile, ModelInfo
from timbretree.taxonomy import Taxonomy

PREFIX = "net."
"""What ``timbretree.export`` puts before the name of each weight."""
COUNTER = "num_batches_tracked"
"""The one entry of BatchNorm that no output depends on, and that no model file has."""


@dataclass(frozen=True, eq=False)
class ModelStart:
    """The network of a model file, ready to be trained further."""

    net: InstrumentNet
    info: ModelInfo

    @property
    def trunk(self) -> Backbone:
        """The network without its front end and its head."""
        return self.net.backbone


@dataclass(frozen=True)
class Fresh:
    """What of a network starts at random for want of anything learnt."""

    tags: tuple[str, ...] = ()
    """Tags without a classifier row in the start."""
    families: bool = False
    """Whether the layer of the families does, though the start has one: its own is of another
    head or of other families."""


def read_start(backbone: str, path: Path) -> ModelStart | AudioSetStart:
    """Open a model file (.onnx) or the published AudioSet weights of a backbone (anything else).

    Raises CheckpointError, also for a model file of another backbone, and ModelFileError.
    """
    if path.suffix != ".onnx":
        return load_start(backbone, path)
    start = read_network(path)
    if start.info.backbone != backbone:
        raise CheckpointError(
            f"{path} is a network with backbone {start.info.backbone!r}, and {backbone!r} is to "
            f"be trained; add --backbone {start.info.backbone}, or start from another file"
        )
    return start


def read_network(path: Path) -> ModelStart:
    """Rebuild the network of a model file, strictly: every weight, every shape, no other.

    Within rounding it says what the file says, before calibration. Raises ModelFileError for what
    is no model file, and CheckpointError where the network can't be had from it: one in int8, or
    one whose weights are not all there under their names.
    """
    info = ModelFile(path).info
    if info.precision != "float32":
        raise CheckpointError(
            f"{path} is in {info.precision}, its weights are rounded and can't be trained; start "
            "from the float32 file or the checkpoint that it was made of"
        )
    try:
        net = build(info.backbone, info.head, info.taxonomy)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if net.frontend.spec != info.melspec:
        raise CheckpointError(
            f"{path} looks at another spectrogram than backbone {info.backbone!r} does: expected "
            f"{net.frontend.spec}, got {info.melspec}"
        )
    known = net.state_dict()
    wanted = {name: tuple(known[name].shape) for name in known if not name.endswith(COUNTER)}
    unlearnt = {name for name, _ in net.named_buffers()} - set(known)
    found = {
        name: value
        for name, value in _weights(onnx.load(path).graph).items()
        if name not in unlearnt
    }
    if faults := misfits(found, wanted):
        raise CheckpointError(
            f"{path} does not hold all weights of its network under their names: {faults[0]} "
            f"({len(faults)} such faults); files that timbretree exported before it kept BatchNorm "
            "don't: export the checkpoint again"
        )
    net.load_state_dict(known | found)
    return ModelStart(net.eval(), info)


def _weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """The tensors that bear the name of one of the network's."""
    return {
        each.name.removeprefix(PREFIX): torch.from_numpy(np.array(numpy_helper.to_array(each)))
        for each in graph.initializer
        if each.name.startswith(PREFIX)
    }


def start_from(
    net: InstrumentNet, start: ModelStart | AudioSetStart, *, head: str, taxonomy: Taxonomy
) -> Fresh:
    """Give a new network, whose head and taxonomy these are, all of a start that it can use.

    The trunk, and the classifier rows of the tags that the start has, by name. Of a model file with
    the same head, tags and families the whole head.
    """
    if isinstance(start, AudioSetStart):
        return Fresh(tuple(start_from_audioset(net, start, taxonomy.tags)))
    theirs = start.info.taxonomy
    if head == start.info.head and _order(theirs) == _order(taxonomy):
        net.load_state_dict(start.net.state_dict())
        return Fresh()
    net.backbone.load_state_dict(start.trunk.state_dict())
    ours, learnt = classifier(net.head), classifier(start.net.head)
    known = [tag for tag in taxonomy.tags if tag in theirs.tags]
    here, there = map(taxonomy.tags.index, known), map(theirs.tags.index, known)
    with torch.no_grad():
        for row, other in zip(here, there, strict=True):
            ours.weight[row], ours.bias[row] = learnt.weight[other], learnt.bias[other]
    return Fresh(
        tuple(tag for tag in taxonomy.tags if tag not in known),
        any(not name.startswith("fine.") for name in net.head.state_dict()),
    )


def _order(tree: Taxonomy) -> tuple[object, ...]:
    """What decides which row of a head stands for what."""
    return tree.tags, tuple(tree.children.items())
