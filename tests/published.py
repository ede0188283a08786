"""A file like PANNs' published Cnn14_16k: every key and shape, in a few kilobytes."""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor


def keys_and_shapes() -> dict[str, tuple[int, ...]]:
    """The 84 entries of the published Cnn14_16k, written out here from its own class."""
    norm = ("weight", "bias", "running_mean", "running_var")
    shapes: dict[str, tuple[int, ...]] = {
        "spectrogram_extractor.stft.conv_real.weight": (257, 1, 512),
        "spectrogram_extractor.stft.conv_imag.weight": (257, 1, 512),
        "logmel_extractor.melW": (257, 64),
        "fc1.weight": (2048, 2048),
        "fc1.bias": (2048,),
        "fc_audioset.weight": (527, 2048),
        "fc_audioset.bias": (527,),
    }
    norms = {"bn0": 64}
    for number, (before, after) in enumerate(pairwise((1, 64, 128, 256, 512, 1024, 2048)), 1):
        block = f"conv_block{number}"
        shapes |= {f"{block}.conv1.weight": (after, before, 3, 3)}
        shapes |= {f"{block}.conv2.weight": (after, after, 3, 3)}
        norms |= {f"{block}.bn1": after, f"{block}.bn2": after}
    for layer, width in norms.items():
        shapes |= {f"{layer}.{each}": (width,) for each in norm}
        shapes |= {f"{layer}.num_batches_tracked": ()}
    return shapes


PANNS = keys_and_shapes()


def panns_like() -> dict[str, Tensor]:
    """Those entries, each of one number of its own; in a file as small as these numbers."""
    return {
        name: torch.tensor(number if shape == () else number / 100).expand(shape)
        for number, (name, shape) in enumerate(PANNS.items(), 1)
    }


def panns_file(folder: Path, weights: object) -> Path:
    """Weights in a file of the form of theirs."""
    torch.save({"model": weights, "iteration": 1}, folder / "Cnn14.pth")
    return folder / "Cnn14.pth"
