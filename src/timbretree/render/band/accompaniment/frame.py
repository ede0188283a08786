"""What an accompaniment is made over: chords, bars and tempo, and patterns written as text.

A pattern has one group of characters for each pulse of the bar, parted by blanks; a group divides
its pulse evenly, so ``x.`` is a quarter note's first eighth and ``x.x`` is in triplets. A bar line
``|`` parts bars that take turns. ``.`` is silence, ``-`` holds what sounds, any other character is
a stroke, and its meaning is the player's. A bar longer than the pattern begins it again; a pattern
of several short bars runs through them, as one of four beats does through bars of two.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from timbretree.render.music import Chord

Row = tuple[float, float, int, int]
"""A note of an accompaniment: onset, length, pitch, velocity."""

STYLES = (
    "classical",
    "folk",
    "bluegrass",
    "jazz",
    "pop",
    "rock",
    "electronic",
    "latin",
    "church",
)
"""The manners in which a piece can be accompanied."""

DUPLE, TRIPLE, COMPOUND = 0, 1, 2
"""Kinds of bars, and the places of their patterns in each table."""
NEAR = 1e-6
"""Beats that are no difference."""
FASTEST = 0.085
"""Seconds from stroke to stroke that hands still manage."""


class Span(NamedTuple):
    """A chord and where it is in force."""

    onset: float
    end: float
    chord: Chord


class Pulse(NamedTuple):
    """One of the beats that are counted: a quarter note, or a dotted one in compound bars."""

    onset: float
    length: float
    bar: int
    place: int
    """0 for the first of the bar."""
    of: int
    """How many the bar has."""


class Stroke(NamedTuple):
    """One stroke of a pattern."""

    onset: float
    length: float
    """To its end, with what holds it."""
    mark: str
    place: int
    """In which pulse of the bar."""


@dataclass(frozen=True)
class Frame:
    """What all players of an excerpt share: the chords, the length, the bar and the tempo.

    Lengths are in beats (quarter notes); beat 0 is the first of a bar. Raises ValueError for a
    length or tempo that is not above 0.
    """

    chords: tuple[Chord, ...]
    beats: float
    bar: float
    """Beats a bar: 2, 3, 4, 3 also for 6/8."""
    tempo: float
    """Beats a minute."""

    def __post_init__(self) -> None:
        for name in ("beats", "bar", "tempo"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} of a frame is above 0, got {getattr(self, name)}")

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The chords without gaps from 0 to the end; equal neighbours are one."""
        chords = sorted((c for c in self.chords if c.onset < self.beats), key=lambda c: c.onset)
        if not chords:
            raise ValueError("bass and chords need a frame with at least one chord in its length")
        spans: list[Span] = []
        ends = [*(chord.onset for chord in chords[1:]), self.beats]
        for chord, end in zip(chords, ends, strict=True):
            onset = spans[-1].end if spans else 0.0
            same = spans and _sound(spans[-1].chord) == _sound(chord)
            if same:
                onset, chord = spans.pop()[::2]
            if end > onset + NEAR:
                spans.append(Span(onset, end, chord))
        return tuple(spans)

    @cached_property
    def _onsets(self) -> list[float]:
        return [span.onset - NEAR for span in self.spans]

    def span(self, beat: float) -> Span:
        """The chord in force at a beat."""
        return self.spans[max(bisect_right(self._onsets, beat) - 1, 0)]

    @cached_property
    def compound(self) -> bool:
        """Whether the pulse is a dotted quarter note.

        Known from bars of 3, 9 or 15 eighths, and where bars of 3 or 6 beats change their chords
        on dotted quarters and never off them (3/4 and 6/8 are alike in length).
        """
        if any(abs(self.bar - bar) < NEAR for bar in (1.5, 4.5, 7.5)):
            return True
        if abs(self.bar % 3) > NEAR:
            return False
        phases = [round(chord.onset % 3 * 4) for chord in self.chords]
        return 6 in phases and all(phase in (0, 6, 12) for phase in phases)

    @cached_property
    def meter(self) -> int:
        """DUPLE, TRIPLE or COMPOUND."""
        if self.compound:
            return COMPOUND
        return TRIPLE if abs(self.bar % 3) < NEAR else DUPLE

    @property
    def pulse(self) -> float:
        """Beats a pulse."""
        return 1.5 if self.compound else 1.0

    @cached_property
    def halves(self) -> bool:
        """Whether it is so fast that feet tap half notes."""
        return self.tempo >= 145 and self.meter == DUPLE

    @cached_property
    def pulses(self) -> tuple[Pulse, ...]:
        """All pulses before the end; an odd eighth of a bar makes its last pulse longer."""
        unit = self.pulse
        of = max(1, int(self.bar / unit + NEAR))
        inner = [unit] * (of - 1) + [self.bar - unit * (of - 1)]
        starts = [unit * place for place in range(of)]
        bars = range(int(np.ceil(self.beats / self.bar - NEAR)))
        return tuple(
            Pulse(bar * self.bar + starts[place], inner[place], bar, place, of)
            for bar in bars
            for place in range(of)
            if bar * self.bar + starts[place] < self.beats - NEAR
        )


def strokes(frame: Frame, pattern: str) -> list[Stroke]:
    """All strokes of a pattern (see the top of this file) over a frame, in order."""
    bars = [[eased(group, frame) for group in bar.split()] for bar in pattern.split("|")]
    flat = [group for bar in bars for group in bar]
    found: list[Stroke] = []
    for number, pulse in enumerate(frame.pulses):
        groups = bars[pulse.bar % len(bars)]
        if pulse.of < len(groups) and len(groups) % pulse.of == 0:
            group = flat[number % len(flat)]
        else:
            group = groups[pulse.place % len(groups)]
        step = frame.pulse / len(group)
        for place, mark in enumerate(group):
            onset = pulse.onset + place * step
            if mark == "." or onset > min(pulse.onset + pulse.length, frame.beats) - NEAR:
                continue
            if mark != "-":
                found.append(Stroke(onset, step, mark, pulse.place))
            elif found:
                found[-1] = found[-1]._replace(length=onset + step - found[-1].onset)
    return [s._replace(length=min(s.length, frame.beats - s.onset)) for s in found]


def slow(frame: Frame, pattern: str) -> str:
    """A pattern at half its speed where half notes are tapped; its groups are even in number."""
    if not frame.halves:
        return pattern
    bars = [
        " ".join(f"{group[: len(group) // 2]} {group[len(group) // 2 :]}" for group in bar.split())
        for bar in pattern.split("|")
    ]
    return "|".join(bars)


def eased(group: str, frame: Frame) -> str:
    """A group of a pattern; one too fast for hands keeps every other of its characters."""
    seconds = frame.pulse * 60 / frame.tempo
    while len(group) > 2 and len(group) % 2 == 0 and seconds / len(group) < FASTEST:
        group = group[::2]
    return group


def _sound(chord: Chord) -> tuple[int, tuple[int, ...], int]:
    return chord.root, chord.pitches, chord.bass
