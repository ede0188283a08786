"""The page itself: a handful of files that are read once, and served from memory by their names."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).with_name("static")
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}


def site() -> list[Route]:
    """A route for each file of the page; no path of a client's ever reaches the disk."""
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return [_route(path) for path in files if path.suffix in KINDS]


def _route(path: Path) -> Route:
    content = path.read_bytes()
    mark = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    kind = KINDS[path.suffix]
    headers = {"ETag": mark, "Cache-Control": "no-cache"}  # asked after each time, sent once

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=kind)

    name = path.relative_to(FOLDER).as_posix()
    return Route("/" if name == "index.html" else f"/{name}", answer)
