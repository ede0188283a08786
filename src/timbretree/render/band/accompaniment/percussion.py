"""Drums and cymbals: two parts of one kit, which agree because both come from the frame."""

import struct
from zlib import crc32

import numpy as np
from numpy.random import Generator

from timbretree.render.band.accompaniment.frame import (
    NEAR,
    STYLES,
    Frame,
    Pulse,
    Row,
    Stroke,
    eased,
    strokes,
)
from timbretree.render.band.accompaniment.grooves import (
    CYMBALS,
    DRUMS,
    FILLS,
    GROOVES,
    SOFT_FILLS,
    read,
)

LOUD = {"X": 104, "x": 86, "g": 48, "r": 64}
SOFTER = {"classical": 6, "church": 18, "folk": 10, "jazz": 10}
"""By how much a style is played softer."""
RINGS = {"C": 2.5, "D": 2.5, "X": 1.6, "S": 1.0, "d": 0.9, "j": 0.9, "b": 0.7, "o": 0.45}
"""Seconds until a player or nature ends a stroke; others are over in SHORT."""
SHORT = 0.22
ROLL = 13.0
"""Strokes a second in a roll."""


def groove_number(style: str, frame: Frame) -> int:
    """What chooses groove and fills: the same for all players of one frame in one style."""
    place = [STYLES.index(style), frame.beats, frame.bar, frame.tempo]
    for chord in frame.chords:
        place += [chord.onset, chord.length, chord.root]
    return crc32(struct.pack(f"<{len(place)}d", *place))


def percussion(tag: str, style: str, frame: Frame, rng: Generator) -> list[Row]:
    """The drums or the cymbals of the kit; ``rng`` is for how loud the strokes are, not which."""
    shared = np.random.default_rng(groove_number(style, frame))
    kit = _kit(style, frame, shared)
    keys = DRUMS if tag == "drums" else CYMBALS
    softer = SOFTER.get(style, 0)
    second = frame.tempo / 60
    rows: list[Row] = []
    for letter, stroke in kit:
        if letter not in keys:
            continue
        if stroke.mark == "r":
            rows += _roll(stroke, keys[letter], second, softer)
            continue
        length = min(RINGS.get(letter, SHORT) * second, frame.beats - stroke.onset)
        rows.append((stroke.onset, length, keys[letter], LOUD[stroke.mark] - softer))
    loud = rng.normal(0, 4, len(rows)).round().astype(int).tolist()
    return [(on, le, key, v + more) for (on, le, key, v), more in zip(rows, loud, strict=True)]


def _kit(style: str, frame: Frame, shared: Generator) -> list[tuple[str, Stroke]]:
    """All strokes of the kit, each with its letter: the groove, fills, and a crash after each."""
    grooves = GROOVES[style][frame.meter]
    groove = read(grooves[shared.integers(len(grooves))])
    kit = [(letter, s) for letter, pattern in groove.items() for s in strokes(frame, pattern)]
    soft = style in ("classical", "church", "jazz")
    every = int((2, 4, 4, 8)[shared.integers(4)]) * (2 if frame.pulses[0].of < 3 else 1)
    bars: dict[int, list[Pulse]] = {}
    for pulse in frame.pulses:
        bars.setdefault(pulse.bar, []).append(pulse)
    downbeats = [0.0]
    for bar, pulses in bars.items():
        fills = SOFT_FILLS if soft else FILLS
        fill = fills[shared.integers(len(fills))]
        if bar % every != every - 1 or len(pulses) < pulses[0].of:
            continue
        start, end = pulses[-2:][0].onset, pulses[-1].onset + pulses[-1].length
        if not soft:  # both hands are busy
            kit = [(k, s) for k, s in kit if not start - NEAR <= s.onset < end - NEAR]
        kit += _fill(fill, pulses[-2:], frame)
        downbeats.append(end)
    crash = "CDCDS"[shared.integers(5)]
    if style in ("rock", "pop", "electronic", "latin") or shared.random() < 0.3:
        kit += [(crash, Stroke(on, 1.0, "X", 0)) for on in downbeats if on < frame.beats - NEAR]
    return _once(kit)


def _fill(fill: str, pulses: list[Pulse], frame: Frame) -> list[tuple[str, Stroke]]:
    """A fill over one or two pulses; where there is one, it has the fill's end."""
    found: list[tuple[str, Stroke]] = []
    for letter, pattern in read(fill).items():
        groups = pattern.split()[-len(pulses) :]
        for pulse, group in zip(pulses, groups, strict=True):
            group = eased(group, frame)
            step = frame.pulse / len(group)
            for place, mark in enumerate(group):
                onset = pulse.onset + place * step
                if mark in "-." or onset > min(pulse.onset + pulse.length, frame.beats) - NEAR:
                    continue
                length = pulse.length if mark == "r" else step
                length = min(length, frame.beats - onset)
                found.append((letter, Stroke(onset, length, mark, pulse.place)))
    return found


def _roll(stroke: Stroke, key: int, second: float, softer: int) -> list[Row]:
    """Fast strokes from soft to loud."""
    count = max(2, round(stroke.length / second * ROLL))
    step = stroke.length / count
    loud = np.linspace(40, 92, count).round().astype(int) - softer // 2
    return [(stroke.onset + n * step, step, key, int(v)) for n, v in enumerate(loud)]


def _once(kit: list[tuple[str, Stroke]]) -> list[tuple[str, Stroke]]:
    """No two strokes of one thing at one time: the louder stays."""
    best: dict[tuple[str, int], Stroke] = {}
    for letter, stroke in kit:
        place = letter, round(stroke.onset * 1000)
        if place not in best or LOUD[stroke.mark] > LOUD[best[place].mark]:
            best[place] = stroke
    return [(letter, stroke) for (letter, _), stroke in sorted(best.items())]
