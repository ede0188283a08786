"""Tracks that are like one another: by what plays in them, and by how they sound.

Two vectors speak for a track: its profile, the probability of each tag, and its embedding, what the
network made of it before it named anything. From both the library's own mean is taken away, for two
tracks are not alike for what all have in common; of libraries of few tracks, less of it. The
likeness is the cosine of the angle between what is left; where both vectors are known, the mean of
the two cosines.

All tracks are compared: no index that must be kept, and exact. So that this is quick, the vectors
of each 256 tracks lie side by side in one blob, a byte a number, in the place of the track's
number; a vector of zeros is none.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.tags import Tags

BLOCK = 256
"""Tracks in a blob."""
SAMPLE = 1000
"""Tracks whose mean stands for that of all, at least, where there are so many."""
FEW = 20
"""With so many tracks, half of the mean is taken away."""
KINDS: dict[str, type[np.generic]] = {"profiles": np.uint8, "embeddings": np.int8}
"""The two tables, and what a number is in each."""

Vectors = NDArray[np.float32]


class Sound(NamedTuple):
    """What speaks for one track."""

    profile: bytes
    """(F,) uint8."""
    embedding: bytes | None
    """(D,) int8."""


def of(tags: Tags) -> Sound:
    """What speaks for a recording that was heard."""
    profile = np.array([score.probability for score in tags.tags])
    whole = None if tags.embedding is None else np.asarray(tags.embedding, np.float64)
    if whole is None or not (loudest := np.abs(whole).max(initial=0.0)) > 0:
        embedding = None
    else:
        embedding = np.rint(whole * (127 / loudest)).astype(np.int8).tobytes()
    return Sound(np.rint(profile * 255).astype(np.uint8).tobytes(), embedding)


def put(db: sqlite3.Connection, track: int, sound: Sound | None) -> None:
    """Put down what speaks for a track; None where nothing does any more."""
    for table, vector in zip(KINDS, sound or (None, None), strict=True):
        length = _length(db, table) or len(vector or b"")
        if vector is not None and len(vector) != length:
            raise ValueError(f"{table} have {length} numbers, got {len(vector)}")
        block, row = divmod(track, BLOCK)
        there = db.execute(f"SELECT 1 FROM {table} WHERE block = ?", (block,)).fetchone()
        if there is None and vector is None:
            continue
        if there is None:
            db.execute(f"INSERT INTO {table} VALUES (?, ?)", (block, bytes(BLOCK * length)))
        with db.blobopen(table, "vectors", block) as blob:
            blob.seek(row * length)
            blob.write(vector or bytes(length))


def kept(db: sqlite3.Connection, track: int) -> Sound | None:
    """What speaks for a track of the library; None where it failed, or is silent."""
    block, row = divmod(track, BLOCK)
    found: list[bytes | None] = []
    for table in KINDS:
        length = _length(db, table)
        whole = db.execute(f"SELECT vectors FROM {table} WHERE block = ?", (block,)).fetchone()
        vector = whole[0][row * length : (row + 1) * length] if whole else b""
        found.append(vector if any(vector) else None)
    return None if found[0] is None else Sound(found[0], found[1])


def alike(
    db: sqlite3.Connection, sound: Sound, *, besides: int | None = None
) -> tuple[NDArray[np.int64], Vectors]:
    """The numbers of all tracks that are there, the most alike first, and their likenesses."""
    count = (db.execute("SELECT ifnull(max(number), 0) FROM tracks").fetchone()[0] // BLOCK) + 1
    total = np.zeros(count * BLOCK, np.float32)
    kinds = np.zeros(count * BLOCK, np.float32)
    for (table, kind), own in zip(KINDS.items(), sound, strict=True):
        length = _length(db, table)
        if own is None or length != len(own):
            continue
        query = _unit(np.frombuffer(own, kind).astype(np.float32)[None])[0]
        mean = _mean(db, table, length)
        for block, vectors in _blocks(db, table, length):
            cosines, known = _cosines(vectors, query, mean)
            place = slice(block * BLOCK, (block + 1) * BLOCK)
            total[place] += cosines
            kinds[place] += known
    gone = [row[0] for row in db.execute("SELECT number FROM tracks WHERE NOT there")]
    kinds[[*gone, *([] if besides is None else [besides])]] = 0
    numbers = np.flatnonzero(kinds)
    values = (total[numbers] / kinds[numbers]).astype(np.float32)
    order = np.argsort(-values, kind="stable")
    return numbers[order], values[order]


def _blocks(
    db: sqlite3.Connection, table: str, length: int, every: int = 1
) -> Iterator[tuple[int, Vectors]]:
    """Blocks of vectors (256, length), each with its number."""
    rows = db.execute(f"SELECT block, vectors FROM {table} WHERE block % ? = 0", (every,))
    for block, data in rows:
        vectors = np.frombuffer(data, KINDS[table]).reshape(BLOCK, length)
        yield block, vectors.astype(np.float32)


def _mean(db: sqlite3.Connection, table: str, length: int) -> Vectors:
    """The mean of vectors of length 1, or the part of it that is taken away."""
    blocks = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    every = max(1, blocks * BLOCK // (2 * SAMPLE))
    whole = np.concatenate([vectors for _, vectors in _blocks(db, table, length, every)])
    known = _unit(whole[whole.any(axis=1)])
    return np.asarray(known.sum(axis=0) / np.float32(len(known) + FEW / every))


def _cosines(vectors: Vectors, query: Vectors, mean: Vectors) -> tuple[Vectors, NDArray[np.bool_]]:
    """(N, D) against (D,) of length 1: the cosines (N,) as seen from the mean; 0 for no vector.

    (v - m)(q - m) = vq - vm - mq + mm, and so the lengths: v itself is gone through once.
    """
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    known = lengths > 0
    by_query, by_mean = (vectors @ np.stack([query, mean], axis=1)).T / np.where(known, lengths, 1)
    inner = by_query - by_mean - query @ mean + mean @ mean
    far = np.sqrt(np.maximum(1 - 2 * by_mean + mean @ mean, 0))
    away = np.sqrt(max(float(1 - 2 * (query @ mean) + mean @ mean), 0.0))
    cosines = inner / np.maximum(far * np.float32(away), np.float32(1e-9))
    return np.where(known, np.clip(cosines, -1, 1), 0).astype(np.float32), known


def _unit(vectors: Vectors) -> Vectors:
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return np.asarray(vectors / np.where(length > 0, length, np.float32(1)))


def _length(db: sqlite3.Connection, table: str) -> int:
    """How many numbers a vector has; 0 where there is none yet."""
    found = db.execute(f"SELECT length(vectors) FROM {table} LIMIT 1").fetchone()
    return 0 if found is None else int(found[0]) // BLOCK
