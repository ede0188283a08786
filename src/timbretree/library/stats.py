"""A collection in numbers."""

import sqlite3

from timbretree.library.answers import NameStats, Stats
from timbretree.library.binding import PRESENT, UNSURE, Binding


def count(db: sqlite3.Connection, binding: Binding) -> Stats:
    """Count what is in a library, in two passes over it."""
    tree = binding.taxonomy
    names = (*tree.tags, *tree.groups)
    sums = ", ".join(
        f"sum(h.v{k} = {PRESENT}), sum(h.v{k} = {UNSURE}), "
        f"sum(CASE WHEN h.v{k} = {PRESENT} THEN h.s{k} ELSE 0 END)"
        for k in range(len(names))
    )
    told = db.execute(
        f"SELECT {sums} FROM heard h "
        "WHERE h.track NOT IN (SELECT number FROM tracks WHERE NOT there)"
    ).fetchone()
    tracks, seconds = db.execute(
        "SELECT count(*), ifnull(sum(seconds), 0) FROM tracks WHERE there"
    ).fetchone()
    missing = db.execute("SELECT count(*) FROM tracks WHERE NOT there").fetchone()[0]
    statuses, reasons = (
        dict(
            db.execute(
                f"SELECT {column}, count(*) FROM tracks WHERE there AND status IS NOT NULL "
                f"AND {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
            )
        )
        for column in ("status", "reason")
    )
    return Stats(
        tracks=tracks,
        seconds=seconds,
        missing=missing,
        waiting=tracks - sum(statuses.values()),
        statuses=statuses,
        reasons=reasons,
        names=tuple(
            NameStats(
                name=name,
                is_group=k >= len(tree.tags),
                tracks=told[3 * k] or 0,
                perhaps=told[3 * k + 1] or 0,
                seconds=(told[3 * k + 2] or 0) / 1000,
            )
            for k, name in enumerate(names)
        ),
        model=binding.model,
        taxonomy=tree.name,
    )
