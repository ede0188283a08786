"""A model file in 8-bit integers: smaller, for CNN14 faster, and written only if it hears the same.

Static, each channel of a weight with its own scale. Only convolutions are rounded, all but the
first, which has one channel to look at; that one, BatchNorm of the input, the embedding and the
head are quick as they are and stay in float32.
"""

import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from timbretree.annotations import Annotations
from timbretree.data import shuffled
from timbretree.decoding import Progress, decode
from timbretree.evaluate import Evaluation, evaluate, open_listener
from timbretree.export import write_model
from timbretree.melspec import log_mel
from timbretree.modelfile import ModelInfo, read_info

CLIPS = 256
"""Training clips that say how large the numbers in the network get."""
MAP_CHANGE = 0.005
"""The most by which the macro mAP of the tags may change."""
DECISIONS = 0.02
"""The largest share of (clip, tag or family) whose present or absent may change."""
Mels = NDArray[np.float32]


class QuantiseError(ValueError):
    """A model that can't be rounded, or that hears worse when it is; the message says why."""


@dataclass(frozen=True)
class Cost:
    """What rounding did to what a model says of the validation clips."""

    map_before: float
    """Macro mAP of the tags in float32."""
    map_after: float
    """The same in int8."""
    changed: float
    """The share of (clip, tag or family) whose present or absent changed."""
    failures: dict[str, str]
    """Clips that could not be used: file -> reason code."""


def quantise(
    source: Path, path: Path, annotations: Annotations, *, progress: Progress | None = None
) -> Cost:
    """Round a model file to int8, judge it, and write it, whole or not at all.

    Up to 256 clips of split ``train`` say how large its numbers get, all of ``valid`` judge. The
    new file has all that the old one says of itself, and the two measures among its scores. Raises
    QuantiseError where macro mAP of the tags changes by more than 0.5 points or more than 2 % of
    all decisions change, where there is nothing to judge by, and for a file in int8;
    AnnotationError where no clip can be used; and ModelFileError.
    """
    info = read_info(source)
    if info.precision != "float32":
        raise QuantiseError(f"{source} is in {info.precision} already; give the float32 file")
    train, valid = _part(annotations, "train"), _part(annotations, "valid")
    before = evaluate(open_listener(source), valid)
    if before.scores.fine.pr_auc is None:
        raise QuantiseError(
            "the validation clips can't judge: no tag is known to be present in one and absent in "
            "another; label more of them"
        )
    failures = dict(before.failures)
    with tempfile.TemporaryDirectory() as folder:
        rounded = Path(folder) / "rounded.onnx"
        convert(source, rounded, _listen(train, info, failures, progress))
        after = evaluate(open_listener(rounded), valid)
        cost = _compare(info, before, after, failures)
        _check(cost)
        scores = {
            "valid macro mAP in float32": cost.map_before,
            "valid macro mAP in int8": cost.map_after,
            "valid share of decisions changed by int8": cost.changed,
        }
        info = dataclasses.replace(info, precision="int8", scores=info.scores | scores)
        half_written = path.with_name(path.name + ".part")
        try:
            write_model(onnx.load(rounded), info, half_written)
            os.replace(half_written, path)
        finally:
            half_written.unlink(missing_ok=True)
    return cost


def convert(source: Path, path: Path, mels: Iterable[Mels]) -> None:
    """Round a model file to int8 by what it makes of spectrograms (frames, mels), unjudged.

    Raises QuantiseError where there is none of them.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet_runtime():
        ready, rounded = Path(folder) / "ready.onnx", Path(folder) / "rounded.onnx"
        # melts BatchNorm into the convolutions; symbolic shapes are needed by transformers alone
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(ready).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(ready),
            str(rounded),
            _Reader(mels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[:1],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # to 7 bits: with 8, sums overflow on processors without VNNI, unlike here
            reduce_range=True,
        )
        info = dataclasses.replace(read_info(source), precision="int8")
        write_model(onnx.load(rounded), info, path)


@contextmanager
def _quiet_runtime() -> Iterator[None]:
    """Without ONNX Runtime's warning that spans could be a constant: they are an input."""
    onnxruntime.set_default_logger_severity(3)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its own default


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Spectrograms one by one, as ONNX Runtime asks for them; of each it keeps the extremes."""

    def __init__(self, mels: Iterable[Mels]) -> None:
        self.mels = iter(mels)
        self.none = True

    def get_next(self) -> dict[str, Mels] | None:
        """The next input of the network, or None after the last one."""
        mel = next(self.mels, None)
        if mel is None and self.none:
            raise QuantiseError("none of the training clips can be used, so no range is known")
        self.none = False
        return None if mel is None else {"mel": mel[None]}


def _part(annotations: Annotations, split: str) -> Annotations:
    rows = np.flatnonzero(np.array(annotations.splits) == split)
    if not len(rows):
        use = {"train": "set the ranges by", "valid": "judge by"}[split]
        raise QuantiseError(
            f"the data set has no clip to {use}: expected some in split {split!r}, got "
            f"{len(annotations)} clips in {', '.join(sorted(set(annotations.splits)))}"
        )
    return annotations.take(rows)


def _listen(
    train: Annotations, info: ModelInfo, failures: dict[str, str], progress: Progress | None
) -> Iterator[Mels]:
    """The spectrograms of some training clips; files that can't be used go into ``failures``."""
    spec = info.melspec
    rows = np.sort(shuffled(len(train), seed=0)[:CLIPS])
    for first in range(0, len(rows), 8):
        files = [train.files[row] for row in rows[first : first + 8]]
        samples, codes = decode(files, rate=spec.rate, length=round(spec.rate * info.seconds))
        for file, clip, code in zip(files, samples, codes, strict=True):
            if code is None:
                yield log_mel(clip, spec)
            else:
                failures[str(file)] = code
        if progress:
            progress(first + len(files), len(rows))


def _compare(
    info: ModelInfo, before: Evaluation, after: Evaluation, failures: dict[str, str]
) -> Cost:
    decided = [
        np.hstack([
            each.prediction.fine >= np.asarray(info.tag_thresholds),
            each.prediction.coarse >= np.asarray(info.group_thresholds),
        ])
        for each in (before, after)
    ]  # fmt: skip
    old, new = before.scores.fine.pr_auc, after.scores.fine.pr_auc
    assert old is not None
    assert new is not None
    return Cost(old, new, float((decided[0] != decided[1]).mean()), failures)


def _check(cost: Cost) -> None:
    change = cost.map_after - cost.map_before
    if abs(change) <= MAP_CHANGE and cost.changed <= DECISIONS:
        return
    raise QuantiseError(
        f"in int8 the model hears otherwise, so nothing is written: macro mAP of the tags on the "
        f"validation clips goes from {cost.map_before:.4f} to {cost.map_after:.4f}, by "
        f"{100 * change:+.2f} points (allowed: {100 * MAP_CHANGE:g}), and {cost.changed:.1%} of "
        f"present and absent change (allowed: {DECISIONS:.0%}). Use the float32 file; or give more "
        "training clips, which set the ranges, and more validation clips, which judge"
    )
