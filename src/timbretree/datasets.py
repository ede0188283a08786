"""Any data set on paper, whichever room knows how to read it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from timbretree.annotations import AnnotationError, Annotations
from timbretree.labels import Labels
from timbretree.openmic import ARTIST, LABELS, is_openmic, read_openmic
from timbretree.plugins import Table
from timbretree.rows import guess
from timbretree.tables import read_table
from timbretree.taxonomy import Taxonomy


@dataclass(frozen=True)
class Reader:
    """A kind of data set that has a form of its own, rather than being a csv file of labels."""

    title: str
    """What it is, for messages."""
    knows: Callable[[Path], bool]
    """Whether a path, which may lead nowhere, is a data set of this kind."""
    read: Callable[[Path], Annotations]
    """From its path to what people said of its clips; raises AnnotationError."""
    artist: str | None = None
    """What to call whoever made a clip, where the data set says so: the one column by which clips
    can be held out."""


READERS = Table(
    "dataset",
    Reader,
    {"openmic": Reader("OpenMIC-2018", is_openmic, read_openmic, ARTIST)},
)


def read_dataset(
    path: str | Path,
    taxonomy: Taxonomy,
    *,
    audio: str | Path | None = None,
    artist: str | None = None,
) -> Annotations:
    """Read what people said of some clips: a csv file of your own, or what one of READERS knows.

    The columns of the labels are the tags of the taxonomy, in its order; a tag that the data set
    lacks is unknown everywhere. ``audio`` and ``artist`` are for a csv file, see ``read_table``;
    OpenMIC's artists are in its column artist_id. Raises AnnotationError, for a tag of the data set
    that the taxonomy lacks too.
    """
    path = Path(path)
    reader = None if path.suffix.lower() == ".csv" else _reader_of(path)
    if reader is None:
        return read_table(path, taxonomy.tags, audio=audio, artist=artist)
    if audio is not None or artist not in (None, reader.artist):
        who = f" and who made it (column {reader.artist})" if reader.artist else ""
        raise AnnotationError(
            f"{path}: {reader.title} says itself where its audio is{who}; another folder and "
            "another column can be named for a csv file only"
        )
    return _arrange(reader.read(path), taxonomy, path)


def _reader_of(path: Path) -> Reader | None:
    """What knows this data set; None of a file that nothing knows, which may be a table."""
    found = [name for name in READERS.built_in if READERS[name].knows(path)]
    found = found or [name for name in READERS if READERS[name].knows(path)]
    if len(found) > 1:
        packages = " and ".join(f"{name} ({READERS.package(name)})" for name in found)
        raise AnnotationError(f"{path}: {packages} both say that they can read this")
    if not found and path.is_dir():
        others = "".join(f", nor {READERS[name].title}" for name in [*READERS][1:])
        refusal = f"{path}: this folder is no OpenMIC-2018, which has {LABELS} in it{others}"
        advice = "of a data set of your own, name the csv file"
        raise AnnotationError("; ".join([refusal, advice, *READERS.faults]))
    return READERS[found[0]] if found else None


def _arrange(annotations: Annotations, taxonomy: Taxonomy, path: Path) -> Annotations:
    """The same labels with the tags of the taxonomy as columns."""
    for tag in annotations.tags:
        if tag not in taxonomy.tags:
            raise AnnotationError(
                f"{path}: its tag {tag!r} is not in the taxonomy {taxonomy.name!r}; "
                f"put it into a group there{guess(tag, taxonomy.tags)}"
            )
    columns = [taxonomy.tags.index(tag) for tag in annotations.tags]
    target = np.zeros((len(annotations), len(taxonomy.tags)), dtype=bool)
    mask = np.zeros_like(target)
    target[:, columns], mask[:, columns] = annotations.labels
    return replace(annotations, tags=taxonomy.tags, labels=Labels(target, mask))
