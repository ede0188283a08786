"""The stretch of a piece that is played in a clip, and how fast."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.render.band.lines import CLOSE, merge, sounding
from timbretree.render.music import Notes, Piece

TEMPI = {
    "classical": (60, 140),
    "folk": (80, 150),
    "bluegrass": (95, 160),
    "jazz": (75, 190),
    "pop": (72, 135),
    "rock": (90, 160),
    "electronic": (90, 145),
    "latin": (80, 140),
    "church": (56, 100),
}
"""Beats (quarter notes) a minute that are usual in each style."""
LIMITS = (40.0, 208.0)
"""A metronome's."""
RATES = (0.9, 5.0)
"""Notes a second that a melody has in the mean, at least and at most."""
FASTEST = 7.0
"""Notes a second of the excerpt itself."""
SPARE = 0.5
"""Seconds of music beyond the clip, which may be played a little faster than it is written."""
FULL = 0.8
"""Share of an excerpt in which the melody sounds."""
CELLS = 4
"""Parts of a beat in which it is known whether the melody sounds."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Some bars of a piece."""

    tempo: float
    """Beats a minute."""
    beats: float
    bar: float
    """Beats a bar."""
    start_bar: int
    """From 0."""
    voices: tuple[Notes, ...]
    """As on the page, onsets from 0; only those in which anything sounds."""


def excerpt(piece: Piece, style: str, *, seconds: float, rng: np.random.Generator) -> Excerpt:
    """Bars of a piece in which its melody is heard, enough for ``seconds`` at a tempo for a style.

    Pieces that are too short are played again from their beginning. Raises ValueError for a piece
    without notes.
    """
    if not any(len(voice) for voice in piece.voices):
        raise ValueError(f"{piece.name}: a piece has at least one note, this one has none")
    melody = melody_voice(piece.voices, piece.beats)
    tempo = _tempo(melody, style, rng)
    whole = piece.bar * max(1, np.ceil(piece.beats / piece.bar - 0.01))
    start = _start(melody, whole, (piece.bar, _beats(tempo, seconds)), rng)
    voices = _cut(piece, whole, start * piece.bar, _beats(tempo, seconds))
    rate = _rate(melody_voice(voices, _beats(tempo, seconds)))
    tempo = max(LIMITS[0], min(tempo, FASTEST * 60 / rate))
    beats = _beats(tempo, seconds)
    voices = _cut(piece, whole, start * piece.bar, beats)
    return Excerpt(tempo, beats, piece.bar, start, voices)


def melody_voice(voices: tuple[Notes, ...], beats: float) -> Notes:
    """The voice with the tune: high, far up on the page, and busy."""

    def merit(number: int) -> float:
        voice = voices[number]
        if not len(voice):
            return -np.inf
        share = sounding(voice, beat=1.0, seconds=beats, ring=0.0) / beats
        return float(voice.pitch.mean()) - 3.0 * number - 60.0 * max(0.0, 0.6 - share)

    return voices[max(range(len(voices)), key=merit)]


def _beats(tempo: float, seconds: float) -> float:
    return float(np.ceil(tempo / 60 * (seconds + SPARE)))


def _rate(melody: Notes) -> float:
    """Notes a beat while any sounds; a chord is one."""
    struck = 1 + int((np.diff(melody.onset) > CLOSE).sum())
    return struck / max(sounding(melody, beat=1.0, seconds=np.inf, ring=0.0), 0.25)


def _tempo(melody: Notes, style: str, rng: np.random.Generator) -> float:
    low, high = TEMPI[style]
    rate = _rate(melody)
    usual = rng.uniform(low, high)
    moderate = min(max(usual, RATES[0] * 60 / rate), RATES[1] * 60 / rate)
    return float(min(max(moderate, LIMITS[0]), LIMITS[1]))


def _start(melody: Notes, whole: float, size: tuple[float, float], rng: np.random.Generator) -> int:
    """The bar to begin with. ``size``: the beats of a bar, and of the excerpt."""
    bar, beats = size
    bars = round(whole / bar)
    last = bars - int(np.ceil(beats / bar))
    starts = np.arange(last + 1 if last >= 0 else bars)
    heard = np.concatenate([[0.0], np.cumsum(_cells(melody, whole, beats))])
    first = np.round(starts * bar * CELLS).astype(int)
    shares = (heard[first + round(beats * CELLS)] - heard[first]) / (beats * CELLS)
    good = np.flatnonzero(shares >= min(FULL, shares.max() - 1e-9))
    return int(starts[good[int(rng.integers(len(good)))]])


def _cells(melody: Notes, whole: float, beats: float) -> NDArray[np.float64]:
    """Whether anything sounds in each part of a beat, of a piece played over and over."""
    count = round(whole * CELLS)
    edges = np.zeros(count + 1)
    first = np.minimum(np.round(melody.onset * CELLS).astype(int), count - 1)
    stop = np.minimum(np.round((melody.onset + melody.length) * CELLS).astype(int), count)
    np.add.at(edges, first, 1.0)
    np.add.at(edges, np.maximum(stop, first + 1), -1.0)
    once = np.cumsum(edges[:-1]) > 0.5
    return np.resize(once, count + round(beats * CELLS) + CELLS).astype(np.float64)


def _cut(piece: Piece, whole: float, start: float, beats: float) -> tuple[Notes, ...]:
    """What is played of each voice from one beat on; what began before goes on, if for long."""
    times = np.arange(int(np.ceil((start + beats) / whole)))
    found = []
    for voice in piece.voices:
        again = [
            Notes(voice.onset - start + time * whole, voice.length, voice.pitch, voice.velocity)
            for time in times
        ]
        notes = merge(*again)
        onset = np.maximum(notes.onset, 0.0)
        length = np.minimum(notes.onset + notes.length, beats) - onset
        kept = length > np.where(notes.onset < 0, 0.24, CLOSE)
        cut = Notes(onset, length, notes.pitch, notes.velocity).take(kept)
        if len(cut):
            found.append(cut)
    return tuple(found)
