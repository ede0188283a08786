"""Mixes what the players play into a track, and says what is to be heard in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbretree.render.studio.desk import (
    Band,
    Compression,
    chorus,
    compress,
    drive,
    equalise,
    place,
)
from timbretree.render.studio.loudness import (
    SILENT,
    Audio,
    Heard,
    Powers,
    frame_powers,
    heard_in,
    integrated,
    struck_level,
)
from timbretree.render.studio.rooms import draw_room, reverberate
from timbretree.render.studio.wear import wear

LOUDNESS = {"melody": 0.0, "bass": -3.0, "rhythm": -1.0, "inner": -4.0, "chords": -5.0}
"""How loud the players of each role are before chance has its say, in dB."""
CEILING = -0.3
"""The highest peak of a mix, in dB full scale."""

_DESK = -23.0  # the loudness at which the desk is fed, in dB
_CREST = 20.0  # the peaks of a part are at most so many dB above its loudness
_MIDDLE = {"bass", "drums", "voice"}  # tags that stand in the middle
_STYLES = ("open", "gentle", "loud")
_DRIVEN = {"guitar": 0.25, "synthesizer": 0.1, "bass": 0.1, "organ": 0.1}
_CHORUSED = {"guitar": 0.1, "synthesizer": 0.1, "organ": 0.15}


@dataclass(frozen=True, eq=False)
class Stem:
    """What one player plays, as it comes from an instrument, at any level."""

    tag: str
    """An instrument of OpenMIC."""
    role: str
    """melody, inner, bass, chords or rhythm."""
    audio: Audio
    """(2, T) float32 at 44.1 kHz."""


@dataclass(frozen=True, eq=False)
class Mix:
    """A finished track."""

    audio: Audio
    """(2, T) float32 at 44.1 kHz, within 0.3 dB below full scale."""
    heard: dict[str, Heard]
    """The instruments that are to be heard, in the order of the stems."""
    settings: dict[str, float | str]
    """How it was made, for the record."""


def mix(stems: Sequence[Stem], *, rng: np.random.Generator) -> Mix:
    """Mix some parts into a track as a band's engineer might, in some room, new or worn.

    What is to be heard is measured on the parts after the desk and before the room's sound is
    added, against the mix with the room, before anything wears it; parts of one tag are added.
    Parts that are silent stay so; where all are, the track is. Raises ValueError.
    """
    frames = _frames(stems)
    room = draw_room(rng)
    settings: dict[str, float | str] = {"room": room.kind, "decay": room.decay, "wet": room.wet}
    bus, send = np.zeros((2, frames), np.float32), np.zeros(frames, np.float32)
    parts: dict[str, Powers] = {}
    for stem in stems:
        level = struck_level(_powers(stem))
        if level < SILENT:
            continue
        part = _strip(stem, level, rng)
        bus += part
        send += part.mean(axis=0) * np.float32(_send(stem, rng))
        powers = frame_powers(part)
        parts[stem.tag] = parts[stem.tag] + powers if stem.tag in parts else powers
    if not parts:
        return Mix(bus, {}, settings)
    bus += reverberate(send, room)
    whole = frame_powers(bus)
    heard = {tag: found for tag, part in parts.items() if (found := heard_in(whole, part))}
    bus = _press(bus, settings, rng)
    bus, traces = wear(bus, rng=rng)
    return Mix(_level(bus, settings, rng), heard, settings | traces)


def _frames(stems: Sequence[Stem]) -> int:
    shapes = sorted({stem.audio.shape for stem in stems})
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][0] != 2 or not shapes[0][1]:
        raise ValueError(f"expected stems of one shape (2, samples), got {shapes}")
    for stem in stems:
        if stem.role not in LOUDNESS:
            raise ValueError(f"expected a role of {', '.join(LOUDNESS)}, got {stem.role!r}")
    return int(shapes[0][1])


def _powers(stem: Stem) -> Powers:
    powers = frame_powers(stem.audio)
    if not np.isfinite(powers.sum()):
        raise ValueError(f"the stem of {stem.tag} holds samples that are no numbers: play it again")
    return powers


def _strip(stem: Stem, level: float, rng: np.random.Generator) -> Audio:
    """A part through its channel of the desk, at its level and its place."""
    audio = stem.audio.astype(np.float32, copy=False) * np.float32(10 ** ((_DESK - level) / 20))
    audio = equalise(audio, [_band(rng) for _ in range(rng.integers(1, 4))])
    if rng.random() < 0.35:
        threshold = _peak(audio) - float(rng.uniform(3, 15))
        ratio, attack = float(rng.uniform(1.5, 4)), float(rng.uniform(0.002, 0.03))
        audio = compress(audio, Compression(threshold, ratio, attack))
    if rng.random() < _DRIVEN.get(stem.tag, 0.0):
        audio = drive(audio, float(rng.uniform(3, 15)))
    if rng.random() < _CHORUSED.get(stem.tag, 0.0):
        audio = chorus(audio, float(rng.uniform(0.3, 3)), float(rng.uniform(5e-4, 2.5e-3)))
    reach = 0.15 if stem.tag in _MIDDLE or stem.role == "bass" else 0.8
    audio = place(audio, float(rng.uniform(-reach, reach)), float(rng.uniform(0.3, 1)))
    wanted = _DESK + LOUDNESS[stem.role] + float(np.clip(rng.normal(0, 3), -6, 6))
    gain = min(wanted - struck_level(frame_powers(audio)), wanted + _CREST - _peak(audio), 30.0)
    return audio * np.float32(10 ** (gain / 20))


def _band(rng: np.random.Generator) -> Band:
    hertz = float(np.exp(rng.uniform(np.log(80), np.log(12_000))))
    return Band(hertz, float(rng.uniform(-6, 6)), float(rng.uniform(0.4, 1.5)))


def _send(stem: Stem, rng: np.random.Generator) -> float:
    """By how much a part goes into the room: the bass hardly, so that it stays clear."""
    return 10 ** ((float(rng.uniform(-5, 1)) - 8 * (stem.role == "bass")) / 20)


def _press(bus: Audio, settings: dict[str, float | str], rng: np.random.Generator) -> Audio:
    """Hold the whole track together by a compressor, or press it flat as loud records are."""
    style = _STYLES[int(rng.choice(len(_STYLES), p=[0.35, 0.35, 0.3]))]
    settings["master"] = style
    if style == "gentle":
        threshold = _peak(bus) - float(rng.uniform(4, 10))
        return compress(bus, Compression(threshold, float(rng.uniform(1.5, 3)), 0.01))
    if style == "loud":
        above = float(rng.uniform(6, 11))  # of the peaks above the loudness
        threshold = integrated(frame_powers(bus)) + above
        return compress(bus, Compression(threshold, 10.0, 0.001, 200.0))
    return bus


def _level(track: Audio, settings: dict[str, float | str], rng: np.random.Generator) -> Audio:
    """As loud as some record is, unless that were over the ceiling."""
    loudness = integrated(frame_powers(track))
    wanted = float(rng.uniform(-15 if settings["master"] == "loud" else -24, -9))
    gain = min(wanted - loudness, CEILING - _peak(track))
    settings["loudness"] = loudness + gain
    return track * np.float32(10 ** (gain / 20))


def _peak(audio: Audio) -> float:
    """The highest peak in dB."""
    return 20 * float(np.log10(max(float(np.abs(audio).max()), 1e-6)))
