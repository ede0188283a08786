"""The scores that are rendered: music of music21's corpus that nobody owns any more."""

import csv
import hashlib
import io
import os
from dataclasses import dataclass
from functools import cache as remembered
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from timbretree.annotations import AnnotationError
from timbretree.files import write_whole
from timbretree.npz import read_arrays
from timbretree.render.music import Notes, Piece
from timbretree.render.scores.notation import read

SPLITS = ("train", "test")
READING = 1
"""Counts on whenever ``notation`` reads something else out of the same file."""
COLUMNS = ("onset", "length", "pitch", "velocity")


class ScoreError(ValueError):
    """A score that can't be read; the message names it and says how to mend it."""


@dataclass(frozen=True)
class Entry:
    """A piece on the list, ``corpus.csv``; how that is made says ``benchmarks/corpus_list.py``."""

    path: str
    """Inside music21's corpus."""
    number: int
    """Which tune of a collection, or which stretch of a long file, from 1."""
    group: str
    """The work, or the tune in all its variants: no group is in both splits."""
    composer: str
    public: str
    """Why the composition is in the public domain: when the composer died or it was printed."""
    kind: str
    """quartet, trio, concerto, piano, rag, song, tune, chorale or madrigal."""
    rights: str
    """What the file itself says of its encoding; empty where it says nothing."""
    split: str

    @property
    def name(self) -> str:
        """Path and number."""
        return f"{self.path}:{self.number}"


@remembered
def pieces(split: str) -> tuple[Entry, ...]:
    """All pieces of a split, train or test, in the order of the list. The list says which is where.

    Raises ScoreError for another split.
    """
    if split not in SPLITS:
        raise ScoreError(f"expected one of {', '.join(SPLITS)} as the split, got {split!r}")
    text = (files("timbretree.render.scores") / "corpus.csv").read_text("utf-8")
    rows = csv.DictReader(io.StringIO(text))
    entries = (Entry(**{**row, "number": int(row["number"])}) for row in rows)  # type: ignore[arg-type]
    return tuple(entry for entry in entries if entry.split == split)


def load(entry: Entry, *, cache: Path) -> Piece:
    """Read a piece from music21's corpus, or from ``cache``, a folder of pieces read before.

    What is read is described at ``notation.read``. A damaged file in ``cache`` is made again.
    Raises ScoreError where music21 is missing or can't read the piece, and OSError where ``cache``
    can't be written.
    """
    spec = find_spec("music21")
    if spec is None or spec.origin is None:
        raise ScoreError("reading scores takes music21: pip install 'timbretree[render]'")
    key = f"{entry.name} {READING} {version('music21')}"
    kept = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.npz"
    try:
        voices, bar = _unpack(kept)
    except AnnotationError:  # not there, or damaged
        voices, bar = _read(entry, Path(spec.origin).parent / "corpus")
        try:
            _pack(kept, voices, bar)
        except OSError as error:
            raise OSError(
                f"scores that were read once can't be kept in {cache}: {error.strerror or error}; "
                "let the environment variable XDG_CACHE_HOME name a folder that can be written"
            ) from error
    return Piece(entry.name, entry.group, entry.composer, voices, bar)


def default_cache() -> Path:
    """Where pieces that were read once are kept, in the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("timbretree", appauthor=False) / "scores"


def _read(entry: Entry, corpus: Path) -> tuple[tuple[Notes, ...], float]:
    try:
        voices, bar = read(corpus / entry.path, number=entry.number)
    except Exception as error:  # music21 has no exception of its own for what it can't read
        raise ScoreError(
            f"music21 {version('music21')} can't read {entry.name} of its corpus "
            f"({type(error).__name__}: {error}); another version may, such as 10.5.1"
        ) from error
    voices = tuple(voice for voice in voices if len(voice))
    if not voices:
        raise ScoreError(f"music21 {version('music21')} finds no notes in {entry.name}")
    return voices, bar


def _pack(path: Path, voices: tuple[Notes, ...], bar: float) -> None:
    arrays: dict[str, Any] = {"bar": bar, "counts": [len(voice) for voice in voices]}
    for name in COLUMNS:
        arrays[name] = np.concatenate([getattr(voice, name) for voice in voices])
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f"{path.stem}.{os.getpid()}.npz")  # others may be making the same
    write_whole(own, packed.getvalue())
    os.replace(own, path)


def _unpack(path: Path) -> tuple[tuple[Notes, ...], float]:
    bar, counts, *columns = read_arrays(path, "bar", "counts", *COLUMNS)
    ends = np.cumsum(counts)[:-1]
    parts = zip(*(np.split(column, ends) for column in columns), strict=True)
    return tuple(Notes(*part) for part in parts), float(bar)
