"""Tagging in this process, for one file: no worker has to be started."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from timbretree.batch.how import USUAL, CrewLimits, HowToTag
from timbretree.batch.inputs import Asked
from timbretree.cores import cores
from timbretree.tags import Tags

if TYPE_CHECKING:
    from timbretree.batch.crew import Crew


class Alone:
    """The same face as a Crew, and quicker for a single file; a crash ends this process.

    Raises ModelFileError and ValueError.
    """

    jobs = 1

    def __init__(self, how: HowToTag) -> None:
        self._tagger = how.tagger()
        self._finishing = False
        self._seconds = self._now = 0.0

    @property
    def heard(self) -> float:
        """Seconds of sound that were heard up to now."""
        return self._seconds + self._now

    def tag(self, paths: Iterable[Path]) -> Iterator[Tags]:
        """Tag files one after the other."""
        for path in paths:
            if self._finishing:
                return
            tags = self._tagger(path, on_progress=self._hear)
            self._seconds, self._now = self._seconds + tags.seconds, 0.0
            yield tags

    tag_in_order = tag

    def finish(self) -> None:
        """Let the file in hand be the last."""
        self._finishing = True

    def _hear(self, seconds: float) -> None:
        self._now = seconds


def alone_or_crew(
    asked: Asked, how: HowToTag, *, jobs: int | None = None, limits: CrewLimits = USUAL
) -> "AbstractContextManager[Alone] | Crew":
    """What tags what was asked for: this process, where that is one file and no number of ``jobs``
    is given; else a crew of no more workers than files. Raises ModelFileError and ValueError.
    """
    if jobs is None and not asked.lists:  # a list can be read only once
        few = len(list(islice(asked, max(2, cores()))))
        if few <= 1:
            return nullcontext(Alone(how))
        jobs = min(cores(), few)
    from timbretree.batch.crew import Crew

    return Crew(how, jobs=jobs, limits=limits)
