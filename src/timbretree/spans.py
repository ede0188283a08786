"""When each instrument plays: the windows of a recording joined to stretches of time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.bands import EVEN, Bands, Bools
from timbretree.tags import Tags

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Span:
    """A stretch of a recording in which an instrument, or a family, plays or may play."""

    name: str
    """The tag or group."""
    start: float
    """Seconds from the beginning."""
    end: float
    probability: float
    """The mean of its windows, each counting as long as it lasts."""
    unsure: bool = False
    """Whether it only may play here."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


def spans(tags: Tags) -> list[Span]:
    """When each instrument plays, in order of time, then of the taxonomy.

    A window says present or unsure by the thresholds of its model, and windows that follow each
    other and say the same are one span. Unsure spans are given only of what is not absent over the
    whole recording, or there would be faint guesses everywhere; present ones always, so that a
    minute of clarinet in ten hours is found.
    """
    if not tags.windows:
        return []
    worth = [score.present or score.unsure for score in tags.tags]
    present, unsure = tag_answers(tags)
    shares = np.stack([window.tags for window in tags.windows])
    return _ordered(tags, tags.taxonomy.tags, shares, present, unsure & np.array(worth))


def family_spans(tags: Tags) -> list[Span]:
    """When each family plays, by the same rules."""
    if not tags.windows:
        return []
    worth = [score.present or score.unsure for score in tags.groups]
    present, unsure = group_answers(tags)
    shares = np.stack([window.groups for window in tags.windows])
    return _ordered(tags, tags.taxonomy.groups, shares, present, unsure & np.array(worth))


def seconds_of(found: list[Span]) -> dict[str, float]:
    """How long each name plays for certain, in seconds; what never does is left out."""
    total: dict[str, float] = {}
    for span in found:
        if not span.unsure:
            total[span.name] = total.get(span.name, 0.0) + span.seconds
    return total


def tag_answers(tags: Tags) -> tuple[Bools, Bools]:
    """(W, F) twice: in which windows each tag is present, and in which it is unsure.

    Where nobody knows the thresholds of the model, a tag is present from even odds on.
    """
    names = tags.taxonomy.tags
    shares = np.array([window.tags for window in tags.windows], np.float32).reshape(-1, len(names))
    return (tags.tag_bands or _even(len(names))).read(shares)


def group_answers(tags: Tags) -> tuple[Bools, Bools]:
    """(W, C) twice: the same for groups.

    Groups that the model did not learn are present, or unsure, where one of their tags is.
    """
    names, members = tags.taxonomy.groups, tags.taxonomy.members
    if tags.group_bands is None and tags.tag_bands is not None:
        present, unsure = (np.asarray(each @ members, bool) for each in tag_answers(tags))
        return present, unsure & ~present
    shares = np.array([window.groups for window in tags.windows], np.float32)
    return (tags.group_bands or _even(len(names))).read(shares.reshape(-1, len(names)))


def _even(count: int) -> Bands:
    return Bands((EVEN,) * count, (EVEN,) * count)


def _ordered(
    tags: Tags, names: tuple[str, ...], shares: Array, present: Bools, unsure: Bools
) -> list[Span]:
    starts = np.array([window.start for window in tags.windows])
    ends = np.array([window.end for window in tags.windows])
    weights = ends - starts if (ends > starts).all() else np.ones(len(starts))
    said = np.where(present, 2, np.where(unsure, 1, 0))  # (W, K)
    found: list[Span] = []
    for column, name in enumerate(names):
        first = np.flatnonzero(np.diff(said[:, column], prepend=-1))  # of each run of one answer
        last = np.append(first[1:], len(said)) - 1
        means = np.add.reduceat(weights * shares[:, column], first)
        means /= np.add.reduceat(weights, first)
        rows = zip(starts[first].tolist(), ends[last].tolist(), means.tolist(), strict=True)
        for row, answer in zip(rows, said[first, column].tolist(), strict=True):
            if answer:
                found.append(Span(name, *row, unsure=answer == 1))
    return sorted(found, key=lambda span: span.start)  # stable: the taxonomy's order stays within
