"""Chords for two hands: piano, organ, accordion, synthesizer, and mallets for one."""

from numpy.random import Generator

from timbretree.render.band.accompaniment.frame import NEAR, Frame, Row, Stroke, slow, strokes
from timbretree.render.band.accompaniment.pitches import (
    LOW,
    MIDDLE,
    coloured,
    lead,
    nearest,
    thinned,
)
from timbretree.render.music import Chord

PATTERNS = {
    # left hand / right hand: b the bass note, f the fifth, o the octave; c and C a chord,
    # s a short one, digits its notes from the lowest up and on into the next octave
    "block": ("b- -- f- --/C- c- c- c-", "b- -- --/C- c- c-", "b-- f--/C-- c--"),
    "halves": ("b- -- b- --/C- -- c- --", "b- -- --/C- -- --", "b-- ---/C-- ---"),
    "eighths": ("b- -- b- --/Cc cc Cc cc", "b- -- --/Cc cc cc", "b-- b--/Ccc Ccc"),
    "pushed": ("b- -b -- f-/C- -C -- c-|C- -C -c c-", "b- -b --/C- -C c-", "b-b f--/C-c -c-"),
    "ballad": ("b- f- o- f-/C- -- c- -.", "b- f- o-/C- -- --", "bfo fof/C-- ---"),
    "rolling": ("b- -- -- --/01 23 43 21", "b- -- --/01 23 21", "b-- ---/012 321"),
    "flowing": ("b- -- -- --/0123 4321 0123 4321", "b- -- --/0123 4543 2101", "b-- ---/0123 2101"),
    "alberti": ("/02 12 02 12", "/02 12 12", "/021 021"),
    "alberti_fast": ("/0212 0212 0212 0212", "/0212 0212 0212", "/0212 0212"),
    "waltz": ("b. f./.s .s", "b. .. ..|f. .. ../.. s. s.", "b.. f../..s ..s"),
    "march": ("b. f. b. f./.s .s .s ss", "b. f. f./.s .s .s", "b.. f../.ss .ss"),
    "stride": ("b. .. f. ../.. s. .. s.", "b. .. ../.. s. s.", "b.. f../..s ..s"),
    "bossa": ("b- -f f- -b/c. .c .c ..|.c .c c. .c", "b- -f f-/c. .c .c", "b-f f--/c.c .c."),
    "montuno": ("/C. 0C .0 .C|.0 .C .0 .C", "/C. 0C .0", "/C.0 C0C"),
    "gospel": ("b- -- f- fb/C- cc -c c-", "b- -- f-/C- cc c-", "b-- f-b/C-c c-c"),
    "off": ("/.s .s .s .s", "/.. s. s.", "/..s ..s"),
    "house": ("/C..c ..c. .c.. c.c.", "/C..c ..c. c...", "/C.c .c."),
    "stabs": ("/S. .. .s ..|.. s. .s ..", "/S. .s ..", "/S.. .s."),
    "arpeggiator": (
        "/0123 4321 2345 4321|0123 2123 4543 2345",
        "/0123 4321 2345",
        "/012345 432123",
    ),
    "pulse": ("/0313 0323 0313 0325", "/0313 0323 0325", "/031323 031325"),
    "gated": ("/CcCc .cC. CcCc .cCc", "/CcCc .cC. CcC.", "/Cc.cCc C.cc.c"),
    "minimal": ("/01 20 12 01|20 12 01 2.", "/01 20 12", "/012 102"),
    "figure": ("/0. 20 .1 20|0. 20 .3 2.", "/02 12 32", "/0.2 1.2"),
}
PAD, HYMN, COMP = "pad", "hymn", "comp"
JAZZ_BARS = (
    "C- -c .. ..", ".. .c .. c-", ".C .. .c ..", "c. .. C- ..", ".. c- .. .c", "C. .C .. .c",
    ".c -. .c -.", "c- -- -- ..",
)  # fmt: skip
"""Bars of a jazz pianist's right hand: on and off the beat, with room for the soloist."""

OF_STYLE: dict[str, dict[str, tuple[str, ...]]] = {
    "piano": {
        "classical": ("alberti", "alberti_fast", "rolling", "flowing", "block", "waltz"),
        "folk": ("waltz", "block", "rolling", "halves"),
        "bluegrass": ("waltz", "march"),
        "jazz": (COMP, COMP, COMP, "stride"),
        "pop": ("block", "eighths", "ballad", "pushed", "rolling"),
        "rock": ("eighths", "pushed", "block"),
        "electronic": ("house", "stabs", "arpeggiator", "off"),
        "latin": ("montuno", "montuno", "bossa"),
        "church": ("ballad", "gospel", "halves", HYMN),
    },
    "organ": {
        "classical": (PAD, HYMN, "alberti"),
        "church": (HYMN, PAD, HYMN),
        "jazz": (COMP, PAD, "stabs"),
        "rock": (PAD, "stabs", "eighths"),
        "latin": (PAD, "off", "montuno"),
        "": (PAD, "halves", "off"),
    },
    "accordion": {
        "classical": (PAD, "waltz"),
        "jazz": (COMP, "waltz"),
        "latin": ("march", "off", PAD),
        "electronic": ("off", PAD),
        "church": (PAD, HYMN),
        "": ("waltz", "waltz", "march", PAD),
    },
    "synthesizer": {
        "classical": (PAD, "flowing"),
        "jazz": (PAD, COMP, "stabs"),
        "church": (PAD,),
        "electronic": ("arpeggiator", PAD, "house", "gated", "pulse", "stabs"),
        "": (PAD, PAD, "arpeggiator", "stabs", "pulse", "pushed"),
    },
    "mallet_percussion": {
        "jazz": (COMP, "halves"),
        "latin": ("montuno", "bossa", "figure"),
        "electronic": ("pulse", "minimal", "figure"),
        "church": ("rolling", "halves"),
        "": ("rolling", "minimal", "figure", "halves", "flowing"),
    },
}
RHYTHM = ("pulse", "minimal", "figure", "off")
VELOCITY = {"C": 94, "c": 80, "s": 76, "S": 92, "b": 84, "f": 78, "o": 76}


def comp(tag: str, role: str, style: str, frame: Frame, rng: Generator) -> list[Row]:
    """Chords as a pianist, an organist, an accordionist, a synthesizer or two to four mallets
    play them, each chord led into the next."""
    styles = OF_STYLE[tag]
    names = RHYTHM if role == "rhythm" else styles[style] if style in styles else styles[""]
    name = names[rng.integers(len(names))]
    voicings = _voicings(tag, style, frame, rng)
    if name == PAD:
        return _pad(tag, frame, voicings, 74)
    if name == HYMN:
        pattern = "b- b- b- b-/c- c- c- c-", "b- -- b-/c- -- c-", "b-- b--/c-- c--"
        left, right = _hands(pattern[frame.meter])
    elif name == COMP:
        bars = "|".join(JAZZ_BARS[rng.integers(len(JAZZ_BARS))] for _ in range(8))
        left, right = "", bars
        if frame.meter != 0:
            left, right = _hands(("", "/C. .c ..|.. c. .c", "/C.. ..c|..c C..")[frame.meter])
    else:
        left, right = _hands(PATTERNS[name][frame.meter])
        if name in ("waltz", "march"):
            left, right = slow(frame, left), slow(frame, right)
    rows = _right(frame, right, voicings, MIDDLE[tag][1])
    if left and tag != "mallet_percussion" and (tag == "accordion" or rng.random() < 0.7):
        rows += _left(tag, frame, left)
    loud = rng.normal(0, 2.5, len(rows))
    return [
        (on, le, p, v + round(m)) for (on, le, p, v), m in zip(rows, loud.tolist(), strict=True)
    ]


def _hands(pattern: str) -> tuple[str, str]:
    left, _, right = pattern.partition("/")
    return left, right


def _voicings(tag: str, style: str, frame: Frame, rng: Generator) -> dict[float, tuple[int, ...]]:
    """The right hand's notes for each chord by its onset."""
    low, high = MIDDLE[tag]
    low, high = low + int(rng.integers(0, 4)), high - int(rng.integers(0, 4))
    rich = style == "jazz" or (style in ("latin", "church") and rng.random() < 0.3)
    count = 4 if rich or rng.random() < 0.4 else 3
    before: tuple[int, ...] = ()
    found: dict[float, tuple[int, ...]] = {}
    for onset, _, chord in frame.spans:
        classes = coloured(chord) if rich else thinned(chord, count)
        before = found[onset] = lead(classes, before, low, high)
    return found


def _pad(
    tag: str, frame: Frame, voicings: dict[float, tuple[int, ...]], velocity: int
) -> list[Row]:
    """Each chord as long as it lasts; notes that the next has too are held on."""
    rows: list[Row] = []
    held: dict[int, float] = {}
    most = max(4 * frame.bar, 8.0)
    for onset, end, chord in frame.spans:
        keys = set(voicings[onset])
        if tag == "organ":
            keys.add(nearest(chord.bass, 43, *LOW[tag]))
        for pitch in sorted(keys):
            held.setdefault(pitch, onset)
        after = set(voicings.get(end, ()))
        if tag == "organ" and end < frame.beats - NEAR:
            after.add(nearest(frame.span(end).chord.bass, 43, *LOW[tag]))
        for pitch in sorted(keys):
            if pitch not in after or end - held[pitch] > most:
                start = held.pop(pitch)
                rows.append((start, end - start, pitch, velocity))
    return rows


def _right(
    frame: Frame, pattern: str, voicings: dict[float, tuple[int, ...]], top: int
) -> list[Row]:
    rows: list[Row] = []
    for stroke in strokes(frame, pattern):
        span = frame.span(stroke.onset)
        keys = voicings[span.onset]
        length = _length(stroke, span.end)
        if stroke.mark.isdigit():
            octave, place = divmod(int(stroke.mark), len(keys))
            pitch = keys[place] + 12 * octave
            accent = 8 if abs(stroke.onset % 1) < NEAR else 0
            pitch -= 12 * (pitch > top)
            rows.append((stroke.onset, length, pitch, 72 + accent))
        else:
            velocity = VELOCITY[stroke.mark]
            rows += [(stroke.onset, length, key, velocity) for key in keys]
    return rows


def _left(tag: str, frame: Frame, pattern: str) -> list[Row]:
    low, high = LOW[tag]
    rows: list[Row] = []
    ground, entered = low + 8, -1.0
    for stroke in strokes(frame, pattern):
        span = frame.span(stroke.onset)
        if span.onset != entered:
            ground, entered = (
                nearest(span.chord.bass, (ground + low + 8) / 2, low, high),
                span.onset,
            )
            stroke = stroke._replace(mark="b")
        pitch = _bass_key(stroke.mark, span.chord, ground, (low, high))
        rows.append((stroke.onset, _length(stroke, span.end), pitch, VELOCITY[stroke.mark]))
    return rows


def _bass_key(mark: str, chord: Chord, ground: int, window: tuple[int, int]) -> int:
    if mark == "f":
        other = chord.pitches[2] if chord.bass == chord.root else chord.root
        return nearest(other, ground + 7, *window)
    if mark == "o" and ground + 12 <= window[1]:
        return ground + 12
    return ground


def _length(stroke: Stroke, end: float) -> float:
    length = min(stroke.length, end - stroke.onset)
    return min(0.5 * length, 0.4) if stroke.mark in "sS" else length
