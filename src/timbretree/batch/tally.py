"""How many recordings came to what."""

from collections import Counter
from dataclasses import dataclass, field

from timbretree.tags import Tags


@dataclass
class Tally:
    """How many recordings came to what."""

    ok: int = 0
    partial: Counter[str] = field(default_factory=Counter)
    """How many were used in part, by reason."""
    failed: Counter[str] = field(default_factory=Counter)
    """How many could not be used, by reason."""
    seconds: float = 0.0
    """How much sound was heard."""

    def add(self, tags: Tags) -> None:
        """Count one more."""
        self.seconds += tags.seconds
        if tags.status == "ok":
            self.ok += 1
        else:
            counter = self.failed if tags.status == "failed" else self.partial
            counter[str(tags.reason)] += 1

    @property
    def files(self) -> int:
        """How many there are in all."""
        return self.ok + self.partial.total() + self.failed.total()
