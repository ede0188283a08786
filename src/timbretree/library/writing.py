"""The answers of a library written down: for the terminal, as JSON, as csv, as a playlist."""

import csv
import io
import json
import os
from collections.abc import Callable
from typing import Any

from timbretree.library.answers import Match, Page, Row, Stats
from timbretree.spans import Span
from timbretree.tags import verdict
from timbretree.taxonomy import Taxonomy
from timbretree.writers.columns import pad, width, wrap
from timbretree.writers.words import clock, length, named, percent, shown

MOST_SPANS = 12
"""Spans of one instrument that the text names."""
COLUMNS = ("path", "id", "title", "artist", "album", "duration", "value", "name", "answer",
           "probability", "seconds", "spans")  # fmt: skip


def as_text(page: Page) -> bytes:
    """A path a line, and below it what was asked for: how probable, how long, and where."""
    blocks = [_block(row, page.sort) for row in page.rows]
    return "".join("\n".join(block) + "\n" for block in blocks).encode()


def as_json(page: Page) -> bytes:
    """One object: how many there are in all, and the rows."""
    data = {
        "total": page.total,
        "sort": page.sort,
        "rows": [_plain_row(row) for row in page.rows],
    }
    return (json.dumps(data) + "\n").encode()


def as_csv(page: Page) -> bytes:
    """A line for each track and each name that was asked for."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in page.rows:
        track = row.track
        first = (str(track.path), track.id, track.title, track.artist, track.album,
                 f"{track.seconds:.3f}", _number(row.value))  # fmt: skip
        for match in row.matches or (None,):
            table.writerow([*first, *(("",) * 5 if match is None else _cells(match))])
    return os.fsencode(text.getvalue())


def as_m3u(page: Page) -> bytes:
    """A playlist; players that know VLC's options begin where it plays. A file whose name has a
    line break can't be in one: ``left_out`` tells."""
    lines = [b"#EXTM3U"]
    for row in page.rows:
        if _breaks(row):
            continue
        name = shown(row.track.name)
        lines.append(f"#EXTINF:{round(row.track.seconds)},{name}".encode())
        start = min((span.start for match in row.matches for span in match.spans), default=0.0)
        if start > 0:
            lines.append(f"#EXTVLCOPT:start-time={start:.1f}".encode())
        lines.append(os.fsencode(row.track.path))
    return b"\n".join(lines) + b"\n"


def left_out(page: Page) -> list[Row]:
    """The rows that a playlist can't hold."""
    return [row for row in page.rows if _breaks(row)]


FINDINGS: dict[str, Callable[[Page], bytes]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "m3u": as_m3u,
}
"""How what was found is written."""


def stats_as_text(stats: Stats, taxonomy: Taxonomy) -> str:
    """The collection in a few lines, and a table in the order of the tree."""
    digits = 1 if stats.seconds > 36_000 else 2
    heard = sum(count for status, count in stats.statuses.items() if status != "failed")
    lines = [f"{_count(stats.tracks, 'track')}, {stats.seconds / 3600:,.{digits}f} h of sound"]
    for words, count in (("failed", stats.statuses.get("failed", 0)),
                         ("partly used", stats.statuses.get("partial", 0)),
                         ("to be tagged again", stats.waiting),
                         ("gone at the last scan", stats.missing)):  # fmt: skip
        if count:
            lines.append(f"{count:,} {words}")
    if stats.reasons:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in stats.reasons.items())
        lines += wrap(f"reasons: {reasons}", rest="  ")
    by_name = {each.name: each for each in stats.names}
    rows = []
    for name, depth in _outline(taxonomy):
        each = by_name[name]
        share = each.tracks / heard if heard else 0.0
        perhaps = f"{each.perhaps:,}" if each.perhaps else ""
        cells = f"{each.tracks:,}", percent(share), f"{each.seconds / 3600:,.{digits}f}", perhaps
        rows.append((f"{'  ' * depth}{named(name)}", *cells))
    head = ("", "tracks", "share", "hours", "perhaps")
    first = max(width(row[0]) for row in rows)
    lines.append("")
    for row in (head, *rows):
        numbers = "".join(f"{cell:>10}" for cell in row[1:])
        lines.append(f"{pad(row[0], first)}{numbers}".rstrip())
    return "\n".join(lines) + "\n"


def stats_as_json(stats: Stats) -> str:
    """All of it, as one object."""
    data = {
        "tracks": stats.tracks,
        "seconds": round(stats.seconds, 3),
        "missing": stats.missing,
        "waiting": stats.waiting,
        "statuses": stats.statuses,
        "reasons": stats.reasons,
        "model": stats.model,
        "taxonomy": stats.taxonomy,
        "names": [
            {
                "name": each.name,
                "is_group": each.is_group,
                "tracks": each.tracks,
                "perhaps": each.perhaps,
                "seconds": round(each.seconds, 3),
            }
            for each in stats.names
        ],
    }
    return json.dumps(data) + "\n"


def _breaks(row: Row) -> bool:
    return not {"\n", "\r"}.isdisjoint(str(row.track.path))


def _block(row: Row, sort: str) -> list[str]:
    track = row.track
    lines = [shown(str(track.path))]
    said = [shown(track.name)] if track.title else []
    if track.status != "ok":
        said.append(f"{track.status}, {track.reason}")
    if sort == "likeness" and row.value is not None:
        said.append(f"likeness {row.value:.2f}")
    lines += [f"  {each}" for each in said]
    for match in row.matches:
        lines += wrap(_told(match, track.seconds), first="  ", rest="    ")
    return lines


def _told(match: Match, whole: float) -> str:
    """Clarinet 83%, plays 0:42 of 3:05: 0:10-0:32, 1:05-1:25."""
    verdict = "" if match.present else ", unsure" if match.unsure else ", not heard for certain"
    words = f"{named(match.name)} {percent(match.probability)}{verdict}"
    if not match.spans:
        return words
    few = [_stretch(span) for span in match.spans[:MOST_SPANS]]
    if (more := len(match.spans) - MOST_SPANS) > 0:
        few.append(f"and {more} more")
    plays = f", plays {length(match.seconds)} of {length(whole)}" if match.seconds else ""
    return f"{words}{plays}: {', '.join(few)}"


def _stretch(span: Span) -> str:
    return f"{clock(span.start)}-{clock(span.end)}{'?' if span.unsure else ''}"


def _cells(match: Match) -> tuple[str, ...]:
    spans = " ".join(f"{span.start:g}-{span.end:g}" for span in match.spans if not span.unsure)
    told = verdict(match.present, match.unsure)
    return (match.name, told, _number(match.probability), _number(match.seconds), spans)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _plain_row(row: Row) -> dict[str, Any]:
    track = row.track
    return {
        "id": track.id,
        "path": str(track.path),
        "status": track.status,
        "reason": track.reason,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "seconds": round(track.seconds, 3),
        "value": None if row.value is None else round(row.value, 4),
        "matches": [
            {
                "name": match.name,
                "is_group": match.is_group,
                "probability": match.probability,
                "present": match.present,
                "unsure": match.unsure,
                "seconds": round(match.seconds, 3),
                "spans": [
                    {
                        "start": round(span.start, 3),
                        "end": round(span.end, 3),
                        "probability": round(span.probability, 4),
                        "unsure": span.unsure,
                    }
                    for span in match.spans
                ],
            }
            for match in row.matches
        ],
    }


def _outline(tree: Taxonomy) -> list[tuple[str, int]]:
    """Every group and tag with its depth, parents before their children."""
    found: list[tuple[str, int]] = []
    below = [(name, 0) for name in reversed(tree.roots())]
    while below:
        name, depth = below.pop()
        found.append((name, depth))
        below += [(child, depth + 1) for child in reversed(tree.children.get(name, ()))]
    return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
