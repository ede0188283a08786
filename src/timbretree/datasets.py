"""Any data set on paper, whichever room knows how to read it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from timbretree.annotations import AnnotationError, Annotations
from timbretree.labels import Labels
from timbretree.openmic import ARTIST, LABELS, is_openmic, read_openmic
from timbretree.rows import guess
from timbretree.tables import read_table
from timbretree.taxonomy import Taxonomy


def read_dataset(
    path: str | Path,
    taxonomy: Taxonomy,
    *,
    audio: str | Path | None = None,
    artist: str | None = None,
) -> Annotations:
    """Read what people said of some clips: a folder of OpenMIC-2018, or a csv file of your own.

    The columns of the labels are the tags of the taxonomy, in its order; a tag that the data set
    lacks is unknown everywhere. ``audio`` and ``artist`` are for a csv file, see ``read_table``;
    OpenMIC's artists are in its column artist_id. Raises AnnotationError, for a tag of the data set
    that the taxonomy lacks too.
    """
    path = Path(path)
    if not path.is_dir():
        return read_table(path, taxonomy.tags, audio=audio, artist=artist)
    if not is_openmic(path):
        raise AnnotationError(
            f"{path}: this folder is no OpenMIC-2018, which has {LABELS} in it; "
            "of a data set of your own, name the csv file"
        )
    if audio is not None or artist not in (None, ARTIST):
        raise AnnotationError(
            f"{path}: OpenMIC-2018 says itself where its audio is and who made it (column "
            f"{ARTIST}); another folder and another column can be named for a csv file only"
        )
    return _arrange(read_openmic(path), taxonomy, path)


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
