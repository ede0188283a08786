"""Accompaniments are playable in every bar and style, and performances are human but in order."""

from itertools import cycle, product

import numpy as np
import pytest

from timbretree.render.band.accompaniment import ROLES, STYLES, Frame, accompany
from timbretree.render.band.accompaniment.frame import COMPOUND, DUPLE, TRIPLE, slow, strokes
from timbretree.render.band.accompaniment.frets import (
    BARRE,
    OPEN,
    QUALITY,
    TUNING,
    best_capo,
    shape,
)
from timbretree.render.band.accompaniment.grooves import (
    CYMBALS,
    DRUMS,
    FILLS,
    GROOVES,
    SOFT_FILLS,
    read,
)
from timbretree.render.band.accompaniment.pitches import LOW, MIDDLE, lead, nearest
from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.band.performer import LAST, LEAD, perform
from timbretree.render.music import Chord, Notes, Part

BARS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.3, 5.0, 6.0, 7.0)
STEPS = ((0, 4, 7), (0, 3, 7, 10), (0, 4, 7, 10), (0, 3, 6), (0, 4, 8), (0, 3, 6, 9), (0, 1, 6))
MOST = {
    "guitar": 6,
    "banjo": 5,
    "ukulele": 4,
    "mandolin": 4,
    "mallet_percussion": 4,
    "voice": 4,
    "piano": 8,
    "organ": 8,
    "accordion": 8,
    "synthesizer": 8,
}
"""How many notes each plays at once; others one."""


def chord(root: int, steps: tuple[int, ...], onset: float = 0.0, length: float = 4.0) -> Chord:
    pitches = tuple((root + step) % 12 for step in steps)
    return Chord(onset, length, root, pitches, pitches[root % 2])


def frame(bar: float = 4.0, tempo: float = 120.0, each: float | None = None) -> Frame:
    """About ten seconds, with a chord for each so many beats."""
    beats, each = tempo / 6, each or bar
    onsets = np.arange(0, beats, each).tolist()
    chords = [chord(7 * n % 12, STEPS[n % 7], onset, each) for n, onset in enumerate(onsets)]
    return Frame(tuple(chords), beats, bar, tempo)


def play(tag: str, role: str, style: str, over: Frame, seed: int = 0) -> Notes:
    return accompany(tag, role, style, over, np.random.default_rng(seed)).notes


def most_at_once(notes: Notes) -> int:
    starts, ends = notes.onset[:, None] + 1e-6, (notes.onset + notes.length)[None]
    return int(((notes.onset[None] <= starts) & (starts < ends)).sum(axis=1).max())


@pytest.mark.parametrize("bar", BARS)
def test_everybody_can_accompany_everything(bar: float) -> None:
    tempos, each = cycle((52.0, 97.0, 150.0, 220.0)), cycle((bar, bar / 2, 1.0, 8.0))
    for seed, (style, tag) in enumerate(product(STYLES, INSTRUMENTS)):
        over = frame(bar, next(tempos), next(each))
        for role in ROLES:
            part = accompany(tag, role, style, over, np.random.default_rng(seed))
            notes, case = part.notes, f"{tag} {role} {style} {bar} {over.tempo}"
            assert (part.tag, part.role) == (tag, role)
            assert len(notes), case
            assert (np.diff(notes.onset) >= 0).all(), case
            assert (notes.onset >= 0).all(), case
            assert (notes.onset + notes.length <= over.beats + 1e-9).all(), case
            assert (notes.length > 1e-3).all(), case
            assert notes.velocity.min() >= 1, case
            assert notes.velocity.max() <= 127, case
            if tag in ("drums", "cymbals"):
                keys = DRUMS if tag == "drums" else CYMBALS
                assert set(notes.pitch.tolist()) <= set(keys.values()), case
                continue
            assert notes.pitch.min() >= INSTRUMENTS[tag].low, case
            assert notes.pitch.max() <= INSTRUMENTS[tag].high, case
            most = 2 if (tag, role) == ("piano", "bass") else MOST.get(tag, 1)
            assert most_at_once(notes) <= (most if role != "bass" or tag == "piano" else 1), case
            if role == "bass":
                assert notes.pitch.max() <= LOW[tag][1], case


def test_nothing_begins_in_the_last_moment() -> None:
    over = Frame((chord(0, (0, 4, 7)),), 8.0005, 4.0, 120.0)  # the next downbeat, all but
    for tag, style in product(INSTRUMENTS, STYLES):
        for role in ROLES:
            assert play(tag, role, style, over).length.min() > 0.005


def test_each_draw_is_the_same_again_and_another_is_another() -> None:
    over = frame()
    for tag in INSTRUMENTS:
        one, same, other = (play(tag, "chords", "pop", over, seed) for seed in (1, 1, 2))
        for name in ("onset", "length", "pitch", "velocity"):
            assert (getattr(one, name) == getattr(same, name)).all()
        assert len(one) != len(other) or (one.velocity != other.velocity).any()


def test_a_chord_is_heard_where_it_is_in_force() -> None:
    over = frame(each=2.0)
    for tag, style in product(("piano", "guitar", "organ", "ukulele", "violin"), STYLES):
        notes = play(tag, "chords", style, over, 3)
        for onset, pitch in zip(notes.onset, notes.pitch, strict=True):
            span = over.span(float(onset))
            allowed = {*span.chord.pitches, span.chord.bass, (span.chord.root + 2) % 12}
            assert pitch % 12 in allowed, (tag, style, onset)


def test_a_bass_begins_each_chord_at_its_bottom() -> None:
    over = frame(each=4.0)
    for style in set(STYLES) - {"latin", "electronic"}:  # these come before or after the beat
        notes = play("bass", "bass", style, over, 5)
        for onset, _, held in over.spans:
            first = notes.take(np.abs(notes.onset - onset) < 1e-6)
            assert first.pitch.tolist()[0] % 12 == held.bass, style


@pytest.mark.parametrize(
    "wrong", [("kazoo", "bass", "jazz"), ("piano", "solo", "jazz"), ("piano", "bass", "polka")]
)
def test_the_unknown_is_refused_and_the_known_is_named(wrong: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"is one of .*(accordion|bass|bluegrass), .*got"):
        play(*wrong, frame())


def test_a_frame_is_checked() -> None:
    for bad in ((0.0, 4.0, 120.0), (8.0, -1.0, 120.0), (8.0, 4.0, float("nan"))):
        with pytest.raises(ValueError, match="above 0"):
            Frame((), *bad)
    silent = Frame((), 8.0, 4.0, 120.0)
    with pytest.raises(ValueError, match="at least one chord"):
        play("piano", "chords", "pop", silent)
    assert len(play("drums", "rhythm", "pop", silent))


def test_bars_are_known_by_length_and_by_where_chords_change() -> None:
    meters = [frame(bar).meter for bar in (2, 3, 4, 5, 6, 7)]
    assert meters == [DUPLE, TRIPLE, DUPLE, DUPLE, TRIPLE, DUPLE]
    assert frame(1.5).meter == frame(4.5).meter == frame(3.0, each=1.5).meter == COMPOUND
    assert [pulse.onset for pulse in frame(3.5).pulses[:4]] == [0, 1, 2, 3.5]
    assert [pulse.onset for pulse in frame(3.0, each=1.5).pulses[:3]] == [0, 1.5, 3.0]


def test_patterns_mean_what_they_say() -> None:
    over = Frame((), 6.0, 2.0, 60.0)
    found = [(s.onset, s.length, s.mark) for s in strokes(over, "x- .y z.z .. ")]
    assert found[:3] == [(0, 1, "x"), (1.5, 0.5, "y"), (2, pytest.approx(1 / 3), "z")]
    assert found[4][0] == 4  # four groups go through bars of two
    turns = [s.mark for s in strokes(Frame((), 9.0, 3.0, 60.0), "a|b")]
    assert turns == list("aaabbbaaa")
    fast = strokes(Frame((), 4.0, 4.0, 220.0), "abcd")
    assert "".join(s.mark for s in fast) == "acacacac"
    assert slow(frame(tempo=200.0), "bd fd") == "b d f d"
    assert slow(frame(tempo=100.0), "bd fd") == "bd fd"


def test_every_groove_and_fill_can_be_read() -> None:
    for style, bars in GROOVES.items():
        assert style in STYLES
        assert len(bars) == 3
        for groove in sum(bars, ()):
            lines = read(groove)
            assert set(lines) & set(DRUMS), groove
            assert set(lines) & set(CYMBALS), groove
            assert set(lines) <= set(DRUMS) | set(CYMBALS), groove
            assert set("".join(lines.values())) <= set("xXgr-.| "), groove
    for fill in FILLS + SOFT_FILLS:
        assert set(read(fill)) <= set(DRUMS), fill


@pytest.mark.parametrize("bar", [2.0, 3.0, 4.0, 5.0])
def test_drums_and_cymbals_play_one_groove_whatever_their_chance(bar: float) -> None:
    crashes = {CYMBALS[letter] for letter in "CDS"}

    def first_bar(notes: Notes) -> set[tuple[float, int]]:  # a crash may always begin it
        early = zip(notes.onset.round(3), notes.pitch, strict=True)
        return {
            (float(on), int(p)) for on, p in early if on < bar and not (on == 0 and p in crashes)
        }

    for style, tempo in product(STYLES, (80.0, 111.0, 135.0)):
        over = frame(bar, tempo)
        drums, again = (play("drums", "rhythm", style, over, seed) for seed in (1, 2))
        assert (drums.onset == again.onset).all()
        assert (drums.pitch == again.pitch).all()
        cymbals = play("cymbals", "rhythm", style, over, 3)
        both = first_bar(drums) | first_bar(cymbals)
        keys = DRUMS | CYMBALS
        written = [
            {
                (round(s.onset, 3), keys[letter])
                for letter, pattern in read(groove).items()
                for s in strokes(over, pattern)
                if s.mark != "r" and s.onset < bar
                and not (s.onset == 0 and keys[letter] in crashes)
            }
            for groove in GROOVES[style][over.meter]
        ]  # fmt: skip
        rolls = style in ("classical", "church")
        assert any(groove <= both if rolls else groove == both for groove in written), style


def test_other_frames_bring_other_grooves() -> None:
    found = {
        tuple(play("drums", "rhythm", "rock", frame(tempo=float(tempo))).pitch[:12].tolist())
        for tempo in range(90, 140)
    }
    assert len(found) > 4


@pytest.mark.parametrize("tag", ["guitar", "ukulele"])
def test_a_strum_goes_string_by_string(tag: str) -> None:
    seen = 0
    for seed, style in product(range(8), ("pop", "folk", "church", "latin")):
        over = frame(tempo=90.0)
        onset = play(tag, "chords", style, over, seed).onset * 60 / over.tempo
        gaps = np.diff(onset)
        within = gaps[(gaps > 1e-6) & (gaps < 0.05)]
        seen += len(within)
        assert ((within >= 0.008 - 1e-9) & (within <= 0.025 + 1e-9)).all()
    assert seen > 300


def test_chords_lie_under_the_hand() -> None:
    for root, steps in product(range(12), QUALITY):
        for tag in TUNING:
            strings = shape(tag, chord(root, (0, *steps)))
            keys = [key for key in strings if key is not None]
            wanted = {(root + step) % 12 for step in (0, *steps)} | (
                {7} if tag == "banjo" else set()
            )
            assert {key % 12 for key in keys} <= wanted
            assert len({key % 12 for key in keys} & wanted) >= 3
            frets = [k - s for k, s in zip(strings, TUNING[tag], strict=True) if k is not None]
            stopped = [fret for fret in frets if fret]
            assert max(stopped, default=0) - min(stopped, default=0) <= 4
    assert shape("guitar", chord(0, (0, 4, 7))) == (None, 48, 52, 55, 60, 64)
    assert shape("ukulele", chord(0, (0, 4, 7))) == (67, 60, 64, 72)
    assert shape("guitar", chord(8, (0, 3, 7))) == (44, 51, 56, 59, 63, 68)


def test_the_drawn_shapes_are_the_chords_they_are_called() -> None:
    steps = {name: {0, *above} for above, name in QUALITY.items()}
    for root, shapes in [*OPEN.items(), *BARRE.items()]:
        for name, drawn in shapes.items():
            strings = zip(TUNING["guitar"], drawn, strict=True)
            heard = {(s + int(f) - root) % 12 for s, f in strings if f != "x"}
            assert heard <= steps[name], (root, name)
            assert len(heard) >= 3, (root, name)


def test_a_capo_makes_it_easier() -> None:
    in_d_flat = tuple(chord(root, (0, 4, 7)) for root in (1, 6, 8))
    assert best_capo(in_d_flat) in (1, 4)
    assert best_capo(tuple(chord(root, (0, 4, 7)) for root in (0, 7))) == 0


def test_voices_move_little() -> None:
    before = lead((0, 4, 7), (), 48, 79)
    assert lead((9, 0, 4), before, 48, 79) != before
    for root in range(12):
        after = lead((root, root + 4, root + 7), before, 48, 79)
        assert len(after) == 3
        assert 48 <= after[0] < after[-1] <= 79
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 6
    assert nearest(0, 61, 40, 60) == 60
    for low, high in [*LOW.values(), *MIDDLE.values()]:
        assert high - low >= 11  # so that each pitch class is there


# ---- the performer ----------------------------------------------------------------------------


def score(*tags: str, beats: float = 24.0, tempo: float = 120.0, style: str = "pop") -> list[Part]:
    over = Frame((chord(0, (0, 4, 7), 0.0, beats),), beats, 4.0, tempo)
    rng = np.random.default_rng(7)
    return [accompany(t, "chords", style, over, rng) for t in tags]


def eighths(tag: str = "piano", role: str = "melody", count: int = 48) -> Part:
    rows = [(n / 2, 0.5, 60 + n % 5, 80) for n in range(count)]
    return Part(tag, role, Notes.of(rows))


def performed(
    parts: list[Part], seed: int = 0, style: str = "pop", tempo: float = 120.0
) -> tuple[Part, ...]:
    rng = np.random.default_rng(seed)
    return perform(tuple(parts), tempo=tempo, style=style, seconds=10.0, rng=rng)


def test_a_performance_keeps_within_the_clip() -> None:
    tags = tuple(INSTRUMENTS)
    for seed, style in product(range(3), STYLES):
        parts = [accompany(t, r, style, frame(), np.random.default_rng(seed))
                 for t, r in zip(tags, cycle(ROLES), strict=False)]  # fmt: skip
        played = performed(parts, seed, style)
        assert [(p.tag, p.role) for p in played] == [(p.tag, p.role) for p in parts]
        assert 0 <= min(p.notes.onset.min() for p in played) <= LEAD
        for part in played:
            notes = part.notes
            assert len(notes), part.tag
            assert (np.diff(notes.onset) >= 0).all()
            assert notes.onset[-1] <= 10.0 - LAST
            assert (notes.onset >= 0).all()
            assert (notes.length > 0).all()
            assert (notes.onset + notes.length <= 10.0 + 1e-9).all()
            assert notes.velocity.min() >= 1
            assert notes.velocity.max() <= 127
            for key in np.unique(notes.pitch):
                same = notes.take(notes.pitch == key)
                assert (same.onset[1:] > (same.onset + same.length)[:-1]).all(), part.tag


def test_performances_are_the_same_again_and_differ() -> None:
    parts = score("piano", "violin")
    one, same, other = performed(parts, 1), performed(parts, 1), performed(parts, 2)
    for a, b, c in zip(one, same, other, strict=True):
        assert (a.notes.onset == b.notes.onset).all()
        assert (a.notes.velocity == b.notes.velocity).all()
        assert len(a.notes) != len(c.notes) or (a.notes.onset != c.notes.onset).any()


def test_players_are_near_each_other_but_not_machines() -> None:
    spread = []
    for seed in range(40):
        a, b = performed([eighths("piano", "inner", 19), eighths("organ", "inner", 19)], seed)
        apart = a.notes.onset - b.notes.onset
        assert np.abs(apart).max() < 0.12
        spread.append(apart.std())
        pace = np.diff(a.notes.onset)
        assert pace.min() > 0.15
        assert pace.max() < 0.4
    assert 0.005 < np.mean(spread) < 0.03


def test_timing_wanders_rather_than_jumps() -> None:
    related = []
    for seed in range(40):
        part = performed([eighths("piano", "inner", 19)], seed, "electronic")[0]
        late = part.notes.onset - np.arange(19) * 0.25
        late -= late.mean()
        related.append((late[1:] * late[:-1]).sum() / (late**2).sum())
    assert np.mean(related) > 0.15


def test_jazz_swings_and_the_rest_does_not() -> None:
    for style, low, high in (("jazz", 0.56, 0.7), ("pop", 0.47, 0.53)):
        shares = []
        for seed in range(20):
            onset = performed([eighths(count=37)], seed, style)[0].notes.onset
            shares.append(np.mean((onset[1:-1:2] - onset[:-2:2]) / (onset[2::2] - onset[:-2:2])))
        assert low < np.mean(shares) < high
    triplets = Part("piano", "melody", Notes.of([(n / 3, 0.3, 60, 80) for n in range(55)]))
    onset = performed([triplets], 1, "jazz")[0].notes.onset
    assert np.diff(onset).std() < 0.025  # written as triplets: left as they are


def test_the_tempo_is_kept_on_the_whole() -> None:
    for seed in range(20):
        onset = performed([eighths(count=41)], seed, "classical")[0].notes.onset
        assert onset[-1] - onset[0] == pytest.approx((len(onset) - 1) * 0.25, abs=0.4)


def test_winds_and_voices_breathe() -> None:
    for tag in ("flute", "voice", "trombone"):
        for seed in range(10):
            notes = performed([eighths(tag)], seed, "church")[0].notes
            rests = notes.onset[1:] - (notes.onset + notes.length)[:-1]
            starts = np.flatnonzero(rests > 0.05)
            assert len(starts), tag
            assert np.diff(notes.onset[starts]).max(initial=0) < 6


def test_a_roll_and_a_strum_stay_in_order() -> None:
    over = Frame((chord(0, (0, 4, 7), 0.0, 20.0),), 20.0, 4.0, 120.0)
    for seed in range(10):
        part = accompany("guitar", "chords", "church", over, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        played = perform((part,), tempo=120.0, style="church", seconds=10.0, rng=rng)[0].notes
        count = min(len(played), 6)
        assert (played.pitch[:count] == part.notes.pitch[:count]).all()


def test_parts_without_notes_stay_and_silence_at_the_start_goes() -> None:
    late = Part("piano", "melody", Notes.of([(6.0, 1.0, 60, 80), (8.0, 1.0, 62, 80)]))
    nothing = Part("flute", "inner", Notes.of([]))
    played = performed([late, nothing])
    assert played[0].notes.onset[0] <= LEAD
    assert not len(played[1].notes)
    assert not len(performed([nothing])[0].notes)
    assert performed([]) == ()


def test_a_tempo_is_above_0() -> None:
    with pytest.raises(ValueError, match="above 0"):
        performed([eighths()], tempo=0.0)
