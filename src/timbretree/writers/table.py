"""What was heard as rows of a table, the same for csv and Parquet: one for each file and name."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from timbretree.spans import family_spans, group_answers, seconds_of, spans, tag_answers
from timbretree.tags import GroupScore, Tags, TagScore, verdict


class Row(NamedTuple):
    """What one file says of one instrument or family; of a file that failed, only why."""

    file: str
    model: str
    status: str
    """ok, partial or failed."""
    reason: str | None
    scope: str
    """recording: over all of it; window: between ``start`` and ``end`` only."""
    start: float | None = None
    """Seconds."""
    end: float | None = None
    kind: str | None = None
    """tag or group."""
    name: str | None = None
    family: str | None = None
    """The group right above it, if there is one."""
    probability: float | None = None
    answer: str | None = None
    """present, unsure or absent."""
    plays: float | None = None
    """Seconds in which it is present; only of recordings."""


Head = tuple[str, str, str, str | None]


def rows(tags: Tags, windows: bool, safe: Callable[[str], str]) -> Iterator[Row]:
    """A row for each tag and group in the order of the taxonomy, then, with ``windows``, the same
    for each window. A file that failed has one row. ``safe`` makes all names fit to be written.
    """
    reason = None if tags.reason is None else safe(tags.reason)
    head = safe(tags.file), safe(tags.model), safe(tags.status), reason
    if tags.status == "failed":
        yield Row(*head, "recording")
        return
    names = _names(tags, safe)
    plays = seconds_of(spans(tags)) | seconds_of(family_spans(tags))
    scores: tuple[TagScore | GroupScore, ...] = (*tags.tags, *tags.groups)
    for score in scores:
        told = score.probability, verdict(score.present, score.unsure), plays.get(score.name, 0.0)
        yield Row(*head, "recording", 0.0, tags.seconds, *names[score.name], *told)
    if windows and tags.windows:
        yield from _window_rows(tags, head, [*names.values()])


def _names(tags: Tags, safe: Callable[[str], str]) -> dict[str, tuple[str, str, str | None]]:
    """Kind, name and family of each tag and group."""
    tree = tags.taxonomy
    above = {name: safe(group) for name, group in tree.parents.items()}
    found = {name: ("tag", safe(name), above.get(name)) for name in tree.tags}
    return found | {name: ("group", safe(name), above.get(name)) for name in tree.groups}


def _window_rows(tags: Tags, head: Head, names: list[tuple[str, str, str | None]]) -> Iterator[Row]:
    answers = tag_answers(tags), group_answers(tags)
    for number, window in enumerate(tags.windows):
        shares = [*window.tags.tolist(), *window.groups.tolist()]
        present = [told for level in answers for told in level[0][number].tolist()]
        unsure = [told for level in answers for told in level[1][number].tolist()]
        for name, share, sure, perhaps in zip(names, shares, present, unsure, strict=True):
            told = share, verdict(sure, perhaps)
            yield Row(*head, "window", window.start, window.end, *name, *told)
