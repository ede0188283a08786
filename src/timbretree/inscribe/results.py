"""What was heard earlier: the lines of a file of results that ``timbretree tag`` wrote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from timbretree.tags import Tags, plain


class Heard(NamedTuple):
    """What is to be written into one file."""

    path: Path
    wants: tuple[str, ...]
    """The instruments that play, as people write them, in the order of the tree."""
    trouble: str | None = None
    """Why there is nothing to write: it could not be heard."""


def heard(tags: Tags) -> Heard:
    """What is to be written into the file that some Tags are of: what plays for certain."""
    trouble = f"{tags.reason}: {tags.message}" if tags.status == "failed" else None
    names = tuple(plain(score.tag) for score in tags.tags if score.present)
    return Heard(Path(tags.file), names, trouble)


def read(path: Path) -> Iterator[Heard]:
    """What is to be written by a file of JSON Lines; of lines of one recording the last one counts.

    Files that are named by a relative path are looked for from here. Raises ValueError for what is
    no such file, and OSError.
    """
    found: dict[Path, Heard] = {}
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                one = _line(line)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{path}, line {number}: this is no line that timbretree wrote as json "
                    f"({type(error).__name__}: {error})"
                ) from None
            found.pop(one.path, None)
            found[one.path] = one
    yield from found.values()


def _line(line: str) -> Heard:
    data = json.loads(line)
    names = tuple(plain(str(row["tag"])) for row in data["tags"] if row["present"] is True)
    failed = data["status"] == "failed"
    trouble = f"{data['reason']}: {data['message']}" if failed else None
    if not isinstance(data["file"], str) or not data["file"]:
        raise ValueError("it names no file")
    return Heard(Path(data["file"]), names, trouble)
