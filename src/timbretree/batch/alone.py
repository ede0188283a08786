"""Tagging in this process, for one file: no worker has to be started."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from timbretree.batch.how import HowToTag
from timbretree.tags import Tags


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
