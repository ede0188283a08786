"""The answers of a library, row by row, out of its tables."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

from timbretree.library.answers import Match, Row, Track
from timbretree.library.binding import ABSENT, PRESENT, UNSURE, Binding
from timbretree.library.records import STEPS, unpack_windows
from timbretree.spans import joined

TRACK = "id, path, there, status, reason, message, seconds, title, artist, album, tagged_at"


def track(db: sqlite3.Connection, number: int) -> Track:
    """One track by the number of its row."""
    found = db.execute(f"SELECT {TRACK} FROM tracks WHERE number = ?", (number,)).fetchone()
    id, path, there, *rest = found
    return Track(id, Path(os.fsdecode(path)), bool(there), *rest)


def row(
    db: sqlite3.Connection,
    binding: Binding,
    number: int,
    value: float | None,
    *,
    asked: list[str],
) -> Row:
    """One answer: a track, and where in it each of some names plays."""
    return Row(track(db, number), tuple(_matches(db, binding, number, asked)), value)


def in_both(row: Row) -> Row:
    """Without the matches that do not play in this track."""
    return replace(row, matches=tuple(each for each in row.matches if each.present or each.unsure))


def _matches(
    db: sqlite3.Connection, binding: Binding, number: int, asked: list[str]
) -> list[Match]:
    tree = binding.taxonomy
    names = (*tree.tags, *tree.groups)
    places = [names.index(name) for name in asked]
    columns = ", ".join(f"h.v{k}, h.p{k}, h.s{k}" for k in places)
    found = db.execute(
        f"SELECT s.windows, {columns} FROM heard h JOIN sounds s USING (track) WHERE track = ?",
        (number,),
    ).fetchone() if asked else None  # fmt: skip
    if found is None:
        return []
    times, told = unpack_windows(found[0], len(names))
    answers = binding.answers(told[:, : len(tree.tags)], told[:, len(tree.tags) :])
    matches = []
    for k, verdict, probability, lasting in zip(
        places, found[1::3], found[2::3], found[3::3], strict=True
    ):
        perhaps = (answers[:, k] == UNSURE) & (verdict != ABSENT)  # else faint guesses everywhere
        found_in = joined(names[k], times, told[:, k], answers[:, k] == PRESENT, perhaps)
        matches.append(
            Match(
                name=names[k],
                is_group=k >= len(tree.tags),
                probability=probability / STEPS,
                present=verdict == PRESENT,
                unsure=verdict == UNSURE,
                seconds=lasting / 1000,
                spans=tuple(found_in),
            )
        )
    return matches
