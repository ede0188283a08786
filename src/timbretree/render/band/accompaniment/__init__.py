"""Accompaniments: bass lines, chords and rhythm in each instrument's own idiom, over given chords.

All are written straight, as on paper; the performer makes jazz eighths swing.
"""

from numpy.random import Generator

from timbretree.render.band.accompaniment.bass import bass
from timbretree.render.band.accompaniment.frame import STYLES, Frame
from timbretree.render.band.accompaniment.frets import TUNING
from timbretree.render.band.accompaniment.keyboards import OF_STYLE as KEYBOARDS
from timbretree.render.band.accompaniment.keyboards import comp
from timbretree.render.band.accompaniment.lines import line
from timbretree.render.band.accompaniment.percussion import percussion
from timbretree.render.band.accompaniment.pitches import LOW
from timbretree.render.band.accompaniment.strumming import strum
from timbretree.render.music import Notes, Part

__all__ = ["ROLES", "STYLES", "Frame", "accompany"]

ROLES = ("bass", "chords", "rhythm")
"""What one can do in an accompaniment."""
KIT = ("cymbals", "drums")
LEAST = 0.02
"""Beats before the end of the frame in which nothing begins any more."""


def accompany(tag: str, role: str, style: str, frame: Frame, rng: Generator) -> Part:
    """What one player adds to a piece: a bass line, chords, or rhythm.

    Notes are in beats from 0 to the end of the frame, within the range and the number of notes at
    once that the instrument has. ``drums`` and ``cymbals`` play the same groove wherever style and
    frame are the same, each its share of the kit, whatever their role. Raises ValueError for an
    unknown tag, role or style, and where there is no chord for others than drums and cymbals.
    """
    _check("tag", tag, (*LOW, *KIT))
    _check("role", role, ROLES)
    _check("style", style, STYLES)
    if tag in KIT:
        rows = percussion(tag, style, frame, rng)
    elif role == "bass" or (role == "rhythm" and tag == "bass"):
        rows = bass(tag, style, frame, rng)
    elif tag in TUNING:
        rows = strum(tag, role, style, frame, rng)
    elif tag in KEYBOARDS:
        rows = comp(tag, role, style, frame, rng)
    else:
        rows = line(tag, role, style, frame, rng)
    kept = [
        (onset, min(length, frame.beats - onset), pitch, min(max(velocity, 1), 127))
        for onset, length, pitch, velocity in rows
        if onset < frame.beats - LEAST
    ]
    return Part(tag, role, Notes.of(kept))


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"the {what} is one of {', '.join(sorted(known))}; got {given!r}")
