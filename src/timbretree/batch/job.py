"""One job: what was asked for, less what is done, goes to an engine; what comes back is written."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from timbretree.batch.inputs import Input
from timbretree.batch.known import Stamp
from timbretree.batch.results import Results
from timbretree.batch.tally import Tally
from timbretree.tags import Tags


class Engine(Protocol):
    """What tags files: a ``Crew``, this process ``Alone``, or a cluster."""

    def tag(self, paths: Iterable[Path]) -> Iterator[Tags]:
        """Tag files, each once, in any order; ``Tags.file`` is the path it was given."""

    def finish(self) -> None:
        """Hand out no more files: those in hand are the last."""

    @property
    def heard(self) -> float:
        """Seconds of sound that were heard up to now."""


class Job:
    """Tags what was asked for and isn't done yet, into ``results``.

    ``blank`` is a failed Tags of the right model and taxonomy, for what is no file at all. With
    ``retry`` recordings of which nothing could be used are tried once more; those whose file has
    changed always are.
    """

    def __init__(
        self, asked: Iterable[Input], results: Results, blank: Tags, *, retry: bool = False
    ) -> None:
        self.asked, self.results, self.blank, self.retry = asked, results, blank, retry
        self.tally = Tally()
        """What was done by this job up to now."""
        self.skipped = 0
        """How many were done before."""
        self.failed_before = 0
        """Of how many of those nothing could be used."""
        self._stopped = False
        self._out: dict[str, tuple[Input, Stamp]] = {}
        self._refused: list[tuple[Input, Stamp, Tags]] = []

    @property
    def done(self) -> int:
        """How many recordings are done, of all that were asked for."""
        return self.tally.files + self.skipped

    def run(self, engine: Engine) -> Iterator[Tags]:
        """Tag, and yield each recording's Tags once they are written down.

        Raises OSError where they can't be, and what the engine raises.
        """
        for tags in engine.tag(self._paths()):
            what, stamp = self._out.pop(tags.file)
            yield from self._refusals()
            yield self._write(what, stamp, replace(tags, file=str(what.path)))
        yield from self._refusals()

    def stop(self) -> None:
        """Hand out no more files."""
        self._stopped = True

    def _paths(self) -> Iterator[Path]:
        for what in self.asked:
            if self._stopped:
                return
            stamp = Stamp.of(what.path)
            if self.results.is_done(what, stamp, retry=self.retry):
                self.skipped += 1
                self.failed_before += self.results.has_failed(what)
            elif what.reason is not None:
                tags = replace(self.blank, reason=what.reason, message=what.message)
                self._refused.append((what, stamp, replace(tags, file=str(what.path))))
            else:
                self._out[what.place] = what, stamp
                yield Path(what.place)

    def _refusals(self) -> Iterator[Tags]:
        while self._refused:
            yield self._write(*self._refused.pop(0))

    def _write(self, what: Input, stamp: Stamp, tags: Tags) -> Tags:
        self.results.add(what, stamp, tags)
        self.tally.add(tags)
        return tags
