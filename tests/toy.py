"""A network small enough to be trained in a moment, and clips that it can learn."""

import numpy as np
import torch
from torch import Tensor, nn

from timbretree.data import ClipSet
from timbretree.heads import ResAtt
from timbretree.labels import Labels
from timbretree.melspec import MelSpec
from timbretree.model import InstrumentNet
from timbretree.taxonomy import Taxonomy

RATE = 8000
PITCH = {"hum": 300.0, "whistle": 2400.0}
"""The two instruments of the toy orchestra, in Hz."""
TREE = Taxonomy("toy", tuple(PITCH), {"low": ("hum",), "high": ("whistle",)})


class SmallTrunk(nn.Module):
    """As simple as a trunk can be, with BatchNorm and dropout."""

    spec = MelSpec(RATE, 256, 256, 128, 16, 50.0, 4000.0, "slaney", "decibel")
    num_features = 16

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = nn.BatchNorm2d(16)
        self.hidden = nn.Linear(16, 16)

    def forward(self, mel: Tensor) -> Tensor:
        image = self.norm(mel.transpose(1, 2)[..., None])[..., 0]  # (B, 16, frames)
        hidden = torch.relu(self.hidden(image.mean(dim=2)))
        return nn.functional.dropout(hidden, self.dropout, self.training)


def toy_net(tree: Taxonomy = TREE, dropout: float = 0.1) -> InstrumentNet:
    torch.manual_seed(0)
    return InstrumentNet(SmallTrunk(dropout), ResAtt(16, tree))


def toy_clips(tree: Taxonomy = TREE, number: int = 20) -> ClipSet:
    """Hums and whistles in turn; nobody was asked about the whistle in every third clip."""
    noise = np.random.default_rng(number)
    time = np.arange(RATE // 4) / RATE
    plays = np.arange(number)[:, None] % 2 == [[0, 1]]
    waves = np.stack(
        [np.sin(2 * np.pi * list(PITCH.values())[n % 2] * time) for n in range(number)]
    )
    samples = 0.3 * waves + noise.normal(0, 0.02, waves.shape)
    mask = np.ones((number, 2), bool)
    mask[::3, 1] = False
    fine = Labels(plays, mask)
    rows = np.arange(number)
    return ClipSet((samples * 32767).astype(np.int16), rows, fine, tree.lift(fine))
