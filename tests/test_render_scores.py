"""Scores: the list of pieces, what is read of them, what is kept, and the chords found in them."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from timbretree.render.band.companies import ENSEMBLES
from timbretree.render.music import Chord, Notes, Piece
from timbretree.render.scores import corpus, notation
from timbretree.render.scores.corpus import Entry, ScoreError, load, pieces
from timbretree.render.scores.harmony import chords, key

AUS_MEINES_HERZENS_GRUNDE = Entry(
    "bach/bwv269.mxl", 1, "bach/aus", "Johann Sebastian Bach", "died 1750", "chorale", "", "train"
)
KINDS = {
    *("quartet", "trio", "concerto", "piano", "rag", "song", "tune", "chorale", "madrigal"),
}
TUNE = """X:1
T:A test
M:6/8
L:1/8
K:G
w:not music
"G"D|{c}G2B "4"d3-|d3 g2z|
X:2
T:Another
M:4/4
L:1/4
K:C
C D E F|G4|]
"""


def line(pitches: list[int], length: float = 1.0) -> Notes:
    return Notes.of([(length * place, length, pitch, 80) for place, pitch in enumerate(pitches)])


def same(one: Piece, other: Piece) -> bool:
    return (one.name, one.bar) == (other.name, other.bar) and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        and getattr(a, name).dtype == getattr(b, name).dtype
        for a, b in zip(one.voices, other.voices, strict=True)
        for name in ("onset", "length", "pitch", "velocity")
    )


# --- the list -----------------------------------------------------------------------------------


def test_every_row_of_the_list_is_well_formed_and_none_is_there_twice() -> None:
    rows = [*pieces("train"), *pieces("test")]
    assert 500 <= len(rows) <= 750
    assert {row.kind for row in rows} == KINDS
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.number >= 1
        assert row.group
        assert row.composer
        assert "died" in row.public or "printed" in row.public, row
        assert Path(row.path).suffix in (".mxl", ".xml", ".krn", ".abc")
        assert not Path(row.path).is_absolute()


def test_no_group_is_in_both_splits_and_a_quarter_is_for_the_test() -> None:
    train, test = pieces("train"), pieces("test")
    assert not {row.group for row in train} & {row.group for row in test}
    assert 0.2 < len(test) / (len(train) + len(test)) < 0.3
    large = [kind for kind, count in Counter(row.kind for row in train).items() if count > 20]
    assert {"tune", "chorale", "quartet", "madrigal"} <= set(large)
    for kind in large:
        assert any(row.kind == kind for row in test), kind


def test_encodings_that_reserve_their_rights_are_not_on_the_list() -> None:
    for row in (*pieces("train"), *pieces("test")):
        assert row.path.split("/")[0] not in {"essenFolksong", "palestrina", "josquin", "trecento"}
        assert "berlin" not in row.path
        assert "eserved" not in row.rights
        assert "ORPHEUS" not in row.rights
        assert "-SA" not in row.rights


def test_another_split_is_refused() -> None:
    with pytest.raises(ScoreError, match=r"train, test.*'valid'"):
        pieces("valid")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_piece_of_each_kind_is_read(kind: str, tmp_path: Path) -> None:
    entry = next(row for row in (*pieces("test"), *pieces("train")) if row.kind == kind)
    piece = load(entry, cache=tmp_path)
    assert piece.beats >= 24
    assert piece.bar > 0
    for voice in piece.voices:
        assert len(voice)
        assert voice.onset.min() >= 0
        assert voice.length.min() > 0
        assert (np.diff(voice.onset) >= 0).all()
        assert ((voice.pitch > 20) & (voice.pitch < 109)).all()


# --- what is kept -------------------------------------------------------------------------------


def test_a_piece_is_read_once_and_comes_back_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path / "new")
    monkeypatch.setattr(corpus, "read", None)
    assert same(load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path / "new"), first)


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_file_is_made_again(damage: bytes | None, tmp_path: Path) -> None:
    first = load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert same(load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path), first)
    assert list(tmp_path.iterdir()) == [kept]
    kept.write_bytes(whole[:150] + b"damage" + whole[156:])
    assert same(load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path), first)


def test_what_another_version_read_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path)
    monkeypatch.setattr(corpus, "READING", corpus.READING + 1)
    load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_without_music21_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(ScoreError, match=r"pip install 'timbretree\[render\]'"):
        load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path)


@pytest.mark.parametrize(
    ("path", "number"), [("bach/none.mxl", 1), ("airdsAirs/book1.abc", 999), ("license.txt", 1)]
)
def test_a_piece_that_cannot_be_read_is_named(path: str, number: int, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=rf"{path}:{number}"):
        load(replace(AUS_MEINES_HERZENS_GRUNDE, path=path, number=number), cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_music21_says_nothing_and_writes_nothing(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from timbretree.render.scores.corpus import load, pieces\n"
        "entries = {row.path[-4:]: row for row in pieces('train')}\n"
        "for entry in entries.values(): load(entry, cache=Path('kept'))\n"
    )
    folders = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "TEMP", "XDG_CONFIG_HOME")}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=os.environ | folders, check=True, capture_output=True,
    )  # fmt: skip
    assert (run.stdout, run.stderr) == (b"", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


# --- what is read -------------------------------------------------------------------------------


def test_a_tune_without_its_grace_notes_and_chord_symbols_and_with_its_ties(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_text(TUNE)
    (voice,), bar = notation.read(path, number=1)
    assert bar == 3.0
    assert voice.onset.tolist() == [2.5, 3.0, 4.0, 4.5, 7.5]  # an upbeat, then bars from 3 on
    assert voice.length.tolist() == [0.5, 1.0, 0.5, 3.0, 1.0]
    assert voice.pitch.tolist() == [62, 67, 71, 74, 79]
    assert set(voice.velocity.tolist()) == {80}
    (voice,), bar = notation.read(path, number=2)
    assert (bar, voice.pitch.tolist()) == (4.0, [60, 62, 64, 65, 67])


def music_xml(bars: list[str]) -> str:
    """A trumpet in B flat that plays what is given, and a drum."""
    drum = (
        "<attributes><clef><sign>percussion</sign></clef></attributes><note><unpitched/>"
        "<duration>8</duration></note>"
    )
    measures = "".join(f'<measure number="{n}">{bar}</measure>' for n, bar in enumerate(bars, 1))
    drums = "".join(f'<measure number="{n}">{drum}</measure>' for n, _ in enumerate(bars, 1))
    return (
        '<?xml version="1.0"?><score-partwise><part-list><score-part id="P1"><part-name>T'
        '</part-name></score-part><score-part id="P2"><part-name>D</part-name></score-part>'
        f'</part-list><part id="P1">{measures}</part><part id="P2">{drums}</part></score-partwise>'
    )


def note(step: str, length: int, *, tie: str = "") -> str:
    tied = f'<tie type="{tie}"/>' if tie else ""
    pitch = f"<pitch><step>{step}</step><octave>5</octave></pitch>"
    return f"<note>{pitch}<duration>{length}</duration>{tied}</note>"


START = (
    "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>"
)


def test_instruments_sound_where_they_sound_and_drums_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "trumpet.xml"
    path.write_text(music_xml([START + note("C", 8, tie="start"), note("C", 8, tie="stop")]))
    (voice,), bar = notation.read(path, number=1)
    assert bar == 4.0
    assert voice.pitch.tolist() == [70]
    assert (voice.onset.tolist(), voice.length.tolist()) == ([0.0], [8.0])


def test_a_stretch_in_the_middle_keeps_measure_and_transposition(tmp_path: Path) -> None:
    path = tmp_path / "long.xml"
    path.write_text(music_xml([START + note("C", 8), *[note("C", 8)] * 199, *[note("D", 8)] * 20]))
    (first,), _ = notation.read(path, number=1)
    (voice,), bar = notation.read(path, number=2)
    assert (len(first), len(voice), bar) == (200, 20, 4.0)
    assert voice.onset.tolist() == [4.0 * place for place in range(20)]
    assert set(voice.pitch.tolist()) == {72}


def test_the_longest_stretch_in_one_metre_is_the_piece(tmp_path: Path) -> None:
    three = (
        "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    )  # fmt: skip
    path = tmp_path / "both.xml"
    path.write_text(music_xml([START + note("C", 8), three + note("D", 6), note("E", 6)]))
    (voice,), bar = notation.read(path, number=1)
    assert (bar, voice.onset.tolist(), voice.pitch.tolist()) == (3.0, [0.0, 3.0], [72, 74])


def test_a_chorale_begins_with_its_upbeat(tmp_path: Path) -> None:
    piece = load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path)
    assert piece.bar == 3.0
    assert [float(voice.onset[0]) for voice in piece.voices] == [2.0] * 4
    assert [int(voice.pitch[0]) for voice in piece.voices] == [67, 62, 59, 43]
    assert [voice.pitch.mean() for voice in piece.voices] == sorted(
        (voice.pitch.mean() for voice in piece.voices), reverse=True
    )


# --- chords -------------------------------------------------------------------------------------


def names(found: tuple[Chord, ...]) -> list[tuple[int, int]]:
    """Root and third of each."""
    return [(chord.root, (chord.pitches[1] - chord.root) % 12) for chord in found]


def test_a_chorale_has_its_chords_and_ends_on_dominant_and_tonic(tmp_path: Path) -> None:
    piece = load(AUS_MEINES_HERZENS_GRUNDE, cache=tmp_path)
    assert key(piece.voices) == (7, "major")
    found = chords(piece.voices, piece.beats, bar=piece.bar)
    assert names(found)[-2:] == [(2, 4), (7, 4)]
    assert {(7, 4), (2, 4), (0, 4), (4, 3)} <= set(names(found))  # I V IV vi
    share = sum(chord.length for chord in found if set(chord.pitches) <= {7, 9, 11, 0, 2, 4, 6})
    assert share > 0.85 * piece.beats


def test_written_chords_are_found_with_their_basses() -> None:
    written = [(60, 64, 67), (65, 69, 72), (62, 67, 71), (60, 64, 67)]  # C F G/D C
    voices = tuple(line([chord[part] for chord in written], 2.0) for part in (2, 1, 0))
    found = chords(voices, 8.0, bar=4.0)
    assert [(c.onset, c.length, c.root, c.bass) for c in found] == [
        (0.0, 2.0, 0, 0), (2.0, 2.0, 5, 5), (4.0, 2.0, 7, 2), (6.0, 2.0, 0, 0),
    ]  # fmt: skip
    assert found[0].pitches == (0, 4, 7)


def test_a_tune_in_c_major_gets_the_chords_of_c_major() -> None:
    tune = line([60, 64, 67, 64, 65, 69, 72, 69, 67, 71, 74, 71, 72, 67, 64, 60])
    assert key((tune,)) == (0, "major")
    assert names(chords((tune,), 16.0, bar=4.0)) == [(0, 4), (5, 4), (7, 4), (0, 4)]
    scale = line([60, 62, 64, 65, 67, 69, 71, 72] * 4)
    assert {root for root, _ in names(chords((scale,), 32.0, bar=4.0))} <= {0, 5, 7, 9, 2}


def test_a_tune_in_a_minor_gets_a_minor() -> None:
    tune = line([69, 72, 76, 72, 74, 72, 71, 69, 68, 71, 76, 71, 69, 72, 69, 69])
    assert key((tune,)) == (9, "minor")
    found = names(chords((tune,), 16.0, bar=4.0))
    assert found[0] == found[-1] == (9, 3)
    assert (4, 4) in found


def random_voices(rng: np.random.Generator) -> tuple[Notes, ...]:
    return tuple(
        Notes.of(
            [
                (
                    float(rng.uniform(0, 30)),
                    float(rng.uniform(0.1, 4)),
                    int(rng.integers(30, 90)),
                    80,
                )
                for _ in range(int(rng.integers(0, 40)))
            ]
        )
        for _ in range(int(rng.integers(0, 5)))
    )


@pytest.mark.parametrize("seed", range(40))
def test_chords_follow_each_other_from_the_start_to_the_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    voices, beats = random_voices(rng), float(rng.uniform(1, 40))
    bar = float(rng.choice([1.5, 2, 3, 4, 4.5, 6, 8, 0.5, 2.5]))
    found = chords(voices, beats, bar=bar)
    assert found[0].onset == 0
    assert found[-1].onset + found[-1].length == pytest.approx(beats)
    for chord, following in pairwise(found):
        assert chord.onset + chord.length == pytest.approx(following.onset)
    for chord in found:
        assert chord.length >= 1 - 1e-9
        assert chord.pitches[0] == chord.root
        assert chord.bass in chord.pitches
        assert len(chord.pitches) in (3, 4)
    assert chords(voices, beats, bar=bar) == found


@pytest.mark.parametrize("seed", range(10))
def test_a_piece_in_another_key_has_the_same_chords_in_that_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    voices = tuple(voice for voice in random_voices(rng) if len(voice)) or (line([60, 64, 67]),)
    step = int(rng.integers(1, 12))
    moved = tuple(replace(voice, pitch=voice.pitch + step) for voice in voices)
    tonic, mode = key(voices)
    assert key(moved) == ((tonic + step) % 12, mode)
    ours, theirs = chords(voices, 30.0, bar=4.0), chords(moved, 30.0, bar=4.0)
    assert [(chord.root + step) % 12 for chord in ours] == [chord.root for chord in theirs]


def test_silence_is_in_c_major_and_has_a_chord() -> None:
    assert key(()) == (0, "major")
    (chord,) = chords((), 8.0, bar=4.0)
    assert (chord.onset, chord.length) == (0.0, 8.0)


def test_the_page_counts_right() -> None:
    page = (Path(__file__).parents[1] / "docs" / "rendering.md").read_text("utf-8")
    kinds = len({ensemble.name for ensemble in ENSEMBLES})
    assert f"one of {len([*pieces('train'), *pieces('test')])} of music21's own corpus" in page
    assert f"one of {kinds} kinds" in page
