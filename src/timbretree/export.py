"""From a checkpoint to a model file, and the proof that both say the same.

The file keeps every weight of the network under its own name, BatchNorm's too (``net.`` and the
name in the state dict), so that ``timbretree.start`` can train it further. ONNX Runtime melts
BatchNorm into the convolutions when it opens the file.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxscript import optimizer
from torch import Tensor, nn

from timbretree.calibration import Calibrated
from timbretree.checkpoint import Checkpoint
from timbretree.model import InstrumentNet
from timbretree.modelfile import KEY, ModelFile, ModelInfo

OUTPUTS = ("fine", "coarse", "attention")
WHOLE = (0.0, 1e9)
"""The span that is heard where none is asked for, in frames: longer than any recording."""
TOLERANCE = 1e-4
"""The most by which a probability or a weight of the attention may differ."""


class ExportError(ValueError):
    """A checkpoint that can't become a model file; the message says why."""


def export(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    name: str,
    licence: str,
    provenance: str,
    scores: dict[str, float] | None = None,
) -> float:
    """Write a model file, whole or not at all, and return how far it is from the checkpoint.

    That is the largest difference of any output between torch and ONNX Runtime on noise, music-like
    tones and short clips. Raises ExportError where weights are not finite or where the difference
    exceeds 1e-4.
    """
    net, path = checkpoint.net.cpu().eval(), Path(path)
    if strange := [key for key, value in net.state_dict().items() if not value.isfinite().all()]:
        raise ExportError(
            f"weights {strange[0]!r} are not all finite; train again from before that"
        )
    info = ModelInfo(
        name=name,
        backbone=checkpoint.backbone,
        head=checkpoint.head,
        taxonomy=checkpoint.taxonomy,
        melspec=net.frontend.spec,
        seconds=checkpoint.seconds,
        step=checkpoint.step,
        licence=licence,
        provenance=provenance,
        scores=scores or {},
        **Calibrated.of(checkpoint)._asdict(),
    )
    half_written = path.with_name(path.name + ".part")
    try:
        _write(net, info, half_written)
        difference = _difference(net, ModelFile(half_written))
        if not difference <= TOLERANCE:
            raise ExportError(
                f"ONNX Runtime and torch differ by {difference:.1e}, more than {TOLERANCE:.0e}"
            )
        os.replace(half_written, path)
    finally:
        half_written.unlink(missing_ok=True)
    return difference


class _Listening(nn.Module):
    """The part of a network that goes into the graph: all but the front end, outputs as a tuple."""

    def __init__(self, net: InstrumentNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, mel: Tensor, spans: Tensor, past: Tensor) -> tuple[Tensor, ...]:
        trunk = self.net.backbone
        moments = trunk.moments(mel, spans)
        all_moments = torch.cat([past.expand(moments.shape[0], -1, -1), moments], dim=2)
        embedding = trunk.pool(all_moments, spans)
        said = self.net.head(embedding)
        return tuple(each for each in (*said, embedding, moments) if each is not None)


def _write(net: InstrumentNet, info: ModelInfo, path: Path) -> None:
    spec = info.melspec
    inputs = {
        "mel": torch.zeros(2, spec.frames(spec.rate * 2), spec.mels),
        "spans": torch.tensor([WHOLE, (0.0, 100.0), (50.0, 150.0)]),
    }
    with torch.inference_mode():
        said = net.listen(inputs["mel"])
        channels = net.backbone.moments(inputs["mel"]).shape[1]
    inputs["past"] = torch.zeros(1, channels, 3)
    outputs = [name for name, each in zip(OUTPUTS, said, strict=False) if each is not None]
    clips, frames = torch.export.Dim("clips", min=1), torch.export.Dim("frames", min=32)
    with _quiet_exporter():
        program = torch.onnx.export(
            _Listening(net), tuple(inputs.values()), dynamo=True, verbose=False,
            external_data=False, input_names=list(inputs),
            output_names=[*outputs, "embedding", "moments"],
            dynamic_shapes=({0: clips, 1: frames}, {0: torch.export.Dim("spans", min=1)},
                            {2: torch.export.Dim("past", min=0)}),
            optimize=False,  # it would melt BatchNorm into the weights
        )  # fmt: skip
        assert program is not None
        optimizer.fold_constants(program.model, should_fold=_no_weight(program.model))
        optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    # an input that is also an initializer may be left out
    left_out = {"spans": np.array([WHOLE]), "past": np.zeros((1, channels, 0))}
    for name, value in left_out.items():
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    write_model(model, info, path)


def _no_weight(model: Any) -> Callable[[Any], bool | None]:
    """Whether a node may be calculated beforehand: not if a weight would lose its name by it."""
    weights = set(model.graph.initializers)

    def should_fold(node: Any) -> bool | None:
        return None if weights.isdisjoint(each.name for each in node.inputs if each) else False

    return should_fold


def write_model(model: onnx.ModelProto, info: ModelInfo, path: Path) -> None:
    """Write a graph as a model file that says ``info`` of itself and nothing of this machine."""
    _forget_where(model)
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, info.to_json()
    onnx.checker.check_model(model)
    onnx.save_model(model, path)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without the exporter's warnings about itself and about a package that we have no use for."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")

    def about_us(record: logging.LogRecord) -> bool:
        return "torchvision is not installed" not in record.getMessage()

    log.addFilter(about_us)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeFilter(about_us)


def _forget_where(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes on each node: source lines, with the paths of this machine."""
    graph = model.graph
    for each in (graph, *graph.node, *graph.initializer, *graph.value_info):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")


def _difference(net: InstrumentNet, file: ModelFile) -> float:
    spec, noise = file.info.melspec, np.random.default_rng(0)
    parts = np.array([(0, 64), (40.5, 130)], np.float32)
    cases = [  # the last one follows the one before it
        (1, file.info.seconds, None, False),
        (3, 1.3, None, False),
        (2, 1.3, parts, False),
        (1, 1.3, parts, False),
        (1, 1.3, parts, True),
    ]
    worst, heard, moments = 0.0, torch.empty(0), None
    for clips, seconds, spans, follows in cases:
        samples = round(seconds * spec.rate)
        tones = np.sin(np.arange(samples) * noise.uniform(0.01, 0.5, (clips, 1)))
        waveform = noise.normal(0, 0.1, (clips, samples)) + 0.3 * tones
        with torch.inference_mode():
            mel = net.frontend(torch.from_numpy(waveform.astype(np.float32)))
            asked = None if spans is None else torch.from_numpy(spans)
            new = net.backbone.moments(mel, asked)
            heard = torch.cat([heard, new], dim=2) if follows else new
            embedding = net.backbone.pool(heard, asked)
            wanted = (*net.head(embedding), embedding)
        got = file.listen_raw(mel.numpy(), spans, moments if follows else None)
        moments = got.moments
        for ours, theirs in zip(wanted, (*got.prediction, got.embedding), strict=True):
            if ours is not None:
                worst = max(worst, float(np.abs(ours.numpy() - theirs).max()))
    return worst
