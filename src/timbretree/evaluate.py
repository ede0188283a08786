"""Asking a network or a model file about many clips, and what follows from the answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timbretree.annotations import AnnotationError, Annotations
from timbretree.calibration import Calibrated
from timbretree.checkpoint import Checkpoint
from timbretree.data import ClipSet
from timbretree.decoding import CLIP, Progress, decode
from timbretree.hearing import hear
from timbretree.labels import Labels, Prediction
from timbretree.melspec import MelSpec
from timbretree.metrics import Floats, best_threshold
from timbretree.model import InstrumentNet
from timbretree.modelfile import ModelFile
from timbretree.rowfile import RowFile
from timbretree.scores import Scores, Thresholds, score
from timbretree.tagger import best_windows
from timbretree.taxonomy import Taxonomy

FALSE_ALARMS = 0.01
"""Of clips without the tag that may be claimed, where there is no clip with it."""
Waveforms = NDArray[np.float32]


@torch.inference_mode()
def predict(net: nn.Module, clips: ClipSet, *, device: str | torch.device = "cpu") -> Prediction:
    """What a network says of all clips, in evaluation mode: numpy arrays (N, F), (N, C), and the
    attention (N, F, C) where it takes a look."""
    net.to(device).eval()
    return together([net(batch.inputs) for batch in clips.batches(32, device=device)])


def together(parts: Sequence[Prediction]) -> Prediction:
    """Several predictions as one, in numpy."""
    columns = [
        None if column[0] is None else np.concatenate([_numpy(each) for each in column])
        for column in zip(*parts, strict=True)
    ]
    return Prediction(*columns)


def _numpy(values: Tensor | NDArray[np.float32]) -> NDArray[np.float32]:
    return values.cpu().numpy() if isinstance(values, Tensor) else values


def choose_thresholds(score: Floats, labels: Labels) -> tuple[float, ...]:
    """One threshold a column, from validation scores (N, K) and their labels.

    The one with the best F1. Where nothing is known to be present, the one that at most 1 in 100
    of the clips without it would pass; where nothing is observed at all, 0.5.
    """
    return tuple(
        _threshold(score[observed, column], labels.target[observed, column])
        for column, observed in enumerate(labels.mask.T)
    )


def _threshold(score: Floats, target: np.ndarray) -> float:
    if target.any():
        return best_threshold(score, target)
    return float(np.quantile(score, 1 - FALSE_ALARMS)) if len(score) else 0.5


@torch.inference_mode()
def embed(
    net: InstrumentNet,
    samples: NDArray[np.int16],
    cache: Path,
    *,
    identity: str,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """What a frozen trunk makes of each of N clips (N, T): (N, D), calculated once into ``cache``.

    In evaluation mode, so without SpecAugment and dropout. ``identity`` says of which weights and
    clips; a cache of the same is used again, and a broken-off one is completed.
    """
    shape = (len(samples), net.backbone.num_features)
    store = RowFile(cache, shape, np.float32, identity=identity)
    net.to(device).eval()
    embeddings = store.array
    for first in range(0, len(store.todo), 32):
        rows = store.todo[first : first + 32]
        waveform = torch.from_numpy(samples[rows]).to(device).float() / 32768
        embeddings[rows] = net.backbone(net.frontend(waveform)).float().cpu().numpy()
        embeddings.flush()  # type: ignore[attr-defined]  # it is a memmap
        store.mark(rows, [None] * len(rows))
        if progress:
            progress(len(samples) - len(store.todo) + first + len(rows), len(samples))
    return store.finish().array


@dataclass(frozen=True, eq=False)
class Listener:
    """A checkpoint or a model file, ready to be asked."""

    taxonomy: Taxonomy
    rate: int
    seconds: float
    tag_thresholds: tuple[float, ...]
    group_thresholds: tuple[float, ...]
    hear: Callable[[Waveforms], Prediction]
    """From (B, T) waveforms at ``rate`` to a prediction in numpy, calibrated."""


def open_listener(path: Path, *, device: str | torch.device = "cpu") -> Listener:
    """Open a checkpoint (.safetensors) or a model file (anything else).

    Raises CheckpointError and ModelFileError.
    """
    if path.suffix == ".safetensors":
        return _open_checkpoint(path, device)
    file = ModelFile(path)
    info = file.info
    # windows that overlap are parts of a clip; others are as long as the clips it was trained on
    seconds = info.seconds if info.step is None else max(info.seconds, CLIP)
    return Listener(info.taxonomy, info.melspec.rate, seconds, info.tag_thresholds,
                    info.group_thresholds, partial(_in_windows, file))  # fmt: skip


def _in_windows(file: ModelFile, waveforms: Waveforms) -> Prediction:
    """What a model file says of clips (B, T), each heard in windows and pooled as in tagging."""
    return together([_of_clip(file, waveform) for waveform in waveforms])


def _of_clip(file: ModelFile, waveform: Waveforms) -> Prediction:
    info = file.info
    tags, groups = len(info.taxonomy.tags), len(info.taxonomy.groups)
    nothing = Prediction(np.zeros(tags, np.float32), np.zeros(groups, np.float32))
    said = [window.said or nothing for window in hear(file, [waveform])]
    pooled = []
    for level in (0, 1):
        heard = np.stack([each[level] for each in said])  # (W, K)
        best = best_windows(heard, overlap=info.hop < info.seconds)
        pooled.append(np.take_along_axis(heard, best, axis=0).mean(axis=0)[None])
    looks = [each.attention for each in said if each.attention is not None]
    if not looks and "attention" in file.runtime.outputs:  # all silent
        looks = [np.zeros((tags, groups), np.float32)]
    return Prediction(pooled[0], pooled[1], np.mean(looks, axis=0)[None] if looks else None)


def _open_checkpoint(path: Path, device: str | torch.device) -> Listener:
    checkpoint = Checkpoint.load(path)
    net, calibrated = checkpoint.net.to(device), Calibrated.of(checkpoint)
    spec: MelSpec = net.frontend.spec

    @torch.inference_mode()
    def hear(waveforms: Waveforms) -> Prediction:
        return calibrated.correct(together([net(torch.from_numpy(waveforms).to(device))]))

    return Listener(checkpoint.taxonomy, spec.rate, checkpoint.seconds, checkpoint.tag_thresholds,
                    checkpoint.group_thresholds, hear)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a listener said of the clips of one split, and how good that is."""

    files: tuple[Path, ...]
    """The N clips that could be used."""
    prediction: Prediction
    """In numpy."""
    fine: Labels
    coarse: Labels
    """Lifted by observed-any."""
    scores: Scores
    failures: dict[str, str]
    """Clips that could not be used: file -> reason code."""


def evaluate(
    listener: Listener, annotations: Annotations, *, progress: Progress | None = None
) -> Evaluation:
    """Ask a listener about some clips and score what it says, by its own thresholds.

    Raises AnnotationError where no clip can be used.
    """
    heard: list[Prediction] = []
    usable: list[int] = []
    failures: dict[str, str] = {}
    length = round(listener.rate * listener.seconds)
    for first in range(0, len(annotations), 32):
        files = annotations.files[first : first + 32]
        samples, codes = decode(files, rate=listener.rate, length=length)
        good = [row for row, code in enumerate(codes) if code is None]
        failures |= {str(files[row]): code for row, code in enumerate(codes) if code is not None}
        if good:
            heard.append(listener.hear(samples[good]))
            usable += [first + row for row in good]
        if progress:
            progress(first + len(files), len(annotations))
    if not usable:
        named = "".join(f"\n{file}: left out, {code}" for file, code in failures.items())
        raise AnnotationError(f"none of the clips can be used, so there is nothing to score{named}")
    annotations, prediction = annotations.take(np.array(usable)), together(heard)
    coarse = listener.taxonomy.lift(annotations.labels)
    scores = score(
        prediction, annotations.labels, coarse,
        taxonomy=listener.taxonomy,
        thresholds=Thresholds(listener.tag_thresholds, listener.group_thresholds),
    )  # fmt: skip
    return Evaluation(annotations.files, prediction, annotations.labels, coarse, scores, failures)
