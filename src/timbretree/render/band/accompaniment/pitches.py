"""Which pitches each instrument accompanies in, and how chords move from one to the next."""

from collections.abc import Iterable
from itertools import pairwise

from timbretree.render.music import Chord

LOW = {
    "accordion": (41, 58),
    "banjo": (50, 64),
    "bass": (28, 55),
    "cello": (36, 60),
    "clarinet": (50, 67),
    "flute": (60, 76),
    "guitar": (40, 59),
    "mallet_percussion": (53, 69),
    "mandolin": (55, 69),
    "organ": (36, 53),
    "piano": (28, 52),
    "saxophone": (49, 63),
    "synthesizer": (28, 52),
    "trombone": (40, 62),
    "trumpet": (53, 69),
    "ukulele": (60, 74),
    "violin": (55, 72),
    "voice": (41, 60),
}
"""The MIDI keys each plays a bass line in."""

MIDDLE = {
    "accordion": (55, 81),
    "banjo": (50, 79),
    "bass": (40, 62),
    "cello": (40, 69),
    "clarinet": (50, 77),
    "flute": (62, 86),
    "guitar": (40, 76),
    "mallet_percussion": (55, 86),
    "mandolin": (55, 84),
    "organ": (48, 79),
    "piano": (50, 79),
    "saxophone": (50, 74),
    "synthesizer": (48, 84),
    "trombone": (46, 69),
    "trumpet": (55, 77),
    "ukulele": (60, 79),
    "violin": (57, 84),
    "voice": (48, 76),
}
"""The MIDI keys each plays chords in, alone or with others of its kind."""


def nearest(pitch_class: int, near: float, low: int, high: int) -> int:
    """The key of a pitch class that is nearest to a key; ``low`` to ``high`` is an octave or more.

    Of two that are as near, the lower.
    """
    options = range(low + (pitch_class - low) % 12, high + 1, 12)
    return min(options, key=lambda pitch: (abs(pitch - near), pitch))


def lead(classes: Iterable[int], before: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
    """A chord in close position whose notes move least from those before it.

    Without any before, the one nearest to the middle of ``low`` to ``high``, which are two octaves
    apart or nearly. The keys are in rising order.
    """
    classes = tuple(dict.fromkeys(pitch % 12 for pitch in classes))
    best, least = tuple(sorted(nearest(c, (low + high) / 2, low, high) for c in classes)), 1e9
    for turn in range(len(classes)):
        stack = [0]
        turned = classes[turn:] + classes[:turn]
        for under, over in pairwise(turned):
            stack.append(stack[-1] + (over - under) % 12)
        for ground in range(low + (turned[0] - low) % 12, high + 1 - stack[-1], 12):
            chord = tuple(ground + step for step in stack)
            cost = _distance(chord, before or ((low + high) // 2,))
            if cost < least:
                best, least = chord, cost
    return best


def thinned(chord: Chord, count: int) -> tuple[int, ...]:
    """The pitch classes of a chord, at most so many; the fifth is left out first."""
    classes = chord.pitches
    if len(classes) > count and len(classes) > 3:
        classes = classes[:2] + classes[3:]
    return classes[:count]


def coloured(chord: Chord) -> tuple[int, ...]:
    """As jazz would have it: the ninth for the root, where the bass plays the root.

    Diminished and augmented chords stay as they are.
    """
    if (chord.pitches[2] - chord.root) % 12 != 7:
        return chord.pitches
    return (*chord.pitches[1:], (chord.root + 2) % 12)


def _distance(chord: tuple[int, ...], before: tuple[int, ...]) -> float:
    """How far the notes of one chord are from the nearest of the other, both ways."""
    there = sum(min(abs(a - b) for b in before) for a in chord)
    back = sum(min(abs(a - b) for b in chord) for a in before)
    # the top voice is heard most
    return there + back + 0.5 * abs(chord[-1] - before[-1])
