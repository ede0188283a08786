"""Running the server until it is told to stop."""

import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from timbretree.web.limits import ServeLimits
from timbretree.web.wire import LONGEST_HEAD, wire

FAREWELL = 5
"""Seconds that answers on their way have to arrive once the server is told to stop."""
IDLE = 10
"""Seconds that a connection without a request is kept."""


def server(app: FastAPI, limits: ServeLimits) -> uvicorn.Server:
    """A server that talks HTTP/1.1 and nothing else, and says only what went wrong."""
    config = uvicorn.Config(
        app,
        http=wire(limits),
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=FAREWELL,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    return uvicorn.Server(config)


def run(app: FastAPI, listening: socket.socket, limits: ServeLimits) -> None:
    """Serve on a socket that was bound, until Ctrl-C or SIGTERM; then return."""

    def stop(number: int, frame: FrameType | None) -> None:
        """uvicorn sends itself the signal again once it has stopped; nothing is left to do."""

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        server(app, limits).run(sockets=[listening])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
