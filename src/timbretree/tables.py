"""Your own data set: a csv file of labels and a folder of audio."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from timbretree.annotations import SPLITS, AnnotationError, Annotations
from timbretree.labels import Labels
from timbretree.rows import Row, guess, read_rows

CELLS = {"1": (True, True), "0": (False, True), "": (False, False)}
"""What a cell says: target and mask."""
LONG = ("file", "tag", "label")
"""The columns that tell a table in long form."""


def read_table(
    path: str | Path,
    tags: tuple[str, ...],
    *,
    audio: str | Path | None = None,
    artist: str | None = None,
) -> Annotations:
    """Read a csv file of labels, with a row a clip or a row a label.

    The first row names the columns. Wide form: ``file`` and a column a tag. Long form: ``file``,
    ``tag`` and ``label``, one label a row. A label is 1 (plays), 0 (does not) or empty (nobody
    knows); what is not mentioned is unknown. Both forms may have a column ``split`` (train, valid,
    test; without it all are train) and one that says who made the clip, named by ``artist``.
    Files are relative to the folder ``audio`` (default: that of the csv file), and come in the
    order in which they are first named. Raises AnnotationError with the row and the column.
    """
    path = Path(path)
    rows = read_rows(path, "file", *([artist] if artist else []))
    if not rows:
        raise AnnotationError(f"{path}: there are no rows below the names of the columns")
    long = all(column in rows[0].cells for column in LONG)
    facts = [*(["split"] if "split" in rows[0].cells else []), *([artist] if artist else [])]
    _check_columns(rows[0], (*(LONG if long else ("file", *tags)), *facts), tags)
    clips = _gather(rows, tags, facts, long)
    folder = path.parent if audio is None else Path(audio)
    cells = np.array([[clip.cell(tag) for tag in tags] for clip in clips.values()])
    return Annotations(
        tags,
        tuple(folder / file for file in clips),
        Labels(cells[..., 0], cells[..., 1]),
        tuple(clip.facts["split"][0] if "split" in facts else "train" for clip in clips.values()),
        tuple(clip.facts[artist][0] for clip in clips.values()) if artist else None,
    )


@dataclass(frozen=True)
class _Clip:
    """What a table says of one clip, each thing with the row that said it first."""

    file: Path
    row: Row
    facts: dict[str, tuple[str, Row]] = field(default_factory=dict)
    labels: dict[str, tuple[str, Row]] = field(default_factory=dict)

    def say(self, row: Row, column: str, word: str, tag: str | None = None) -> None:
        """Take down what a row says, if anything; rows that contradict each other are an error."""
        said, subject = (self.facts, column) if tag is None else (self.labels, tag)
        if word and said.setdefault(subject, (word, row))[0] != word:
            before, first = said[subject]
            about = f"{self.file}" if tag is None else f"{self.file} and {tag!r}"
            raise row.error(column, f" says {word} of {about}, but row {first.line} says {before}")

    def cell(self, tag: str) -> tuple[bool, bool]:
        """Target and mask."""
        return CELLS[self.labels[tag][0] if tag in self.labels else ""]


def _gather(
    rows: list[Row], tags: tuple[str, ...], facts: list[str], long: bool
) -> dict[Path, _Clip]:
    clips: dict[Path, _Clip] = {}
    for row in rows:
        file = Path(row.text("file"))
        if not long and file in clips:
            raise row.error("file", f": {file} has row {clips[file].row.line} already")
        clip = clips.setdefault(file, _Clip(file, row))
        for column in facts:
            clip.say(row, column, _split(row) if column == "split" else row.text(column))
        for column, tag in _labelled(row, tags, long):
            clip.say(row, column, _label(row, column), tag)
    return clips


def _check_columns(row: Row, known: tuple[str, ...], tags: tuple[str, ...]) -> None:
    for name in row.cells:
        if name not in known:
            raise AnnotationError(
                f"{row.path}: row 1, column {name!r} is no tag of the taxonomy "
                f"({', '.join(tags)}){guess(name, known)}"
            )


def _labelled(row: Row, tags: tuple[str, ...], long: bool) -> Iterator[tuple[str, str]]:
    """The columns of a row that hold labels, each with the tag that it labels."""
    if not long:
        yield from ((tag, tag) for tag in tags if tag in row.cells)
        return
    tag = row.text("tag")
    if tag not in tags:
        raise row.error(
            "tag", f": {tag!r} is no tag of the taxonomy ({', '.join(tags)}){guess(tag, tags)}"
        )
    yield "label", tag


def _label(row: Row, column: str) -> str:
    text = row.cells[column]
    if text is None or text.strip() not in CELLS:
        got = "no cell" if text is None else repr(text)
        raise row.error(column, f": expected 1, 0 or nothing, got {got}")
    return text.strip()


def _split(row: Row) -> str:
    text = row.cells["split"]
    if text not in SPLITS:
        raise row.error("split", f": expected one of {', '.join(SPLITS)}, got {text!r}")
    return text
