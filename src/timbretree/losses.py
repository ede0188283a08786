"""What training makes small: cross-entropy over the observed cells, and what the tree demands."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from timbretree.labels import Labels, Prediction
from timbretree.objective import Objective
from timbretree.taxonomy import Taxonomy


class Mean(NamedTuple):
    """A mean not yet divided, so that the parts of a batch on several devices add up."""

    sum: Tensor
    """Scalar, with its gradient."""
    count: Tensor | int  # type: ignore[assignment]  # tuples have a method of this name
    """Over how many cells."""

    @property
    def value(self) -> Tensor:
        """The mean; 0, with a gradient of 0, where there is nothing to take it over."""
        return self.sum / torch.as_tensor(self.count).clamp(min=1)


def masked_bce(probability: Tensor, labels: Labels) -> Mean:
    """The binary cross-entropy over the observed cells (section 4.1 of the paper).

    ``probability`` (B, K); the labels hold bool tensors (B, K). Unobserved cells have no part in
    the sum, in the count, or in the gradient. The logarithms are held above -100, so the loss
    stays finite at probabilities of 0 and 1.
    """
    with torch.autocast(probability.device.type, enabled=False):
        heard = torch.where(labels.mask, probability, 0.5)  # weight 0 alone would let nan through
        loss = F.binary_cross_entropy(
            heard, labels.target.to(heard.dtype), labels.mask.to(heard.dtype), reduction="sum"
        )
        return Mean(loss, labels.mask.sum())


def child_above_parent(prediction: Prediction, edges: Tensor) -> Mean:
    """How far children rise above their parents: our L_v, the mean of max(0, child - parent)^2.

    ``edges`` (E, 2) is ``Taxonomy.edges``. The mean is over the E pairs and the clips, whatever
    anybody observed. The paper's level-wise method names two loss items without their equations;
    this one and ``parent_above_children`` are ours.
    """
    nodes = torch.cat([prediction.fine, prediction.coarse], dim=1)  # (B, F + C)
    above = (nodes[:, edges[:, 0]] - nodes[:, edges[:, 1]]).clamp(min=0)
    return Mean(above.square().sum(), above.numel())


def parent_above_children(prediction: Prediction, children: Tensor) -> Mean:
    """How far parents rise above all their children: our L_u, the mean of
    max(0, parent - loudest child)^2.

    ``children`` (C, F + C) is True where a node hangs directly from a group. The mean is over the
    C groups and the clips, whatever anybody observed.
    """
    nodes = torch.cat([prediction.fine, prediction.coarse], dim=1)  # (B, F + C)
    loudest = nodes[:, None].masked_fill(~children, -1.0).amax(dim=2)  # (B, C)
    above = (prediction.coarse - loudest).clamp(min=0)
    return Mean(above.square().sum(), above.numel())


def mcm(prediction: Prediction, fine: Labels, coarse: Labels, below: Tensor) -> Mean:
    """C-HMCNN's loss of the groups (Giunchiglia and Lukasiewicz, NeurIPS 2020) over observed cells.

    With h the nodes' own words and y their labels, that of group A is
    -y_A log(max over its descendants B of y_B h_B) - (1 - y_A) log(1 - max over them of h_B):
    what is known to play teaches the group, not what is loudest. A is one of its own descendants;
    what nobody observed counts as y_B = 0 inside the maximum. ``below`` (C, F + C) is True for
    them. Raises ValueError where the prediction lacks the groups' own words.
    """
    if prediction.own is None:
        raise ValueError("the mcm loss expects the prediction of the mcm head in training mode")
    own = torch.cat([prediction.fine, prediction.own], dim=1)  # (B, F + C)
    plays = torch.cat([fine.target & fine.mask, coarse.target & coarse.mask], dim=1)
    known = (own * plays)[:, None].masked_fill(~below, -1.0).amax(dim=2)  # (B, C)
    return masked_bce(torch.where(coarse.target, known, prediction.coarse), coarse)


class JointLoss(nn.Module):
    """Eq. 2, lambda BCE_fine + (1 - lambda) BCE_coarse, and the consistency terms, as a list."""

    edges: Tensor
    direct: Tensor
    below: Tensor

    def __init__(self, objective: Objective, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.objective = objective
        below = np.hstack([taxonomy.members.T, taxonomy.ancestors.T])  # (C, F + C)
        child, parent = taxonomy.edges.T
        direct = np.zeros_like(below)
        direct[parent - len(taxonomy.tags), child] = True
        for name, table in (("edges", taxonomy.edges), ("direct", direct), ("below", below)):
            self.register_buffer(name, torch.from_numpy(table), persistent=False)

    def forward(
        self, prediction: Prediction, fine: Labels, coarse: Labels
    ) -> list[tuple[float, Mean]]:
        """Each term with its weight: tags, groups, and where it has a weight, consistency twice.

        The labels hold bool tensors (B, F) and (B, C). The groups' term is there also where
        lambda is 1 and its weight 0, so that every layer has a gradient, if one of 0.
        """
        asked = self.objective
        terms = [(asked.fine_weight, masked_bce(prediction.fine, fine))]
        if asked.group_loss == "mcm":
            terms.append((1 - asked.fine_weight, mcm(prediction, fine, coarse, self.below)))
        else:
            terms.append((1 - asked.fine_weight, masked_bce(prediction.coarse, coarse)))
        if asked.consistency:
            terms += [
                (asked.consistency, child_above_parent(prediction, self.edges)),
                (asked.consistency, parent_above_children(prediction, self.direct)),
            ]
        return terms


def total(terms: list[tuple[float, Mean]]) -> Tensor:
    """The loss: the means of all terms, each times its weight, together."""
    return torch.stack([weight * mean.value for weight, mean in terms]).sum()
