"""A reader: recordings of one instrument each, as in ``solos/train/clarinet/1.wav``."""

from pathlib import Path

import numpy as np

from timbretree.annotations import SPLITS, AnnotationError, Annotations
from timbretree.datasets import Reader
from timbretree.labels import Labels


def knows(folder: Path) -> bool:
    """Whether it has a folder train, valid or test."""
    return any((folder / split).is_dir() for split in SPLITS)


def read(folder: Path) -> Annotations:
    """Each clip has the instrument that its folder is named after, and no other."""
    files = [file for split in SPLITS for file in sorted((folder / split).glob("*/*"))]
    if not files:
        raise AnnotationError(f"{folder}: expected sound files as in train/clarinet/1.wav")
    tags = tuple(sorted({file.parent.name for file in files}))
    target = np.array([[file.parent.name == tag for tag in tags] for file in files])
    splits = tuple(file.parent.parent.name for file in files)
    return Annotations(tags, tuple(files), Labels(target, np.ones_like(target)), splits)


SOLOS = Reader("a folder of solos, with train/INSTRUMENT/FILE in it", knows, read)
