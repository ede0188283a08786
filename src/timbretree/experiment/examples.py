"""The clips of Fig. 4, found by search: one heard right, one heard wrong, one rescued."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.experiment.ledger import Heard, Study
from timbretree.figures import Answers
from timbretree.labels import Labels
from timbretree.tags import GroupScore, Tags, TagScore, were
from timbretree.writers.words import listed, named, percent, sentence, why

KINDS = {
    "right": "every known tag and group is right",
    "wrong": "a group is claimed that is absent, or missed though it plays",
    "rescued": "a tag is wrongly claimed, but its group is not",
}
"""What is searched for, in the order shown."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Example:
    """A clip of the test split that shows one kind."""

    kind: str
    clip: int
    """Its row in the arrays of the study."""
    tag: str = ""
    """The tag wrongly claimed, of a rescued clip."""
    group: str = ""
    """The group that was wrong, or that held its own."""


def find(study: Study, heard: Heard) -> dict[str, Example | None]:
    """Search the test clips for one of each kind; None where a kind does not occur.

    - ``right``: all observed tags and groups right; the one with the most instruments known to
      play, of which there must be one.
    - ``wrong``: an observed group wrong; the one farthest from the truth.
    - ``rescued``: a tag known to be absent is claimed, yet the group directly above it is absent
      and not claimed (the lower row of the paper's Fig. 4); the one whose group is farthest below
      the tag.

    Of equals, the first in the order of the clips, then of tags or groups.
    """
    return {
        "right": _right(study, heard),
        "wrong": _wrong(study, heard),
        "rescued": _rescued(study, heard),
    }


def claims(heard: Heard) -> tuple[Bools, Bools]:
    """(N, F) and (N, C): which tags and groups are at or above their thresholds."""
    tags, groups = np.array(heard.tag_thresholds), np.array(heard.group_thresholds)
    return heard.prediction.fine >= tags, heard.prediction.coarse >= groups


def answers(study: Study, heard: Heard, clip: int) -> tuple[Answers, Answers]:
    """What was said of the tags and of the groups of one clip, for the attention map."""
    fine, coarse = claims(heard)
    return (
        Answers(heard.prediction.fine[clip], fine[clip], _row(study.fine, clip)),
        Answers(heard.prediction.coarse[clip], coarse[clip], _row(study.coarse, clip)),
    )


def caption(study: Study, heard: Heard, example: Example) -> list[str]:
    """Say in plain words what the clip shows, and through which tags its groups were heard.

    The network must have an attention.
    """
    lead = {"right": _say_right, "wrong": _say_wrong, "rescued": _say_rescued}[example.kind]
    said = f"{named(example.group)} {were([named(example.group)])} not heard"
    heeded = [
        words
        for words in why(_tags(study, heard, example.clip))
        if example.kind != "rescued" or not words.startswith(said)  # its lead has said it
    ]
    return [sentence(words) for words in (lead(study, heard, example), *heeded)]


def _right(study: Study, heard: Heard) -> Example | None:
    right = np.ones(len(study.files), dtype=bool)
    for claimed, labels in zip(claims(heard), (study.fine, study.coarse), strict=True):
        right &= ((claimed == labels.target) | ~labels.mask).all(axis=1)
    playing = (study.fine.target & study.fine.mask).sum(axis=1)
    rank = np.where(right, playing, 0)
    return Example("right", int(rank.argmax())) if rank.max(initial=0) > 0 else None


def _wrong(study: Study, heard: Heard) -> Example | None:
    wrong = (claims(heard)[1] != study.coarse.target) & study.coarse.mask
    distance = np.abs(heard.prediction.coarse - study.coarse.target)
    if not wrong.any():
        return None
    clip, group = np.unravel_index(np.where(wrong, distance, -1.0).argmax(), wrong.shape)
    return Example("wrong", int(clip), group=study.taxonomy.groups[group])


def _rescued(study: Study, heard: Heard) -> Example | None:
    above = study.taxonomy.parent_index
    tags, groups = claims(heard)
    tag_wrong = study.fine.mask & ~study.fine.target & tags
    group_right = (study.coarse.mask & ~study.coarse.target & ~groups)[:, above]
    rescued = tag_wrong & group_right
    if not rescued.any():
        return None
    drop = heard.prediction.fine - heard.prediction.coarse[:, above]
    clip, tag = np.unravel_index(np.where(rescued, drop, -2.0).argmax(), rescued.shape)
    name = study.taxonomy.tags[tag]
    return Example("rescued", int(clip), name, study.taxonomy.parents[name])


def _say_right(study: Study, heard: Heard, example: Example) -> str:
    names = _named(study, study.fine.target[example.clip] & study.fine.mask[example.clip])
    return f"all that people said of this clip was heard right: {listed(names)} {were(names)} heard"


def _say_wrong(study: Study, heard: Heard, example: Example) -> str:
    place = study.taxonomy.groups.index(example.group)
    chance = percent(heard.prediction.coarse[example.clip, place])
    threshold = percent(heard.group_thresholds[place])
    name = named(example.group)
    verdict = f"{name} {were([name])} {{}} at {chance} (the threshold is {threshold})"
    members = study.taxonomy.members[:, place]
    mask, target = study.fine.mask[example.clip], study.fine.target[example.clip]
    if study.coarse.target[example.clip, place]:
        playing = _named(study, members & mask & target)
        return f"{verdict.format('missed')}, though {listed(playing)} {_play(playing)}"
    if unheard := _named(study, members & ~mask):
        doubt = f"; nobody listened for {listed(unheard)}, so the label may be at fault"
        return verdict.format("wrongly heard") + doubt
    return verdict.format("wrongly heard")


def _say_rescued(study: Study, heard: Heard, example: Example) -> str:
    tag = study.taxonomy.tags.index(example.tag)
    group = study.taxonomy.groups.index(example.group)
    said, weight = heard.prediction.fine[example.clip, tag], heard.prediction.attention
    name, family = named(example.tag), named(example.group)
    return (
        f"{name} {were([name])} wrongly heard at {percent(said)}; the {family} group gave it "
        f"{percent(weight[example.clip, tag, group])} of its attention and stayed at "
        f"{percent(heard.prediction.coarse[example.clip, group])}, below its threshold of "
        f"{percent(heard.group_thresholds[group])}"
    )


def _tags(study: Study, heard: Heard, clip: int) -> Tags:
    """The clip as the tagger would hand it on, so that the page's words serve here too."""
    tree, (fine, coarse) = study.taxonomy, answers(study, heard, clip)
    look = heard.prediction.attention[clip]
    tags = [
        TagScore(tag, float(fine.probability[place]), bool(fine.claimed[place]))
        for place, tag in enumerate(tree.tags)
    ]
    groups = [
        GroupScore(
            group,
            float(coarse.probability[place]),
            bool(coarse.claimed[place]),
            dict(zip(tree.tags, look[:, place].tolist(), strict=True)),
        )
        for place, group in enumerate(tree.groups)
    ]
    return Tags(study.files[clip], "", tree, tags=tuple(tags), groups=tuple(groups))


def _named(study: Study, chosen: Bools) -> list[str]:
    return [named(study.taxonomy.tags[place]) for place in np.flatnonzero(chosen)]


def _play(names: list[str]) -> str:
    return "play" if were(names) == "were" else "plays"


def _row(labels: Labels, clip: int) -> Labels:
    return Labels(labels.target[clip], labels.mask[clip])
