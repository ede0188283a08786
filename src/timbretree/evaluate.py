"""Asking a network about many clips, and the thresholds that follow from its answers."""

import numpy as np
import torch

from timbretree.data import ClipSet
from timbretree.labels import Labels, Prediction
from timbretree.metrics import Floats, best_threshold
from timbretree.model import InstrumentNet

FALSE_ALARMS = 0.01
"""Of clips without the tag that may be claimed, where there is no clip with it."""


@torch.inference_mode()
def predict(net: InstrumentNet, clips: ClipSet, *, device: str = "cpu") -> Prediction:
    """What the network says of all clips: numpy arrays (N, F) and (N, C), no attention."""
    net.to(device).eval()
    heard = [net(batch.waveform.to(device)) for batch in clips.batches(32)]
    fine, coarse = (torch.cat([each[level] for each in heard]).cpu().numpy() for level in (0, 1))
    return Prediction(fine, coarse)


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
