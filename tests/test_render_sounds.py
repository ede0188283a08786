"""SoundFonts, the synthesizer, the sampler, and who may play on what."""

import contextlib
import os
import pickle
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.music import RATE, Notes
from timbretree.render.sounds.bank import Sounds, SoundsError
from timbretree.render.sounds.division import divide
from timbretree.render.sounds.pitch import measure_pitch, told_pitch
from timbretree.render.sounds.presets import presets
from timbretree.render.sounds.samples import SamplesError, play_recordings, read_instruments
from timbretree.render.sounds.soundfont import (
    SoundFontError,
    families,
    find,
    read_soundfont,
)
from timbretree.render.sounds.strokes import KEYS, complete, heard_as
from timbretree.render.sounds.synth import SynthError, play_preset
from tinyfont import ALL, write_font

GRAND, FIDDLE = {(0, 0): "Grand Piano"}, {(0, 40): "Violin"}


@pytest.fixture
def fluidsynth() -> None:
    try:
        import fluidsynth  # noqa: F401
    except ImportError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def tone(key: float, seconds: float = 1.0, rate: int = 32_000) -> np.ndarray:
    """A note that decays, with harmonics."""
    time = np.arange(int(seconds * rate)) / rate
    hertz = 440 * 2 ** ((key - 69) / 12)
    parts = [np.sin(2 * np.pi * hertz * h * time) / h for h in range(1, 6) if hertz * h < rate / 2]
    return (0.3 * sum(parts) * np.exp(-time) * np.minimum(time * 200, 1)).astype(np.float32)


def write_samples(folder: Path, files: dict[str, np.ndarray]) -> Path:
    """A folder of recordings; a file is ``tag/source-name``, sources are one word."""
    lines = ["file,tag,source"]
    for name, audio in files.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, audio, 32_000, subtype="FLOAT")
        lines.append(f"{name}.wav,{path.parent.name},{path.stem.split('-')[0]}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def scale(*keys: int) -> Notes:
    return Notes.of([(0.25 * n, 0.2, key, 90) for n, key in enumerate(keys)])


# SoundFonts


def test_a_font_tells_its_presets_and_samples(tmp_path: Path) -> None:
    path = write_font(tmp_path / "a.sf2", {**GRAND, (128, 8): "Room"}, ["Piano C4(L)", "Kick 1"])
    font = read_soundfont(path)
    assert font.name == "a"
    assert font.presets == {(0, 0): "Grand Piano", (128, 8): "Room"}
    assert font.samples == {"pianoc4l", "kick1"}
    assert font.made_of == {(0, 0): {"pianoc4l"}, (128, 8): {"kick1"}}


def test_chunks_of_odd_length_may_lack_their_padding(tmp_path: Path) -> None:
    for padded in (True, False):
        path = write_font(tmp_path / f"{padded}.sf3", GRAND, padded=padded)
        assert read_soundfont(path).presets == GRAND


def test_what_is_no_whole_font_is_said(tmp_path: Path) -> None:
    whole = write_font(tmp_path / "a.sf2", GRAND).read_bytes()
    cases = {"missing": None, "empty": b"", "foreign": b"RIFF\x04\0\0\0WAVE", "cut off": whole[:-9]}
    for name, content in cases.items():
        path = tmp_path / f"{name}.sf2"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SoundFontError, match=f"{name}.sf2"):
            read_soundfont(path)
    with pytest.raises(SoundFontError, match="is a folder; name one file"):
        read_soundfont(tmp_path)
    with pytest.raises(SoundFontError, match="0 presets"):
        read_soundfont(write_font(tmp_path / "none.sf2", {}, []))
    for place in range(12, len(whole), 97):  # whatever is damaged, only this error
        path = tmp_path / "damaged.sf2"
        path.write_bytes(whole[:place] + b"\xff\xfe\xfd" + whole[place + 3 :])
        with contextlib.suppress(SoundFontError):
            read_soundfont(path)


def test_fonts_that_share_recordings_are_a_family(tmp_path: Path) -> None:
    names = {"a": "p1 p2 p3", "b": "p1 q2 q3", "c": "q2 q3 r9", "d": "sine rom", "e": "sine rom x"}
    fonts = []
    for name, samples in names.items():
        words = samples.split()
        tags = {(0, n): f"x{n}" for n in range(len(words))}
        fonts.append(read_soundfont(write_font(tmp_path / f"{name}.sf2", tags, words)))
    for order in (fonts, fonts[::-1]):
        found = [[font.path.stem for font in family] for family in families(order)]
        assert found == [["a", "b", "c"], ["d"], ["e"]]


def test_links_to_a_font_are_no_fonts(tmp_path: Path) -> None:
    path = write_font(tmp_path / "a.sf2", GRAND)
    (tmp_path / "default.sf2").symlink_to(path)
    (tmp_path / "gone.sf3").symlink_to(tmp_path / "nowhere")
    assert find([tmp_path, tmp_path, tmp_path / "no folder"]) == [path.resolve()]


# The synthesizer


def test_a_part_sounds_the_same_whatever_came_before(fluidsynth: None, tmp_path: Path) -> None:
    one = write_font(tmp_path / "one.sf2", {**GRAND, **FIDDLE, (128, 0): "Standard"})
    two = write_font(tmp_path / "two.sf2", FIDDLE)
    parts = [(one, (0, 0)), (two, (0, 40)), (one, (128, 0)), (one, (0, 40))]
    notes = [scale(*range(48, 55)), scale(60, 60, 72), scale(36, 38, 42), Notes.of([])]
    first: dict[tuple[int, int], np.ndarray] = {}
    for _ in range(2):
        for p, (font, preset) in enumerate(parts):
            for n, played in enumerate(notes):
                audio = play_preset(font, preset, played, seconds=1.5)
                assert audio.dtype == np.float32
                assert audio.shape == (2, round(1.5 * RATE))
                assert (n == 3) != audio.any()
                assert np.array_equal(first.setdefault((p, n), audio), audio)
    code = (
        "import sys, zlib; from pathlib import Path; from timbretree.render.sounds.synth import *\n"
        "notes = Notes.of([(0.25 * n, 0.2, key, 90) for n, key in enumerate(range(48, 55))])\n"
        "audio = play_preset(Path(sys.argv[1]), (0, 0), notes, seconds=1.5)\n"
        "print(zlib.crc32(audio.tobytes()))"
    )
    told = subprocess.run([sys.executable, "-c", code, one], check=True, capture_output=True)
    assert int(told.stdout) == zlib.crc32(first[0, 0].tobytes())


def test_notes_come_when_and_as_high_as_told(fluidsynth: None, tmp_path: Path) -> None:
    font = write_font(tmp_path / "a.sf2", GRAND)
    for key in (45, 60, 76):
        audio = play_preset(font, (0, 0), Notes.of([(0.5, 0.4, key, 90)]), seconds=1.5)[0]
        heard = np.flatnonzero(np.abs(audio) > 1e-3)
        assert abs(heard[0] / RATE - 0.5) < 0.01
        assert 0.9 < heard[-1] / RATE < 1.2
        assert abs(measure_pitch(audio, RATE)[0] - key) < 0.2


def test_a_key_struck_again_is_not_broken_off(fluidsynth: None, tmp_path: Path) -> None:
    font = write_font(tmp_path / "a.sf2", GRAND)
    notes = Notes.of([(0.0, 0.6, 60, 90), (0.5, 0.5, 60, 90)])
    audio = play_preset(font, (0, 0), notes, seconds=1.0)[0]
    assert np.abs(audio[int(0.8 * RATE) : int(0.9 * RATE)]).max() > 0.01


def test_a_preset_that_is_not_there_is_never_replaced(fluidsynth: None, tmp_path: Path) -> None:
    font = write_font(tmp_path / "a.sf2", {**GRAND, (0, 1): "Bright Piano"})
    for preset in ((0, 2), (8, 0), (128, 0)):
        with pytest.raises(SynthError, match=r"a\.sf2"):
            play_preset(font, preset, scale(60), seconds=0.1)
    assert play_preset(font, (0, 1), scale(60), seconds=0.1).any()


def test_without_fluidsynth_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from timbretree.render.sounds import synth

    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(SynthError, match="install"):
        synth._library()


# The sampler


def test_pitch_is_heard() -> None:
    for key in np.arange(24, 103, 3.3):
        heard, certain = measure_pitch(tone(key), 32_000)
        assert abs(heard - key) < 0.15, key
        assert certain > 0.9, key
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    for unclear in (noise, np.zeros(32_000, np.float32), noise[:100]):
        assert measure_pitch(unclear, 32_000)[1] < 0.5


def test_pitch_is_read() -> None:
    cases = {
        "killer_bass_a5_vl1": 81, "cello-Ds2": 39, "MartinGM2_046_Bb2_1": 46, "x-BB4": 70,
        "violin-127_440.000": 69, "bass-48": 48, "w-ab4_f_rr1_dnm": 68, "a_aa2_C6": 84,
        "027-Ds1-FF": 27,
    }  # fmt: skip
    for name, key in cases.items():
        assert told_pitch(name)[0] == key, name
    for name in ("source-0002", "kick_l0_r0", "syn_brass_1", "eerie_synth4", "guit_em9"):
        assert told_pitch(name) is None, name


def test_what_is_no_certain_note_is_not_played_on(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    good = {f"piano/x-c{octave}": tone(12 * octave + 12) for octave in range(2, 6)}
    bad = {
        "piano/x-e4": tone(60), "piano/x-f4": noise, "piano/x-chord-g4": tone(67),
        "flute/y-c5": tone(72), "cello/z-riff": tone(50), "drums/z-loop_kick": noise,
    }  # fmt: skip
    found = read_instruments(write_samples(tmp_path, good | bad))
    assert [(each.tag, each.source) for each in found] == [("piano", "x")]
    names = [each.path.stem for each in found[0].recordings]
    assert names == ["x-c2", "x-c3", "x-c4", "x-c5"]


def test_makers_count_octaves_as_they_like(tmp_path: Path) -> None:
    files = {f"piano/x-c{octave}": tone(12 * octave) for octave in range(2, 6)}
    (found,) = read_instruments(write_samples(tmp_path, files))
    assert [round(each.pitch) for each in found.recordings] == [24, 36, 48, 60]


def test_notes_are_the_nearest_recording_at_their_pitch(tmp_path: Path) -> None:
    files = {f"piano/x-c{octave}": tone(12 * octave + 12.2) for octave in (3, 4)}
    (piano,) = read_instruments(write_samples(tmp_path, files))
    for key, heard in {43: 55, 44: 44, 53: 53, 56: 56, 65: 65, 67: 55, 80: 56, 84: 60}.items():
        audio = play_recordings(piano, Notes.of([(0.5, 0.8, key, 90)]), seconds=2.0)
        assert audio.shape == (2, 2 * RATE)
        assert not audio[:, : RATE // 2].any()
        assert not audio[:, int(1.45 * RATE) :].any()
        assert abs(measure_pitch(audio[0, RATE // 2 :], RATE)[0] - heard) < 0.1, key
    soft, loud = (
        np.abs(play_recordings(piano, Notes.of([(0, 1, 60, v)]), seconds=1.0)).max()
        for v in (40, 80)
    )
    assert loud / soft == pytest.approx(4, rel=0.01)


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match=r"manifest\.csv"):
        read_instruments(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,tag\na,b\n", "utf-8")
    with pytest.raises(SamplesError, match="source"):
        read_instruments(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,tag,source\na.wav,piano,x\n", "utf-8")
    with pytest.raises(SamplesError, match=r"row 2.*a\.wav"):
        read_instruments(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(SamplesError, match=r"a\.wav"):
        read_instruments(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,tag,source\na.wav,pianno,x\n", "utf-8")
    with pytest.raises(SamplesError, match=r"row 2.*did you mean 'piano'"):
        read_instruments(tmp_path)
    with pytest.raises(
        SamplesError, match=r"expected a folder of recordings.*file, tag and source"
    ):
        read_instruments(tmp_path / "nowhere")


def test_a_folder_that_plays_nothing_is_not_passed_over(tmp_path: Path) -> None:
    write_samples(tmp_path, {"piano/x-noise": np.ones(20_000, np.float32)})
    with pytest.raises(SamplesError, match="nothing can be played on the recordings"):
        Sounds([read_soundfont(write_font(tmp_path / "a.sf2", ALL))], tmp_path)


def test_strokes_go_by_words() -> None:
    cases = {
        "bd_boom": "kick", "drum_bass_hard": "kick", "2-bass-drum": "kick", "sn_dolf": "snare",
        "garage-city-snare-snappy": "snare", "tomHigh_l0_r0": "high tom", "tomh": "high tom",
        "drum_tom_lo_soft": "low tom", "5-open-hi-hat": "open hi-hat", "hatClosed": "closed hi-hat",
        "drum_cymbal_open": "open hi-hat", "drum_cymbal_soft": "crash", "loop_amen": "",
        "drum_roll": "", "drum_splash_hard": "splash", "ride-source-0001": "ride",
    }  # fmt: skip
    for name, kind in cases.items():
        assert heard_as(name) == kind, name
    for tag, keys in KEYS.items():
        for kinds in keys.values():
            for need in [{"kick", "snare"}] if tag == "drums" else [{"open hi-hat", "ride"}]:
                assert complete(tag, need)
                assert set(kinds) & need
    assert not complete("drums", {"kick"})


# Who may play on what


def sounds_of(*paths: Path, samples: Path | None = None) -> Sounds:
    return Sounds([read_soundfont(path) for path in paths], samples)


def test_two_strangers_cover_both_sides(tmp_path: Path) -> None:
    fonts = [write_font(tmp_path / f"{name}.sf2", ALL) for name in "abc"]
    sounds, again = sounds_of(*fonts), sounds_of(*fonts[::-1])
    assert sounds.shared == {}
    origins: dict[str, set[str]] = {"train": set(), "test": set()}
    for tag in INSTRUMENTS:
        for split, seen in origins.items():
            offered = sounds.offered(tag, split)
            assert offered, tag
            assert offered == again.offered(tag, split)
            seen |= {each.origin for each in offered}
    assert not origins["train"] & origins["test"]
    assert len(origins["train"]) > len(origins["test"])


def test_a_font_alone_parts_its_presets_or_is_shared(tmp_path: Path) -> None:
    names = {**FIDDLE, (0, 0): "Piano 1", (0, 1): "Piano 2", (0, 2): "Piano 3", (0, 3): "Piano 4"}
    path = write_font(tmp_path / "a.sf2", names, ["v", "p", "p", "q", "r"])
    sounds = sounds_of(path)
    train, test = ({s.preset[2] for s in sounds.offered("piano", p)} for p in ("train", "test"))
    assert train | test == {0, 1, 2, 3}
    assert not train & test
    assert {0, 1} <= train  # the same recordings
    assert "a.sf2" in sounds.shared["violin"]
    assert sounds.offered("violin", "train") == sounds.offered("violin", "test") != []
    assert "no sound" in sounds.shared["flute"]
    assert set(sounds.shared) == set(INSTRUMENTS) - {"piano"}
    with pytest.raises(SoundsError, match="flute"):
        sounds.choose("flute", "train", np.random.default_rng(0))


def test_fonts_are_chosen_equally_often(tmp_path: Path) -> None:
    many = {(0, n): f"Piano {n}" for n in range(6)}
    paths = [write_font(tmp_path / "a.sf2", many, ["x"] * 6), write_font(tmp_path / "b.sf2", GRAND,
             ["x"]), write_font(tmp_path / "c.sf2", GRAND)]  # fmt: skip
    sounds, rng = sounds_of(*paths), np.random.default_rng(0)
    assert {each.origin for each in sounds.offered("piano", "test")} == {str(paths[2])}
    chosen = [sounds.choose("piano", "train", rng).origin for _ in range(400)]
    assert 150 < chosen.count(str(paths[0])) < 250
    assert {sounds.choose("piano", "test", rng).origin for _ in range(20)} == {str(paths[2])}


def test_presets_are_what_they_are_called(tmp_path: Path) -> None:
    general = {(0, program): f"{program:03}" for program in range(128)}
    odd = {(8, 24): "Lute", (16, 25): "Mandolin", (128, 0): "Standard", (128, 48): "Orchestra"}
    font = read_soundfont(write_font(tmp_path / "a.sf2", general | odd))
    assert presets(font, "cello") == {(0, 42): 1}
    assert presets(font, "ukulele") == {}
    assert set(presets(font, "mandolin")) == {(16, 25)}
    assert set(presets(font, "drums")) == set(presets(font, "cymbals")) == {(128, 0)}
    chip = read_soundfont(write_font(tmp_path / "OPL-3 FM.sf2", general | odd))
    assert [tag for tag in INSTRUMENTS if presets(chip, tag)] == ["synthesizer"]
    names = {(0, 0): "Red_Kit_4pc", (0, 1): "Bass Trombone", (0, 2): "Solo Cello"}
    single = read_soundfont(write_font(tmp_path / "b.sf2", names))
    found = {tag: set(presets(single, tag)) for tag in INSTRUMENTS if presets(single, tag)}
    assert found == {"drums": {(0, 0)}, "cymbals": {(0, 0)}, "cello": {(0, 2)}}


def test_an_instrument_on_anothers_recordings_is_told(tmp_path: Path) -> None:
    names = {(0, 24): "Nylon Guitar", (0, 27): "Clean Guitar", (8, 24): "Ukulele"}
    sounds = sounds_of(write_font(tmp_path / "a.sf2", names, ["nylon", "clean", "nylon"]))
    assert sounds.borrowed == {"ukulele": "guitar"}


def test_recordings_are_divided_by_source_and_copies_stay_together(tmp_path: Path) -> None:
    def played(seed: int, key: float) -> np.ndarray:
        return tone(key) + np.random.default_rng([seed, int(10 * key)]).normal(
            0, 0.02, 32_000
        ).astype("f4")

    keys = {f"c{octave}": 12 * octave + 12 for octave in (3, 4, 5)}
    files = {f"piano/{source}-{name}": played(n, key + 0.1 * n)
             for n, source in enumerate("abcd") for name, key in keys.items()}  # fmt: skip
    files |= {f"piano/copy-{name}": 0.5 * files[f"piano/a-{name}"] for name in keys}
    files |= {f"violin/a-{name}": played(9, key) for name, key in keys.items()}
    folder = write_samples(tmp_path / "s", files)
    sounds = sounds_of(samples=folder)
    sides = {p: {s.origin for s in sounds.offered("piano", p)} for p in ("train", "test")}
    assert sides["train"] | sides["test"] == {"a", "b", "c", "d", "copy"}
    assert not sides["train"] & sides["test"]
    assert any({"a", "copy"} <= side for side in sides.values())
    assert 0 < len(sides["test"]) < 3
    assert "violin" in sounds.shared


def test_sounds_travel_light_and_play_the_same(fluidsynth: None, tmp_path: Path) -> None:
    font = write_font(tmp_path / "a.sf2", ALL)
    files = {f"piano/x-c{octave}": tone(12 * octave + 12) for octave in (3, 4)}
    sounds = sounds_of(font, samples=write_samples(tmp_path / "s", files))
    packed = pickle.dumps(sounds)
    assert len(packed) < 50_000
    other = pickle.loads(packed)
    for split in ("train", "test"):
        for sound in sounds.offered("piano", split):
            audio = sounds.play(sound, scale(60, 64, 67), seconds=1.0)
            assert audio.any()
            assert audio.shape == (2, RATE)
            assert np.array_equal(audio, other.play(sound, scale(60, 64, 67), seconds=1.0))
    (kit,) = sounds.offered("cymbals", "train")
    assert sounds.play(kit, scale(42, 49), seconds=1.0).any()
    assert not sounds.play(kit, Notes.of([]), seconds=1.0).any()
    with pytest.raises(SoundsError, match="36"):
        sounds.play(kit, scale(36), seconds=1.0)


def test_a_quarter_goes_to_the_test() -> None:
    assert divide([]) == []
    owned = [{("font", "piano"): 1} for _ in range(8)]
    assert sum(divide(owned)) == 2
    whole = {("font", tag): 1 for tag in INSTRUMENTS}
    assert divide([whole, {("font", "drums"): 2}, whole]) == [True, False, False]
