"""Putting Tags into the tables of a library, and making Tags of them again."""

import json
import os
import sqlite3
import time
from dataclasses import replace
from typing import Any

import numpy as np

from timbretree.library import similar
from timbretree.library.binding import PRESENT, UNSURE, Binding
from timbretree.library.records import (
    STEPS,
    DamagedError,
    pack_looks,
    pack_scores,
    pack_windows,
    unpack_looks,
    unpack_scores,
    unpack_windows,
)
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores


def keep(db: sqlite3.Connection, track: int, tags: Tags, binding: Binding) -> None:
    """Put down what was heard in a track, in the place of what was there."""
    for table in ("heard", "sounds"):
        db.execute(f"DELETE FROM {table} WHERE track = ?", (track,))
    similar.put(db, track, None if tags.status == "failed" else similar.of(tags))
    db.execute(
        "UPDATE tracks SET status = ?, reason = ?, message = ?, seconds = ?, notes = ?, "
        "tagged_at = ? WHERE number = ?",
        (tags.status, tags.reason, tags.message, tags.seconds,
         json.dumps(tags.notes), time.time(), track),
    )  # fmt: skip
    if tags.status == "failed":
        return
    blob = pack_windows(tags.windows)
    row = _row(tags, blob, binding)
    db.execute(f"INSERT INTO heard VALUES (?{', ?' * len(row)})", (track, *row))
    db.execute(
        "INSERT INTO sounds VALUES (?, ?, ?, ?)",
        (track, pack_scores(tags), blob, pack_looks(tags.windows)),
    )


def copy(db: sqlite3.Connection, origin: int, track: int) -> None:
    """Put down for a track what was heard in another one that has the same bytes."""
    db.execute(
        "UPDATE tracks SET (status, reason, message, seconds, notes, tagged_at) = (SELECT status, "
        "reason, message, seconds, notes, tagged_at FROM tracks WHERE number = ?) WHERE number = ?",
        (origin, track),
    )
    similar.put(db, track, similar.kept(db, origin))
    for table in ("heard", "sounds"):
        db.execute(f"DELETE FROM {table} WHERE track = ?", (track,))
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")][1:]
        db.execute(
            f"INSERT INTO {table} SELECT ?, {', '.join(columns)} FROM {table} WHERE track = ?",
            (track, origin),
        )


def recall(db: sqlite3.Connection, track: int, binding: Binding) -> Tags:
    """What was heard in a track, as when it was tagged, but for numbers past the fourth place.

    Raises DamagedError.
    """
    status, reason, message, seconds, notes, path = db.execute(
        "SELECT status, reason, message, seconds, notes, path FROM tracks WHERE number = ?",
        (track,),
    ).fetchone()
    tags = Tags(
        file=os.fsdecode(path),
        model=binding.model,
        taxonomy=binding.taxonomy,
        status=status or "failed",
        reason=reason,
        message=message if status else "this file waits to be tagged again; scan to do it",
        seconds=seconds,
        tag_bands=binding.tag_bands,
        group_bands=binding.group_bands,
    )
    kept = db.execute("SELECT scores, windows, looks FROM sounds WHERE track = ?", (track,))
    found = kept.fetchone()
    if found is None:
        return tags
    answers = _answers(db, track, binding)
    return _whole(tags, binding, answers, found, tuple(json.loads(notes)))


def _row(tags: Tags, blob: bytes, binding: Binding) -> list[int]:
    """Answer, probability and milliseconds of each name. Times are those of the windows as they
    are kept, so that they always agree with the spans."""
    tree = binding.taxonomy
    times, told = unpack_windows(blob, len(tree.tags) + len(tree.groups))
    answers = binding.answers(told[:, : len(tree.tags)], told[:, len(tree.tags) :])
    lasting = np.rint((times[:, 1] - times[:, 0]) * 1000)  # (W,)
    plays = lasting @ (answers == PRESENT)
    may = lasting @ (answers == UNSURE)
    row = [round(tags.seconds * 1000)]
    scores: list[TagScore | GroupScore] = [*tags.tags, *tags.groups]
    for k, score in enumerate(scores):
        verdict = PRESENT if score.present else UNSURE if score.unsure else 0
        perhaps = int(may[k]) if verdict else 0  # faint guesses of what is absent do not count
        row += [verdict, round(score.probability * STEPS), int(plays[k]), perhaps]
    return row


def _answers(db: sqlite3.Connection, track: int, binding: Binding) -> list[int]:
    count = len(binding.taxonomy.tags) + len(binding.taxonomy.groups)
    columns = ", ".join(f"v{k}" for k in range(count))
    found = db.execute(f"SELECT {columns} FROM heard WHERE track = ?", (track,)).fetchone()
    if found is None:
        raise DamagedError("it has no answers")
    return list(found)


def _whole(
    tags: Tags, binding: Binding, answers: list[int], kept: tuple[bytes, ...], notes: Any
) -> Tags:
    tree = binding.taxonomy
    fine, coarse = len(tree.tags), len(tree.groups)
    of_tags, of_groups, look = unpack_scores(kept[0], fine, coarse)
    times, told = unpack_windows(kept[1], fine + coarse)
    looks = unpack_looks(kept[2], fine, coarse)
    is_so = [(answer == PRESENT, answer == UNSURE) for answer in answers]
    return replace(
        tags,
        tags=tuple(
            TagScore(tag, float(of_tags[k]), *is_so[k]) for k, tag in enumerate(tree.tags)
        ),
        groups=tuple(
            GroupScore(
                group, float(of_groups[c]), is_so[fine + c][0],
                {} if np.isnan(look[c, 0]) else dict(zip(tree.tags, look[c].tolist(), strict=True)),
                is_so[fine + c][1],
            )
            for c, group in enumerate(tree.groups)
        ),
        windows=tuple(
            WindowScores(float(start), float(end), row[:fine], row[fine:], looks(w))
            for w, ((start, end), row) in enumerate(zip(times, told, strict=True))
        ),
        notes=notes,
    )  # fmt: skip
