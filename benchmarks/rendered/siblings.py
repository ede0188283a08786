"""What the coarse labels do to unlabelled instruments that play: are they pushed down?

Under observed-any a group is absent where every instrument asked for in it is absent, though a
sibling nobody asked for may be playing. A method that learns the groups through its tags may then
learn that this sibling is absent, too.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from heard import read
from page import percent, table

from timbretree.experiment.lab import Lab
from timbretree.experiment.statistics import BASELINE, chosen, methods_run
from timbretree.labels import Labels
from timbretree.methods import METHODS

SITUATIONS = {
    "pushed": "group said to be absent",
    "free": "nothing said of the group",
    "lifted": "group said to be present",
}
"""Of a tag that plays in a training clip and was not asked for: what its group's label says."""


@dataclass(frozen=True)
class PushDown:
    """What the networks say of tags that play and were not asked for, in their training clips."""

    cells: dict[str, int]
    """How many such cells there are, by situation."""
    means: dict[str, dict[str, list[float]]]
    """Method -> situation -> the mean probability, one a seed."""
    absent: dict[str, tuple[int, int]]
    """Coarse rule -> coarse absences in the training labels, and how many of them are untrue."""
    present: dict[str, tuple[int, int]]
    """The same of the presences."""

    def table(self) -> str:
        """Mean probabilities, and the difference from the flat baseline: the effect is how much
        farther below it the pushed ones are than the free ones."""
        head = ["method", *(f"{text} ({self.cells[name]:,})" for name, text in SITUATIONS.items()),
                "pushed − free, against flat [95 %]"]  # fmt: skip
        rows = []
        for method, found in self.means.items():
            cells = [percent(float(np.mean(found[name]))) for name in SITUATIONS]
            effect, reach = self.effect(method)
            ends = f"[{100 * (effect - reach):+.2f}, {100 * (effect + reach):+.2f}]"
            said = "" if method == BASELINE else f"{100 * effect:+.2f} {ends}"
            rows.append([METHODS[method].short, *cells, said])
        return table(head, rows)

    def effect(self, method: str) -> tuple[float, float]:
        """The difference in differences over the seeds, and half its 95 % interval."""
        from scipy import stats

        ours, flat = self.means[method], self.means[BASELINE]
        seeds = min(len(ours["pushed"]), len(flat["pushed"]))
        gap = [np.subtract(each["pushed"][:seeds], each["free"][:seeds]) for each in (ours, flat)]
        apart = gap[0] - gap[1]
        if seeds < 2:
            return float(apart.mean()), float("nan")
        reach = float(stats.t.ppf(0.975, seeds - 1) * apart.std(ddof=1) / np.sqrt(seeds))
        return float(apart.mean()), reach

    def facts(self) -> str:
        """How true the coarse labels of the training clips are, by rule."""
        return table(
            ["rule", "coarse absences", "of them untrue", "coarse presences", "of them untrue"],
            [[rule, f"{self.absent[rule][0]:,}", share(*self.absent[rule]),
              f"{self.present[rule][0]:,}", share(*self.present[rule])]
             for rule in self.absent],
        )  # fmt: skip

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        effects = {m: self.effect(m) for m in self.means if BASELINE in self.means}
        return {"cells": self.cells, "means": self.means, "effect": effects,
                "absent": self.absent, "present": self.present}  # fmt: skip


def share(whole: int, untrue: int) -> str:
    """How many of how many, in percent."""
    return f"{untrue:,} ({untrue / whole:.1%})" if whole else "–"


def push_down(lab: Lab, out: Path, truth: Labels) -> PushDown:
    """Look at every tag that plays in a training clip and was not asked for."""
    tree = lab.plan.source.taxonomy
    train = lab.material.part("train", inputs=lab.inputs)
    target = truth.target[train.rows]
    hidden = target & ~train.fine.mask  # (N, F): plays, nobody asked
    group = tree.lift(train.fine, "observed-any")
    parent = tree.parent_index  # the group right above each tag
    known, there = group.mask[:, parent], group.target[:, parent]
    where = {"pushed": hidden & known & ~there, "free": hidden & ~known,
             "lifted": hidden & known & there}  # fmt: skip
    means: dict[str, dict[str, list[float]]] = {}
    for method in methods_run(lab.ledger.records):
        said = [read(out, run.cell)[1].astype(np.float32)
                for run in chosen(lab.ledger.records, method)]  # fmt: skip
        means[method] = {name: [float(each[cells].mean()) for each in said]
                         for name, cells in where.items()}  # fmt: skip
    true = tree.lift(Labels(target, np.ones_like(target)), "observed-any").target
    absent, present = {}, {}
    for rule in ("observed-any", "kleene"):
        lifted = tree.lift(train.fine, rule)
        no, yes = lifted.mask & ~lifted.target, lifted.mask & lifted.target
        absent[rule] = (int(no.sum()), int((no & true).sum()))
        present[rule] = (int(yes.sum()), int((yes & ~true).sum()))
    counts = {name: int(cells.sum()) for name, cells in where.items()}
    return PushDown(counts, means, absent, present)
