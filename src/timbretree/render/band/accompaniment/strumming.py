"""Guitar, ukulele, mandolin and banjo: strums, picking, chops, tremolo and rolls."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from timbretree.render.band.accompaniment.frame import Frame, Row, Stroke, slow, strokes
from timbretree.render.band.accompaniment.frets import Shape, best_capo, power, shape, small

APART = (0.008, 0.025)
"""Seconds from string to string of a strum."""

PATTERNS = {
    # d and D down, u up, x muted, m palm-muted, k a chop, b the bass string, f another bass
    # string, q some strings at once, p the bass string with them, digits single strings from 1,
    # the highest on paper
    "island": ("D. du .u du", "D. du du", "d.u d.u"),
    "steady": ("D. d. D. du", "D. d. d.", "D.d D.d"),
    "rolling": ("Dudu Dudu Dudu Dudu", "Dudu Dudu Dudu", "Dududu Dududu"),
    "campfire": ("D... d.du .udu d.du", "D... d.du d.du", "D.d dud"),
    "ringing": ("D- -- -- --|D- -- D- --", "D- -- --", "D-- d--"),
    "boom": ("bd fd", "b. d. d.|f. d. d.", "b.d f.d"),
    "boom_up": ("b. du f. du", "b. du du|f. du du", "b.d fdu"),
    "travis": ("p. f2 b3 f1|b2 f3 p. f2", "b3 f2 f1", "b23 f12"),
    "arpeggio": ("b3 21 23 21|b3 23 12 3.", "b3 21 23", "b32 123"),
    "plucked": ("b. q. f. q.", "b. q. q.", "b.q f.q"),
    "bossa": ("p. .q f. q.|bq .q f. .q", "p. .q q.", "p.q fq."),
    "four": ("d. D. d. D.", "d. D. D.", "d.d D.d"),
    "charleston": ("q. .q .. ..|.. .q .. q.", "q. .q ..", "q.. .q."),
    "offbeat": (".D .D .D .D", ".. D. D.", "..D ..D"),
    "chugging": ("Dm mm Dm mm|Dm mD mm Dm", "Dm mm mm", "Dmm Dmm"),
    "eighths": ("Dd dd Dd dd", "Dd dd dd", "Ddd Ddd"),
    "stabs": ("D- -. .D -.|D- -- .D D.", "D- .D -.", "D-. .D."),
    "funk": ("x.xD x.Dx xDx. xxDx|D.xx xDxx xxDx x.uD", "x.xD x.Dx xDx.", "D.x xDx"),
    "muted": ("xx Dx xx Dx", "xx Dx Dx", "xxx Dxx"),
    "chop": (".k .k", ".. k. k.", "..k ..k"),
    "crosspick": ("4321 2343 4321 2343", "4321 2343 2123", "432 123"),
    "forward": ("2152 1521 3215 2152", "2152 1521 3215", "215 215"),
    "backward": ("1251 2512 1251 2521", "1251 2512 1251", "125 125"),
    "alternating": ("3251 4251 3251 4251", "3251 4251 3251", "325 125"),
    "foggy": ("2125 2125 2153 2515", "2125 2125 2153", "212 512"),
    "claw": ("4.d5 3.d5 4.d5 2.d5", "4... d.d5 d.d5", "4.d 5d5"),
}
TREMOLO = "tremolo"

OF_STYLE = {
    "guitar": {
        "classical": ("arpeggio", "plucked", "arpeggio"),
        "folk": ("travis", "island", "campfire", "boom", "arpeggio"),
        "bluegrass": ("boom", "boom_up"),
        "jazz": ("four", "four", "charleston"),
        "pop": ("island", "campfire", "steady", "arpeggio", "offbeat", "funk"),
        "rock": ("power:chugging", "power:eighths", "power:stabs", "steady", "ringing"),
        "electronic": ("funk", "muted", "arpeggio", "ringing"),
        "latin": ("bossa", "rolling", "plucked", "offbeat"),
        "church": ("ringing", "arpeggio", "steady"),
    },
    "ukulele": {
        "classical": ("arpeggio", "plucked"),
        "jazz": ("four", "island", "rolling"),
        "latin": ("rolling", "island", "offbeat"),
        "church": ("ringing", "arpeggio"),
        "": ("island", "island", "steady", "rolling", "campfire", "arpeggio", "offbeat"),
    },
    "mandolin": {
        "bluegrass": ("chop", "chop", "crosspick"),
        "folk": ("chop", "rolling", TREMOLO, "crosspick"),
        "jazz": ("four", "chop"),
        "rock": ("rolling", "eighths", "crosspick"),
        "latin": (TREMOLO, "offbeat", "rolling"),
        "church": (TREMOLO, "ringing"),
        "classical": (TREMOLO, "crosspick", TREMOLO),
        "": ("island", "chop", TREMOLO, "crosspick"),
    },
    "banjo": {
        "jazz": ("four", "four", "rolling"),
        "": ("forward", "backward", "alternating", "foggy", "claw"),
    },
}
RHYTHM = {
    "guitar": ("funk", "muted", "offbeat"),
    "ukulele": ("muted", "offbeat", "rolling"),
    "mandolin": ("chop", "muted"),
    "banjo": ("offbeat", "four", "alternating"),
}
IN_HALVES = ("boom", "chop", "travis", "claw", "forward", "backward", "alternating", "foggy")
"""Those that go at half the speed where the beats are fast."""

DAMPED = ("four", "charleston", "offbeat", "stabs", "chugging", "eighths", "funk", "bossa")
"""Those whose silences are silent; in others the strings ring until the next chord."""
VELOCITY = {
    "D": 98,
    "d": 84,
    "u": 72,
    "x": 56,
    "m": 76,
    "k": 98,
    "b": 86,
    "f": 82,
    "q": 80,
    "p": 84,
}


class Hand(NamedTuple):
    """How a stroke is played, in beats."""

    end: float
    """When the strings are silenced."""
    apart: float
    """From string to string."""
    second: float
    """How many beats a second has."""


class Pluck(NamedTuple):
    """One string, plucked."""

    onset: float
    length: float
    string: int
    pitch: int
    velocity: int


def strum(tag: str, role: str, style: str, frame: Frame, rng: Generator) -> list[Row]:
    """Chords on the strings of guitar, ukulele, mandolin or banjo, one note a string at a time."""
    name = _choose(tag, role, style, rng)
    easy = tag == "guitar" and style in ("folk", "pop", "bluegrass", "church")
    capo = best_capo(tuple(span.chord for span in frame.spans)) if easy else 0
    shapes = {span.onset: shape(tag, span.chord, capo) for span in frame.spans}
    if name.startswith("power:"):
        shapes = {span.onset: power(span.chord) for span in frame.spans}
        name = name.removeprefix("power:")
    elif tag == "guitar" and name in ("four", "charleston"):
        shapes = {onset: small(strings) for onset, strings in shapes.items()}
    if name == TREMOLO:
        return _on_strings(_tremolo(frame, shapes, rng), frame)
    pattern = PATTERNS[name][frame.meter]
    pattern = slow(frame, pattern) if name in IN_HALVES else pattern
    gap = rng.uniform(*APART)
    plucks: list[Pluck] = []
    for stroke in strokes(frame, pattern):
        span = frame.span(stroke.onset)
        seconds = gap * rng.uniform(0.85, 1.15)
        seconds = min(max(seconds, APART[0]), APART[1], max(stroke.length * 6 / frame.tempo, 0.008))
        end = stroke.onset + stroke.length if name in DAMPED else span.end
        hand = Hand(end, seconds * frame.tempo / 60, frame.tempo / 60)
        plucks += _pluck(stroke, shapes[span.onset], span.chord.root, hand)
    loud = rng.normal(0, 3, len(plucks))
    plucks = [
        p._replace(velocity=p.velocity + round(more)) for p, more in zip(plucks, loud, strict=True)
    ]
    return _on_strings(plucks, frame)


def _choose(tag: str, role: str, style: str, rng: Generator) -> str:
    if role == "rhythm":
        names = RHYTHM[tag]
        if (tag, style) == ("guitar", "rock"):
            names = ("power:chugging", "muted")
    else:
        styles = OF_STYLE[tag]
        names = styles[style] if style in styles else styles[""]
    return names[rng.integers(len(names))]


def _pluck(stroke: Stroke, strings: Shape, root: int, hand: Hand) -> list[Pluck]:
    """What a stroke does to the strings."""
    sounding = [place for place, key in enumerate(strings) if key is not None]
    low = min(
        sounding, key=lambda place: (strings[place] or 0) + 99 * (not _is(strings, place, root))
    )
    others = sorted((p for p in sounding if p != low), key=lambda place: strings[place] or 0)
    mark = stroke.mark
    end, apart = hand.end, hand.apart
    if mark in "uU":
        chosen = sounding[:-5:-1]
    elif mark == "m":
        chosen, end = sounding[:3], stroke.onset + 0.1 * hand.second
    elif mark in "xk":
        chosen, end = sounding, stroke.onset + (0.05 if mark == "x" else 0.08) * hand.second
        apart = APART[0] * hand.second
    elif mark == "q":
        chosen, apart = sounding[-3:], 0.0
    elif mark == "p":
        chosen, apart = list(dict.fromkeys((low, *sounding[-2:]))), 0.0
    elif mark in "bB":
        chosen = [low]
    elif mark == "f":
        chosen = [others[0]]
    elif mark.isdigit():
        wanted = len(strings) - int(mark)
        chosen = [wanted if wanted in sounding else sounding[0]]
    else:
        chosen = sounding
    velocity = VELOCITY.get(mark, 78)
    return [
        Pluck(
            stroke.onset + n * apart,
            max(end - stroke.onset - n * apart, 0.05 * hand.second),
            place,
            strings[place] or 0,
            velocity - min(n, 3) * 2,
        )
        for n, place in enumerate(chosen)
    ]


def _is(strings: Shape, place: int, root: int) -> bool:
    return ((strings[place] or 0) - root) % 12 == 0


def _tremolo(frame: Frame, shapes: dict[float, Shape], rng: Generator) -> list[Pluck]:
    """One or two strings to and fro as fast as the wrist goes, swelling with each chord."""
    step = frame.tempo / 60 / rng.uniform(10.5, 13.5)
    double = rng.random() < 0.5
    first = int(rng.integers(1, 3))
    plucks: list[Pluck] = []
    for onset, end, _ in frame.spans:
        strings = shapes[onset]
        sounding = [place for place, key in enumerate(strings) if key is not None]
        chosen = sounding[-first - 1 :][: 2 if double else 1]
        count = max(1, int((end - onset) / step))
        swell = (
            70
            + 20 * np.sin(np.pi * (np.arange(count) + 1) / (count + 1))
            - 5 * (np.arange(count) % 2)
        )
        for number, velocity in enumerate(swell.round().astype(int).tolist()):
            plucks += [
                Pluck(onset + number * step, step, place, strings[place] or 0, velocity)
                for place in chosen
            ]
    return plucks


def _on_strings(plucks: list[Pluck], frame: Frame) -> list[Row]:
    """A string stops sounding as it is plucked again."""
    rows: list[Row] = []
    following: dict[int, float] = {}
    for pluck in sorted(plucks, key=lambda p: p.onset, reverse=True):
        end = min(pluck.onset + pluck.length, following.get(pluck.string, frame.beats), frame.beats)
        if end - pluck.onset > 0.005:
            rows.append((pluck.onset, end - pluck.onset, pluck.pitch, pluck.velocity))
            following[pluck.string] = pluck.onset
    return rows
