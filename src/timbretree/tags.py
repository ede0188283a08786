"""Tags: what was heard in one recording, and where the family and its instruments disagree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.bands import Bands
from timbretree.taxonomy import Taxonomy

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TagScore:
    """One instrument in one recording."""

    tag: str
    probability: float
    present: bool
    """Whether it plays, as far as that can be told for certain."""
    unsure: bool = False
    """Whether it may play, but the evidence is thin. Neither this nor present: it is absent."""

    @property
    def name(self) -> str:
        """The tag: what a group calls its name, too."""
        return self.tag


@dataclass(frozen=True)
class GroupScore:
    """One family in one recording."""

    group: str
    probability: float
    present: bool
    attention: dict[str, float]
    """How much the family heeded each tag, summing to 1; empty where the model takes no look at
    the tags, and where nothing was heard at all."""
    unsure: bool = False
    """Whether it may play, but the evidence is thin. Neither this nor present: it is absent."""

    @property
    def name(self) -> str:
        """The group: what a tag calls its name, too."""
        return self.group


@dataclass(frozen=True, eq=False, slots=True)
class WindowScores:
    """What was heard between two moments, in seconds."""

    start: float
    end: float
    tags: Array
    """(F,): the probability of each tag."""
    groups: Array
    """(C,): the probability of each group."""
    attention: Array | None
    """(F, C): columns sum to 1, or None where the model takes no look or heard silence."""


@dataclass(frozen=True, eq=False)
class Tags:
    """What was heard in one recording, or why it could not be heard."""

    file: str
    model: str
    taxonomy: Taxonomy
    status: str = "ok"
    """ok, partial (some of it was used) or failed (nothing was)."""
    reason: str | None = None
    """A code of ``timbretree.audio.REASONS`` where status is not ok; ``silent`` comes with ok."""
    message: str | None = None
    """The reason in words."""
    seconds: float = 0.0
    """How much was heard."""
    tags: tuple[TagScore, ...] = ()
    """One for each tag of the taxonomy, in its order; none where status is failed."""
    groups: tuple[GroupScore, ...] = ()
    windows: tuple[WindowScores, ...] = ()
    notes: tuple[str, ...] = ()
    """Where a family and its instruments disagree, and what else a reader must know."""
    tag_bands: Bands | None = None
    """From which probability on the model answers present, and unsure, for each tag; None where
    nobody knows. With them each window has answers, too: see ``timbretree.spans``."""
    group_bands: Bands | None = None
    """The same for groups; None, too, where the model did not learn these groups."""
    embedding: Array | None = None
    """(D,): what the network makes of the recording before it names anything, the mean over its
    windows; recordings that sound alike have similar ones. None where nothing but silence was
    heard, and of model files that do not tell."""

    @property
    def present(self) -> list[str]:
        """The tags that play, the most probable first."""
        return _ranked(score for score in self.tags if score.present)

    @property
    def unsure(self) -> list[str]:
        """The tags that may play, though the evidence is thin, the most probable first."""
        return _ranked(score for score in self.tags if score.unsure)


def _ranked(scores: Iterable[TagScore]) -> list[str]:
    return [score.tag for score in sorted(scores, key=lambda score: -score.probability)]


def disagreements(
    tree: Taxonomy, tags: tuple[TagScore, ...], groups: tuple[GroupScore, ...]
) -> Iterator[str]:
    """Say in words where a family is present without its instruments, or they without it.

    A learned attention may look beyond the family (ResAtt), so both can happen; hiding it would
    hide either a mistake or a discovery.
    """
    by_tag = {score.tag: score for score in tags}
    for group in groups:
        below = [by_tag[tag] for tag in tree.below(group.group)]
        heard = [score for score in below if score.present]
        name = plain(group.group)
        if group.present and not heard:
            likeliest = max(below, key=lambda score: score.probability)
            yield (
                f"{name} {were([name])} heard ({group.probability:.0%}), but no instrument of it "
                f"clearly enough to be named; the likeliest is {plain(likeliest.tag)} "
                f"({likeliest.probability:.0%}{', unsure' if likeliest.unsure else ''})"
            )
        if heard and not group.present:
            names = " and ".join(f"{plain(score.tag)} ({score.probability:.0%})" for score in heard)
            verb = were([plain(score.tag) for score in heard])
            verdict = "too little to be sure" if group.unsure else "below its threshold"
            yield (
                f"{names} {verb} heard, but the family {name} as a "
                f"whole only at {group.probability:.0%}, {verdict}"
            )


def verdict(present: bool, unsure: bool) -> str:
    """One of the three answers, as tables and programs have it: present, unsure or absent."""
    return "present" if present else "unsure" if unsure else "absent"


def were(names: list[str]) -> str:
    """Piano was, drums were, piano and violin were."""
    plural = len(names) > 1 or (names[0].endswith("s") and not names[0].endswith("ss"))
    return "were" if plural else "was"


def plain(name: str) -> str:
    """A name as people write it: mallet percussion."""
    return name.replace("_", " ")
