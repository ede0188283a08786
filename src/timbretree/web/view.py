"""What the page draws of a recording: the tree, the lanes, and a closer look at one moment."""

import bisect
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.spans import group_answers, tag_answers
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores, were
from timbretree.web.advice import advice
from timbretree.web.trouble import TroubleError
from timbretree.writers.outline import Branch, binned, outline
from timbretree.writers.words import (
    answer,
    headline,
    looks,
    named,
    percent,
    sentence,
    shown,
    why,
)

MOST_CELLS = 720
"""Cells of a lane: as many as a wide screen can show apart."""


def within(tags: Tags, window: WindowScores) -> Tags:
    """What was heard in one window, as if it were a recording of its own.

    Where the recording does not tell from when on its model answers present, even odds count.
    """
    tree, alone = tags.taxonomy, replace(tags, windows=(window,))
    (there,), (perhaps,) = tag_answers(alone)
    (told,), (doubted,) = group_answers(alone)
    look = window.attention
    scores = tuple(
        TagScore(tag, float(window.tags[f]), bool(there[f]), bool(perhaps[f]))
        for f, tag in enumerate(tree.tags)
    )
    groups = tuple(
        GroupScore(
            group,
            float(window.groups[c]),
            bool(told[c]),
            {} if look is None else dict(zip(tree.tags, look[:, c].tolist(), strict=True)),
            bool(doubted[c]),
        )
        for c, group in enumerate(tree.groups)
    )
    return replace(
        tags,
        tags=scores,
        groups=groups,
        windows=(window,),
        seconds=window.end - window.start,
        notes=(),
        reason=None if window.tags.any() else "silent",
    )


def view(tags: Tags) -> dict[str, Any]:
    """All that the page shows of a recording at once, as plain data."""
    heard = tags.status != "failed" and tags.reason != "silent"
    cells = binned(tags.windows, MOST_CELLS) if tags.windows else []
    return {
        "name": shown(tags.file),
        "status": tags.status,
        "reason": tags.reason,
        "message": sentence(shown(tags.message)) if tags.message else None,
        "advice": advice(tags.reason),
        "headline": headline(tags),
        "seconds": round(tags.seconds, 3),
        "model": shown(tags.model),
        "taxonomy": shown(tags.taxonomy.name),
        "notes": [sentence(shown(note)) for note in tags.notes],
        "tree": [_branch(tags, branch) for branch in outline(tags)] if heard else [],
        "attention": _attention(tags) if heard else None,
        "sentences": [sentence(words) for words in why(tags)] if heard else [],
        "binned": len(cells) < len(tags.windows),
        "starts": [round(cell.start, 3) for cell in cells],
        "ends": [round(cell.end, 3) for cell in cells],
        "lanes": _lanes(tags, cells) if heard else {},
    }


def moment(tags: Tags, at: float) -> dict[str, Any]:
    """One window looked at closely: the one that ``at`` seconds lies in, the nearest otherwise.

    Raises TroubleError where nothing was heard.
    """
    if not tags.windows:
        raise TroubleError(404, "nothing_heard", "nothing of this recording was heard")
    place = bisect.bisect_right([window.start for window in tags.windows], at) - 1
    window = tags.windows[max(place, 0)]
    here = within(tags, window)
    return {
        "start": round(window.start, 3),
        "end": round(window.end, 3),
        "headline": headline(here),
        "sentences": [sentence(words) for words in why(here)],
        "families": _each_family(here),
        "attention": _attention(here),
        "scores": {
            **{score.tag: _score(score) for score in here.tags},
            **{group.group: _score(group) for group in here.groups},
        },
    }


def _each_family(tags: Tags) -> dict[str, str]:
    """One sentence on each family of a window, heard or not."""
    said = {}
    for group in tags.groups:
        words = next(why(replace(tags, groups=(group,))), "") if group.attention else ""
        if not words:
            verb = were([named(group.group)])
            heard = f"{verb} heard" if group.present else f"{verb} not heard"
            may = "may have been heard" if group.unsure else heard
            words = f"{named(group.group)} {may} here ({percent(group.probability)})"
        said[group.group] = sentence(words)
    return said


def _branch(tags: Tags, branch: Branch) -> dict[str, Any]:
    return {
        "id": branch.score.group,
        "label": named(branch.score.group),
        **_score(branch.score),
        "tags": [
            {"id": score.tag, "label": named(score.tag), **_score(score)} for score in branch.tags
        ],
        "branches": [_branch(tags, below) for below in branch.branches],
    }


def _score(score: TagScore | GroupScore) -> dict[str, Any]:
    return {"probability": _share(score.probability), "answer": answer(score)}


def _attention(tags: Tags) -> dict[str, dict[str, float]] | None:
    """The share that each group gave each tag that got any; None where the model takes no look."""
    if not looks(tags):
        return None
    return {
        group.group: {
            tag: _share(weight) for tag, weight in group.attention.items() if weight >= 0.0005
        }
        for group in tags.groups
    }


def _lanes(tags: Tags, cells: list[WindowScores]) -> dict[str, list[int]]:
    """The probability of each tag and group in each cell, in percent."""
    tree = tags.taxonomy
    fine = np.stack([cell.tags for cell in cells])
    coarse = np.stack([cell.groups for cell in cells])
    return {
        **{tag: _percents(fine[:, f]) for f, tag in enumerate(tree.tags)},
        **{group: _percents(coarse[:, c]) for c, group in enumerate(tree.groups)},
    }


def _percents(values: NDArray[np.float32]) -> list[int]:
    return [int(value) for value in np.rint(100 * values)]


def _share(value: float) -> float:
    return round(float(value), 4)
