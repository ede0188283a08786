"""The paper's figures drawn from our numbers: box plots, attention maps, and reliability."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.files import write_whole
from timbretree.labels import Labels, Prediction
from timbretree.metrics import Bools, Floats, calibration_error, reliability
from timbretree.taxonomy import Taxonomy
from timbretree.writers.columns import clip
from timbretree.writers.words import named, shown

if TYPE_CHECKING:  # matplotlib takes a second to load, and few who import this room draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = {
    "paper": "#ffffff", "ink": "#1b1c1a", "soft": "#5a5c56", "line": "#d9d8d1", "edge": "#85877f",
    "track": "#efeee8", "full": "#1c6b4a", "heat": "#3f9b72", "over": "#0d0f0d",
    "median": "#d96a00",
}  # fmt: skip
"""The colours of all figures by the names they have on our pages, so that a page can put its own
in their place; ``median`` is the paper's orange, dark enough for thin lines on white."""

SMALL, NORMAL = 8.0, 9.0
"""Sizes of letters in points."""
KEY = (
    "● heard, ○ not heard; numbers by the names: probability in %",
    "cells: attention in %; a group's own tags are framed",
    "right and below: what people said, orange where they disagree",
)
"""How to read an attention map, written below it."""
LONGEST = 30
"""Letters of a name that a figure has room for, as wide as they are."""


class Answers(NamedTuple):
    """What a network said of one clip, all tags or all groups, and what people said of it."""

    probability: Floats
    """(K,), as the two below."""
    claimed: Bools
    """At or above its threshold."""
    labels: Labels


def box_plots(panels: Mapping[str, Mapping[str, Sequence[float]]], *, reference: str) -> Figure:
    """Draw how each method scored over the seeds, one panel a measure (Fig. 3).

    ``panels``: title of the measure -> method -> its scores in percent, the same methods in each.
    Orange lines are the medians, as in the paper; each dot is a seed. The median of the method
    called ``reference`` is a dashed line through all rows of its panel; without one there is none.
    """
    methods = list(next(iter(panels.values())))
    figure = blank(10.0, 0.75 + 0.3 * len(methods))
    apart = {"wspace": 0.12}
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False, gridspec_kw=apart)[0]
    for axes, (title, scores) in zip(grid, panels.items(), strict=True):
        plain(axes)
        _boxes(axes, [scores[method] for method in methods])
        if scores.get(reference):
            middle = float(np.median(scores[reference]))
            axes.axvline(middle, color=PALETTE["edge"], linewidth=0.8, dashes=(3, 3), zorder=1)
        axes.set_title(title, loc="left", fontsize=NORMAL, color=PALETTE["ink"])
        axes.set_xlabel("%", fontsize=SMALL, color=PALETTE["soft"])
        axes.grid(axis="x", color=PALETTE["line"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", nbins=6, steps=(1, 2, 5, 10))
    rows = range(1, len(methods) + 1)
    names = [clip(shown(method), LONGEST) for method in methods]
    grid[0].set_yticks(rows, names, fontsize=NORMAL, color=PALETTE["ink"], parse_math=False)
    grid[0].invert_yaxis()
    return figure


def attention_map(
    tree: Taxonomy, attention: Floats, *, tags: Answers, groups: Answers, title: str
) -> Figure:
    """Draw how each group spread its attention (F, C) over the tags of one clip (Fig. 4).

    Rows are tags, columns groups, both in the order of the tree, with their probabilities (%);
    ● was claimed, ○ was not. What people said stands right of the rows and below the columns, in
    orange where the network said otherwise. A group's own tags are framed.
    """
    sheet = _Sheet(tree)
    sheet.draw_cells(np.clip(attention, 0, 1), tree.members)
    sheet.draw_rows(tags)
    sheet.draw_columns(groups)
    sheet.draw_words(title)
    return sheet.figure


def reliability_plot(prediction: Prediction, fine: Labels, coarse: Labels, *, title: str) -> Figure:
    """Draw whether probabilities can be taken at their word, for tags and for groups.

    Arrays (N, F) and (N, C); observed cells only. A point compares the mean probability of the
    cells of one bin with the share of them in which the instrument plays; on the diagonal they
    agree, below it the network claims too much. The bars count the cells.
    """
    figure = blank(4.9, 3.2)
    heading = figure.suptitle(clip(shown(title), 60), x=0.01, ha="left", color=PALETTE["ink"])
    heading.set(fontsize=NORMAL, parse_math=False)
    grid = figure.subplots(2, 2, sharex=True, height_ratios=(4, 1))
    levels = (("tags", prediction.fine, fine), ("groups", prediction.coarse, coarse))
    for column, (name, score, labels) in enumerate(levels):
        _reliability(grid[:, column], name, score[labels.mask], labels.target[labels.mask])
    for axes, words in zip(grid[:, 0], ("of these, play (%)", "cells"), strict=True):
        axes.set_ylabel(words, fontsize=SMALL, color=PALETTE["soft"])
    return figure


def drawing(figure: Figure) -> str:
    """The figure as the text of an SVG file, the same for the same figure; letters stay letters."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    untold = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.StringIO()
    # matplotlib takes these two from nowhere else; the context gives them back
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "timbretree"}):
        FigureCanvasSVG(figure).print_figure(buffer, format="svg", metadata=untold)
    return buffer.getvalue()


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as STEM.svg and STEM.png, each whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=200)
    contents = {".svg": drawing(figure).encode("utf-8"), ".png": buffer.getvalue()}
    for suffix, content in contents.items():
        write_whole(stem.with_name(stem.name + suffix), content)
    return [stem.with_name(stem.name + suffix) for suffix in contents]


class _Sheet:
    """The attention map on a sheet measured in inches from its upper left corner."""

    WIDE, HIGH = 0.4, 0.235  # one cell

    def __init__(self, tree: Taxonomy) -> None:
        tags, groups = _walk(tree)
        self.rows = [(tree.tags.index(tag), clip(named(tag), LONGEST)) for tag in tags]
        self.columns = [(tree.groups.index(group), clip(named(group), LONGEST)) for group in groups]
        self.left = 0.66 + 0.072 * max(len(name) for _, name in self.rows)
        self.top = 0.9 + 0.072 * max(len(name) for _, name in self.columns)
        self.right = self.left + self.WIDE * len(groups)
        self.bottom = self.top + self.HIGH * len(tags)
        width, height = max(self.right + 0.7, 4.6), self.bottom + 1.25
        self.figure = blank(width, height)
        self.figure.set_layout_engine("none")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()

    def draw_cells(self, attention: Floats, members: Bools) -> None:
        """The weights as colours and, from half a percent up, as numbers."""
        for i, (row, _) in enumerate(self.rows):
            for j, (column, _) in enumerate(self.columns):
                across, down = self.left + j * self.WIDE, self.top + i * self.HIGH
                weight = float(attention[row, column])
                self._cell(across, down, "track")
                self._cell(across, down, "heat", weight)
                if members[row, column]:
                    self._cell(across, down, "edge")
                if weight >= 0.005:
                    middle = (across + self.WIDE / 2, down + self.HIGH / 2)
                    self._write(*middle, _percent(weight), "over", "center")

    def draw_rows(self, tags: Answers) -> None:
        """Each tag with its probability at the left, what people said of it at the right."""
        for i, (row, name) in enumerate(self.rows):
            level = self.top + (i + 0.5) * self.HIGH
            mark, ink, said = _marks(tags, row)
            self._write(0.18, level, *mark, "center")
            self._write(0.3, level, name, ink)
            self._write(self.left - 0.08, level, _percent(tags.probability[row]), ink, "right")
            self._write(self.right + 0.08, level, *said)

    def draw_columns(self, groups: Answers) -> None:
        """Each group with its probability above, what people said of it below."""
        for j, (column, name) in enumerate(self.columns):
            middle = self.left + (j + 0.5) * self.WIDE
            mark, ink, said = _marks(groups, column)
            percent = _percent(groups.probability[column])
            self._write(middle, self.top - 0.13, percent, ink, "center")
            self._write(middle, self.top - 0.32, *mark, "center")
            self._write(middle, self.top - 0.44, name, ink, upright=True)
            self._write(middle, self.bottom + 0.08, *said, "right", upright=True)

    def draw_words(self, title: str) -> None:
        """The title, and how to read the sheet."""
        self._write(0.1, 0.2, clip(shown(title), 60), "ink")
        for number, line in enumerate(KEY):
            self._write(0.1, self.bottom + 0.72 + 0.17 * number, line, "soft")

    def _cell(self, across: float, down: float, colour: str, alpha: float = 1.0) -> None:
        from matplotlib.patches import Rectangle

        corner, size = (across + 0.015, down + 0.015), (self.WIDE - 0.03, self.HIGH - 0.03)
        ink, frame = PALETTE[colour], colour == "edge"
        cell = Rectangle(corner, *size, fill=not frame, color=ink, alpha=alpha, lw=0.8 * frame)
        self.axes.add_patch(cell)

    def _write(
        self, across: float, down: float, text: str, colour: str, ha: str = "left",
        *, upright: bool = False,
    ) -> None:  # fmt: skip
        self.axes.text(
            across, down, text, color=PALETTE[colour], fontsize=SMALL, ha=ha, va="center",
            weight="bold" if colour == "ink" else "normal",  # as names that were heard on our pages
            rotation=90 if upright else 0, rotation_mode="anchor", parse_math=False,
        )  # fmt: skip


def _marks(answers: Answers, place: int) -> tuple[tuple[str, str], str, tuple[str, str]]:
    """The mark of one tag or group, the colour of its name, and what people said of it."""
    claimed, (target, mask) = bool(answers.claimed[place]), answers.labels
    said = "–" if not mask[place] else "plays" if target[place] else "absent"
    agreed = not mask[place] or bool(target[place]) == claimed
    sign, ink = (("●", "full"), "ink") if claimed else (("○", "soft"), "soft")
    return sign, ink, (said, "soft" if agreed else "median")


def _walk(tree: Taxonomy) -> tuple[list[str], list[str]]:
    """Tags and groups from the roots down, so that the frames make a staircase."""

    def down(group: str) -> Iterator[str]:
        yield group
        for name in sorted(tree.children[group], key=tree.children.__contains__):  # its tags first
            yield from down(name) if name in tree.children else (name,)

    nodes = [name for root in tree.roots() for name in down(root)]
    tags = [name for name in nodes if name not in tree.children]
    return tags, [name for name in nodes if name in tree.children]


def _boxes(axes: Axes, scores: list[Sequence[float]]) -> None:
    thin = {"color": PALETTE["soft"], "linewidth": 0.9}
    axes.boxplot(
        scores, orientation="horizontal", widths=0.55, showfliers=False,
        medianprops={"color": PALETTE["median"], "linewidth": 1.8},
        boxprops=thin, whiskerprops=thin, capprops=thin,
    )  # fmt: skip
    for row, values in enumerate(scores, 1):
        rows = [row] * len(values)
        axes.plot(values, rows, "o", color=PALETTE["full"], alpha=0.6, ms=2.5, zorder=1.5)


def _reliability(pair: NDArray[np.object_], name: str, score: Floats, target: Bools) -> None:
    upper, lower = pair
    for axes in pair:
        plain(axes)
    upper.plot((0, 100), (0, 100), color=PALETTE["edge"], linewidth=0.8, dashes=(3, 3))
    upper.set(xlim=(0, 100), ylim=(0, 100))
    lower.set_xlabel("probability (%)", fontsize=SMALL, color=PALETTE["soft"])
    heading = f"{name}\nnothing was observed"
    if len(score):
        said, present, cells = reliability(score, target)
        full = cells > 0
        upper.plot(
            100 * said[full], 100 * present[full], "o-", color=PALETTE["full"], ms=3, clip_on=False
        )
        width = 100 / len(cells)
        lower.bar(width * (np.arange(len(cells)) + 0.5), cells, 0.8 * width, color=PALETTE["heat"])
        error = 100 * calibration_error(score, target)
        heading = f"{name}, {len(score):,} cells\ncalibration error {error:.1f} points"
    upper.set_title(heading, loc="left", fontsize=SMALL, color=PALETTE["ink"])


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches that lays itself out."""
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained", facecolor=PALETTE["paper"])


def plain(axes: Axes) -> None:
    """Axes of two thin lines and small numbers, on no ground."""
    axes.set_facecolor("none")
    axes.tick_params(labelsize=SMALL, colors=PALETTE["soft"], length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(PALETTE["edge"])


def _percent(share: float) -> str:
    return f"{100 * float(share):.0f}"
