"""The library: search it, look at a track, and hear it; tracks by their ids, never by paths."""

import asyncio
import mimetypes
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import StreamingResponse

from timbretree.library import (
    HELP,
    SORTS,
    Library,
    LibraryError,
    Match,
    QueryError,
    Row,
    Track,
    UnknownTrackError,
)
from timbretree.spans import Span, spans
from timbretree.tags import Tags, TagScore
from timbretree.web import ranges
from timbretree.web.answers import Unpacked
from timbretree.web.api_answers import answer_with
from timbretree.web.replies import (
    FoundReply,
    LibraryReply,
    NameReply,
    StrandReply,
    TrackReply,
    refusals,
)
from timbretree.web.trouble import TroubleError
from timbretree.writers.words import answer, named, shown

Answer = TypeVar("Answer")
STRANDS = 4
"""Instruments shown of a track where none was asked for."""
KEPT = 64
"""Tracks whose windows are held: three pages of answers."""

Id = Annotated[str, Path(max_length=64, description="The id of a track.")]
Question = Annotated[
    str, Query(max_length=2000, description="In the language that /api/library tells.")
]
Family = Annotated[str | None, Query(max_length=200, description="A family that must play, too.")]
Sort = Annotated[str | None, Query(max_length=32, description="One of those of /api/library.")]


def library_api(library: Library) -> APIRouter:
    """The operations on a library."""
    api = APIRouter(prefix="/api/tracks", tags=["library"])
    held = Unpacked(KEPT)

    async def heard(id: str) -> Tags:
        return await _ask(held.get, id, partial(library.windows, id))

    @api.get("", responses=refusals(400, 422))
    async def search(
        q: Question = "",
        group: Family = None,
        min_seconds: Annotated[float, Query(ge=0, le=1e6)] = 0.0,
        sort: Sort = None,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> FoundReply:
        """The tracks that a question is true of, and where in them what it asks for plays."""
        page = await _ask(
            partial(
                library.search,
                q,
                groups=(group,) if group else (),
                min_seconds=min_seconds,
                sort=sort or None,
                limit=limit,
                offset=offset,
            )
        )
        tracks = [await _ask(_found, library, row, held) for row in page.rows]
        return FoundReply(total=page.total, offset=offset, tracks=tracks)

    @api.get("/{id}", responses=refusals(404, 422))
    async def track(id: Id) -> TrackReply:
        """What is known of a track."""
        return _track(await _ask(library.track, id), [])

    @api.get(
        "/{id}/audio",
        response_class=StreamingResponse,
        responses={**refusals(404, 410, 416, 422), 206: {"description": "A part of it."}},
    )
    async def audio(
        id: Id, range: Annotated[str | None, Header(description="bytes=FIRST-LAST")] = None
    ) -> StreamingResponse:
        """The file of a track, or the part of it that a Range header asks for."""
        path = await _ask(library.path_of, id)
        kind = mimetypes.guess_type(path.name)[0] or ""
        playable = kind if kind.startswith(("audio/", "video/")) else "application/octet-stream"
        return await asyncio.to_thread(ranges.send, path, playable, range)

    answer_with(api, heard)
    return api


def about_api(library: Library) -> APIRouter:
    """What a library holds, and how it is asked."""
    api = APIRouter(prefix="/api/library", tags=["library"])

    @api.get("", responses=refusals())
    async def about() -> LibraryReply:
        """The collection in numbers, and the language of questions."""
        stats = await _ask(library.stats)
        names = [
            NameReply(
                id=each.name,
                label=named(each.name),
                heard=each.tracks,
                unsure=each.perhaps,
                seconds=round(each.seconds, 1),
                group=each.is_group,
            )
            for each in stats.names
        ]
        return LibraryReply(
            tracks=stats.tracks,
            seconds=round(stats.seconds, 1),
            statuses=stats.statuses,
            reasons=stats.reasons,
            instruments=sorted((n for n in names if not n.group), key=lambda n: -n.heard),
            groups=[name for name in names if name.group],
            sorts=list(SORTS),
            help=HELP,
        )

    return api


async def _ask(function: Callable[..., Answer], *values: object) -> Answer:
    """Ask the library in a thread; its refusals become ours."""
    try:
        return await asyncio.to_thread(function, *values)
    except QueryError as error:
        span = (error.start, max(1, error.end - error.start))
        raise TroubleError(400, "query", str(error), span=span) from None
    except UnknownTrackError as error:
        raise TroubleError(404, "no_such_track", str(error)) from None
    except LibraryError as error:
        raise TroubleError(400, "library", str(error)) from None


def _found(library: Library, row: Row, held: Unpacked) -> TrackReply:
    if row.matches or row.track.status == "failed":
        return _track(row.track, [_strand(each, each.spans) for each in row.matches])
    id = row.track.id
    return _track(row.track, _loudest(held.get(id, partial(library.windows, id))))


def _track(track: Track, strands: list[StrandReply]) -> TrackReply:
    gone = None if track.there else "not there at the last scan"
    return TrackReply(
        id=track.id,
        title=shown(track.title or track.path.name),
        artist=shown(track.artist) if track.artist else None,
        album=shown(track.album) if track.album else None,
        file=shown(track.path.name),
        there=track.there,
        seconds=round(track.seconds, 3),
        note=gone or (shown(track.message) if track.message else None),
        strands=strands,
    )


def _strand(score: Match | TagScore, stretches: Iterable[Span]) -> StrandReply:
    return StrandReply(
        id=score.name,
        label=named(score.name),
        probability=round(score.probability, 4),
        answer=answer(score),
        spans=[
            (round(span.start, 2), round(span.end, 2), "unsure" if span.unsure else "heard")
            for span in stretches
        ],
    )


def _loudest(tags: Tags) -> list[StrandReply]:
    """Where the most probable instruments of a track play."""
    found = spans(tags)
    told = [score for score in tags.tags if score.present or score.unsure]
    told.sort(key=lambda score: (not score.present, -score.probability))
    return [
        _strand(score, (span for span in found if span.name == score.tag))
        for score in told[:STRANDS]
    ]
