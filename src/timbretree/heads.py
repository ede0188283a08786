"""The paper's joint heads (Fig. 2) and one more: from an embedding to probabilities of all nodes.

All heads share one signature, embedding (B, D) in, Prediction out, and one arithmetic: F tags, C
groups, and a table of which tag lies below which group. In every bottom-up head the groups hear the
tags through an attention map, coarse = attention^T fine (Eq. 1); the heads differ in how they look.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from timbretree.labels import Prediction
from timbretree.plugins import Table
from timbretree.taxonomy import Taxonomy


class LevelWise(nn.Module):
    """Two classifiers side by side, tags and groups, that know nothing of each other (Fig. 2a)."""

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.fine = _linear(num_features, len(taxonomy.tags))
        self.coarse = _linear(num_features, len(taxonomy.groups))

    def forward(self, embedding: Tensor) -> Prediction:
        """(B, D) to probabilities (B, F) and (B, C)."""
        with torch.autocast(embedding.device.type, enabled=False):
            embedding = embedding.float()
            return Prediction(self.fine(embedding).sigmoid(), self.coarse(embedding).sigmoid())


class MaxConstraint(LevelWise):
    """Two classifiers side by side, then each group at least as probable as all below it.

    C-HMCNN's max constraint module (Giunchiglia and Lukasiewicz, NeurIPS 2020), not in the paper:
    the probability of a group is the maximum of its own classifier and those of all its
    descendants, so no node is ever more probable than the one above it.
    """

    below: Tensor

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__(num_features, taxonomy)
        below = np.hstack([taxonomy.members.T, taxonomy.ancestors.T])  # (C, F + C)
        self.register_buffer("below", torch.from_numpy(below), persistent=False)

    def forward(self, embedding: Tensor) -> Prediction:
        """(B, D) to probabilities (B, F) and (B, C); in training also the groups' own (B, C)."""
        fine, own, *_ = super().forward(embedding)
        nodes = torch.cat([fine, own], dim=1)  # (B, F + C)
        coarse = nodes[:, None].masked_fill(~self.below, -1.0).amax(dim=2)
        return Prediction(fine, coarse, own=own if self.training else None)


class TopDown(nn.Module):
    """A soft decision tree: first the groups, then the tags given their group (Fig. 2b).

    The probability of a node is the product along the path that leads to it, so no node is ever
    more probable than the one above it.
    """

    ancestors: Tensor
    parent: Tensor

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.fine = _linear(num_features, len(taxonomy.tags))
        self.coarse = _linear(num_features, len(taxonomy.groups))
        ancestors = torch.from_numpy(taxonomy.ancestors).float()  # (C, C)
        self.register_buffer("ancestors", ancestors, persistent=False)
        self.register_buffer("parent", torch.from_numpy(taxonomy.parent_index), persistent=False)

    def forward(self, embedding: Tensor) -> Prediction:
        """(B, D) to probabilities (B, F) and (B, C)."""
        with torch.autocast(embedding.device.type, enabled=False):
            embedding = embedding.float()
            # products as sums of logarithms, which do not underflow on a long path
            coarse = F.logsigmoid(self.coarse(embedding)) @ self.ancestors.T
            fine = F.logsigmoid(self.fine(embedding)) + coarse[:, self.parent]
            return Prediction(fine.exp(), coarse.exp())


class BottomUp(nn.Module):
    """First the tags, then each group looks at them: coarse = look^T fine (Eq. 1, Fig. 2c, 2d).

    Whoever writes ``look`` has a head: (B, D) and (B, F) to a look (B, F, C) whose columns sum
    to 1 over the tags.
    """

    members: Tensor

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.fine = _linear(num_features, len(taxonomy.tags))
        self.register_buffer("members", torch.from_numpy(taxonomy.members), persistent=False)

    def forward(self, embedding: Tensor) -> Prediction:
        """(B, D) to probabilities (B, F) and (B, C) and the attention (B, F, C)."""
        with torch.autocast(embedding.device.type, enabled=False):
            embedding = embedding.float()
            fine = self.fine(embedding).sigmoid()
            look = self.look(embedding, fine)
            coarse = torch.einsum("bfc,bf->bc", look, fine)
            return Prediction(fine, coarse.clamp(max=1.0), look)  # rounding may go past 1

    def look(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """How much each group heeds each tag, (B, F, C)."""
        raise NotImplementedError


class GroupedMax(BottomUp):
    """GMP: each group looks at its loudest tag alone (Fig. 2c, row 3 of Table 1)."""

    def look(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """One-hot on the most probable tag of each group."""
        below = fine[:, :, None].masked_fill(~self.members, -1.0)  # (B, F, C)
        return torch.zeros_like(below).scatter_(1, below.argmax(dim=1, keepdim=True), 1.0)


class GroupedMean(BottomUp):
    """GAP: each group looks at all its tags alike (Fig. 2c, row 1 of Table 1)."""

    def look(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """Even over the tags of each group."""
        members = self.members.to(fine.dtype)
        return (members / members.sum(dim=0)).expand(fine.shape[0], -1, -1)


class LinearProjection(BottomUp):
    """LP: a learned linear layer from the tags to the groups (Fig. 2c, row 2 of Table 1).

    The paper does not say whether it has a bias and a sigmoid; ours has both. It is no look:
    its weights are of any sign and size, so there is no attention map.
    """

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__(num_features, taxonomy)
        self.coarse = _linear(len(taxonomy.tags), len(taxonomy.groups))

    def forward(self, embedding: Tensor) -> Prediction:
        """(B, D) to probabilities (B, F) and (B, C)."""
        with torch.autocast(embedding.device.type, enabled=False):
            fine = self.fine(embedding.float()).sigmoid()
            return Prediction(fine, self.coarse(fine).sigmoid())


class ResAtt(BottomUp):
    """The paper's own head: the look is learned, and depends on the recording (Fig. 2d, row 4).

    A linear layer beside the classifier makes F x C scores from the embedding; a softmax over the
    tags makes them the attention map. It may look at any tag, not just at the group's own, so a
    group can disagree with its tags.
    """

    def __init__(self, num_features: int, taxonomy: Taxonomy) -> None:
        super().__init__(num_features, taxonomy)
        self.attention = _linear(num_features, self.members.numel())

    def look(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """Softmax over the tags of a reshaped linear layer."""
        scores: Tensor = self.attention(embedding)  # (B, F * C)
        return scores.view(-1, *self.members.shape).softmax(dim=1)


def _linear(before: int, after: int) -> nn.Linear:
    """A linear layer that starts as PANNs' do."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


HeadMaker = Callable[[int, Taxonomy], nn.Module]
HEADS: Table[HeadMaker] = Table(
    "head",
    type,
    {
        "levelwise": LevelWise,
        "topdown": TopDown,
        "gap": GroupedMean,
        "lp": LinearProjection,
        "gmp": GroupedMax,
        "resatt": ResAtt,
        "mcm": MaxConstraint,
    },
)
