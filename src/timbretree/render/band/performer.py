"""Plays a score as people would: in time that breathes, each a little early or late, loud and soft.

Everything is written in beats and comes out in seconds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.music import Notes, Part

Floats = NDArray[np.float64]

KIT = ("drums", "cymbals")
STRUCK = ("drums", "cymbals", "guitar", "banjo", "ukulele", "mandolin", "mallet_percussion")
"""Those whose notes end of themselves, or as the left hand says: their lengths stay."""
PULSE_WANDERS = {"classical": 0.03, "church": 0.025, "folk": 0.015, "electronic": 0.0}
WANDERS = 0.01
"""By how much the tempo varies in other styles, as a standard deviation."""
LEGATO = {"classical": 0.7, "church": 0.8, "pop": 0.6, "jazz": 0.5, "folk": 0.5, "electronic": 0.5}
"""How likely a player of a style is one who joins the notes; of others, as likely as not."""
MACHINES = ("drums", "cymbals", "synthesizer", "bass")
"""What a sequencer plays in electronic music."""
TOGETHER = 0.03
"""Seconds: notes of a player no further apart are one movement of the hand."""
LAST = 0.05
"""Seconds before the end of the clip in which no note begins."""
GAP = 0.004
"""Seconds between two notes of one key."""
LEAD = 0.3
"""Seconds within which the first note comes."""


@dataclass(frozen=True, eq=False)
class Clock:
    """The tempo that all share: where each beat is in time, and when phrases begin."""

    beats: Floats
    seconds: Floats
    swing: float
    """Where an eighth after the beat falls within it; 0.5 is straight."""
    phrase: float
    """Beats a phrase."""

    def at(self, beats: Floats) -> Floats:
        """Beats in seconds; off-beats of swinging music come late."""
        whole = np.floor(beats)
        part = beats - whole
        bent = np.interp(part, [0.0, 0.5, 1.0], [0.0, self.swing, 1.0])
        return np.interp(whole + bent, self.beats, self.seconds)


@dataclass(frozen=True, eq=False)
class Player:
    """One person's ways."""

    drift: Floats
    """How late they are in seconds, at each TICK of time; below 0 is early."""
    loose: float
    """The standard deviation of their timing from note to note, in seconds."""
    level: float
    arc: float
    """How much louder the middle of a phrase is, in steps of velocity."""
    accent: float
    """How much more than others they stress the beat; 1 is usual."""
    uneven: float
    """The standard deviation of velocity."""


TICK = 0.1
"""Seconds from one value of a player's drift to the next."""


def perform(
    parts: tuple[Part, ...], *, tempo: float, style: str, seconds: float, rng: Generator
) -> tuple[Part, ...]:
    """Play parts written in beats at a tempo in beats a minute; each part keeps its place.

    The first note of all comes within LEAD seconds; so many ``seconds`` of music take as many
    beats as at an even tempo. What would sound longer than ``seconds`` is cut, what would begin
    less than LAST before is left out; a part may so be without notes. Notes of one key in a part
    do not overlap. Raises ValueError for a tempo or length that is not above 0.
    """
    if not (tempo > 0 and seconds > 0):
        raise ValueError(f"tempo and seconds are above 0, got {tempo} and {seconds}")
    clock = _clock(parts, tempo, style, seconds, rng)
    lead = float(rng.uniform(0, LEAD))
    drummer = _player("drums", style, seconds, rng)  # one person, though of two parts
    played: list[Notes] = []
    for part in parts:
        own = _player(part.tag, style, seconds, rng)
        player = drummer if part.tag in KIT else own
        played.append(_play(part, clock, player, style, rng))
    first = min((float(notes.onset.min()) for notes in played if len(notes)), default=0.0)
    return tuple(
        Part(part.tag, part.role, _finish(notes, lead - first, seconds))
        for part, notes in zip(parts, played, strict=True)
    )


def _clock(
    parts: tuple[Part, ...], tempo: float, style: str, seconds: float, rng: Generator
) -> Clock:
    even = seconds * tempo / 60
    ends = [float((p.notes.onset + p.notes.length).max()) for p in parts if len(p.notes)]
    beats = np.arange(0, max([even, *ends]) + 2, 0.25)
    depth = PULSE_WANDERS.get(style, WANDERS) * rng.uniform(0.5, 1.3)
    waves = rng.uniform([5, 9, 16], [9, 16, 32]), rng.uniform(0, 2 * np.pi, 3)
    wander = np.sin(2 * np.pi * beats[:, None] / waves[0] + waves[1]).mean(axis=1) * np.sqrt(6)
    pace = 60 / tempo / (1 + depth * np.clip(wander, -2, 2))
    time = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2 * 0.25)])
    time *= seconds / np.interp(even, beats, time)
    swing = _swing(parts, tempo, rng) if style == "jazz" else 0.5
    return Clock(beats, time, swing, float((6, 8, 8, 12, 16)[rng.integers(5)]))


def _swing(parts: tuple[Part, ...], tempo: float, rng: Generator) -> float:
    """How far straight eighths swing, less in fast music; not at all where triplets are written."""
    own = float(np.clip(0.67 - 0.0009 * (tempo - 110) + rng.normal(0, 0.012), 0.54, 0.69))
    phases = np.concatenate([part.notes.onset % 1 for part in parts] or [np.zeros(0)])
    straight = (np.abs(phases - 0.5) < 0.06).sum()
    triplets = (np.abs(phases - 2 / 3) < 0.04).sum()
    return 0.5 if triplets > 0.5 * straight else own


def _player(tag: str, style: str, seconds: float, rng: Generator) -> Player:
    loose = rng.uniform(0.006, 0.016)
    tamed = 1.0
    if style == "electronic" and tag in MACHINES:
        loose, tamed = 0.1 * loose, 0.4
    count = int((seconds + 2) / TICK) + 2
    bias = np.clip(rng.normal(0, 0.8), -1.5, 1.5)
    drift = loose * (bias + 0.9 * _wandering(count, 0.93, rng))
    return Player(
        drift=drift,
        loose=0.5 * loose,
        level=rng.uniform(-9, 7),
        arc=tamed * rng.uniform(4, 14),
        accent=tamed * rng.uniform(0.5, 1.5),
        uneven=tamed * rng.uniform(2.5, 5.5),
    )


def _wandering(count: int, memory: float, rng: Generator) -> Floats:
    """(count,): noise of standard deviation 1 whose next value is much like the last."""
    fresh = rng.normal(0, np.sqrt(1 - memory**2), count).tolist()
    value = float(rng.normal())
    found = []
    for new in fresh:
        value = memory * value + new
        found.append(value)
    return np.array(found)


def _play(part: Part, clock: Clock, player: Player, style: str, rng: Generator) -> Notes:
    """The notes in seconds from the first beat, not yet cut to the clip."""
    notes = part.notes
    if not len(notes):
        return notes
    order = np.lexsort((notes.pitch, notes.onset))
    notes = notes.take(order)
    onset, end = clock.at(notes.onset), clock.at(notes.onset + notes.length)
    strokes = np.concatenate([[0], np.cumsum(np.diff(onset) > TOGETHER)])
    late = np.interp(onset, TICK * np.arange(len(player.drift)), player.drift)
    late += player.loose * np.clip(rng.normal(0, 1, strokes[-1] + 1), -2.5, 2.5)[strokes]
    late += 0.001 * np.clip(rng.normal(0, 1, len(onset)), -2, 2)
    if part.role == "melody":
        late -= rng.uniform(0.002, 0.014)
    velocity = notes.velocity + _dynamics(notes.onset, strokes, clock, player, rng)
    length = np.maximum(end - onset, TOGETHER)
    if part.tag not in STRUCK:
        length = _articulate(part.tag, style, onset, length, rng)
        if INSTRUMENTS[part.tag].breath:
            length = _breathe(onset, length, strokes, rng)
    # after the drift: an end moves with its beginning
    return Notes(onset + late, length, notes.pitch, np.round(velocity).astype(np.int64))


def _dynamics(
    beats: Floats, strokes: NDArray[np.int64], clock: Clock, player: Player, rng: Generator
) -> Floats:
    """What is added to the velocities as written."""
    arc = np.sin(np.pi * (beats % clock.phrase) / clock.phrase) - 0.64
    phase = np.round(beats * 4) % 4
    stress = np.select([phase == 0, phase == 2], [3.0, -1.0], -3.5)
    whim = _wandering(int(strokes[-1]) + 1, 0.7, rng)[strokes]
    chance = rng.normal(0, 0.6, len(beats))
    added = player.level + player.arc * arc + player.accent * stress
    return np.asarray(added + player.uneven * (whim + chance))


def _articulate(tag: str, style: str, onset: Floats, length: Floats, rng: Generator) -> Floats:
    """Joined or detached, as the player likes it; long notes lose little either way."""
    if rng.random() < LEGATO.get(style, 0.5):
        share, most = rng.uniform(0.94, 1.0), 0.05
    else:
        share, most = rng.uniform(0.6, 0.88), rng.uniform(0.08, 0.16)
    length = np.maximum(length * share, length - most)
    if INSTRUMENTS[tag].voices == 1:  # one note ends where another begins, but not within chords
        after = np.searchsorted(onset, onset + TOGETHER)
        following = np.append(onset, np.inf)[after]
        length = np.minimum(length, following - onset)
    return length


def _breathe(onset: Floats, length: Floats, strokes: NDArray[np.int64], rng: Generator) -> Floats:
    """Ends long notes early where breath is due, at the latest after a few seconds."""
    length = length.copy()
    last = int(strokes[-1])
    starts = np.searchsorted(strokes, np.arange(last + 1))
    begin = onset[starts]
    end = np.maximum.reduceat(onset + length, starts)
    sizes = end - begin
    long = max(0.35, float(np.median(sizes)) * 1.3)
    breath, since = rng.uniform(2.2, 4.5), float(begin[0])
    for stroke in range(last):
        if begin[stroke + 1] - end[stroke] > 0.15:
            since = float(begin[stroke + 1])
            continue
        due = float(end[stroke]) - since
        if due > breath or (due > 0.5 * breath and sizes[stroke] >= long):
            taken = min(rng.uniform(0.12, 0.3), 0.5 * float(sizes[stroke]))
            inside = strokes == stroke
            length[inside] = np.minimum(length[inside], end[stroke] - taken - onset[inside])
            since = float(begin[stroke + 1])
            breath = rng.uniform(2.2, 4.5)
    return np.maximum(length, 0.02)


def _finish(notes: Notes, later: float, seconds: float) -> Notes:
    """Moved, cut to the clip, and no key pressed that is still down."""
    onset = np.maximum(notes.onset + later, 0.0)
    rows: list[tuple[float, float, int, int]] = []
    following: dict[int, float] = {}
    for place in np.argsort(-onset, kind="stable").tolist():
        start, pitch = float(onset[place]), int(notes.pitch[place])
        if start > seconds - LAST:
            continue
        stop = min(start + float(notes.length[place]), following.get(pitch, seconds + GAP) - GAP)
        if stop - start < 0.015:  # doubled by another note of the same key
            continue
        following[pitch] = start
        rows.append((start, stop - start, pitch, min(max(int(notes.velocity[place]), 1), 127)))
    return Notes.of(rows)
