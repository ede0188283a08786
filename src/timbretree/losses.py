"""What training makes small: cross-entropy over the observed cells, of tags and of groups."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from timbretree.labels import Labels, Prediction


def masked_bce(probability: Tensor, labels: Labels) -> Tensor:
    """The mean binary cross-entropy over the observed cells (section 4.1 of the paper).

    ``probability`` (B, K); the labels hold bool tensors (B, K). Unobserved cells have no part in
    the sum, in the count, or in the gradient. 0 where nothing is observed. The logarithms are held
    above -100, so the loss stays finite at probabilities of 0 and 1.
    """
    observed = probability[labels.mask]
    if not observed.numel():
        return observed.sum()
    return F.binary_cross_entropy(observed, labels.target[labels.mask].to(observed.dtype))


def joint_bce(prediction: Prediction, fine: Labels, coarse: Labels, fine_weight: float) -> Tensor:
    """Eq. 2: lambda times the loss of the tags plus (1 - lambda) times that of the groups.

    ``fine_weight`` is lambda, between 0 and 1; with 1 the groups have no part in the loss.
    """
    fine_loss = masked_bce(prediction.fine, fine)
    return fine_weight * fine_loss + (1 - fine_weight) * masked_bce(prediction.coarse, coarse)
