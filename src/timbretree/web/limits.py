"""What one server takes at most, so that no client and no file can use up the machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServeLimits:
    """Bounds that hold before anything of an upload is read as audio."""

    upload_bytes: int = 1 << 30
    """The largest file taken; a longer body is refused or broken off with 413."""
    spool_bytes: int = 4 << 30
    """All uploads that are on disk at a time."""
    seconds: float = 2 * 3600.0
    """How much of a recording is heard; the rest is left out, and the answer is partial."""
    waiting: int = 100
    """Recordings in the queue; more get 429 and are told when to come again."""
    waiting_per_client: int = 30
    """The same for one client."""
    receiving: int = 32
    """Uploads that are on their way at a time."""
    kept: int = 200
    """Finished jobs that are remembered; the oldest makes room."""
    kept_bytes: int = 64 << 20
    """The same in bytes of their answers, packed."""
    expiry: float = 3600.0
    """Seconds after which a finished job is forgotten."""
    patience: float = 20.0
    """Seconds without a byte of a request, or without the client taking one of the answer."""
    slowest: int = 8 << 10
    """Bytes a second that an upload must reach on the whole."""
    connections: int = 256
    """Open connections; more get 503."""
