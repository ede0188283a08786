"""The part of the page that shows when: a row for each family and instrument, a cell a window."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from timbretree.spans import Span, family_spans, spans
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores
from timbretree.writers.html_tree import heard, marked
from timbretree.writers.outline import Branch, binned, outline, ticks
from timbretree.writers.words import clock, doubtful, listed, named, percent

MOST_CELLS = 360
NUMBERED = 8
"""Up to so many windows, cells are wide enough to hold a number and few enough to be read out."""
MOST_SPANS = 5
"""So many stretches of a row are read out."""
SHOWN = 0.10
"""Rows below this probability that are neither present nor unsure are folded away."""

SECTION = """<section aria-labelledby="when">
<h2 id="when">When</h2>
<p class="key">The fuller the colour, the more probable{binning}.{unsure}</p>
{table}
{rest}
</section>"""
HATCHED = " Hatched rows (◐) are unsure: over the whole recording the evidence is thin."
TABLE = """<div class="scroll" role="region" aria-label="{caption}" tabindex="0">
<table class="timeline" style="--cells:{count}">
<caption class="said">{caption}</caption>
<thead><tr><th scope="col"><span class="said">Family or instrument</span></th>
<th scope="col"><span class="said">Time</span><div class="axis">{axis}</div></th></tr></thead>
{bodies}
</table>
</div>"""


@dataclass(frozen=True)
class _Lanes:
    """What it takes to draw a row."""

    tags: Tags
    cells: list[WindowScores]
    plays: dict[str, list[Span]]
    """When each name was heard for certain."""

    def row(self, score: TagScore | GroupScore, path: tuple[str, ...] = ()) -> str:
        tree, cells = self.tags.taxonomy, self.cells
        if isinstance(score, TagScore):
            scope, place = "row", tree.tags.index(score.tag)
            values = [float(cell.tags[place]) for cell in cells]
        else:
            scope, place = "rowgroup", tree.groups.index(score.group)
            values = [float(cell.groups[place]) for cell in cells]
        above = (
            f'<span class="above">{escape(" › ".join(map(named, path)))} ›</span>' if path else ""
        )
        return (
            f'<tr class="{heard(score)}"><th scope="{scope}">{above}{marked(score)}</th>'
            f"<td>{self._lane(score, values)}</td></tr>"
        )

    def _lane(self, score: TagScore | GroupScore, values: list[float]) -> str:
        cells = "".join(self._cell(*pair) for pair in zip(self.cells, values, strict=True))
        label = escape(f"{named(score.name)}: {self._in_words(score.name, values)}")
        return f'<div class="lane" role="img" aria-label="{label}">{cells}</div>'

    def _cell(self, cell: WindowScores, value: float) -> str:
        first = self.cells[0]
        share = (cell.end - cell.start) / ((first.end - first.start) or 1.0)
        grow = "" if abs(share - 1) < 0.01 else f";flex-grow:{share:.2f}"
        number = percent(value) if len(self.cells) <= NUMBERED else ""
        return (
            f'<i style="--p:{value:.2f}{grow}" title="{_span(cell)}: {percent(value)}">{number}</i>'
        )

    def _in_words(self, name: str, values: list[float]) -> str:
        if len(values) <= NUMBERED:
            pairs = zip(self.cells, values, strict=True)
            return ", ".join(f"{percent(value)} from {clock(cell.start)}" for cell, value in pairs)
        best = max(range(len(values)), key=values.__getitem__)
        found = self.plays.get(name, [])
        if not found:
            return f"most probable at {_span(self.cells[best])} ({percent(values[best])})"
        few = [_span(span) for span in sorted(found, key=lambda span: -span.seconds)[:MOST_SPANS]]
        if len(found) <= MOST_SPANS:
            return f"heard {listed(_span(span) for span in found)}"
        total = clock(sum(span.seconds for span in found))
        return f"heard in {len(found)} stretches, {total} in all; the longest are {listed(few)}"


def timeline(tags: Tags) -> str:
    """Rows that are present, unsure or nearly so, grouped by family; the others folded.

    One window has none: it would say what the tree says.
    """
    if len(tags.windows) < 2:
        return ""
    lanes = _Lanes(tags, binned(tags.windows, MOST_CELLS), _plays(tags))
    branches = [branch for root in outline(tags) for branch in root.walk()]
    first = _bodies(lanes, branches, _worth)
    rest = _bodies(lanes, branches, lambda score: not _worth(score))
    binning = "; a cell shows the most probable of the windows it covers"
    return SECTION.format(
        binning=binning if len(lanes.cells) < len(tags.windows) else "",
        unsure=HATCHED if doubtful(tags) else "",
        table=_table(lanes, first, "When each instrument was heard"),
        rest=_folded(lanes, rest, sum(not _worth(score) for score in tags.tags)),
    )


def _bodies(lanes: _Lanes, branches: list[Branch], chosen: Callable[[TagScore], bool]) -> list[str]:
    """A table body for each group that has chosen tags of its own, the group's row on top."""
    bodies = []
    for branch in branches:
        if scores := [score for score in branch.tags if chosen(score)]:
            rows = [lanes.row(branch.score, branch.path), *map(lanes.row, scores)]
            bodies.append("<tbody>\n" + "\n".join(rows) + "\n</tbody>")
    return bodies


def _table(lanes: _Lanes, bodies: list[str], caption: str) -> str:
    if not bodies:
        return f"<p>No instrument reaches {percent(SHOWN)}.</p>"
    end = lanes.cells[-1].end
    axis = "".join(
        f'<span style="left:{100 * moment / end:.2f}%">{clock(moment)}</span>'
        for moment in ticks(end, 5)
    )
    return TABLE.format(
        caption=caption, count=len(lanes.cells), axis=axis, bodies="\n".join(bodies)
    )


def _folded(lanes: _Lanes, bodies: list[str], count: int) -> str:
    if not bodies:
        return ""
    more = "more " if count < len(lanes.tags.tags) else ""
    words = f"{count} {more}instrument{'s' if count > 1 else ''} below {percent(SHOWN)}"
    return f"<details>\n<summary>{words}</summary>\n{_table(lanes, bodies, words)}\n</details>"


def _worth(score: TagScore) -> bool:
    return score.present or score.unsure or score.probability >= SHOWN


def _plays(tags: Tags) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in (*spans(tags), *family_spans(tags)):
        if not span.unsure:
            found.setdefault(span.name, []).append(span)
    return found


def _span(cell: WindowScores | Span) -> str:
    return f"{clock(cell.start)}–{clock(cell.end)}"
