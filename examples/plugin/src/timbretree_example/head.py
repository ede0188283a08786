"""A head: a family is silent only if each of its instruments is."""

import torch
from torch import Tensor, nn

from timbretree.labels import Prediction
from timbretree.methods import Method
from timbretree.taxonomy import Taxonomy


class NoisyOr(nn.Module):
    """1 - coarse is the product of 1 - fine over the family's tags, as if they played by chance."""

    members: Tensor

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.fine = nn.Linear(num_features, len(taxonomy.tags))
        members = torch.from_numpy(taxonomy.members)  # (F, C)
        self.register_buffer("members", members, persistent=False)

    def forward(self, embedding: Tensor) -> Prediction:
        """(B, D) to probabilities (B, F) and (B, C)."""
        with torch.autocast(embedding.device.type, enabled=False):
            fine = self.fine(embedding.float()).sigmoid()
            silent = torch.where(self.members, 1 - fine[:, :, None], 1.0)  # (B, F, C)
            return Prediction(fine, 1 - silent.prod(dim=1))


METHOD = Method("Noisy-or", "Noisy-or of the family's instruments", "noisy-or", "ours")
