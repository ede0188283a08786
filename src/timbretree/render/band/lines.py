"""Lines of notes: taken out of a score, put into an instrument's range, made to be playable."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from timbretree.render.band.instruments import INSTRUMENTS, Instrument
from timbretree.render.music import Notes

CLOSE = 0.02
"""Beats between notes that are struck together."""
BREATHLESS = 5.0
"""Seconds that a player blows or sings in one breath."""
LEAST_RING = 0.25
"""Seconds that any note is heard, however short it is written."""


def skyline(notes: Notes, *, top: bool = True) -> tuple[Notes, Notes]:
    """The uppermost (or lowest) line, one note at a time, and what is left without it."""
    sign = 1 if top else -1
    end = notes.onset + notes.length
    line: list[int] = []
    left: list[int] = []
    for i in np.lexsort((-sign * notes.pitch, notes.onset)):
        if line:
            last = line[-1]
            together = notes.onset[i] - notes.onset[last] < CLOSE
            below = sign * (notes.pitch[last] - notes.pitch[i]) >= 0
            if together or (below and notes.onset[i] < end[last] - CLOSE):
                left.append(i)
                continue
            end[last] = min(end[last], notes.onset[i])
        line.append(i)
    cut = Notes(notes.onset, end - notes.onset, notes.pitch, notes.velocity)
    return cut.take(np.array(line, dtype=np.int64)), notes.take(np.array(left, dtype=np.int64))


def merge(*parts: Notes) -> Notes:
    """The notes of all, in the order of their onsets, the higher first."""
    fields = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("onset", "length", "pitch", "velocity")
    ]
    order = np.lexsort((-fields[2], fields[0]))
    return Notes(*(field[order] for field in fields))


def moved(notes: Notes, semitones: int) -> Notes:
    """The same, higher or lower."""
    return Notes(notes.onset, notes.length, notes.pitch + semitones, notes.velocity)


def between(notes: Notes, start: float, end: float) -> Notes:
    """What is played from ``start`` to ``end``; notes that go on beyond are cut."""
    stop = np.minimum(notes.onset + notes.length, end)
    kept = (notes.onset >= start) & (notes.onset < end - CLOSE)
    return Notes(notes.onset, stop - notes.onset, notes.pitch, notes.velocity).take(kept)


def sounding(notes: Notes, *, beat: float, seconds: float, ring: float = LEAST_RING) -> float:
    """For how many seconds of the first ``seconds`` any of the notes is heard.

    ``beat`` is the length of a beat in seconds; each note is heard for ``ring`` seconds at least.
    """
    onset = notes.onset * beat
    end = np.minimum(onset + np.maximum(notes.length * beat, ring), seconds)
    before = np.maximum.accumulate(np.concatenate([[0.0], end]))[:-1] if len(end) else end
    return float(np.maximum(end - np.maximum(onset, before), 0.0).sum())


def sustained(notes: Notes, beats: float) -> Notes:
    """Each note held until the next one is struck, the last until the end."""
    after = np.searchsorted(notes.onset, notes.onset + CLOSE)
    following = np.append(notes.onset, beats)[after]
    length = np.maximum(notes.length, following - notes.onset)
    return Notes(notes.onset, length, notes.pitch, notes.velocity)


def fit(line: Notes, instrument: Instrument, comfort: tuple[int, int]) -> Notes:
    """A line in an instrument's range, near where it is comfortable.

    It is moved by octaves as a whole where that does, else phrase by phrase; notes that are out
    of range still are moved alone.
    """
    if not len(line):
        return line
    whole = _octaves(line.pitch, instrument, comfort, near=0)
    pitch = line.pitch + whole
    if pitch.min() < instrument.low or pitch.max() > instrument.high:
        last = whole
        for phrase in _phrases(line):
            last = _octaves(line.pitch[phrase], instrument, comfort, near=last)
            pitch[phrase] = line.pitch[phrase] + last
    return Notes(line.onset, line.length, folded(pitch, instrument), line.velocity)


def strain(line: Notes, instrument: Instrument, comfort: tuple[int, int]) -> float:
    """How far out of its way an instrument goes for a line, at the best octave: 0 is not at all."""
    if not len(line):
        return 0.0
    return float(_costs(line.pitch, instrument, comfort, near=0)[1].min())


def folded(pitch: NDArray[np.int64], instrument: Instrument) -> NDArray[np.int64]:
    """Pitches out of an instrument's range, moved into it by octaves."""
    up = -np.minimum((pitch - instrument.low) // 12, 0)
    down = -np.minimum((instrument.high - pitch) // 12, 0)
    return np.asarray(pitch + 12 * (up - down), dtype=np.int64)


def thin(notes: Notes, voices: int) -> Notes:
    """Never more than ``voices`` notes at once: outer ones of a chord go before inner ones, and
    what is still held is cut where its finger is needed."""
    notes = merge(notes)
    end = notes.onset + notes.length
    kept: list[int] = []
    held: list[int] = []
    starts = np.flatnonzero(np.diff(notes.onset, prepend=-np.inf) > CLOSE)
    for first, stop in zip(starts, np.append(starts[1:], len(notes)), strict=True):
        now = notes.onset[first]
        struck = _outer_first(range(first, stop), notes.pitch)[:voices]
        taken = {int(notes.pitch[i]) for i in struck}
        held = [i for i in held if end[i] > now + 1e-9]
        free = voices - len(struck)
        going = [i for i in held if int(notes.pitch[i]) not in taken]
        going = going[len(going) - free :] if len(going) > free else going
        for i in held:
            if i not in going:
                end[i] = now
        held = going + struck
        kept += struck
    cut = Notes(notes.onset, end - notes.onset, notes.pitch, notes.velocity)
    return cut.take(np.array(sorted(kept), dtype=np.int64))


def breathe(line: Notes, *, beat: float) -> Notes:
    """A line in which nobody is out of breath: now and then a note is let go a little earlier.

    ``beat`` is the length of a beat in seconds.
    """
    length = line.length.copy()
    rested, since = True, 0.0
    for i in range(len(line)):
        onset = line.onset[i] * beat
        if rested:
            since = onset
        length[i] = min(length[i], 1.6 * BREATHLESS / beat)
        late = (line.onset[i] + length[i]) * beat - since - BREATHLESS
        short = length[i] * beat < 0.4
        if rested := late > (1.0 if short else 0.0):  # a longer note is the better place
            length[i] -= min(0.3 / beat, 0.45 * length[i])
        elif i + 1 < len(line):
            rested = (line.onset[i + 1] - line.onset[i] - length[i]) * beat > 0.15
    return Notes(line.onset, length, line.pitch, line.velocity)


def playable(notes: Notes, tag: str, *, beat: float) -> Notes:
    """What an instrument can play of some notes: in its range, and no more than it has voices."""
    instrument = INSTRUMENTS[tag]
    pitch = folded(notes.pitch, instrument)
    kept = thin(Notes(notes.onset, notes.length, pitch, notes.velocity), instrument.voices)
    return breathe(kept, beat=beat) if instrument.breath else kept


def _outer_first(chord: range, pitch: NDArray[np.int64]) -> list[int]:
    """The notes of a chord, each pitch once: highest, lowest, then from the top downwards."""
    of_pitch = {int(pitch[i]): i for i in reversed(chord)}
    order = [of_pitch[key] for key in sorted(of_pitch, reverse=True)]
    return order if len(order) < 2 else [order[0], order[-1], *order[1:-1]]


def _octaves(
    pitch: NDArray[np.int64], instrument: Instrument, comfort: tuple[int, int], *, near: int
) -> int:
    """The shift by octaves with the fewest notes out of range, then near comfort and ``near``."""
    shifts, costs = _costs(pitch, instrument, comfort, near=near)
    return int(shifts[costs.argmin()])


def _costs(
    pitch: NDArray[np.int64], instrument: Instrument, comfort: tuple[int, int], *, near: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    shifts = np.arange(-60, 61, 12)
    there = pitch[None] + shifts[:, None]
    out = ((there < instrument.low) | (there > instrument.high)).mean(axis=1)
    beyond = (np.maximum(comfort[0] - there, 0) + np.maximum(there - comfort[1], 0)).mean(axis=1)
    return shifts, 50.0 * out + beyond + 0.01 * abs(shifts - near)


def _phrases(line: Notes) -> list[slice]:
    """Where a line may be moved without a leap that is heard: after rests and long notes."""
    gap = line.onset[1:] - (line.onset + line.length)[:-1]
    long = line.length[:-1] >= max(2.0, 2.5 * float(np.median(line.length)))
    cuts = [0, *(np.flatnonzero((gap > 0.2) | long) + 1).tolist(), len(line)]
    return [slice(a, b) for a, b in pairwise(cuts)]
