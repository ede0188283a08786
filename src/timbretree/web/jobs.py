"""Uploads on their way to an answer: who waits, what is heard, what is kept and for how long."""

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from timbretree.modelfile import ModelInfo
from timbretree.reasons import REASONS
from timbretree.tags import Tags
from timbretree.web.answers import Unpacked, pack, unpack
from timbretree.web.queue import FairQueue
from timbretree.web.spool import Spool, Upload
from timbretree.web.trouble import TroubleError

USUAL = 5.0
"""Seconds a job is thought to take before any was done."""


class Hearing(Protocol):
    """What tags the files: ``timbretree.batch.Crew``."""

    jobs: int

    def submit(
        self, path: Path, on_progress: Callable[[float], None] | None = None
    ) -> "Future[Tags]":
        """Tag a file in a process of its own; never raises for a bad file."""


@dataclass(eq=False)
class Job:
    """One upload and what became of it."""

    name: str
    client: str
    upload: Upload
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: Literal["waiting", "hearing", "done"] = "waiting"
    heard: float = 0.0
    """Seconds of sound that were heard up to now."""
    began: float = 0.0
    ended: float = 0.0
    status: str | None = None
    """As in Tags, once it is done."""
    reason: str | None = None
    message: str | None = None
    packed: bytes = b""

    def progress(self, seconds: float) -> None:
        """Called by the crew, from another thread."""
        self.heard = max(self.heard, seconds)


class Jobs:
    """All jobs of a server. Everything here runs on the server's one event loop."""

    def __init__(self, crew: Hearing, spool: Spool, info: ModelInfo) -> None:
        self.crew, self.spool, self.info = crew, spool, info
        self.limits = spool.limits
        self.unpacked = Unpacked()
        self._jobs: dict[str, Job] = {}  # in the order in which they came
        self._queue: FairQueue[Job] = FairQueue()
        self._running: set[asyncio.Task[None]] = set()
        self._usual = USUAL

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._queue)

    @property
    def hearing(self) -> int:
        """How many are being heard."""
        return len(self._running)

    def check(self, client: str) -> None:
        """Refuse where the queue is full, before anything is received. Raises TroubleError."""
        limits = self.limits
        mine = self._queue.of(client) >= limits.waiting_per_client
        if not mine and len(self._queue) < limits.waiting:
            return
        whose = "of your files" if mine else "files"
        count = limits.waiting_per_client if mine else limits.waiting
        after = max(1, min(600, round(self._usual * (1 + len(self._queue) / 4 / self.crew.jobs))))
        raise TroubleError(
            429,
            "queue_full",
            f"{count} {whose} wait already; try again in {after} s",
            headers={"Retry-After": str(after)},
        )

    def add(self, name: str, client: str, upload: Upload) -> Job:
        """Put an upload in the queue."""
        job = Job(name, client, upload)
        self._jobs[job.id] = job
        self._queue.push(client, job)
        self._start()
        self._tidy()
        return job

    def get(self, id: str) -> Job:
        """A job by its id. Raises TroubleError where there is none, or no longer."""
        self._tidy()
        if id not in self._jobs:
            raise TroubleError(404, "no_such_job", "there is no such job, or it was forgotten")
        return self._jobs[id]

    def find(self, ids: list[str]) -> list[Job]:
        """Those of some jobs that are known."""
        self._tidy()
        return [self._jobs[id] for id in ids if id in self._jobs]

    def places(self) -> dict[Job, int]:
        """The place in the queue of each job that waits: 1 is next."""
        return self._queue.places()

    def remove(self, id: str) -> None:
        """Forget a job: it is not heard if it waits, and its answer is not kept."""
        job = self.get(id)
        if job.state == "waiting":
            self._queue.remove(job.client, job)
            self.spool.remove(job.upload)
        self._forget(job)

    def tags(self, job: Job) -> Tags:
        """The answer to a job that is done; slow, to be called in a thread. Raises TroubleError."""
        if job.state != "done":
            raise TroubleError(409, "not_done", "this recording has not been heard yet")
        return self.unpacked.get(job.id, lambda: unpack(job.packed))

    async def close(self) -> None:
        """Let go of all jobs."""
        for job in self.places():
            self.spool.remove(job.upload)
        self._queue = FairQueue()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self) -> None:
        while len(self._queue) and len(self._running) < self.crew.jobs:
            job = self._queue.pop()
            job.state, job.began = "hearing", time.monotonic()
            task = asyncio.create_task(self._hear(job))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _hear(self, job: Job) -> None:
        try:
            future = self.crew.submit(job.upload.path, job.progress)
            tags = await asyncio.wrap_future(future)
        except Exception:  # whatever the crew died of, the job must end
            lost = ("failed", "crashed", REASONS["crashed"])
            tags = Tags("", self.info.name, self.info.taxonomy, *lost)
        finally:
            self.spool.remove(job.upload)
        tags = replace(tags, file=job.name)
        if tags.reason == "too_long":  # here it is the server's own bound that was met
            most = self.limits.seconds / 3600
            tags = replace(
                tags, message=f"there is more than {most:.3g} h of sound; the rest was left out"
            )
        job.packed = await asyncio.to_thread(pack, tags)
        job.status, job.reason, job.message = tags.status, tags.reason, tags.message
        job.heard, job.ended, job.state = tags.seconds, time.monotonic(), "done"
        self._usual += (job.ended - job.began - self._usual) / 4
        self._tidy()

    def _tidy(self) -> None:
        """Forget what is old, and the oldest of what is too much."""
        done = sorted((j for j in self._jobs.values() if j.state == "done"), key=lambda j: j.ended)
        size, now = sum(len(job.packed) for job in done), time.monotonic()
        for number, job in enumerate(done):
            many = len(done) - number > self.limits.kept or size > self.limits.kept_bytes
            if not many and now - job.ended < self.limits.expiry:
                break
            size -= len(job.packed)
            self._forget(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        self.unpacked.forget(job.id)
