"""What the rooms of the renderer pass on: notes, pieces, parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
"""Samples a second of all rendered audio."""


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes in the order of their onsets; all arrays are (N,)."""

    onset: NDArray[np.float64]
    """In beats (quarter notes) as long as it is a score, in seconds once it is performed."""
    length: NDArray[np.float64]
    """In the same unit, above 0."""
    pitch: NDArray[np.int64]
    """MIDI keys, 60 is middle C; of drums and cymbals, the keys of General MIDI's drum map."""
    velocity: NDArray[np.int64]
    """How hard each is played, 1 to 127."""

    def __len__(self) -> int:
        return len(self.onset)

    @classmethod
    def of(cls, rows: list[tuple[float, float, int, int]]) -> "Notes":
        """From rows of onset, length, pitch and velocity in any order."""
        table = np.array(sorted(rows), dtype=np.float64).reshape(-1, 4)
        keys = table[:, 2:].round().astype(np.int64)
        return cls(table[:, 0], table[:, 1], keys[:, 0], keys[:, 1])

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Notes":
        """Some of them."""
        return Notes(self.onset[which], self.length[which], self.pitch[which], self.velocity[which])


@dataclass(frozen=True, eq=False)
class Piece:
    """A composition as it is written."""

    name: str
    group: str
    """The work or collection it is from: pieces of one group never part over train and test."""
    composer: str
    voices: tuple[Notes, ...]
    """From the top of the page to the bottom; a voice may hold chords. Onsets in beats from 0."""
    bar: float
    """Beats a bar."""

    @property
    def beats(self) -> float:
        """How long it is."""
        return max((float((v.onset + v.length).max()) for v in self.voices if len(v)), default=0.0)


@dataclass(frozen=True)
class Chord:
    """What sounds together for a while."""

    onset: float
    """In beats."""
    length: float
    root: int
    """Pitch class, 0 is C."""
    pitches: tuple[int, ...]
    """Pitch classes from the root upwards, the root first; three or four."""
    bass: int
    """The pitch class at the bottom."""


@dataclass(frozen=True, eq=False)
class Part:
    """What one player plays."""

    tag: str
    """An instrument of OpenMIC."""
    role: str
    """melody, inner, bass, chords or rhythm: what loudness and place in the room depend on."""
    notes: Notes
