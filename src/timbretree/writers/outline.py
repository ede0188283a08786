"""The order in which people read: the tree from its roots down, the windows from left to right."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from timbretree.tags import GroupScore, Tags, TagScore, WindowScores
from timbretree.taxonomy import Taxonomy

STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)
"""Seconds between two marks of a time axis that people find round."""


@dataclass(frozen=True)
class Branch:
    """A group with the scores of what hangs directly below it."""

    score: GroupScore
    tags: tuple[TagScore, ...]
    branches: tuple["Branch", ...]
    path: tuple[str, ...]
    """The names of the groups above it, from the root."""

    def walk(self) -> Iterator["Branch"]:
        """This branch and all below it, in the order of the tree."""
        yield self
        for branch in self.branches:
            yield from branch.walk()

    def reaches(self, probability: float) -> bool:
        """Whether anything here is present, unsure or at least so probable."""
        scores: list[GroupScore | TagScore] = [self.score, *self.tags]
        here = any(
            score.present or score.unsure or score.probability >= probability for score in scores
        )
        return here or any(branch.reaches(probability) for branch in self.branches)


def outline(tags: Tags) -> list[Branch]:
    """The families at the roots of the tree, in its order."""
    by_tag = {score.tag: score for score in tags.tags}
    by_group = {score.group: score for score in tags.groups}

    def grow(group: str, path: tuple[str, ...]) -> Branch:
        below = tags.taxonomy.children[group]
        leaves = tuple(by_tag[name] for name in below if name in by_tag)
        branches = tuple(grow(name, (*path, group)) for name in below if name in by_group)
        return Branch(by_group[group], leaves, branches, path)

    return [grow(group, ()) for group in tags.taxonomy.roots()]


def in_order(tree: Taxonomy) -> list[str]:
    """The tags as people read them, family by family."""

    def below(group: str) -> Iterator[str]:
        names = tree.children[group]
        yield from (name for name in names if name not in tree.children)
        for name in names:
            if name in tree.children:
                yield from below(name)

    return [tag for root in tree.roots() for tag in below(root)]


def binned(windows: tuple[WindowScores, ...], most: int) -> list[WindowScores]:
    """At most ``most`` windows, each the maximum over its neighbours, so that no solo is lost."""
    count = min(len(windows), most)
    edges = [cell * len(windows) // count for cell in range(count + 1)]
    return [_merged(windows[low:high]) for low, high in pairwise(edges)]


def ticks(end: float, most: int) -> list[int]:
    """Round moments from 0 up to ``end`` for a time axis, at most ``most`` of them, in seconds."""
    step = next((step for step in STEPS if end / step <= most), STEPS[-1])
    return list(range(0, max(1, round(end)), step))


def _merged(windows: tuple[WindowScores, ...]) -> WindowScores:
    return replace(
        windows[0],
        end=windows[-1].end,
        tags=np.max([window.tags for window in windows], axis=0),
        groups=np.max([window.groups for window in windows], axis=0),
        attention=None,
    )
