"""What a training makes small, in numbers: the weights of its losses."""

from dataclasses import dataclass
from math import inf

GROUP_LOSSES = ("bce", "mcm")
"""How groups may be learnt: Eq. 2's cross-entropy, or C-HMCNN's."""


@dataclass(frozen=True)
class Objective:
    """What to make small: Eq. 2, and what may come with it. Raises ValueError for other numbers."""

    fine_weight: float = 0.8
    """lambda of Eq. 2, between 0 and 1: the share of the tags in the loss."""
    consistency: float = 0.0
    """The weight of each of our two consistency terms."""
    group_loss: str = "bce"
    """One of ``GROUP_LOSSES``."""

    def __post_init__(self) -> None:
        if not 0 <= self.fine_weight <= 1:
            raise ValueError(f"lambda (fine_weight) is between 0 and 1, got {self.fine_weight}")
        if not 0 <= self.consistency < inf:
            raise ValueError(f"the weight of consistency is 0 or more, got {self.consistency}")
        if self.group_loss not in GROUP_LOSSES:
            raise ValueError(f"group_loss is {' or '.join(GROUP_LOSSES)}, got {self.group_loss!r}")
