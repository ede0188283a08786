"""A piece for the players who are there: an excerpt, in a key and at a tempo that suit them."""

from dataclasses import dataclass

import numpy as np

from timbretree.render.band.accompaniment import Frame
from timbretree.render.band.ensembles import Band
from timbretree.render.band.excerpt import Excerpt, excerpt
from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.band.lines import between, moved, strain
from timbretree.render.band.players import Rehearsal, rehearse
from timbretree.render.band.reading import read
from timbretree.render.music import Chord, Part, Piece
from timbretree.render.scores import harmony

KEYS = range(-5, 7)
"""Semitones that a piece may be moved by."""
RESTS = 0.25
"""How often some of a band come in late or stop early."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What a band plays in a clip, and where it is from."""

    tempo: float
    """Beats a minute."""
    beats: float
    """How long it is, a little longer than the clip."""
    bar: float
    """Beats a bar."""
    chords: tuple[Chord, ...]
    parts: tuple[Part, ...]
    """One for each seat of the band, in the order of the seats; onsets in beats from 0."""
    start_bar: int
    """The bar of the piece that it begins with, from 0."""
    shift: int
    """Semitones by which it is higher than the piece."""


def arrange(piece: Piece, band: Band, *, seconds: float, rng: np.random.Generator) -> Arrangement:
    """Give each player of a band something to play from a piece, for at least ``seconds``.

    Each part is in its instrument's range, has no more notes at once than that can play, and is
    heard for players.LEAST seconds at least. Raises ValueError for a piece without notes.
    """
    cut = excerpt(piece, band.style, seconds=seconds, rng=rng)
    shift = _shift(cut, band, rng)
    voices = tuple(moved(voice, shift) for voice in cut.voices)
    chords = harmony.chords(voices, cut.beats, bar=cut.bar)
    frame = Frame(chords, cut.beats, cut.bar, cut.tempo)
    play = Rehearsal(read(voices, cut.beats), frame, band.style, seconds, rng)
    parts = _with_rests(rehearse(band.seats, play), play)
    return Arrangement(cut.tempo, cut.beats, cut.bar, chords, parts, cut.start_bar, shift)


def _shift(cut: Excerpt, band: Band, rng: np.random.Generator) -> int:
    """A key in which the tune suits who plays it, by chance one of those that suit about best."""
    tune = read(cut.voices, cut.beats).melody
    leader = next((seat for seat in band.seats if seat.role == "melody"), None)
    if leader is None:
        return int(rng.choice(KEYS))
    instrument = INSTRUMENTS[leader.tag]
    strains = np.array([strain(moved(tune, key), instrument, instrument.comfort) for key in KEYS])
    return int(rng.choice(np.array(KEYS)[strains <= strains.min() + 0.3]))


def _with_rests(parts: tuple[Part, ...], play: Rehearsal) -> tuple[Part, ...]:
    """Now and then some come in late or stop early; one plays throughout."""
    if len(parts) < 2 or not play.likely(RESTS):
        return parts
    stays = int(play.rng.integers(len(parts)))
    return tuple(
        part if number == stays or play.likely(0.4) else _rested(part, play)
        for number, part in enumerate(parts)
    )


def _rested(part: Part, play: Rehearsal) -> Part:
    """A part that begins late or ends early, at a bar line where bars are short."""
    span = play.seconds / play.beat
    late = play.likely(0.5)
    at = play.rng.uniform(0.2, 0.65) if late else play.rng.uniform(0.35, 0.8)
    unit = play.frame.bar if play.frame.bar <= span / 4 else 1.0
    turn = round(at * span / unit) * unit
    notes = between(part.notes, turn, play.frame.beats) if late else between(part.notes, 0.0, turn)
    return Part(part.tag, part.role, notes) if play.lasts(notes) else part
