"""A server in a thread, and a crew that does as the file tells it: for the tests of the page."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from timbretree.library import Library
from timbretree.modelfile import SHIPPED, ModelInfo, read_info
from timbretree.reasons import REASONS
from timbretree.tagger import Tagger
from timbretree.tags import Tags
from timbretree.web import Access, ServeLimits, Spool, create_app, spool
from timbretree.web.running import server

SAYS = b"TOLD "
"""What a file begins with that tells the crew what to do."""


def told(**what: object) -> bytes:
    """A file that says: hear so many ``seconds`` in ``steps``, each ``wait`` long; then ``status``,
    ``reason``; or ``raise``."""
    return SAYS + json.dumps(what).encode()


class ToldCrew:
    """Has what a Crew has; tags in threads of this process."""

    def __init__(self, jobs: int = 2) -> None:
        self.jobs = jobs
        self.order: list[bytes] = []
        self.info: ModelInfo = read_info(SHIPPED)
        self._tagger: Tagger | None = None
        self._pool = ThreadPoolExecutor(jobs)
        self._lock = threading.Lock()

    def submit(
        self, path: Path, on_progress: Callable[[float], None] | None = None
    ) -> "Future[Tags]":
        return self._pool.submit(self._hear, path, on_progress or (lambda _: None))

    def _hear(self, path: Path, on_progress: Callable[[float], None]) -> Tags:
        with path.open("rb") as file:
            head = file.read(1000)
        self.order.append(head)
        if not head.startswith(SAYS):
            with self._lock:
                self._tagger = self._tagger or Tagger()
                return self._tagger(path)
        what = json.loads(head.removeprefix(SAYS))
        seconds, steps = what.get("seconds", 10.0), what.get("steps", 1)
        for step in range(steps):
            time.sleep(what.get("wait", 0))
            on_progress(seconds * (step + 1) / steps)
        if what.get("raise"):
            raise RuntimeError("told to")
        reason = what.get("reason")
        return Tags(
            str(path),
            self.info.name,
            self.info.taxonomy,
            what.get("status", "failed"),
            reason,
            REASONS.get(reason),
        )


@contextmanager
def serving(
    crew: ToldCrew,
    folder: Path,
    *,
    limits: ServeLimits | None = None,
    access: Access | None = None,
    library: Library | None = None,
) -> Iterator[tuple[str, Spool]]:
    """A server on a free port of loopback; gives its address and its spool."""
    limits = limits or ServeLimits()
    with spool(limits, folder) as space, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = create_app(crew, space, info=crew.info, access=access, library=library)
        runs: uvicorn.Server = server(app, limits)
        thread = threading.Thread(target=runs.run, kwargs={"sockets": [listening]})
        thread.start()
        while not runs.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", space
        finally:
            runs.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
