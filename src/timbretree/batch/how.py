"""How to tag, as plain data that every process can make a Tagger of; and what a file may cost."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timbretree.modelfile import SHIPPED

if TYPE_CHECKING:
    from timbretree.tagger import Tagger


@dataclass(frozen=True)
class HowToTag:
    """What a Tagger is made of: the same in every process, on every machine."""

    model: Path = SHIPPED
    taxonomy: str | None = None
    """The name of a tree that ships, or a json or yaml file; None for the model's own."""
    hop: float | None = None
    """Seconds from one window to the next; None for the model's own."""
    max_seconds: float | None = None
    """How much of a recording is heard, the rest being ``too_long``; None for the usual 48 h."""

    def tagger(self) -> "Tagger":
        """Make the Tagger. Raises ModelFileError and ValueError."""
        from timbretree.audio import Limits
        from timbretree.tagger import Tagger
        from timbretree.taxonomy import Taxonomy

        tree = None if self.taxonomy is None else Taxonomy.load(self.taxonomy)
        limits = None if self.max_seconds is None else Limits(max_seconds=self.max_seconds)
        return Tagger(self.model, taxonomy=tree, hop=self.hop, limits=limits)


@dataclass(frozen=True)
class CrewLimits:
    """What one file may cost before its worker is ended."""

    quiet_seconds: float = 60.0
    """So long a worker may hear nothing new of its file; 0 for as long as it likes."""
    memory_mb: int = 1500
    """Megabytes a file may take beyond what the model takes (on Linux); 0 for all there are."""

    def __post_init__(self) -> None:
        if not (self.quiet_seconds >= 0 and self.memory_mb >= 0):
            raise ValueError(f"expected limits of 0 (none) or more, got {self}")


AS_SHIPPED, USUAL = HowToTag(), CrewLimits()


class CrewError(RuntimeError):
    """There is no crew to tag with: its workers can't start, or it was dismissed."""


class ClusterError(CrewError):
    """There is no cluster to work on; the message says why."""
