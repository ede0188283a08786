"""What was heard as a tree for the terminal: 80 columns, no colour needed."""

from collections.abc import Iterator

from timbretree.tags import GroupScore, Tags, TagScore, WindowScores
from timbretree.writers.columns import COLUMNS, clip, pad, width, wrap
from timbretree.writers.outline import Branch, binned, outline, ticks
from timbretree.writers.words import (
    FAINT,
    UNSURE,
    clock,
    doubtful,
    length,
    mark,
    named,
    percent,
    shown,
    titled,
    why,
)

BAR = 28
"""Columns of a bar that is full."""
WIDEST_NAME = 40
WIDEST_CELL = 8
SHADES = ((0.75, "█"), (0.5, "▓"), (0.25, "▒"), (FAINT, "░"), (0.0, "·"))
LEGEND = "· below 5%   ░ from 5%   ▒ from 25%   ▓ from 50%   █ from 75%"

Score = TagScore | GroupScore
Row = tuple[str, Score]


def write(tags: Tags, explain: bool) -> str:
    """A tree with bars, a timeline and notes; ``explain`` adds why each family was heard."""
    heard = tags.status != "failed" and tags.reason != "silent"
    blocks = [_heading(tags)]
    if heard:
        blocks += [_tree(tags), _timeline(tags)]
    if heard and explain:
        blocks.append(["why", *_paragraphs(why(tags), "  ")])
    blocks.append([*_paragraphs(tags.notes, "note: ")])
    return (
        "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block) + "\n"
    )


def _heading(tags: Tags) -> list[str]:
    lines = wrap(titled(tags))
    if tags.status != "failed":
        lines += wrap(f"{length(tags.seconds)}, model {shown(tags.model)}", rest="  ")
    if tags.reason is not None or tags.status != "ok":
        word = tags.status if tags.status != "ok" else "nothing heard"
        because = f" ({shown(tags.reason)})" if tags.reason else ""
        message = f": {shown(tags.message)}" if tags.message else ""
        lines += wrap(f"{word}{because}{message}", rest="  ")
    return lines


def _paragraphs(texts: Iterator[str] | tuple[str, ...], first: str) -> Iterator[str]:
    for text in texts:
        yield from wrap(shown(text), first=first, rest="      " if first.strip() else first + "  ")


def _tree(tags: Tags) -> list[str]:
    rows = [row for branch in outline(tags) for row in _rows(branch, 0)]
    column = min(WIDEST_NAME, max(width(row[0]) for row in rows if isinstance(row, tuple)))
    lines: list[str] = []
    for row in rows:
        if isinstance(row, str):
            indent = row[: len(row) - len(row.lstrip())]
            lines += wrap(row.lstrip(), first=indent, rest=indent + "  ")
        else:
            label, score = row
            bar = pad(_bar(score), BAR)
            lines.append(f"{pad(label, column)}  {bar} {percent(score.probability):>4}")
    if doubtful(tags):
        lines += wrap(f"● heard   ◐ {UNSURE}   ○ not heard", first="  ", rest="  ")
    return lines


def _rows(branch: Branch, depth: int) -> Iterator[Row | str]:
    """The rows of a branch, and a line of plain text for what is folded away."""
    yield _row(branch.score.group, branch.score, depth)
    whole = branch.score.present  # a family that was heard shows everything it has
    folded = []
    for tag in branch.tags:
        if whole or tag.present or tag.unsure or tag.probability >= FAINT:
            yield _row(tag.tag, tag, depth + 1)
        else:
            folded.append(named(tag.tag))
    for below in branch.branches:
        if whole or below.reaches(FAINT):
            yield from _rows(below, depth + 1)
        else:
            folded.append(named(below.score.group))
    if folded:
        yield f"{_indent(depth + 1)}… {', '.join(folded)} below {percent(FAINT)}"


def _row(name: str, score: Score, depth: int) -> Row:
    return f"{_indent(depth)}{mark(score)} {named(name)}", score


def _indent(depth: int) -> str:
    return "  " * min(depth, 8)  # deeper still, the names need the room


def _bar(score: Score) -> str:
    if not score.present:
        return ("▒" if score.unsure else "░") * round(score.probability * BAR)
    full, eighths = divmod(round(score.probability * BAR * 8), 8)
    return "█" * full + ("▏▎▍▌▋▊▉"[eighths - 1] if eighths else "")


def _timeline(tags: Tags) -> list[str]:
    order = [tag for root in outline(tags) for branch in root.walk() for tag in branch.tags]
    rows = [tags.tags.index(tag) for tag in order if tag.present or tag.unsure]
    if len(tags.windows) < 2 or not rows:
        return []
    names = [clip(named(tags.tags[place].tag), 24) for place in rows]
    column = 2 + max(map(width, names)) + 2
    cells = binned(tags.windows, COLUMNS - column)
    wide = min(WIDEST_CELL, (COLUMNS - column) // len(cells))
    lines = ["when"]
    for name, place in zip(names, rows, strict=True):
        shades = "".join(_shade(cell.tags[place]) * wide for cell in cells)
        sign = mark(tags.tags[place]) if tags.tags[place].unsure else " "
        lines.append(f"{pad(f'{sign} {name}', column)}{shades}")
    lines.append(" " * column + _axis(cells, wide))
    legend = LEGEND
    if len(cells) < len(tags.windows):
        legend += "\na cell is the most probable of the windows it covers"
    return [*lines, *("  " + line for line in legend.split("\n"))]


def _shade(probability: float) -> str:
    return next(shade for low, shade in SHADES if probability >= low)


def _axis(cells: list[WindowScores], wide: int) -> str:
    """The time at round moments, each written where its cell begins."""
    end, room = cells[-1].end, wide * len(cells)
    axis = ""
    for moment in ticks(end, max(1, room // (len(clock(end)) + 3))):
        cell = next(
            (place for place, cell in enumerate(cells) if moment < cell.end), len(cells) - 1
        )
        label = clock(moment)
        if cell * wide + len(label) <= room and (not axis or cell * wide > len(axis)):
            axis = axis.ljust(cell * wide) + label
    return axis
