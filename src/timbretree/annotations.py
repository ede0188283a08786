"""A data set on paper: which files there are, what was said of each, and who learns from it."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from timbretree.files import write_whole
from timbretree.labels import Labels

SPLITS = ("train", "valid", "test")
STARTS = 100
"""How many random divisions of the artists are improved; the best of them is taken."""


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
    artists: tuple[str, ...] | None = None
    """Who made each clip, or whatever must not be torn apart: album, session. None = not known."""

    def __len__(self) -> int:
        return len(self.files)

    def take(self, rows: NDArray[np.int64]) -> "Annotations":
        """Some of the clips, by number."""
        return replace(
            self,
            files=tuple(self.files[row] for row in rows),
            labels=Labels(self.labels.target[rows], self.labels.mask[rows]),
            splits=tuple(self.splits[row] for row in rows),
            artists=self.artists and tuple(self.artists[row] for row in rows),
        )

    def part(self, split: str) -> "Annotations":
        """The clips of one split."""
        return self.take(np.flatnonzero(np.array(self.splits) == split))


def hold_out(annotations: Annotations, *, share: float = 0.15, seed: int = 0) -> Annotations:
    """Move a share of the training clips to ``valid``, with all tags in proportion.

    Stratified on 2F columns, present and absent (section 4.1 of the paper; on the present columns
    alone, the absent labels drift). Clips already in ``valid`` or ``test`` stay where they are.
    Raises AnnotationError for fewer than two training clips, and a share outside 0 to 1.
    """
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

    train = _train_clips(annotations, share)
    columns = _columns(annotations, train)
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    _, held = next(splitter.split(columns, columns))
    return _to_valid(annotations, train[held])


def hold_out_artists(
    annotations: Annotations, *, share: float = 0.15, seed: int = 0
) -> Annotations:
    """Move a share of the training clips to ``valid``, all clips of an artist or none.

    The clips, and the present and the absent labels of every tag, are held out in proportion as
    nearly as the artists allow. Artists with a clip in ``valid`` already bring their others along;
    clips in ``test`` stay where they are. Raises AnnotationError where the artists are not known,
    and where there are fewer than two to choose from.
    """
    train = _train_clips(annotations, share)
    if annotations.artists is None:
        raise AnnotationError(
            "who made the clips is not known; name a column of artists, or add OpenMIC's metadata"
        )
    artists, owner = np.unique(np.array(annotations.artists)[train], return_inverse=True)
    pairs = zip(annotations.artists, annotations.splits, strict=True)
    valid = {artist for artist, split in pairs if split == "valid"}
    settled = np.array([artist in valid for artist in artists])
    if len(artists) < 2 or settled.all():
        raise AnnotationError(
            f"the training clips are of {len(artists)} artists, {settled.sum()} of them in valid "
            "already; holding some out takes two"
        )
    counts = np.zeros((len(artists), 2 * len(annotations.tags) + 1))
    np.add.at(counts, owner, np.c_[_columns(annotations, train), np.ones(len(train))])
    parts = counts[:, counts.any(axis=0)]
    held = _choose(parts / parts.sum(axis=0), settled, share, seed)
    return _to_valid(annotations, train[held[owner]])


def write_split(
    path: str | Path,
    annotations: Annotations,
    *,
    seed: int,
    share: float = 0.15,
    by: Literal["clip", "artist"] = "clip",
) -> None:
    """Write which clip is in which split, and how that came about, to a JSON file.

    Clips go by their path below the folder they share, so that the file is of use elsewhere.
    Raises AnnotationError for a clip that is there twice, and OSError.
    """
    path = Path(path)
    names = _names(annotations)
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise AnnotationError(f"{double} is there twice, so a file can't say in which split it is")
    splits = dict(zip(names, annotations.splits, strict=True))
    record = {"seed": int(seed), "share": float(share), "by": by, "splits": splits}
    write_whole(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def read_split(path: str | Path, annotations: Annotations) -> Annotations:
    """Put clips into the splits that a file of ``write_split`` says.

    Raises AnnotationError for a damaged file, and for one of other clips.
    """
    splits = _read_splits(Path(path))
    names = _names(annotations)
    if missing := sorted(set(names) - set(splits)):
        raise AnnotationError(f"{path}: it does not say in which split {missing[0]} is")
    if unknown := sorted(set(splits) - set(names)):
        raise AnnotationError(f"{path}: it names {unknown[0]}, which is not in the data set")
    return replace(annotations, splits=tuple(splits[name] for name in names))


def _train_clips(annotations: Annotations, share: float) -> NDArray[np.int64]:
    """The rows of the clips of which some are to be held out."""
    if not 0 < share < 1:
        raise AnnotationError(f"the share to hold out is between 0 and 1, got {share}")
    train = np.flatnonzero(np.array(annotations.splits) == "train")
    if len(train) < 2:
        raise AnnotationError(
            f"there are {len(train)} training clips; holding some out for validation takes two"
        )
    return train


def _columns(annotations: Annotations, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N, 2F): what is known present, and what is known absent."""
    target, mask = annotations.labels.target[rows], annotations.labels.mask[rows]
    return np.concatenate([target & mask, ~target & mask], axis=1)


def _to_valid(annotations: Annotations, rows: NDArray[np.int64]) -> Annotations:
    splits = np.array(annotations.splits, dtype=object)
    splits[rows] = "valid"
    return replace(annotations, splits=tuple(splits.tolist()))


def _choose(
    parts: NDArray[np.float64], settled: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.bool_]:
    """(A,): which of A artists to hold out, so that about ``share`` of every column is held out.

    ``parts`` (A, K) says how much of column k is of artist a. ``settled`` artists are held out in
    any case. The best of several random choices, each improved.
    """
    random = np.random.default_rng(seed)
    best, least = settled, np.inf
    for _ in range(STARTS):
        held = settled | (random.random(len(parts)) < share)
        free = random.permutation(np.flatnonzero(~settled))
        held[free[0]] = False  # so that neither side is empty
        if not held.any():
            held[free[1]] = True
        held = _improve(parts, settled, share, held)
        if (miss := float(((held @ parts - share) ** 2).sum())) < least:
            best, least = held, miss
    return best


def _improve(
    parts: NDArray[np.float64],
    settled: NDArray[np.bool_],
    share: float,
    held: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Let artists change sides, always the one that brings the shares nearest to ``share`` in
    squares, until nobody brings them nearer."""
    squares = (parts**2).sum(axis=1)
    while True:
        change = squares + 2 * np.where(held, -1, 1) * (parts @ (held @ parts - share))
        change[settled] = np.inf
        for side in (held, ~held):
            if side.sum() == 1:
                change[side] = np.inf
        if change.min() > -1e-12:  # what rounding could make of nothing
            return held
        held = held ^ (np.arange(len(held)) == change.argmin())


def _names(annotations: Annotations) -> list[str]:
    """The path of each clip below the folder that all share."""
    paths = [os.path.abspath(file) for file in annotations.files]
    top = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    return [Path(os.path.relpath(path, top)).as_posix() for path in paths]


def _read_splits(path: Path) -> dict[str, str]:
    try:
        record: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise AnnotationError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise AnnotationError(f"{path}: the file is damaged ({error})") from error
    splits = record.get("splits") if isinstance(record, dict) else None
    if not isinstance(splits, dict):
        raise AnnotationError(f'{path}: the file is damaged, it has no "splits"')
    for name, split in splits.items():
        if split not in SPLITS:
            raise AnnotationError(
                f"{path}: {name}: expected one of {', '.join(SPLITS)}, got {split!r}"
            )
    return splits
