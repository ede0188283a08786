"""A crew of worker processes that tag files: one that dies or hangs costs the file in its hand."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Self

from timbretree.batch.hand import Hand, LostError
from timbretree.batch.how import AS_SHIPPED, USUAL, CrewError, CrewLimits, HowToTag
from timbretree.cores import cores
from timbretree.tags import Tags

TICK = 0.2
"""Seconds between two looks at the workers."""
STILLBORN = 3
"""So many workers in a row that end before they take a file, and it is not tried again."""
AHEAD = 8
"""So many files for each worker are begun before the answer that comes next is there."""

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class _Task:
    path: Path
    on_progress: Progress | None
    answer: "Future[Tags]" = field(default_factory=Future)


class Crew:
    """Processes that tag files side by side, each with the model loaded. Use it as a context.

    >>> with Crew() as crew:
    ...     for tags in crew.tag(paths):
    ...         print(tags.file, tags.present)

    ``jobs`` is the number of processes, by default one a core. Bad files raise nothing, and neither
    do those on which a process crashes, hangs or takes too much memory: ``Tags.reason`` is then
    ``crashed``, ``timed_out`` or ``out_of_memory``, and another process takes over. Raises
    CrewError where no worker can start, a ValueError's words in it where the model, the taxonomy
    or the hop is at fault.
    """

    def __init__(
        self,
        how: HowToTag = AS_SHIPPED,
        *,
        jobs: int | None = None,
        limits: CrewLimits = USUAL,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"expected one worker process at least, got {jobs}")
        self.how, self.limits = how, limits
        self.jobs = jobs or cores()
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._hands: dict[int, Hand] = {}
        self._lock, self._over = Lock(), Event()
        self._trouble: CrewError | None = None
        self._finishing = False
        self._stillborn = 0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        self._threads = [
            Thread(target=self._work, args=(number,), name=f"crew-{number}", daemon=True)
            for number in range(self.jobs)
        ]
        for thread in (*self._threads, Thread(target=self._watch, name="crew-watch", daemon=True)):
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Break off what is in hand, and cancel what waits."""
        with self._lock:
            self._trouble = self._trouble or CrewError("the crew was dismissed")
            self._over.set()
            hands = list(self._hands.values())
        self._drop_waiting()
        for hand in hands:
            hand.end()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def heard(self) -> float:
        """Seconds of sound that were heard up to now, of the files in hand too."""
        with self._lock:
            return self._seconds + sum(hand.heard for hand in self._hands.values())

    def submit(self, path: Path, on_progress: Progress | None = None) -> "Future[Tags]":
        """Have a file tagged when a worker is free; any thread may ask.

        ``on_progress`` is called in another thread with the seconds heard, a few times a second.
        """
        task = _Task(path, on_progress)
        if self._trouble is not None:
            task.answer.set_exception(CrewError(str(self._trouble)))
        elif self._finishing:
            task.answer.cancel()
        else:
            self._tasks.put(task)
        return task.answer

    def tag(self, paths: Iterable[Path]) -> Iterator[Tags]:
        """Tag files, in the order in which they are done.

        Few are asked of ``paths`` at a time, however many there are. Once ``finish`` was called,
        those in hand are the last.
        """
        done: SimpleQueue[Future[Tags]] = SimpleQueue()
        running: set[Future[Tags]] = set()

        def take() -> Iterator[Tags]:
            answer = done.get()
            running.discard(answer)
            yield from _answers(answer)

        try:
            for path in paths:
                answer = self.submit(path)
                running.add(answer)
                answer.add_done_callback(done.put)
                while len(running) >= 2 * self.jobs or not done.empty():
                    yield from take()
                if self._finishing:
                    break
            while running:
                yield from take()
        finally:
            for answer in running:
                answer.cancel()

    def tag_in_order(self, paths: Iterable[Path]) -> Iterator[Tags]:
        """The same in the order of ``paths``: one that takes long keeps others waiting."""
        waiting: deque[Future[Tags]] = deque()
        try:
            for path in paths:
                waiting.append(self.submit(path))
                while waiting[0].done() or len(waiting) >= AHEAD * self.jobs:
                    yield from _answers(waiting.popleft())
                    if not waiting:
                        break
                if self._finishing:
                    break
            while waiting:
                yield from _answers(waiting.popleft())
        finally:
            for answer in waiting:
                answer.cancel()

    def finish(self) -> None:
        """Hand out no more: files in hand are finished, those that wait are cancelled."""
        self._finishing = True
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except Empty:
                return
            if task is not None:
                task.answer.cancel()

    def _work(self, number: int) -> None:
        """Serve one worker process, and its successors."""
        try:
            self._hire(number)  # at once, so that the model is loaded while files are looked for
        except LostError as lost:
            self._count(lost)
        except CrewError as error:
            self._trouble = error
        while (task := self._tasks.get()) is not None:
            if not task.answer.set_running_or_notify_cancel():
                continue
            try:
                tags = self._tag(number, task)
            except Exception as error:  # whatever it is, who waits for the answer must be told
                self._let_go(number)
                task.answer.set_exception(error)
            else:
                task.answer.set_result(tags)
        self._let_go(number)

    def _tag(self, number: int, task: _Task) -> Tags:
        while True:
            if self._trouble is not None:
                raise CrewError(str(self._trouble))
            try:
                hand = self._hands.get(number) or self._hire(number)
                tags = hand.tag(task.path, task.on_progress)
            except LostError as lost:
                self._let_go(number)
                if lost.tags is None or self._over.is_set():
                    self._count(lost)
                    continue
                tags = lost.tags
            except CrewError as error:
                self._trouble = self._trouble or error
                raise
            with self._lock:
                self._stillborn = 0
                self._seconds += tags.seconds
            return tags

    def _hire(self, number: int) -> Hand:
        try:
            hand = Hand(self.how, self.limits)
        except OSError as error:
            raise LostError(f"a worker process can't be started: {error}") from error
        with self._lock:
            self._hands[number] = hand
            if self._over.is_set():
                hand.end()
        try:
            hand.get_ready()
        except (LostError, CrewError):
            self._let_go(number)
            raise
        return hand

    def _let_go(self, number: int) -> None:
        with self._lock:
            hand = self._hands.pop(number, None)
        if hand is not None:
            hand.close()

    def _count(self, lost: LostError) -> None:
        """A worker ended without a file in hand: no file is to blame, but it can't go on so."""
        with self._lock:
            self._stillborn += 1
            if self._stillborn >= STILLBORN and self._trouble is None:
                self._trouble = CrewError(
                    f"{STILLBORN} worker processes in a row ended before they took a file; "
                    f"the last: {lost}"
                )

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._over.wait(TICK):
            now = time.monotonic()
            with self._lock:
                hands = list(self._hands.values())
            for hand in hands:
                hand.watch(min(now - before, 2 * TICK))
            before = now


def _answers(answer: "Future[Tags]") -> Iterator[Tags]:
    """The answer, once it is there; none where it was cancelled."""
    try:
        yield answer.result()
    except CancelledError:
        return
