"""What was heard as JSON: one object on one line for each file, so that many make JSON Lines.

With ``explain`` the line is a record, of which ``read`` makes the same Tags again.
"""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from timbretree.tags import GroupScore, Tags, TagScore, WindowScores
from timbretree.taxonomy import Taxonomy
from timbretree.writers.record import (
    column,
    exact,
    read_bands,
    read_embedding,
    read_tree,
    rest,
    rounded,
    single,
)


def write(tags: Tags, explain: bool) -> str:
    """One JSON object on one line; ``explain`` adds the attention of every window, writes every
    number in full, and adds what else a reader needs to make the same Tags again.

    Names keep their letters (``ensure_ascii=False``), except where that would break the line or
    the encoding: where there are undecodable bytes (lone surrogates), or one of the letters that
    some readers take for a line break, ASCII is written. Either way ``json.loads`` gives the same
    name back. Raises ValueError for a probability that is no number.
    """
    text = io.StringIO(newline="\n")
    text.writelines(pieces(tags, explain))
    return text.getvalue()


def pieces(tags: Tags, explain: bool) -> Iterator[str]:
    """The same line in parts, so that the record of a day of sound need not be held as a whole."""
    yield _dumps(_head(tags, explain))[:-1] + ', "windows": ['
    for number, window in enumerate(tags.windows):
        yield (", " if number else "") + _dumps(_window(tags.taxonomy, window, explain))
    yield '], "notes": ' + _dumps(list(tags.notes))
    if explain:
        yield ', "record": ' + _dumps(rest(tags))
    yield "}\n"


def read(line: str) -> Tags:
    """The Tags of a line: the exact inverse of ``write`` with ``explain``.

    Probabilities are float32, as models give them. A line written without ``explain`` gives what it
    holds: rounded numbers, no attention of its windows; its tree must be one that ships with
    timbretree. Raises ValueError for what is no such line.
    """
    try:
        data = json.loads(line)
        tree = read_tree(data)
        record = data.get("record", {})
        return Tags(
            file=data["file"],
            model=data["model"],
            taxonomy=tree,
            status=data["status"],
            reason=data["reason"],
            message=data["message"],
            seconds=float(data["seconds"]),
            tags=tuple(map(_read_tag, data["tags"])),
            groups=tuple(map(_read_group, data["groups"])),
            windows=tuple(_read_window(row, tree) for row in data["windows"]),
            notes=tuple(data["notes"]),
            embedding=read_embedding(record.get("embedding")),
            tag_bands=read_bands(record.get("tag_bands")),
            group_bands=read_bands(record.get("group_bands")),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"this is no line that timbretree wrote as json ({what})") from error


def _dumps(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return text if _one_line(text) else json.dumps(data, ensure_ascii=True, allow_nan=False)


def _one_line(text: str) -> bool:
    if text.isascii():
        return True  # json has escaped all line breaks among them
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return len(text.splitlines()) == 1


def _head(tags: Tags, explain: bool) -> dict[str, Any]:
    share = exact if explain else rounded
    return {
        "file": tags.file,
        "status": tags.status,
        "reason": tags.reason,
        "message": tags.message,
        "seconds": _seconds(tags.seconds, explain),
        "model": tags.model,
        "taxonomy": tags.taxonomy.name,
        "tags": [{"tag": score.tag, **_answer(score, explain)} for score in tags.tags],
        "groups": [
            {
                "group": score.group,
                **_answer(score, explain),
                "attention": {tag: share(weight) for tag, weight in score.attention.items()},
            }
            for score in tags.groups
        ],
    }


def _answer(score: TagScore | GroupScore, explain: bool) -> dict[str, Any]:
    return {
        "probability": (exact if explain else rounded)(score.probability),
        "present": bool(score.present),
        "unsure": bool(score.unsure),
    }


def _window(tree: Taxonomy, window: WindowScores, explain: bool) -> dict[str, Any]:
    share = exact if explain else rounded
    data: dict[str, Any] = {
        "start": _seconds(window.start, explain),
        "end": _seconds(window.end, explain),
        "tags": dict(zip(tree.tags, map(share, window.tags), strict=True)),
        "groups": dict(zip(tree.groups, map(share, window.groups), strict=True)),
    }
    if explain:
        data["attention"] = None if window.attention is None else _attention(tree, window.attention)
    return data


def _attention(tree: Taxonomy, look: Any) -> dict[str, dict[str, float]]:
    """(F, C) by name; tags that get none are left out, which are all but one where a family is as
    probable as its most probable instrument."""
    return {
        group: {tree.tags[f]: exact(look[f, c]) for f in np.flatnonzero(look[:, c])}
        for c, group in enumerate(tree.groups)
    }


def _read_tag(row: dict[str, Any]) -> TagScore:
    return TagScore(row["tag"], single(row["probability"]), row["present"], row["unsure"])


def _read_group(row: dict[str, Any]) -> GroupScore:
    attention = {tag: single(weight) for tag, weight in row["attention"].items()}
    score = single(row["probability"]), row["present"], attention, row["unsure"]
    return GroupScore(row["group"], *score)


def _read_window(row: dict[str, Any], tree: Taxonomy) -> WindowScores:
    look = row.get("attention")
    attention = None
    if look is not None:
        attention = np.stack([column(tree.tags, look[group]) for group in tree.groups], axis=1)
    tags, groups = column(tree.tags, row["tags"]), column(tree.groups, row["groups"])
    return WindowScores(float(row["start"]), float(row["end"]), tags, groups, attention)


def _seconds(value: float, explain: bool) -> float:
    return float(value) if explain else round(float(value), 3)
