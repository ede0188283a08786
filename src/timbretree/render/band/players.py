"""What each player of a band is given: lines of the score, or something made to go with them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from timbretree.render.band.accompaniment import Frame, accompany
from timbretree.render.band.ensembles import Seat
from timbretree.render.band.instruments import INSTRUMENTS, Instrument
from timbretree.render.band.lines import (
    between,
    fit,
    folded,
    merge,
    playable,
    sounding,
    sustained,
    thin,
)
from timbretree.render.band.reading import Score
from timbretree.render.music import Chord, Notes, Part

LEAST = 3.1
"""Seconds of a clip for which each player has notes at least: played short, 2.5 of them remain."""
AS_WRITTEN = ("classical", "church")
"""Styles in which players mostly keep to the score."""
TREMOLO = {"mandolin": 0.5, "mallet_percussion": 0.25, "banjo": 0.15}
"""How often the long notes of a melody are struck again and again."""
ROLLS = 0.6
"""How often a banjo has the rest of its strings going below a melody, whoever else plays."""
LOWEST = 28
"""The lowest key of a written bass line, that of a double bass."""
TRIES = 3
"""Accompaniments that are made until one sounds for long enough."""


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What all players share."""

    score: Score
    frame: Frame
    style: str
    seconds: float
    """How long the clip is."""
    rng: np.random.Generator

    @property
    def beat(self) -> float:
        """Seconds a beat."""
        return 60 / self.frame.tempo

    def lasts(self, notes: Notes) -> bool:
        """Whether it is heard for long enough."""
        return sounding(notes, beat=self.beat, seconds=self.seconds) >= LEAST

    def likely(self, chance: float) -> bool:
        """Whether something happens that has such a chance."""
        return bool(self.rng.random() < chance)

    def accompaniment(self, tag: str, role: str) -> Notes:
        """What one plays to the chords."""
        return accompany(tag, role, self.style, self.frame, self.rng).notes


def rehearse(seats: tuple[Seat, ...], play: Rehearsal) -> tuple[Part, ...]:
    """A part for each seat, in its instrument's range, heard for LEAST seconds at least."""
    tunes = _tunes([seat for seat in seats if seat.role == "melody"], play)
    inner = iter(play.score.inner)
    lone = len(seats) == 1
    free = 1.0 if lone else 0.0 if any(seat.role in ("chords", "bass") for seat in seats) else 0.7
    parts = []
    for seat in seats:
        if seat.role == "melody":
            notes = _melody(seat, next(tunes), play, full=free)
        elif seat.role == "inner":
            notes = _inner(seat, next(inner, None), play)
        elif seat.role == "rhythm":
            notes = _rhythm(seat, play)
        else:
            notes = _ground(seat, play)
        parts.append(Part(seat.tag, seat.role, between(notes, 0.0, play.frame.beats)))
    return tuple(parts)


def second(melody: Notes, chords: tuple[Chord, ...], *, wide: bool) -> Notes:
    """A line that goes along below a melody on notes of the chords: in thirds, or in sixths."""
    starts = np.array([chord.onset for chord in chords])
    number = np.maximum(np.searchsorted(starts, melody.onset + 0.01) - 1, 0)
    steps = (8, 9, 7, 10, 5) if wide else (3, 4, 5, 6, 7)
    pitch = melody.pitch.copy()
    for i, chord in enumerate(number.tolist()):
        tones = {tone % 12 for tone in chords[chord].pitches}
        own = int(melody.pitch[i])
        pitch[i] -= next((step for step in steps if (own - step) % 12 in tones), 12)
    return Notes(melody.onset, melody.length, pitch, melody.velocity)


def under(melody: Notes, below: Notes, instrument: Instrument) -> Notes:
    """A melody and what the same player has below it, which gives way to it."""
    end, melody_end = below.onset + below.length, melody.onset + melody.length
    meets = (below.onset[:, None] < melody_end) & (melody.onset < end[:, None])
    ceiling = np.where(meets, melody.pitch, instrument.high + 1).min(axis=1, initial=127)
    pitch = folded(below.pitch, instrument)
    pitch = pitch - 12 * np.maximum(0, (pitch - ceiling) // 12 + 1)
    lower = Notes(below.onset, below.length, pitch, np.maximum(below.velocity - 8, 1))
    return merge(melody, thin(lower.take(pitch >= instrument.low), instrument.voices - 1))


def _tunes(seats: list[Seat], play: Rehearsal) -> Iterator[Notes]:
    """How the players of the melody share it: in turns, in two voices, or all play all of it."""
    melody = play.score.melody
    turns = _turns(melody, len(seats), play)
    if turns and play.likely(0.35):
        yield from turns
        return
    for number in range(len(seats)):
        if number and play.likely(0.5):
            yield second(melody, play.frame.chords, wide=play.likely(0.4))
        else:
            yield melody


def _turns(melody: Notes, count: int, play: Rehearsal) -> list[Notes]:
    """The melody in ``count`` shares of a few bars in turn; empty if somebody had too little."""
    if not 2 <= count <= 3:
        return []
    rounds = 1 if count == 3 or play.likely(0.5) else 2
    bar = play.frame.bar
    stretch = play.seconds / (count * rounds) / play.beat
    stretch = max(1, round(stretch / bar)) * bar if bar <= 1.3 * stretch else stretch
    whose = np.floor(melody.onset / stretch + 1e-6).astype(int) % count
    shares = [melody.take(whose == number) for number in range(count)]
    return shares if all(play.lasts(share) for share in shares) else []


def _melody(seat: Seat, tune: Notes, play: Rehearsal, *, full: float) -> Notes:
    """The melody; with a chance of ``full`` with chords below it, if the instrument has them."""
    instrument = INSTRUMENTS[seat.tag]
    low, high = instrument.comfort
    full = max(full, ROLLS) if seat.tag == "banjo" else full
    chordal = "chords" in instrument.can and play.likely(full)
    comfort = (low + 2 * (high - low) // 5, high) if chordal else (low, high)
    line = _sure(lambda: fit(tune, instrument, comfort), seat.tag, play)
    if play.likely(TREMOLO.get(seat.tag, 0.0)):
        line = _tremolo(line, play.beat * play.rng.uniform(8.0, 12.0))
    return under(line, _below(seat.tag, play), instrument) if chordal else line


def _below(tag: str, play: Rehearsal) -> Notes:
    """What a player who is alone has for the left hand, or for the lower strings."""
    below = play.score.below
    if below is not None and play.likely(0.8 if play.style in AS_WRITTEN else 0.5):
        return below
    chords = play.accompaniment(tag, "chords")
    if "bass" in INSTRUMENTS[tag].can and play.likely(0.4):
        return merge(chords, play.accompaniment(tag, "bass"))
    return chords


def _inner(seat: Seat, line: Notes | None, play: Rehearsal) -> Notes:
    """A line of the score, or else one below the melody, or long notes of the chords."""
    instrument = INSTRUMENTS[seat.tag]
    comfort = (instrument.low, instrument.comfort[1])
    if line is not None:
        notes = playable(fit(line, instrument, comfort), seat.tag, beat=play.beat)
        if play.lasts(notes):
            return notes

    def made() -> Notes:
        if play.likely(0.5):
            return play.accompaniment(seat.tag, "chords")
        below = second(play.score.melody, play.frame.chords, wide=play.likely(0.5))
        return fit(below, instrument, comfort)

    return _sure(made, seat.tag, play)


def _ground(seat: Seat, play: Rehearsal) -> Notes:
    """Bass or chords: of the score where it has them and the style keeps to it."""
    instrument, score = INSTRUMENTS[seat.tag], play.score
    written = play.style in AS_WRITTEN
    notes = None
    if seat.role == "bass" and score.bass is not None and play.likely(0.8 if written else 0.3):
        low = max(instrument.low, LOWEST)
        notes = fit(score.bass, instrument, (low, low + 24))
    if seat.role == "chords" and score.below is not None and play.likely(0.6 if written else 0.15):
        notes = score.below
    if notes is not None:
        notes = playable(notes, seat.tag, beat=play.beat)
        if play.lasts(notes):
            return notes
    return _sure(lambda: play.accompaniment(seat.tag, seat.role), seat.tag, play)


def _rhythm(seat: Seat, play: Rehearsal) -> Notes:
    """The style's groove; a plain beat where that has next to nothing for the instrument."""
    notes = play.accompaniment(seat.tag, "rhythm")
    if play.lasts(notes):
        return notes
    keys = (51, 51) if seat.tag == "cymbals" else (36, 38)
    beats = play.frame.beats
    return Notes.of([(b, min(1.0, beats - b), keys[int(b) % 2], 70) for b in np.arange(0.0, beats)])


def _sure(make: Callable[[], Notes], tag: str, play: Rehearsal) -> Notes:
    """What is made, made anew until it sounds for long enough, at last with notes held on."""
    for _ in range(TRIES):
        raw = make()
        notes = playable(raw, tag, beat=play.beat)
        if play.lasts(notes):
            return notes
    return playable(sustained(raw, play.frame.beats), tag, beat=play.beat)


def _tremolo(line: Notes, strokes: float) -> Notes:
    """Notes of a beat and more as many strokes; ``strokes`` is how many there are in a beat."""
    rows: list[tuple[float, float, int, int]] = []
    fields = (line.onset, line.length, line.pitch, line.velocity)
    for onset, length, pitch, velocity in zip(*(field.tolist() for field in fields), strict=True):
        count = max(1, round(length * strokes)) if length >= 0.95 else 1
        step = length / count
        rows += [(onset + n * step, step, pitch, velocity - 6 * (n % 2)) for n in range(count)]
    return Notes.of([(*row[:3], max(row[3], 1)) for row in rows])
