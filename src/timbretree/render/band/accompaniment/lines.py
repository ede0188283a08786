"""One note at a time: strings, woodwinds, brass and singers among the chords."""

from numpy.random import Generator

from timbretree.render.band.accompaniment.bass import BLOWN
from timbretree.render.band.accompaniment.frame import NEAR, Frame, Row, strokes
from timbretree.render.band.accompaniment.pitches import MIDDLE, lead, nearest, thinned

PATTERNS = {
    # 0 the player's own note of the chord, 1 and 2 the next chord notes above, 9 the one below;
    # capitals A B are 0 1 with an accent
    "halves": ("0- -- 0- --", "0- -- --", "0-- 0--"),
    "quarters": ("A- 0- 0- 0-", "A- 0- 0-", "A-- 0--"),
    "throb": ("00 00 00 00", "00 00 00", "000 000"),
    "offbeats": (".0 .0 .0 .0", ".. 0. 0.", "..0 ..0"),
    "pairs": ("0- 1- 0- 9-", "0- 1- 9-", "0-1 0-9"),
    "broken": ("01 21 01 21", "01 21 21", "012 101"),
    "tremolo": ("0000 0000 0000 0000", "0000 0000 0000", "000000 000000"),
    "swells": ("0- -- -- -.", "0- -- -.", "0-- --."),
    "answer": (".. .. .0 1-|0- -- -. ..", ".. 01 0-", "... 010"),
    "stabs": ("A. .. .A ..|.. A. .. .A", "A. .A ..", "A.. .A."),
    "hits": (".A .. .. A.|.. .. .0 A-", ".A .. A.", ".A. ..A"),
    "riff": ("0. 1A -. 0.|0. 1A -0 9.", "0. 1A 0.", "0.1 A-0"),
    "riff_high": ("A. .0 1. 2-|B. .1 0. 9-", "A. .1 0-", "A.0 1-9"),
    "mambo": ("A. .A .. 01|.A .A 0. ..", "A. .A 01", "A.A .01"),
    "mona": (".0 1A .1 0.|.0 1A .9 0.", ".0 1A 0.", ".01 A.0"),
    "ostinato": ("0010 0020 0010 0090", "0010 0020 0090", "001 002"),
}
SUSTAINED, CHOIR = "sustained", "choir"

OF_STYLE = {
    "classical": (SUSTAINED, SUSTAINED, "throb", "offbeats", "broken", "tremolo", "pairs"),
    "folk": (SUSTAINED, "halves", "offbeats", "answer", "pairs"),
    "bluegrass": ("offbeats", SUSTAINED, "answer"),
    "jazz": ("riff", "riff_high", "stabs", "hits", SUSTAINED, "answer"),
    "pop": (SUSTAINED, SUSTAINED, "answer", "stabs", "quarters", "swells"),
    "rock": (SUSTAINED, "stabs", "hits", "throb", "riff"),
    "electronic": (SUSTAINED, "swells", "stabs", "ostinato"),
    "latin": ("mambo", "mona", "stabs", "riff", SUSTAINED),
    "church": (SUSTAINED, SUSTAINED, "halves", "quarters"),
}
RHYTHM = ("offbeats", "throb", "ostinato", "quarters")
BOWED = ("tremolo", "ostinato")
"""What takes a bow."""
DEGREE = {"A": 0, "B": 1, "9": -1}


def line(tag: str, role: str, style: str, frame: Frame, rng: Generator) -> list[Row]:
    """One note of each chord, held or in a rhythm, led smoothly; of voices perhaps a choir."""
    names = RHYTHM if role == "rhythm" else OF_STYLE[style]
    name = names[rng.integers(len(names))]
    if tag == "voice" and role == "chords" and style in ("church", "classical", "pop", "folk"):
        name = CHOIR if rng.random() < 0.6 else SUSTAINED
    elif tag == "voice" or (tag in BLOWN and name in BOWED):
        name = SUSTAINED if role == "chords" else "quarters"
    low, high = MIDDLE[tag]
    if name == CHOIR:
        return _choir(frame, low, high, rng)
    own = _own_notes(frame, low, high, rng)
    if name == SUSTAINED:
        return _sustained(frame, own)
    rows: list[Row] = []
    for stroke in strokes(frame, PATTERNS[name][frame.meter]):
        span = frame.span(stroke.onset)
        length = min(stroke.length, span.end - stroke.onset)
        tones = [nearest(c, own[span.onset], low, high) for c in span.chord.pitches]
        degree = DEGREE[stroke.mark] if stroke.mark in DEGREE else int(stroke.mark)
        pitch = _step(own[span.onset], degree, tones, (low, high))
        rows.append((stroke.onset, length, pitch, 94 if stroke.mark.isalpha() else 76))
    return rows


def _own_notes(frame: Frame, low: int, high: int, rng: Generator) -> dict[float, int]:
    """For each chord by its onset, the note of it that is nearest to the one before."""
    home = last = float(rng.uniform(low + 5, high - 5))
    found: dict[float, int] = {}
    for onset, _, chord in frame.spans:
        near = 0.85 * last + 0.15 * home  # or it would wander off
        tones = [nearest(c, near, low, high) for c in thinned(chord, 4)]
        last = found[onset] = min(tones, key=lambda tone: (abs(tone - near), tone))
    return found


def _step(own: int, degree: int, tones: list[int], window: tuple[int, int]) -> int:
    """The chord note so many above or below a player's own, within the range."""
    near = {tone + 12 * octave for tone in tones for octave in (-1, 0, 1)}
    ladder = sorted(tone for tone in near if window[0] <= tone <= window[1])
    place = ladder.index(own) + degree
    return ladder[min(max(place, 0), len(ladder) - 1)]


def _sustained(frame: Frame, own: dict[float, int]) -> list[Row]:
    """Each note as long as its chord; a note that the next chord has too is played again only
    after two bars."""
    rows: list[Row] = []
    most = max(2 * frame.bar, 4.0)
    for onset, end, _ in frame.spans:
        pitch = own[onset]
        if rows and rows[-1][2] == pitch and end - rows[-1][0] <= most + NEAR:
            onset = rows.pop()[0]
        while onset < end - NEAR:
            length = min(most, end - onset)
            rows.append((onset, length, pitch, 76))
            onset += length
    return rows


def _choir(frame: Frame, low: int, high: int, rng: Generator) -> list[Row]:
    """Three voices in close position, or four with the bass below."""
    with_bass = rng.random() < 0.5
    before: tuple[int, ...] = ()
    rows: list[Row] = []
    for onset, end, chord in frame.spans:
        before = lead(thinned(chord, 3), before, low + 5, high)
        keys = set(before)
        if with_bass:
            keys.add(nearest(chord.bass, low - 2, low - 6, low + 6))
        rows += [(onset, end - onset, key, 72) for key in sorted(keys)]
    return rows
