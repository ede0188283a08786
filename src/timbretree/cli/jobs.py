"""What ``tag`` does with what was asked of it: to standard output, or as a job that can be gone on
with; with a gauge, a last line that sums up, and an exit code."""

import errno
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

from timbretree.cli.exits import PIPE_CLOSED, STOPPED, forget_output
from timbretree.cli.progress import State, clock, gauge, pace
from timbretree.cli.talk import printable, refuse, say

if TYPE_CHECKING:
    from timbretree.batch.alone import Alone
    from timbretree.batch.crew import Crew
    from timbretree.batch.how import HowToTag
    from timbretree.batch.inputs import Asked
    from timbretree.batch.job import Job
    from timbretree.batch.tally import Tally
    from timbretree.cluster import Cluster
    from timbretree.tags import Tags


@dataclass(frozen=True)
class Order:
    """What was asked of ``tag``."""

    names: list[str]
    lists: list[Path]
    format: str | None
    model: Path | None
    taxonomy: str | None
    hop: float | None
    out: Path | None
    explain: bool
    jobs: int | None
    shard: str | None
    retry: bool
    patience: float
    memory: int
    force: bool
    ray: bool
    address: str | None


def run(order: Order) -> int:
    """Tag what was asked for; the exit code comes back."""
    from timbretree.batch.how import CrewError, HowToTag
    from timbretree.batch.inputs import Asked, Shard
    from timbretree.batch.shapes import blank, format_of
    from timbretree.modelfile import SHIPPED

    if not order.names and not order.lists:
        refuse("expected files, folders or playlists to tag; see timbretree tag --help")
    for path in order.lists:
        if str(path) != "-" and not path.exists():  # not opened: a pipe can be read only once
            refuse(f"{printable(path)}: No such file or directory")
    how = HowToTag(order.model or SHIPPED, order.taxonomy, order.hop)
    to = _to_output if order.out is None else _to_place
    try:
        format = format_of(order.out, order.format)
        shard = None if order.shard is None else Shard.parse(order.shard)
        asked = Asked(order.names, order.lists, shard)
        return to(order, asked, how, format, blank(how))
    except BrokenPipeError:  # such as of head, which has read enough
        forget_output()
        return PIPE_CLOSED
    except OSError as error:
        refuse(_why(error))
    except (CrewError, ImportError, ValueError) as error:
        refuse(str(error))
    except KeyboardInterrupt:  # the second one, or one before the first file
        say("ended at once")
        return STOPPED


def _to_place(order: Order, asked: "Asked", how: "HowToTag", format: str, blank: "Tags") -> int:
    """A job whose results survive a kill."""
    from timbretree.batch.job import Job
    from timbretree.batch.shapes import results_at

    assert order.out is not None
    with results_at(order.out, format, how, explain=order.explain, anew=order.force) as results:
        job = Job(asked, results, blank, retry=order.retry)
        began = time.monotonic()
        workers = _cluster(order, how) if order.ray else _here(order, asked, how)
        with (
            workers as engine,
            _interrupts(job.stop, engine.finish) as interrupts,
            _gauge(asked, job, engine),
        ):
            for tags in job.run(engine):
                if tags.status != "ok":
                    _report(tags)
        if not job.done and not interrupts and order.shard is None:
            if not len(results.journal.known):
                results.clear()
            refuse(_nothing(order))
        results.finish()
    say(_sum(job.tally, time.monotonic() - began, _before(job)))
    failed = job.tally.failed or job.failed_before
    return STOPPED if interrupts else int(bool(failed))


def _to_output(order: Order, asked: "Asked", how: "HowToTag", format: str, blank: "Tags") -> int:
    """To standard output, in the order in which it was asked for."""
    from timbretree.batch.tally import Tally

    if format == "parquet":
        refuse("parquet is no text: add --out FILE.parquet")
    if format == "html" and (asked.lists or len(list(islice(asked, 2))) > 1):
        refuse("html of more than one file needs a folder: add --out DIR")
    tally, began = Tally(), time.monotonic()
    printed = _Printer(format, explain=order.explain)
    with (
        _here(order, asked, how) as engine,
        _interrupts(engine.finish) as interrupts,
        nullcontext() if sys.stdout.isatty() else _gauge(asked, tally, engine),
    ):
        for tags in _in_order(asked, engine, blank):
            tally.add(tags)
            if tags.reason is not None:
                _report(tags)
            printed(tags)
    if not tally.files and not interrupts and order.shard is None:
        refuse(_nothing(order))
    if tally.files > 1:
        say(_sum(tally, time.monotonic() - began))
    return STOPPED if interrupts else int(bool(tally.failed))


def _in_order(asked: "Asked", engine: "Alone | Crew", blank: "Tags") -> Iterator["Tags"]:
    from dataclasses import replace

    refused: deque[Tags | None] = deque()  # None where the engine has the file

    def paths() -> Iterator[Path]:
        for what in asked:
            if what.reason is None:
                refused.append(None)
                yield what.path
            else:
                known = replace(blank, reason=what.reason, message=what.message)
                refused.append(replace(known, file=str(what.path)))

    for tags in engine.tag_in_order(paths()):
        while (known := refused.popleft()) is not None:
            yield known
        yield tags
    yield from filter(None, refused)


class _Printer:
    """Writes what was heard to standard output."""

    def __init__(self, format: str, *, explain: bool) -> None:
        from timbretree.writers import WRITERS

        self.format, self.explain = format, explain
        self._writer, self._first = WRITERS[format], True

    def __call__(self, tags: "Tags") -> None:
        written = self._writer.write(tags, self.explain)
        text = written.decode() if isinstance(written, bytes) else written
        if not self._first:
            if self.format == "text":
                text = "\n" + text
            if self.format == "csv":
                text = text.partition("\n")[2]  # the names of the columns are there already
        self._first = False
        sys.stdout.write(text)
        sys.stdout.flush()


def _here(order: Order, asked: "Asked", how: "HowToTag") -> "AbstractContextManager[Alone] | Crew":
    from timbretree.batch.alone import alone_or_crew
    from timbretree.batch.how import CrewLimits

    limits = CrewLimits(order.patience, order.memory)
    return alone_or_crew(asked, how, jobs=order.jobs, limits=limits)


def _cluster(order: Order, how: "HowToTag") -> "Cluster":
    from timbretree.batch.how import CrewLimits
    from timbretree.cluster import Cluster

    limits = CrewLimits(order.patience, order.memory)
    return Cluster(how, address=order.address, jobs=order.jobs, limits=limits)


@contextmanager
def _interrupts(*stop: Callable[[], None]) -> Iterator[list[int]]:
    """Stop at the first Ctrl-C once the files in hand are finished, at the second at once; what is
    yielded is empty until then."""
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)
        say("finishing the files in hand; Ctrl-C once more ends at once")
        for each in stop:
            each()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _gauge(asked: "Asked", job: "Job | Tally", engine: "Alone | Cluster | Crew") -> Iterator[None]:
    """Say how far it is, while what was asked for is being counted."""
    count, counted = 0, False

    def run_ahead() -> None:
        nonlocal count, counted
        with suppress(OSError):
            for _ in asked:
                count += 1
            counted = True

    if asked.again:
        Thread(target=run_ahead, daemon=True).start()

    def state() -> State:
        tally = job if isinstance(job, Tally) else job.tally
        done = job.files if isinstance(job, Tally) else job.done
        whole = max(count, done) if asked.again else None
        return State(done, tally.files, whole, counted, engine.heard, tally.failed.total())

    from timbretree.batch.tally import Tally

    with gauge(state):
        yield


def _report(tags: "Tags") -> None:
    say(f"{printable(tags.file)}: {tags.status}, {tags.reason}: {tags.message}")


def _sum(tally: "Tally", passed: float, before: str = "") -> str:
    """The last line."""
    words = [f"{tally.files:,} file{'' if tally.files == 1 else 's'}"]
    for name, counter in (("used in part", tally.partial), ("failed", tally.failed)):
        if counter:
            each = ", ".join(f"{reason} {count:,}" for reason, count in counter.most_common())
            words.append(f"{counter.total():,} {name} ({each})")
    speed = ""
    if tally.seconds:
        speed = f"; {clock(tally.seconds)} of sound in {clock(passed)}"
        speed += f", {pace(tally.seconds, passed)}"
    return f"{', '.join(words)}{speed}{before}"


def _before(job: "Job") -> str:
    """What earlier runs did."""
    if not job.skipped:
        return ""
    failed = f", {job.failed_before:,} of them failed (--retry)" if job.failed_before else ""
    return f"; {job.skipped:,} done before{failed}"


def _nothing(order: Order) -> str:
    where = ", ".join([*order.names, *map(str, order.lists)])
    return f"no sound file was found in {printable(where)}"


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{error.strerror}; make room, then run the same again to go on"
    what = f"{printable(error.filename)}: " if error.filename else ""
    return f"{what}{error.strerror or error}"
