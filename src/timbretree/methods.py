"""The methods of Table 1 and ours: which head, which loss, which labels for the groups."""

from dataclasses import dataclass, replace

from timbretree.objective import Objective
from timbretree.plugins import Table


@dataclass(frozen=True)
class Method:
    """A row of the table: how the groups are predicted and how they are learnt."""

    short: str
    """Its name in figures and narrow columns."""
    title: str
    """Its name in full."""
    head: str
    """One of ``timbretree.heads.HEADS``."""
    figure: str
    """Where the paper shows it; 'ours' where it does not, and in other packages."""
    rule: str = "observed-any"
    """How labels are lifted to groups for training: see ``Taxonomy.lift``. Scored with
    observed-any in any case."""
    flat: bool = False
    """Trained on the tags alone: lambda is 1 and there is nothing to search."""
    consistency: float = 0.0
    """The weight of each of our two consistency terms."""
    group_loss: str = "bce"
    """How groups are learnt: bce (Eq. 2) or mcm (C-HMCNN)."""

    def objective(self, fine_weight: float) -> Objective:
        """What to make small, with lambda where the method has one."""
        return Objective(1.0 if self.flat else fine_weight, self.consistency, self.group_loss)


_PAPER = {
    "flat": Method("Flat", "Flat baseline, groups by maximum at inference", "gmp", "baseline",
                   flat=True),
    "levelwise": Method("Level-wise", "Level-wise with our consistency terms", "levelwise",
                        "Fig. 2a", consistency=1.0),
    "topdown": Method("Top-down", "Top-down, a soft decision tree", "topdown", "Fig. 2b"),
    "gap": Method("GAP", "Grouped average pooling", "gap", "Fig. 2c, 1"),
    "lp": Method("LP", "Linear projection", "lp", "Fig. 2c, 2"),
    "gmp": Method("GMP", "Grouped max-pooling", "gmp", "Fig. 2c, 3"),
    "resatt": Method("ResAtt", "Residual attention", "resatt", "Fig. 2d, 4"),
}  # fmt: skip
PAPER = tuple(_PAPER)
"""The rows of Table 1."""
_OURS = {
    "levelwise-plain": Method("Level-wise, Eq.\u00a02", "Level-wise, Eq. 2 alone", "levelwise",
                              "ours"),
    "mcm": Method("MCM", "Max constraint with MCM loss (C-HMCNN)", "mcm", "ours",
                  group_loss="mcm"),
}  # fmt: skip
_KLEENE = {
    f"{name}-kleene": replace(
        method,
        short=f"{method.short}, kleene",
        title=f"{method.title}, kleene labels",
        figure="ours",
        rule="kleene",
    )
    for name, method in _PAPER.items()
    if not method.flat
}
METHODS = Table("method", Method, _PAPER | _OURS | _KLEENE)
"""The rows of Table 1, then ours."""
