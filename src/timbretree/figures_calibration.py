"""A figure of what calibration did: all tags together, and each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from timbretree.figures import NORMAL, PALETTE, SMALL, blank, plain
from timbretree.labels import Labels
from timbretree.metrics import Bools, Floats, calibration_error, reliability
from timbretree.writers.columns import clip
from timbretree.writers.words import named, shown

if TYPE_CHECKING:  # as in figures
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

ACROSS = 6
"""Small panels side by side; the large one takes the place of two by two."""
BINS = 10
FEWEST = 5
"""Cells of a bin that is drawn; of fewer, the share says next to nothing."""
INKS = {"before": "median", "after": "full"}
CELL = 1.45
"""Inches of a small panel."""


def calibration_plot(
    before: Floats, after: Floats, labels: Labels, *, names: tuple[str, ...], title: str
) -> Figure:
    """Draw whether probabilities can be taken at their word, before and after calibration.

    ``before``, ``after`` and the labels are (N, K), ``names`` the K tags or groups; observed cells
    only, best of clips that decided nothing. A point compares the mean probability of the cells of
    one bin with the share of them in which the tag plays, its area showing how many they are; on
    the diagonal both agree, below it too much is claimed. Numbers are the calibration error before
    and after, in points.
    """
    rows = 2 + max(0, -(-(len(names) - 2 * (ACROSS - 2)) // ACROSS))
    figure = blank(CELL * ACROSS, 0.75 + (CELL + 0.2) * rows)
    above = figure.suptitle(clip(shown(title), 90), x=0.01, ha="left", color=PALETTE["ink"])
    above.set(fontsize=NORMAL, parse_math=False)
    grid = figure.add_gridspec(rows, ACROSS)
    pooled = figure.add_subplot(grid[:2, :2])
    target, mask = labels
    _panel(pooled, "all together", (before[mask], after[mask]), target[mask])
    heading = f"{pooled.get_title(loc='left')} points off"
    pooled.set_title(heading, loc="left", fontsize=SMALL, color=PALETTE["ink"])
    pooled.set_xlabel("probability (%)", fontsize=SMALL, color=PALETTE["soft"])
    pooled.set_ylabel("of these, play (%)", fontsize=SMALL, color=PALETTE["soft"])
    pooled.legend(loc="upper left", frameon=False, fontsize=SMALL, labelcolor=PALETTE["ink"])
    small = _small(figure, grid)
    for column, name in enumerate(names):
        axes = next(small)
        seen = mask[:, column]
        said = before[seen, column], after[seen, column]
        _panel(axes, clip(named(name), 20), said, target[seen, column])
        axes.set_xticks((0, 50, 100))
        axes.set_yticks((0, 50, 100))
    return figure


def _small(figure: Figure, grid: GridSpec) -> Iterator[Axes]:
    """The places right of the large panel, then those below it."""
    for row in range(grid.nrows):
        for column in range(2 if row < 2 else 0, ACROSS):
            yield figure.add_subplot(grid[row, column])


def _panel(axes: Axes, name: str, said: tuple[Floats, Floats], target: Bools) -> None:
    plain(axes)
    axes.plot((0, 100), (0, 100), color=PALETTE["edge"], linewidth=0.8, dashes=(3, 3))
    axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
    heading = f"{name}\nnot observed"
    if len(target):
        for (when, ink), score in zip(INKS.items(), said, strict=True):
            _line(axes, when, PALETTE[ink], (score, target))
        errors = " → ".join(f"{100 * calibration_error(score, target):.1f}" for score in said)
        heading = f"{name}\n{errors}"
    axes.set_title(heading, loc="left", fontsize=SMALL, color=PALETTE["ink"], parse_math=False)


def _line(axes: Axes, when: str, ink: str, cells: tuple[Floats, Bools]) -> None:
    found = reliability(*cells, bins=BINS)
    full = found.cells >= FEWEST
    points = 100 * found.probability[full], 100 * found.present[full]
    areas = 4 + 30 * found.cells[full] / max(1, found.cells.sum())
    axes.plot(*points, color=ink, linewidth=1.1, label=when)
    axes.scatter(*points, s=np.asarray(areas), color=ink, linewidths=0, zorder=3)
