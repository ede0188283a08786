"""What was heard as JSON: one object on one line for each file, so that many make JSON Lines."""

import json
from typing import Any

from timbretree.tags import Tags, WindowScores


def write(tags: Tags, explain: bool) -> str:
    """One JSON object on one line; ``explain`` adds the attention of every window.

    Names keep their letters (``ensure_ascii=False``), except where that would break the line or
    the encoding: a file name with undecodable bytes (lone surrogates), or with one of the letters
    that some readers take for a line break, has the whole object written in ASCII. Either way
    ``json.loads`` gives the same name back. Raises ValueError for a probability that is no number.
    """
    data = _plain_data(tags, explain)
    line = json.dumps(data, ensure_ascii=False, allow_nan=False)
    if not _one_line(line):
        line = json.dumps(data, ensure_ascii=True, allow_nan=False)
    return line + "\n"


def _one_line(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return len(text.splitlines()) == 1


def _plain_data(tags: Tags, explain: bool) -> dict[str, Any]:
    return {
        "file": tags.file,
        "status": tags.status,
        "reason": tags.reason,
        "message": tags.message,
        "seconds": _seconds(tags.seconds),
        "model": tags.model,
        "taxonomy": tags.taxonomy.name,
        "tags": [
            {
                "tag": score.tag,
                "probability": _share(score.probability),
                "present": bool(score.present),
                "unsure": bool(score.unsure),
            }
            for score in tags.tags
        ],
        "groups": [
            {
                "group": score.group,
                "probability": _share(score.probability),
                "present": bool(score.present),
                "unsure": bool(score.unsure),
                "attention": {tag: _share(weight) for tag, weight in score.attention.items()},
            }
            for score in tags.groups
        ],
        "windows": [_window(tags, window, explain) for window in tags.windows],
        "notes": list(tags.notes),
    }


def _window(tags: Tags, window: WindowScores, explain: bool) -> dict[str, Any]:
    names, groups = tags.taxonomy.tags, tags.taxonomy.groups
    data = {
        "start": _seconds(window.start),
        "end": _seconds(window.end),
        "tags": _shares(names, window.tags),
        "groups": _shares(groups, window.groups),
    }
    if not explain:
        return data
    look = window.attention  # (F, C)
    return data | {
        "attention": None
        if look is None
        else {group: _shares(names, look[:, c]) for c, group in enumerate(groups)}
    }


def _shares(names: tuple[str, ...], values: Any) -> dict[str, float]:
    return {name: _share(value) for name, value in zip(names, values, strict=True)}


def _share(value: float) -> float:
    return round(float(value), 4)


def _seconds(value: float) -> float:
    return round(float(value), 3)
