"""What a library answers: tracks, where in them what was asked for plays, and pages of them."""

from dataclasses import dataclass
from pathlib import Path

from timbretree.spans import Span


@dataclass(frozen=True)
class Track:
    """One file of a library."""

    id: str
    """A random name that stays when the file is moved, renamed or tagged again."""
    path: Path
    there: bool
    """Whether it was there at the last scan."""
    status: str | None
    """ok, partial or failed; None while it waits to be tagged again."""
    reason: str | None
    """A code of ``timbretree.audio.REASONS``."""
    message: str | None
    seconds: float
    title: str | None
    artist: str | None
    album: str | None
    tagged_at: float | None
    """Seconds since 1970."""

    @property
    def name(self) -> str:
        """What people call it: its title, with its artist; or the file's name."""
        if not self.title:
            return self.path.name
        return f"{self.artist} - {self.title}" if self.artist else self.title


@dataclass(frozen=True)
class Match:
    """One instrument or family in one track: how probable, how long, and where."""

    name: str
    is_group: bool
    probability: float
    present: bool
    unsure: bool
    seconds: float
    """In which it plays; those in which it may play are not counted."""
    spans: tuple[Span, ...]
    """Where it plays, and where it may, in order; by the rules of ``timbretree.spans``."""


@dataclass(frozen=True)
class Row:
    """One answer."""

    track: Track
    matches: tuple[Match, ...]
    """What was asked for, in the order of the question; of a track that is like another one, what
    plays in it."""
    value: float | None = None
    """What the answers were sorted by: a share from 0 to 1, seconds, a probability, a likeness."""


@dataclass(frozen=True)
class Page:
    """Some of the answers, and how many there are."""

    total: int
    rows: tuple[Row, ...]
    sort: str = "path"
    """What ``Row.value`` is."""


@dataclass(frozen=True)
class NameStats:
    """One instrument or family across a collection."""

    name: str
    is_group: bool
    tracks: int
    """In which it plays."""
    perhaps: int
    """In which it may play."""
    seconds: float
    """In which it plays, in those tracks."""


@dataclass(frozen=True)
class Stats:
    """A collection in numbers; of files that are there."""

    tracks: int
    seconds: float
    missing: int
    """Files that were gone at the last scan."""
    waiting: int
    """Files still to be tagged again, with another model."""
    statuses: dict[str, int]
    reasons: dict[str, int]
    names: tuple[NameStats, ...]
    """In the order of the taxonomy: tags, then groups."""
    model: str
    taxonomy: str
