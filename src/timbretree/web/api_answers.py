"""What was heard in a recording, however it came here: for the page, for a moment, as a file."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from timbretree.tags import Tags
from timbretree.web.replies import MomentReply, ViewReply, refusals
from timbretree.web.trouble import TroubleError
from timbretree.web.view import moment, view
from timbretree.writers import WRITERS

KINDS = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".jams": "application/json",
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}

Id = Annotated[str, Path(max_length=64, description="The id of the recording.")]
At = Annotated[float, Query(ge=0, le=1e6, description="A moment, in seconds.")]
Format = Annotated[str, Path(max_length=32, description="One of the formats of /api/health.")]


def answer_with(api: APIRouter, heard: Callable[[str], Awaitable[Tags]]) -> None:
    """Add what can be asked of each recording; ``heard`` finds its Tags, or raises TroubleError."""

    @api.get("/{id}/view", responses=refusals(404, 409, 422))
    async def look(id: Id) -> ViewReply:
        """What was heard, as the page draws it."""
        return ViewReply(**await asyncio.to_thread(view, await heard(id)))

    @api.get("/{id}/moment", responses=refusals(404, 409, 422))
    async def look_closely(id: Id, at: At) -> MomentReply:
        """What was heard in one window, and through what."""
        return MomentReply(**moment(await heard(id), at))

    @api.get(
        "/{id}/result/{format}", response_class=Response, responses=refusals(404, 409, 422, 501)
    )
    async def result(id: Id, format: Format) -> Response:
        """What was heard, as a file."""
        return await asyncio.to_thread(download, await heard(id), format)


def download(tags: Tags, format: str) -> Response:
    """What was heard in one of the writers' formats, to be saved. Raises TroubleError."""
    writer = WRITERS.get(format)
    if writer is None:
        raise TroubleError(404, "no_such_format", f"choose from {', '.join(WRITERS)}")
    try:
        written = writer.write(tags, True)
    except ImportError as error:
        raise TroubleError(
            501, "needs_more", f"this server can't write {format}: {error}"
        ) from None
    name = quote((tags.file or "recording") + writer.suffix, safe="")
    return Response(
        written,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
        media_type=KINDS.get(writer.suffix, "application/octet-stream"),
    )
