"""How chords lie under the left hand of guitar, ukulele, mandolin and banjo."""

from functools import cache
from itertools import product

from timbretree.render.music import Chord

TUNING = {
    "guitar": (40, 45, 50, 55, 59, 64),
    "ukulele": (67, 60, 64, 69),
    "mandolin": (55, 62, 69, 76),
    "banjo": (67, 50, 55, 59, 62),
}
"""The open strings in the order of their lying, the last is string 1. The short fifth string of the
banjo and the fourth of the ukulele are not their lowest."""

Shape = tuple[int | None, ...]
"""The key of each string, in the order of TUNING; None is not played."""

QUALITY = {
    (4, 7): "",
    (3, 7): "m",
    (4, 7, 10): "7",
    (3, 7, 10): "m7",
    (4, 7, 11): "maj7",
    (3, 6): "dim",
    (3, 6, 10): "m7b5",
    (3, 6, 9): "dim7",
    (4, 8): "aug",
    (5, 7): "sus4",
    (2, 7): "sus2",
    (4, 7, 9): "6",
}
"""Names of chords by the half-tones above the root."""

OPEN = {
    0: {"": "x32010", "7": "x32310", "maj7": "x32000"},
    2: {
        "": "xx0232",
        "m": "xx0231",
        "7": "xx0212",
        "m7": "xx0211",
        "maj7": "xx0222",
        "sus4": "xx0233",
        "sus2": "xx0230",
    },
    5: {"maj7": "xx3210"},
    7: {"": "320003", "7": "320001", "maj7": "320002"},
    11: {"7": "x21202"},
}
"""The guitar's shapes at the nut by root; x is a string that is not played."""

BARRE = {
    4: {
        "": "022100",
        "m": "022000",
        "7": "020100",
        "m7": "020000",
        "maj7": "0x110x",
        "sus4": "022200",
        "6": "022120",
        "aug": "032110",
    },
    9: {
        "": "x02220",
        "m": "x02210",
        "7": "x02020",
        "m7": "x02010",
        "maj7": "x02120",
        "dim": "x0121x",
        "m7b5": "x0101x",
        "dim7": "x01212",
        "aug": "x03221",
        "sus4": "x02230",
        "sus2": "x02200",
        "6": "x02222",
    },
}
"""The guitar's shapes of E and A, which move up the neck."""


def shape(tag: str, chord: Chord, capo: int = 0) -> Shape:
    """The strings of a chord: on the guitar as in songbooks, else what lies best under the hand."""
    if tag == "guitar":
        return _on_guitar((chord.root - capo) % 12, _steps(chord), capo)
    if tag == "banjo":  # the drone string is never stopped
        return (TUNING["banjo"][0], *_search(TUNING["banjo"][1:], chord.root, _steps(chord)))
    return _search(TUNING[tag], chord.root, _steps(chord))


def power(chord: Chord) -> Shape:
    """Root, fifth and octave on the guitar's low strings."""
    fret = (chord.root - 4) % 12
    on_a = fret > 7
    fret = (chord.root - 9) % 12 if on_a else fret
    open_strings = TUNING["guitar"]
    held: list[int | None] = [None] * 6
    first = 1 if on_a else 0
    for string, above in zip(range(first, first + 3), (0, 2, 2), strict=True):
        held[string] = open_strings[string] + fret + above
    return tuple(held)


def small(strings: Shape) -> Shape:
    """The guitar's four inner strings, as in the rhythm section of a jazz band."""
    return tuple(
        key if 1 <= place <= 4 or (place == 0 and strings[1] is None) else None
        for place, key in enumerate(strings)
    )


def best_capo(chords: tuple[Chord, ...]) -> int:
    """At which fret a capo makes most chords easy, 0 to 4."""

    def easy(capo: int) -> int:
        at_nut = ((c.root - capo) % 12 for c in chords)
        return sum((root in OPEN and root != 5) or root in BARRE for root in at_nut)

    return max(range(5), key=lambda capo: (easy(capo), -capo))


def _steps(chord: Chord) -> tuple[int, ...]:
    return tuple(sorted((pitch - chord.root) % 12 for pitch in chord.pitches[1:]))


@cache
def _on_guitar(root: int, steps: tuple[int, ...], capo: int) -> Shape:
    name = QUALITY.get(steps)
    if name in OPEN.get(root, {}):
        return _read(OPEN[root][name], capo)
    options = [
        ((root - base) % 12, shapes[name]) for base, shapes in BARRE.items() if name in shapes
    ]
    if not options:
        strings = tuple(string + capo for string in TUNING["guitar"])
        return _search(strings, root + capo, steps)
    fret, drawn = min(options)
    return _read(drawn, fret + capo)


def _read(drawn: str, up: int) -> Shape:
    strings = zip(TUNING["guitar"], drawn, strict=True)
    return tuple(None if fret == "x" else string + int(fret) + up for string, fret in strings)


@cache
def _search(strings: tuple[int, ...], root: int, steps: tuple[int, ...]) -> Shape:
    """All strings stopped within the first five frets, with as many notes of the chord as there
    are, four frets at most apart, near the nut."""
    wanted = {root % 12, *((root + step) % 12 for step in steps)}
    choices = [[f for f in range(6) if (s + f) % 12 in wanted] or [-1] for s in strings]
    best: tuple[int, ...] = ()
    least = 1e9
    for frets in product(*choices):
        stopped = [fret for fret in frets if fret > 0]
        heard = {(s + f) % 12 for s, f in zip(strings, frets, strict=True) if f >= 0}
        reach = max(stopped) - min(stopped) if stopped else 0
        cost = 20 * (len(wanted) - len(heard)) + 10 * max(0, reach - 3) + sum(stopped)
        if cost < least:
            best, least = frets, cost
    return tuple(s + f if f >= 0 else None for s, f in zip(strings, best, strict=True))
