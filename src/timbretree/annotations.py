"""A data set on paper: which files there are, what was said of each, and who learns from it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbretree.labels import Labels

SPLITS = ("train", "valid", "test")


class AnnotationError(ValueError):
    """Labels that can't be used; the message names the row and the column."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """N clips with their labels."""

    tags: tuple[str, ...]
    files: tuple[Path, ...]
    labels: Labels
    """numpy bool arrays (N, F)."""
    splits: tuple[str, ...]
    """train, valid or test for each clip."""

    def __len__(self) -> int:
        return len(self.files)

    def take(self, rows: NDArray[np.int64]) -> "Annotations":
        """Some of the clips, by number."""
        return replace(
            self,
            files=tuple(self.files[row] for row in rows),
            labels=Labels(self.labels.target[rows], self.labels.mask[rows]),
            splits=tuple(self.splits[row] for row in rows),
        )

    def part(self, split: str) -> "Annotations":
        """The clips of one split."""
        return self.take(np.flatnonzero(np.array(self.splits) == split))


def hold_out(annotations: Annotations, *, share: float = 0.15, seed: int = 0) -> Annotations:
    """Move a share of the training clips to ``valid``, with all tags in proportion.

    Stratified on 2F columns, present and absent (section 4.1 of the paper; on the present columns
    alone, the absent labels drift). Clips already in ``valid`` or ``test`` stay where they are.
    Raises AnnotationError for fewer than two training clips.
    """
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

    train = np.flatnonzero(np.array(annotations.splits) == "train")
    if len(train) < 2:
        raise AnnotationError(
            f"there are {len(train)} training clips; holding some out for validation takes two"
        )
    target, mask = annotations.labels.target[train], annotations.labels.mask[train]
    columns = np.concatenate([target & mask, ~target & mask], axis=1)
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    _, held = next(splitter.split(columns, columns))
    splits = np.array(annotations.splits, dtype=object)
    splits[train[held]] = "valid"
    return replace(annotations, splits=tuple(splits.tolist()))
