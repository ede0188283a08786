"""When each instrument plays: the windows of a recording joined to stretches of time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.bands import EVEN, Bands, Bools
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores

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
    shares = [window.tags for window in tags.windows]
    return _in_order(tags.windows, tags.tags, shares, tag_answers(tags))


def family_spans(tags: Tags) -> list[Span]:
    """When each family plays, by the same rules."""
    shares = [window.groups for window in tags.windows]
    return _in_order(tags.windows, tags.groups, shares, group_answers(tags))


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


def _in_order(
    windows: Sequence[WindowScores],
    scores: Sequence[TagScore | GroupScore],
    shares: list[Array],
    answers: tuple[Bools, Bools],
) -> list[Span]:
    if not windows:
        return []
    times = np.array([(window.start, window.end) for window in windows])
    told, (present, unsure) = np.stack(shares), answers  # (W, K) each
    found: list[Span] = []
    for k, score in enumerate(scores):
        perhaps = unsure[:, k] & (score.present or score.unsure)
        found += joined(score.name, times, told[:, k], present[:, k], perhaps)
    return sorted(found, key=lambda span: span.start)  # stable: the taxonomy's order stays within


def joined(
    name: str, times: NDArray[np.float64], shares: Array, present: Bools, unsure: Bools
) -> list[Span]:
    """The spans of one name, in order, of W windows that follow each other.

    ``times`` is (W, 2) seconds, ``shares`` (W,) its probabilities, ``present`` and ``unsure`` (W,)
    its answers.
    """
    if not len(times):
        return []
    said = np.where(present, 2, np.where(unsure, 1, 0))
    first = np.flatnonzero(np.diff(said, prepend=-1))  # of each run of one answer
    last = np.append(first[1:], len(said)) - 1
    weights = times[:, 1] - times[:, 0]
    if not np.add.reduceat(weights, first).all():
        weights = np.ones(len(times))
    means = np.add.reduceat(weights * shares, first) / np.add.reduceat(weights, first)
    rows = zip(times[first, 0].tolist(), times[last, 1].tolist(), means.tolist(), strict=True)
    answers = said[first].tolist()
    return [
        Span(name, *row, unsure=answer == 1)
        for row, answer in zip(rows, answers, strict=True)
        if answer
    ]
