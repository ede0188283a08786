"""What is said of each cell (one clip, one tag): by people, and by a network.

Both types hold arrays of numpy or of torch alike; the rooms that use them say which.
"""

from typing import Any, NamedTuple


class Labels(NamedTuple):
    """What people said of some clips, and where they said nothing.

    Both arrays have shape (..., K) for K tags or K groups.
    """

    target: Any
    """bool, True = the instrument plays; of no meaning where ``mask`` is False."""
    mask: Any
    """bool, True = somebody listened and said so (observed); False = nobody knows."""


class Prediction(NamedTuple):
    """What a network says of some clips: probabilities between 0 and 1, in float32."""

    fine: Any
    """(B, F): the probability of each tag."""
    coarse: Any
    """(B, C): the probability of each group."""
    attention: Any = None
    """(B, F, C): the weight of tag f in the decision on group c; each column sums to 1 over the
    tags. None where a head takes no look at the tags (level-wise, top-down, LP, MCM)."""
    own: Any = None
    """(B, C): each group's own word, before the maximum over all below it. Only of the MCM head,
    and only in training, whose loss needs it; else None."""
