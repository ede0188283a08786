"""The words that the writers share: names, numbers, the headline, and why a family was heard."""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Protocol

from timbretree.tags import GroupScore, Tags, TagScore, plain, were

FAINT = 0.05
"""A tag or family below this probability was not heard at all, for all a reader need know."""
UNSURE = "unsure: it may play, but the evidence is thin"
LITTLE = 0.05
"""A family gives little attention to a tag that gets less than this share of it."""
NAMED = 0.10
"""A sentence names the tags that get at least this share of a family's attention."""
JOINERS = "\u200c\u200d"
"""Invisible, but part of how Persian, Indic scripts and emoji are written."""
NO_LOOK = (
    "this model takes no look (it has no attention over the instruments), so it can't say through "
    "which of them a family was heard"
)


def shown(text: str) -> str:
    """A text safe to show: line breaks, terminal commands, letters that turn the direction of
    writing and undecodable bytes, all of which a file name may hold, become visible escapes.
    """
    return "".join(_escaped(letter) if _unseen(letter) else letter for letter in text)


def named(name: str) -> str:
    """A tag or group as people write it, safe to show."""
    return shown(plain(name))


def titled(tags: Tags) -> str:
    """What the recording is called."""
    return shown(tags.file) or "a recording in memory"


def percent(share: float) -> str:
    """A probability or a share of attention: 83%."""
    return f"{share:.0%}"


def clock(seconds: float) -> str:
    """A moment: 0:28, 3:05, 1:00:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def length(seconds: float) -> str:
    """How long something lasts: 0.5 s, 0:28."""
    return f"{seconds:.1f} s" if seconds < 10 else clock(seconds)


def mark(score: TagScore | GroupScore) -> str:
    """The sign before a name: ● heard, ◐ unsure, ○ not heard."""
    return "●" if score.present else "◐" if score.unsure else "○"


class Answered(Protocol):
    """What has one of three answers: a tag, a group, or either in a track of a library."""

    @property
    def present(self) -> bool:
        """For certain."""

    @property
    def unsure(self) -> bool:
        """Perhaps."""


def answer(score: Answered) -> str:
    """The same in a word: heard, unsure, not heard."""
    return "heard" if score.present else "unsure" if score.unsure else "not heard"


def doubtful(tags: Tags) -> bool:
    """Whether the answer to anything is unsure, so that it must be explained."""
    return bool(tags.unsure) or any(group.unsure for group in tags.groups)


def listed(names: Iterable[str]) -> str:
    """Piano, violin and cello."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def sentence(words: str) -> str:
    """With a capital and a full stop."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def headline(tags: Tags, most: int = 6) -> str:
    """The answer in one sentence, naming at most ``most`` tags, and half as many unsure ones."""
    if tags.status == "failed":
        return "This file could not be heard."
    if tags.reason == "silent":
        return "There is nothing to hear in this file."
    perhaps = listed(_few(tags.unsure, most // 2)) if tags.unsure else ""
    if tags.present:
        few = _few(tags.present, most)
        too = f"; perhaps {perhaps}, too" if perhaps else ""
        return sentence(f"{listed(few)} {were(few)} heard{too}")
    if families := [named(group.group) for group in tags.groups if group.present]:
        verb = were(families)
        said = f"{listed(families)} {verb} heard, but no single instrument clearly enough"
        return sentence(f"{said}; perhaps {perhaps}" if perhaps else said)
    if perhaps:
        return sentence(f"nothing was heard for certain; perhaps {perhaps}")
    return "No instrument was heard clearly enough to be named."


def _few(names: list[str], most: int) -> list[str]:
    """At most so many names, the last of them counting the others."""
    rest = len(names) - most + 1
    few = names if rest < 2 else names[: most - 1]
    return [*map(named, few), *([f"{rest} other instruments"] if rest > 1 else [])]


def looks(tags: Tags) -> bool:
    """Whether there is any attention to show."""
    return any(group.attention for group in tags.groups)


def why(tags: Tags) -> Iterator[str]:
    """Say through which tags each family was heard, for certain or perhaps, and which present tags
    it passed over.

    A family that was not heard because it passed over a tag of its own that was, is named too: so
    a mistake in the tags is kept from the families (the lower row of the paper's Fig. 4).
    """
    if not looks(tags):
        yield NO_LOOK if any(score.probability for score in tags.tags) else "nothing was heard"
    for group in tags.groups:
        if not group.attention:
            continue
        passed = [_passed_over(group, tag) for tag in _own(tags, group) if _little(group, tag)]
        if group.present or group.unsure:
            yield "; ".join([_heard_through(tags, group), *passed])
        elif passed:
            verb = were([named(group.group)])
            yield f"{named(group.group)} {verb} not heard ({percent(group.probability)}): " + (
                "; ".join(passed)
            )


def _heard_through(tags: Tags, group: GroupScore) -> str:
    own = {tag.tag for tag in _own(tags, group)}
    # a family is not heard "through" a tag that was not heard, however hard it looked at it
    audible = [tag.tag for tag in tags.tags if tag.probability >= FAINT] or list(group.attention)
    ranked = sorted(audible, key=lambda tag: -group.attention[tag])
    chosen = [tag for tag in ranked[:3] if group.attention[tag] >= NAMED] or ranked[:1]
    chosen.sort(key=lambda tag: tag not in own)  # its own first, then those beyond the family
    verb = were([named(group.group)])
    units = [f" of {'its' if verb == 'was' else 'their'} attention"] + [""] * len(chosen)
    parts = [
        f"{named(tag)} ({percent(group.attention[tag])}{unit})"
        for tag, unit in zip(chosen, units, strict=False)
    ]
    inside = sum(tag in own for tag in chosen)
    through, beyond = ", ".join(parts[:inside]), ", ".join(parts[inside:])
    if through and beyond:
        through = f"{through} and, beyond the family, {beyond}"
    elif beyond:
        through = f"instruments beyond the family: {beyond}"
    if not group.present:
        return (
            f"{named(group.group)} may have been heard ({percent(group.probability)}) through "
            + (through)
        )
    return f"{named(group.group)} {verb} heard through {through}"


def _passed_over(group: GroupScore, tag: TagScore) -> str:
    share = percent(group.attention[tag.tag])
    name, chance = named(tag.tag), percent(tag.probability)
    return f"{name}, heard at {chance}, {were([name])} given little attention ({share})"


def _little(group: GroupScore, tag: TagScore) -> bool:
    return tag.present and group.attention[tag.tag] < LITTLE


def _own(tags: Tags, group: GroupScore) -> list[TagScore]:
    below = set(tags.taxonomy.below(group.group))
    return [tag for tag in tags.tags if tag.tag in below]


def _unseen(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in JOINERS


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
