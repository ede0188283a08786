"""What each player of a band is given to play."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from timbretree.render.band.arranger import Arrangement, arrange
from timbretree.render.band.ensembles import Band, Seat, choose
from timbretree.render.band.excerpt import excerpt
from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.band.lines import (
    LEAST_RING,
    breathe,
    fit,
    merge,
    skyline,
    sounding,
    thin,
)
from timbretree.render.band.players import second, under
from timbretree.render.music import Notes, Piece

SECONDS = 10.0
TAGS = tuple(INSTRUMENTS)
SCALE = (0, 2, 4, 5, 7, 9, 11)


def walk(rng: np.random.Generator, *, beats: float, around: int, rests: float = 0.1) -> Notes:
    """A tune in C that wanders about a pitch."""
    rows, onset, step = [], 0.0, 0
    while onset < beats:
        length = float(rng.choice([0.5, 0.5, 1.0, 1.0, 2.0]))
        step = int(np.clip(step + rng.integers(-2, 3), -6, 6))
        pitch = around + 12 * (step // 7) + SCALE[step % 7]
        if rng.random() > rests:
            rows.append((onset, length, pitch, 80))
        onset += length
    return Notes.of(rows or [(0.0, 1.0, around, 80)])


def chorale(rng: np.random.Generator) -> Piece:
    voices = tuple(walk(rng, beats=64, around=p, rests=0.05) for p in (72, 65, 58, 48))
    return Piece("chorale", "toys", "nobody", voices, 4.0)


def tune(rng: np.random.Generator) -> Piece:
    return Piece("tune", "toys", "nobody", (walk(rng, beats=24, around=67),), 3.0)


def sonata(rng: np.random.Generator) -> Piece:
    """Two staves with chords, of which the right hand rests at first."""
    right = walk(rng, beats=60, around=76)
    right = Notes(right.onset + 20, right.length, right.pitch, right.velocity)
    chords = [
        (2.0 * n, 1.9, 48 + tone + SCALE[int(rng.integers(7))], 70)
        for n in range(40)
        for tone in (0, 7, 12)
    ]
    return Piece("sonata", "toys", "nobody", (right, Notes.of(chords)), 2.0)


def sparse(rng: np.random.Generator) -> Piece:
    """Next to nothing."""
    return Piece("sparse", "toys", "nobody", (Notes.of([(5.0, 0.1, 60, 80)]),), 1.5)


PIECES: tuple[Callable[[np.random.Generator], Piece], ...] = (chorale, tune, sonata, sparse)


def at_once(notes: Notes) -> int:
    """The most notes that sound together."""
    end = notes.onset + notes.length
    return max(
        (int(((notes.onset <= t + 1e-7) & (end > t + 1e-6)).sum()) for t in notes.onset), default=0
    )


def heard(arrangement: Arrangement, notes: Notes) -> float:
    return sounding(notes, beat=60 / arrangement.tempo, seconds=SECONDS)


# lines


def test_a_skyline_is_the_top_and_loses_no_note() -> None:
    rng = np.random.default_rng(3)
    for piece in (chorale(rng), sonata(rng)):
        together = merge(*piece.voices)
        for top in (True, False):
            line, left = skyline(together, top=top)
            assert at_once(line) == 1
            assert len(line) + len(left) == len(together)
            outer = max if top else min
            for onset, pitch in zip(line.onset, line.pitch, strict=True):
                struck = together.pitch[np.isclose(together.onset, onset)]
                assert pitch == outer(struck)


@pytest.mark.parametrize("tag", TAGS)
def test_a_fitted_line_keeps_its_pitch_classes_and_is_in_range(tag: str) -> None:
    rng = np.random.default_rng(4)
    instrument = INSTRUMENTS[tag]
    for around in (30, 48, 60, 72, 95):
        line = walk(rng, beats=40, around=around)
        leaps = 12 * rng.integers(-3, 4, len(line))
        line = Notes(line.onset, line.length, line.pitch + leaps, line.velocity)
        fitted = fit(line, instrument, instrument.comfort)
        assert instrument.low <= fitted.pitch.min()
        assert fitted.pitch.max() <= instrument.high
        assert np.array_equal(fitted.pitch % 12, line.pitch % 12)


def test_a_line_that_fits_as_a_whole_keeps_its_intervals() -> None:
    line = walk(np.random.default_rng(5), beats=40, around=36)
    flute = INSTRUMENTS["flute"]
    assert np.array_equal(np.diff(fit(line, flute, flute.comfort).pitch), np.diff(line.pitch))


def test_thinned_music_keeps_top_and_bottom() -> None:
    rng = np.random.default_rng(6)
    full = merge(*(walk(rng, beats=40, around=p) for p in (40, 52, 60, 64, 71, 76)))
    for voices in (1, 2, 3, 4):
        kept = thin(full, voices)
        assert at_once(kept) <= voices
        assert (kept.length > 0).all()
        for onset in np.unique(full.onset):
            before = full.pitch[full.onset == onset]
            after = kept.pitch[kept.onset == onset]
            assert before.max() == after.max()
            assert voices == 1 or before.min() == after.min()


def test_nobody_blows_for_ever() -> None:
    endless = Notes.of([(n * 1.0, 1.0, 70, 80) for n in range(40)] + [(40.0, 60.0, 72, 80)])
    line = breathe(endless, beat=0.5)
    rests = line.onset[1:] - (line.onset + line.length)[:-1]
    breaths = np.concatenate([[0.0], line.onset[1:][rests > 0.1]]) * 0.5
    assert np.diff(breaths).max() < 7
    assert line.length.max() * 0.5 <= 8
    assert sounding(line, beat=0.5, seconds=20) > 15


def test_time_that_sounds_is_counted_once() -> None:
    notes = Notes.of([(0, 2, 60, 80), (1, 2, 64, 80), (6, 0.01, 60, 80), (19, 9, 60, 80)])
    assert sounding(notes, beat=0.5, seconds=10) == pytest.approx(1.5 + LEAST_RING + 0.5)
    assert sounding(Notes.of([]), beat=0.5, seconds=10) == 0


def test_what_one_player_has_below_a_melody_stays_below() -> None:
    rng = np.random.default_rng(7)
    guitar = INSTRUMENTS["guitar"]
    melody = walk(rng, beats=30, around=62)
    below = merge(*(walk(rng, beats=30, around=p) for p in (60, 64, 79)))
    both = under(melody, below, guitar)
    assert at_once(both) <= guitar.voices
    for onset, pitch in zip(melody.onset, melody.pitch, strict=True):
        assert both.pitch[both.onset == onset].max() == pitch


# arrangements


@pytest.mark.parametrize("make", PIECES)
def test_arrangements_can_be_played(make: Callable[[np.random.Generator], Piece]) -> None:
    rng = np.random.default_rng(8)
    for _ in range(60):
        band = choose(rng)
        arrangement = arrange(make(rng), band, seconds=SECONDS, rng=rng)
        assert arrangement.beats * 60 / arrangement.tempo >= SECONDS
        assert 40 <= arrangement.tempo <= 208
        assert [(p.tag, p.role) for p in arrangement.parts] == [(s.tag, s.role) for s in band.seats]
        for part in arrangement.parts:
            check_part(arrangement, part.tag, part.notes)


def check_part(arrangement: Arrangement, tag: str, notes: Notes) -> None:
    instrument = INSTRUMENTS[tag]
    assert heard(arrangement, notes) >= 2.5, tag
    assert (notes.length > 0).all(), tag
    assert (np.diff(notes.onset) >= 0).all(), tag
    assert notes.onset.min() >= 0
    assert (notes.onset + notes.length).max() <= arrangement.beats + 1e-6
    assert notes.velocity.min() >= 1
    assert notes.velocity.max() <= 127
    assert instrument.low <= notes.pitch.min(), tag
    assert notes.pitch.max() <= instrument.high, tag
    if "rhythm" not in instrument.can:
        assert at_once(notes) <= instrument.voices, tag


@pytest.mark.parametrize("tag", [tag for tag in TAGS if "melody" in INSTRUMENTS[tag].can])
@pytest.mark.parametrize("make", [chorale, tune])
def test_a_soloist_plays_the_tune(make: Callable[[np.random.Generator], Piece], tag: str) -> None:
    rng = np.random.default_rng(9)
    band = Band("solo", "folk", (Seat(tag, "melody"),))
    piece = make(rng)
    arrangement = arrange(piece, band, seconds=SECONDS, rng=rng)
    notes = arrangement.parts[0].notes
    whole = np.ceil(piece.beats / piece.bar) * piece.bar
    start = arrangement.start_bar * piece.bar
    tops = {
        round(float(onset), 3): int(pitch)
        for onset, pitch in zip(piece.voices[0].onset, piece.voices[0].pitch, strict=True)
    }
    found = 0
    for onset in np.unique(notes.onset):
        pitch = tops.get(round(float(onset + start) % whole, 3))
        if pitch is not None:
            played = notes.pitch[notes.onset == onset]
            found += 1
            assert (played.max() - pitch - arrangement.shift) % 12 == 0
    assert found >= 5
    if INSTRUMENTS[tag].voices >= 4:
        assert at_once(notes) >= 2


def test_the_same_seed_gives_the_same_arrangement() -> None:
    def made() -> list[tuple[float, ...]]:
        rng = np.random.default_rng(10)
        found = []
        for make in PIECES * 3:
            arrangement = arrange(make(rng), choose(rng), seconds=SECONDS, rng=rng)
            found.append((arrangement.tempo, arrangement.shift, arrangement.start_bar))
            for part in arrangement.parts:
                found += list(zip(part.notes.onset, part.notes.length, part.notes.pitch))  # noqa: B905
        return found

    assert made() == made()


def test_some_rest_for_a_while_in_about_a_quarter_of_the_clips() -> None:
    rng = np.random.default_rng(11)
    band = Band("duo", "pop", (Seat("synthesizer", "chords"), Seat("organ", "chords")))
    rested = 0
    for _ in range(200):
        arrangement = arrange(chorale(rng), band, seconds=SECONDS, rng=rng)
        first = [p.notes.onset[0] * 60 / arrangement.tempo for p in arrangement.parts]
        last = [(p.notes.onset + p.notes.length).max() for p in arrangement.parts]
        rested += max(first) > 2 or min(last) * 60 / arrangement.tempo < 8.2
    assert 10 <= rested <= 60


def test_two_who_share_a_melody_do_so_in_several_ways() -> None:
    rng = np.random.default_rng(12)
    band = Band("duo", "folk", (Seat("flute", "melody"), Seat("clarinet", "melody")))
    ways: Counter[str] = Counter()
    for _ in range(60):
        flute, clarinet = arrange(chorale(rng), band, seconds=SECONDS, rng=rng).parts
        common = np.isin(flute.notes.onset, clarinet.notes.onset)
        if common.mean() < 0.2:
            ways["turns"] += 1
            continue
        a = flute.notes.take(common)
        b = clarinet.notes.take(np.isin(clarinet.notes.onset, a.onset))
        ways["same" if np.array_equal(a.pitch % 12, b.pitch % 12) else "second"] += 1
    assert min(ways[way] for way in ("turns", "same", "second")) >= 6, ways


def test_a_second_goes_below_on_notes_of_the_chords() -> None:
    rng = np.random.default_rng(13)
    arrangement = arrange(
        tune(rng), Band("", "pop", (Seat("flute", "melody"),)), seconds=SECONDS, rng=rng
    )
    melody = walk(rng, beats=arrangement.beats, around=72)
    for wide in (False, True):
        below = melody.pitch - second(melody, arrangement.chords, wide=wide).pitch
        assert below.min() >= 3
        assert below.max() <= 12


def test_an_excerpt_is_where_the_tune_is() -> None:
    rng = np.random.default_rng(14)
    for _ in range(40):
        cut = excerpt(sonata(rng), "classical", seconds=SECONDS, rng=rng)
        top = max(cut.voices, key=lambda voice: float(voice.pitch.mean()))
        assert sounding(top, beat=1.0, seconds=cut.beats, ring=0.0) >= 0.6 * cut.beats


def test_a_piece_without_notes_is_refused() -> None:
    empty = Piece("nothing", "toys", "nobody", (Notes.of([]),), 4.0)
    rng = np.random.default_rng(15)
    with pytest.raises(ValueError, match="at least one note"):
        arrange(empty, choose(rng), seconds=SECONDS, rng=rng)
