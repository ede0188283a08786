"""Which tracks are like one another: by what plays in them, and by how they sound.

Two vectors speak for a track: its profile, the probability of each tag, and its embedding, what the
network made of it before it named anything. From both the library's own mean is taken away, for two
tracks are not alike for what all have in common; of libraries of few tracks, less of it. The
likeness is the cosine of the angle between what is left; where both vectors are known, the mean of
the two cosines.

All tracks are compared, one block after another: no index that must be kept, and exact.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.tags import Tags

BLOCK = 4096
"""Tracks compared at once: so much memory, however large the library."""
SAMPLE = 2000
"""Tracks whose mean stands for that of all."""
FEW = 20
"""With so many tracks, half of the mean is taken away."""

Vectors = NDArray[np.float32]


class Sound(NamedTuple):
    """What speaks for one track, each known up to its length."""

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


def kept(db: sqlite3.Connection, track: int) -> Sound | None:
    """What speaks for a track of the library; None where it failed."""
    found = db.execute("SELECT profile, embedding FROM likeness WHERE track = ?", (track,))
    row = found.fetchone()
    return None if row is None else Sound(*row)


def alike(
    db: sqlite3.Connection, sound: Sound, *, besides: int | None = None
) -> list[tuple[int, float]]:
    """All tracks that are there and their likeness, the most alike first."""
    profile_mean, embedding_mean = _means(db)
    numbers: list[int] = []
    cosines: list[Vectors] = []
    for block in _blocks(db, "", BLOCK):
        numbers += block.numbers
        by_profile = _cosines(block.profiles, _as_profiles(sound.profile), profile_mean)
        if sound.embedding is not None and block.embeddings is not None:
            own = _as_embeddings(sound.embedding)
            if block.embeddings.shape[1] == own.size:
                by_sound = _cosines(block.embeddings, own, embedding_mean)
                known = block.has_embedding
                by_profile[known] = (by_profile[known] + by_sound[known]) / 2
        cosines.append(by_profile)
    if not numbers:
        return []
    values = np.concatenate(cosines)
    order = np.argsort(-values, kind="stable")
    found = zip(np.array(numbers)[order].tolist(), values[order].tolist(), strict=True)
    return [(number, value) for number, value in found if number != besides]


class _Block(NamedTuple):
    numbers: list[int]
    profiles: Vectors
    embeddings: Vectors | None
    has_embedding: NDArray[np.bool_]


def _blocks(db: sqlite3.Connection, also: str, size: int) -> Iterator[_Block]:
    rows = db.execute(
        "SELECT l.track, l.profile, l.embedding FROM likeness l "
        f"JOIN tracks t ON t.number = l.track WHERE t.there {also}"
    )
    while found := rows.fetchmany(size):
        numbers, profiles, embeddings = zip(*found, strict=True)
        there = np.array([each is not None for each in embeddings])
        length = max((len(each) for each in embeddings if each is not None), default=0)
        nothing = bytes(length)
        vectors = None
        if length:
            joined = b"".join(nothing if each is None else each for each in embeddings)
            vectors = _as_embeddings(joined).reshape(len(found), length)
        whole = _as_profiles(b"".join(profiles)).reshape(len(found), -1)
        yield _Block(list(numbers), whole, vectors, there)


def _means(db: sqlite3.Connection) -> tuple[Vectors, Vectors]:
    """The mean profile and the mean embedding, each of vectors of length 1."""
    count = db.execute("SELECT count(*) FROM likeness").fetchone()[0]
    every = f"AND l.track % {max(1, count // SAMPLE)} = 0"
    shrunk = np.float32(count / (count + FEW))
    profiles, embeddings = [], []
    for block in _blocks(db, every, BLOCK):
        profiles.append(_unit(block.profiles))
        if block.embeddings is not None:
            embeddings.append(_unit(block.embeddings[block.has_embedding]))
    nothing = np.zeros(1, np.float32)
    return (
        np.concatenate(profiles).mean(axis=0) * shrunk if profiles else nothing,
        np.concatenate(embeddings).mean(axis=0) * shrunk if embeddings else nothing,
    )


def _cosines(vectors: Vectors, own: Vectors, mean: Vectors) -> Vectors:
    """(N, D) against (D,): the cosines (N,), from where the mean is."""
    return np.asarray(_unit(_unit(vectors) - mean) @ _unit(_unit(own[None])[0] - mean))


def _unit(vectors: Vectors) -> Vectors:
    length = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))[..., None]
    return np.asarray(vectors / np.where(length > 0, length, np.float32(1)))


def _as_profiles(data: bytes) -> Vectors:
    return np.frombuffer(data, np.uint8).astype(np.float32)


def _as_embeddings(data: bytes) -> Vectors:
    return np.frombuffer(data, np.int8).astype(np.float32)
