"""Bass lines: two-beat, walking, driving eighths, tumbao, pedal notes and synthesizer patterns."""

from numpy.random import Generator

from timbretree.render.band.accompaniment.frame import NEAR, Frame, Row, Stroke, slow, strokes
from timbretree.render.band.accompaniment.pitches import LOW, nearest
from timbretree.render.music import Chord

PATTERNS = {
    # r the bass note, f the fifth, o the octave, t the third, n the next chord's bass note,
    # a a step on the way to it; capitals are accented
    "fifths": ("R- r- f- f-|R- f- r- f-", "R- -- f-|R- f- f-", "R-- f-r"),
    "two_beat": ("R. f.", "R- .. ..|f- .. ..", "R-. f-."),
    "two_run": ("R. f. R. f.|R. f. R. ta", "R- .. ..|f- .. ta", "R-. f-.|R-. f-a"),
    "two_feel": ("R- -- f- --|R- -- f- -a", "R- -- --|R- -- f-", "R-- f--"),
    "throb": ("Rr rr rr rr", "Rr rr rr", "Rrr rrr"),
    "arpeggio": ("Rf of of of|Rf ot of of", "Rf of of", "Rfo fof"),
    "eighths": ("Rr rr rr rr|Rr rr rr ra", "Rr rr rr", "Rrr rrr"),
    "drive": ("Rr rr Rr of|Rr rr Rr fa", "Rr rr of", "Rrr ofr"),
    "riff": ("R-.r ..r. f.o. r.fr|R-.r ..r. t.f. ....", "R.r. ..o. f.r.", "R.r f.o"),
    "syncopated": ("R- -r -. rf|R- -r -. oa", "R- -r -f", "R-r -f-"),
    "ballad": ("R- -- -r f-", "R- -- -r", "R-- --f"),
    "ostinato": ("Rrrr oror Rrrr oror|Rrro rror Rrro rrfo", "Rror rror rror", "Rrorro rororr"),
    "octaves": ("Ro ro ro ro", "Ro ro ro", "Ror oro"),
    "offbeat": (".R .r .R .r", ".R .r .r", "..R ..r"),
    "pump": (".rRr .rRr .rRr .rRo", ".rRr .rRr .rRr", ".Rr .Rr"),
    "dembow": ("R..R ..r. R..R ..f.", "R..R ..r. f...", "R.r f.r"),
    "tumbao": (".. .F -- n-", ".. .F n-", "..F -n-"),
    "bossa": ("R- -f F- -r", "R- -f f-", "R-f -r-"),
    "samba": ("R..f F..r R..f F..r", "R..f F..r f...", "R.f F.r"),
}
SUSTAINED, WALKING = "sustained", "walking"

OF_STYLE = {
    "classical": (SUSTAINED, "fifths", "throb", "arpeggio", "two_feel"),
    "folk": ("two_beat", "two_run", "fifths", SUSTAINED),
    "bluegrass": ("two_beat", "two_run"),
    "jazz": (WALKING, WALKING, WALKING, "two_feel"),
    "pop": ("eighths", "syncopated", "ballad", SUSTAINED, "octaves"),
    "rock": ("eighths", "drive", "riff", "syncopated"),
    "electronic": ("ostinato", "octaves", "offbeat", "pump", SUSTAINED),
    "latin": ("tumbao", "bossa", "samba", "dembow"),
    "church": (SUSTAINED, SUSTAINED, "fifths", WALKING),
}
OF_PLAYER = {
    ("organ", "classical"): (SUSTAINED, WALKING),
    ("organ", "church"): (SUSTAINED,),
    ("synthesizer", "pop"): ("ostinato", "octaves", "eighths", SUSTAINED),
    ("synthesizer", "rock"): ("ostinato", "eighths"),
    ("piano", "classical"): ("arpeggio", "arpeggio", SUSTAINED, "fifths"),
    ("piano", "pop"): ("ballad", "arpeggio", "eighths"),
    ("piano", "church"): ("ballad", SUSTAINED, "arpeggio"),
    ("accordion", "latin"): ("two_beat", "bossa"),
    ("trombone", "pop"): ("two_beat", "ballad", "syncopated"),
    ("trombone", "rock"): ("two_beat", "syncopated"),
    ("voice", "jazz"): (WALKING, "two_feel"),
}
BLOWN = ("clarinet", "flute", "saxophone", "trombone", "trumpet", "voice")
UNBLOWN = {"ostinato": "octaves", "pump": "offbeat", "throb": "fifths", "samba": "bossa"}
"""What a player who breathes plays for what takes a machine's or a string player's arm."""


def bass(tag: str, style: str, frame: Frame, rng: Generator) -> list[Row]:
    """A bass line below the chords, in the range of the instrument that plays it."""
    names = OF_PLAYER.get((tag, style), OF_STYLE[style])
    name = names[rng.integers(len(names))]
    if tag in BLOWN:
        name = UNBLOWN.get(name, name)
    low, high = LOW[tag]
    if name == SUSTAINED:
        rows = _sustained(frame, low, high)
    elif name == WALKING:
        rows = _walking(frame, low, high, rng)
    else:
        pattern = PATTERNS[name][frame.meter]
        if name.startswith("two_") and name != "two_feel":
            pattern = slow(frame, pattern)
        rows = _patterned(frame, pattern, low, high)
    if tag == "piano" and style in ("classical", "pop", "rock", "church") and rng.random() < 0.4:
        rows += [(on, length, _octave(p, low, high), v - 8) for on, length, p, v in rows]
    return rows


def _octave(pitch: int, low: int, high: int) -> int:
    """The octave above or below, whichever there is."""
    return pitch + 12 if pitch + 12 <= high else max(pitch - 12, low + (pitch - low) % 12)


def _sustained(frame: Frame, low: int, high: int) -> list[Row]:
    """Each bass note as long as its chord, but struck again after two bars."""
    rows: list[Row] = []
    pitch = low + 7
    most = max(2 * frame.bar, 2.0)
    for onset, end, chord in frame.spans:
        pitch = nearest(chord.bass, (pitch + low + 8) / 2, low, high)
        while onset < end - NEAR:
            length = min(most, end - onset)
            rows.append((onset, length, pitch, 80))
            onset += length
    return rows


def _patterned(frame: Frame, pattern: str, low: int, high: int) -> list[Row]:
    rows: list[Row] = []
    ground, entered = low + 7, -1.0
    for stroke in strokes(frame, pattern):
        span = frame.span(stroke.onset)
        if span.onset != entered:  # whatever the pattern says, a new chord begins at its bass
            entered = span.onset
            ground = nearest(span.chord.bass, (ground + low + 8) / 2, low, high)
            stroke = stroke._replace(mark="R" if stroke.mark not in "nN" else stroke.mark)
        following = frame.span(span.end).chord if span.end < frame.beats else span.chord
        pitch = _degree(stroke, span.chord, following, ground, (low, high))
        length = stroke.length
        if stroke.mark != "n":  # which leads into the next chord
            length = min(length, span.end - stroke.onset)
        rows.append((stroke.onset, length, pitch, 92 if stroke.mark.isupper() else 80))
    return rows


def _degree(
    stroke: Stroke, chord: Chord, following: Chord, ground: int, window: tuple[int, int]
) -> int:
    """The pitch that a mark means, seen from the bass note."""
    low, high = window
    mark = stroke.mark.lower()
    if mark == "f":
        # over an inverted chord the root is the better partner
        other = chord.pitches[2] if chord.bass == chord.root else chord.root
        return nearest(other, ground - 5 if ground - 5 >= low else ground + 7, low, high)
    if mark == "t":
        return nearest(chord.pitches[1], ground + 4, low, high)
    if mark == "o":
        return _octave(ground, low, high)
    if mark == "n":
        return nearest(following.bass, ground, low, high)
    if mark == "a":
        target = nearest(following.bass, ground, low, high)
        if target == ground:
            return nearest(chord.pitches[2], ground, low, high)
        step = -1 if target > ground else 2
        return min(max(target + step, low), high)
    return ground


def _walking(frame: Frame, low: int, high: int, rng: Generator) -> list[Row]:
    """A note on every pulse: the bass note where a chord begins, chord tones up and down through
    it, and a step from above or below into the next."""
    rows: list[Row] = []
    last, way, entered = (low + high) // 2 - 4, 1, -1.0
    for pulse in frame.pulses:
        span = frame.span(pulse.onset)
        after = frame.span(pulse.onset + pulse.length)
        if span.onset != entered:
            entered = span.onset
            pitch = nearest(span.chord.bass, (2 * last + low + 10) / 3, low, high)
        elif after.onset != span.onset and pulse.onset + pulse.length < frame.beats - NEAR:
            target = nearest(after.chord.bass, last, low, high)
            side = (-1, 1, -2, 2)[rng.integers(4)]
            pitch = target + side if low <= target + side <= high else target - side
        else:
            way = 1 if last < low + 5 else -1 if last > high - 5 else way
            tones = [nearest(c, last + way * 3, low, high) for c in span.chord.pitches]
            tones = [t for t in tones if t != last] or tones
            pitch = tones[rng.integers(len(tones))]
            if rng.random() < 0.2:
                way = -way
        rows.append((pulse.onset, min(0.92 * pulse.length, frame.beats - pulse.onset), pitch, 84))
        half = pulse.onset + pulse.length / 2
        if rng.random() < 0.1 and half < frame.beats - NEAR:  # a skip
            rows[-1] = (pulse.onset, 0.45 * pulse.length, pitch, 84)
            rows.append((half, min(0.4 * pulse.length, frame.beats - half), pitch, 60))
        last = pitch
    return rows
