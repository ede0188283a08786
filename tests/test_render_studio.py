"""The studio: what it does to sound, and that what it says of the mix is true."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbretree.render.music import RATE
from timbretree.render.studio import desk, mixing, rooms
from timbretree.render.studio.codec import Codec, encode, through
from timbretree.render.studio.loudness import (
    FRAME,
    decibels,
    frame_powers,
    heard_in,
    integrated,
    struck_level,
)
from timbretree.render.studio.mixing import CEILING, Mix, Stem, mix
from timbretree.render.studio.ogg import with_serial, write_ogg
from timbretree.render.studio.wear import _NOISES, at_loudness_of, noise, wear


def tone(hertz: float, *, seconds: float = 10.0, gain: float = 0.1) -> np.ndarray:
    turn = 2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE
    return np.repeat((gain * np.sin(turn)).astype(np.float32)[None], 2, axis=0)


def chord(hertz: float, *, start: float = 0.0, end: float = 10.0, gain: float = 0.1) -> np.ndarray:
    """Some overtones between two moments of ten seconds, silence else."""
    sound = sum(tone(hertz * n, gain=gain / n) for n in range(1, 5))
    sound[:, : int(start * RATE)] = 0
    sound[:, int(end * RATE) :] = 0
    return sound


def bursts(seed: int = 0, seconds: float = 4.0) -> np.ndarray:
    """Noise in the middle of the spectrum, in bursts of irregular length."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 0.2, int(seconds * 10)), RATE // 10)
    sound = (rng.standard_normal((2, len(loud))) * loud).astype(np.float32)
    return desk.equalise(np.cumsum(sound, axis=1) * 0.1, [])


def band() -> list[Stem]:
    blows = chord(180) * np.exp(-np.arange(10 * RATE) % (RATE // 2) / 2000).astype(np.float32)
    return [
        Stem("violin", "melody", chord(440)),
        Stem("piano", "chords", chord(262, gain=0.001)),
        Stem("bass", "bass", chord(65, gain=0.8)),
        Stem("drums", "rhythm", blows),
    ]


def lag(before: np.ndarray, after: np.ndarray) -> int:
    """By how many samples the second is later than the first."""
    size = 2 * before.shape[1]
    a, b = np.fft.rfft(before.mean(0), size), np.fft.rfft(after.mean(0), size)
    place = int(np.fft.irfft(a.conj() * b).argmax())
    return place if place < size // 2 else place - size


def mixed(seed: int, stems: list[Stem] | None = None) -> Mix:
    return mix(band() if stems is None else stems, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def mixes() -> list[Mix]:
    return [mixed(seed) for seed in range(12)]


# loudness


def test_loudness_is_that_of_the_standard() -> None:
    one = tone(997, gain=1.0)
    one[1] = 0
    assert integrated(frame_powers(one)) == pytest.approx(-3.01, abs=0.05)
    assert integrated(frame_powers(tone(997, gain=0.1))) == pytest.approx(-20.0, abs=0.05)
    low, high = (integrated(frame_powers(tone(hertz))) + 20 for hertz in (40, 6000))
    assert low < -2
    assert 3 < high < 4.2


def test_pauses_do_not_make_a_track_softer() -> None:
    half = tone(997)
    half[:, 5 * RATE :] = 0
    assert integrated(frame_powers(half)) == pytest.approx(-20.0, abs=0.3)
    assert integrated(frame_powers(0 * half)) < -150
    assert integrated(np.zeros(0)) < -150


def test_a_decaying_sound_counts_by_its_beginning() -> None:
    steady = frame_powers(tone(500))
    time = np.arange(10 * RATE) / RATE
    decaying = frame_powers(tone(500) * np.exp(-2 * time).astype(np.float32))
    click = frame_powers(tone(500) * (time < 0.06).astype(np.float32))
    assert struck_level(steady) == pytest.approx(-20.6, abs=0.5)
    assert struck_level(steady) - 8 < struck_level(decaying) < struck_level(steady)
    assert struck_level(click) == pytest.approx(struck_level(steady), abs=3.1)
    assert struck_level(0 * steady) < -150


def test_frames_count_a_part_of_one() -> None:
    powers = frame_powers(tone(997, seconds=0.12))
    assert len(powers) == 3
    assert powers[2] < powers[1] == pytest.approx(powers[0], rel=0.02)
    assert decibels(powers[0]) == pytest.approx(-20, abs=0.1)


def test_what_is_heard_is_how_long_and_how_loud() -> None:
    ground = frame_powers(tone(300))
    part = tone(500)
    part[:, 3 * RATE :] = 0
    for gain in (0, -10, -20, -30):
        heard = heard_in(ground, frame_powers(part * 10 ** (gain / 20)))
        assert heard is not None
        assert heard.seconds == pytest.approx(3.0, abs=0.051)
        assert heard.loudness == pytest.approx(gain, abs=0.6)
    for gain in (-38, -60):
        assert heard_in(ground, frame_powers(part * 10 ** (gain / 20))) is None
    assert heard_in(ground, 0 * ground) is None


def test_a_part_alone_is_heard_down_to_a_floor() -> None:
    loud = tone(300)
    loud[:, 5 * RATE :] = 0
    for gain, sounds in ((-40, True), (-50, False)):
        soft = tone(300) * 10 ** (gain / 20)
        soft[:, : 5 * RATE] = 0
        heard = heard_in(frame_powers(loud + soft), frame_powers(soft))
        assert (heard is not None) == sounds


# desk


def test_an_equaliser_raises_its_band_and_cuts_the_rumble() -> None:
    for hertz, gain in ((200, 5), (1000, -6), (8000, 3)):
        wide = desk.equalise(tone(hertz), [desk.Band(hertz, gain, 1.0)])[:, RATE:]
        assert 20 * np.log10(wide.max() / 0.1) == pytest.approx(gain, abs=0.1)
        far = desk.equalise(tone(hertz), [desk.Band(hertz / 10, gain, 1.0)])[:, RATE:]
        assert 20 * np.log10(far.max() / 0.1) == pytest.approx(0, abs=0.3)
    still = desk.equalise(np.full((2, RATE), 0.5, np.float32), [])
    assert np.abs(still[:, RATE // 2 :]).max() < 1e-3


def test_a_compressor_holds_loud_moments_and_leaves_soft_ones() -> None:
    sound = tone(1000)
    sound[:, : 2 * RATE] *= 0.1
    out = desk.compress(sound, desk.Compression(-32, 4.0))
    np.testing.assert_array_equal(out[:, :RATE], sound[:, :RATE])
    assert 20 * np.log10(out[:, 3 * RATE :].max()) == pytest.approx(-29, abs=0.2)
    assert np.abs(out).max() <= np.abs(sound).max()


def test_overdrive_adds_overtones_and_no_level() -> None:
    out = desk.drive(tone(440), 12)
    spectrum = np.abs(np.fft.rfft(out[0]))
    assert spectrum[3 * 4400] > 0.05 * spectrum[4400] > 1000 * spectrum[2 * 4400]
    assert 0.01 < out.max() <= 0.1
    assert not desk.drive(np.zeros((2, 9), np.float32), 12).any()


def test_a_delay_moves_by_parts_of_samples() -> None:
    sound = tone(997, seconds=1)
    late = desk.delayed(sound, np.full(RATE, 10.5 / RATE))
    turn = 2 * np.pi * 997 * (np.arange(RATE) - 10.5) / RATE
    np.testing.assert_allclose(late[0, 20:], 0.1 * np.sin(turn)[20:], atol=1e-4)
    assert late.shape == desk.chorus(sound, 1.0, 2e-3).shape == sound.shape


def test_a_place_is_left_or_right_and_equally_loud() -> None:
    sound = tone(500, seconds=1)
    for pan in (-1, -0.5, 0, 0.5, 1):
        out = desk.place(sound, pan, 1.0)
        assert (out**2).sum() == pytest.approx((sound**2).sum(), rel=1e-4)
        assert np.sign(out[1].max() - out[0].max()) == pytest.approx(np.sign(pan))
    np.testing.assert_allclose(desk.place(sound, 0, 0.3), sound, atol=1e-7)


# rooms


def test_every_room_decays_as_it_says() -> None:
    kinds = set()
    for seed in range(30):
        room = rooms.draw_room(np.random.default_rng(seed))
        kinds.add(room.kind)
        assert 0.15 <= room.decay <= 3.0
        np.testing.assert_allclose((room.response**2).sum(axis=1), 1, rtol=1e-3)
        energy = (room.response[:, int(0.1 * RATE) :] ** 2).sum(axis=0)  # after the reflections
        if room.decay > 0.6:
            left = np.cumsum(energy[::-1])[::-1]
            third = int((left > left[0] / 100).sum()) / RATE  # until it is 20 dB down
            assert 0.5 < 3 * third / room.decay < 1.1  # the treble goes sooner
    assert kinds == {"studio", "room", "hall", "church"}


def test_reverberation_is_a_convolution() -> None:
    room = rooms.draw_room(np.random.default_rng(1))
    sound = np.zeros(3 * RATE, np.float32)
    sound[[100, 2 * RATE]] = 1, -2
    out = rooms.reverberate(sound, room)
    expected = np.zeros_like(out)
    for place, size in ((100, 1), (2 * RATE, -2)):
        piece = room.response[:, : 3 * RATE - place] * 10 ** (room.wet / 20) * size
        expected[:, place : place + piece.shape[1]] += piece
    np.testing.assert_allclose(out, expected, atol=1e-5)


# wear


@pytest.mark.parametrize(
    "codec",
    [
        *(Codec("mp3", level, mode) for level, mode in product((0, 0.8), ("CONSTANT", "VARIABLE"))),
        *(Codec("vorbis", level) for level in (0.1, 1.0)),
        *(Codec("opus", level) for level in (0.6, 0.97)),
    ],
    ids=str,
)
def test_a_codec_keeps_length_and_times(codec: Codec) -> None:
    sound = bursts()
    out = through(sound, codec)
    assert out.shape == sound.shape
    assert out.dtype == np.float32
    assert abs(lag(sound, out)) <= 0.002 * RATE
    assert not np.array_equal(out, sound)
    loss = (integrated(frame_powers(out)), integrated(frame_powers(sound)))
    assert loss[0] == pytest.approx(loss[1], abs=1.5)


def test_more_compression_makes_smaller_files() -> None:
    for name, top in (("mp3", 0.8), ("vorbis", 1.0), ("opus", 0.97)):
        mode = "CONSTANT" if name == "mp3" else None
        sizes = [len(encode(bursts(), Codec(name, level, mode))) for level in (0.3, 0.6, top)]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > 1.5 * sizes[2]


@pytest.mark.parametrize("kind", _NOISES)
def test_noise_is_as_loud_as_it_is_asked_to_be(kind: str) -> None:
    sound = noise(kind, 3 * RATE, np.random.default_rng(0))
    assert sound.shape == (2, 3 * RATE)
    assert sound.dtype == np.float32
    soft = at_loudness_of(tone(997, seconds=3), sound, -40)
    assert decibels(frame_powers(soft).mean()) == pytest.approx(-60, abs=0.1)


def test_wear_leaves_a_quarter_alone_and_moves_nothing() -> None:
    sound = bursts(seconds=1.0)
    kept, flat, seen = 0, 0, set()
    for seed in range(150):
        out, traces = wear(sound, rng=np.random.default_rng(seed))
        seen |= set(traces) | {str(traces.get(name)) for name in ("noise", "codec")}
        assert out.shape == sound.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert abs(lag(sound, out)) <= 0.01 * RATE
        kept += not traces
        flat += "mono" in traces
        assert not traces or not np.array_equal(out, sound)
        if not traces:
            np.testing.assert_array_equal(out, sound)
        if "mono" in traces:
            assert np.abs(out[0] - out[1]).max() < 0.05 * np.abs(out).max()  # but for the codec
    assert 0.15 < kept / 150 < 0.35
    assert 0.1 < flat / 150 < 0.3
    assert seen >= {"tape_khz", "radio_khz", *_NOISES, "mp3", "vorbis", "opus"}


# mix


def test_a_mix_is_never_above_its_ceiling(mixes: list[Mix]) -> None:
    for each in mixes:
        assert each.audio.shape == (2, 10 * RATE)
        assert each.audio.dtype == np.float32
        assert 0.05 < np.abs(each.audio).max() <= 10 ** (CEILING / 20) * 1.0001
        found = integrated(frame_powers(each.audio))
        assert found == pytest.approx(each.settings["loudness"], abs=0.01)
        assert -24.1 < found < -8.9
    assert np.ptp([each.settings["loudness"] for each in mixes]) > 5


def test_every_player_is_heard_whatever_the_level_it_came_with(mixes: list[Mix]) -> None:
    lowest = []
    for each in mixes:
        assert list(each.heard) == ["violin", "piano", "bass", "drums"]
        lowest.append(min(heard.loudness for heard in each.heard.values()))
    assert np.mean(np.array(lowest) > -18) > 0.85
    mean = {tag: np.mean([each.heard[tag].loudness for each in mixes]) for tag in mixes[0].heard}
    assert mean["violin"] > mean["bass"] > mean["piano"]


def test_the_level_of_a_stem_does_not_matter(mixes: list[Mix]) -> None:
    louder = [Stem(stem.tag, stem.role, 2 * stem.audio) for stem in band()]
    twice = mixed(0, louder)
    for tag, heard in mixes[0].heard.items():
        assert twice.heard[tag].loudness == pytest.approx(heard.loudness, abs=0.01)


def test_the_truth_holds_in_every_room(monkeypatch: pytest.MonkeyPatch) -> None:
    short = [*band(), Stem("flute", "inner", chord(700, start=2, end=5))]
    drawn = [rooms.draw_room(np.random.default_rng(seed)) for seed in range(30)]
    for seed, kind in enumerate(("studio", "room", "hall", "church")):
        room = max((room for room in drawn if room.kind == kind), key=lambda room: room.wet)
        monkeypatch.setattr(mixing, "draw_room", lambda _, room=room: room)
        heard = mixed(seed, short).heard
        assert heard["flute"].seconds == pytest.approx(3.0, abs=0.3)
        assert heard["violin"].seconds == pytest.approx(10.0, abs=0.3)


def test_parts_of_one_tag_are_one_instrument() -> None:
    first, second = chord(440, end=3), chord(660, start=6)
    two = mixed(3, [Stem("violin", "melody", first), Stem("violin", "inner", second)])
    assert list(two.heard) == ["violin"]
    assert two.heard["violin"].seconds == pytest.approx(7.0, abs=0.3)


def test_silence_stays_silence() -> None:
    silent = Stem("flute", "melody", np.zeros((2, RATE), np.float32))
    faint = Stem("flute", "melody", tone(300, seconds=1, gain=1e-5))
    for stem in (silent, faint):
        out = mixed(0, [stem])
        assert not out.audio.any()
        assert out.heard == {}
    some = mixed(0, [Stem("flute", "melody", np.zeros((2, 10 * RATE), np.float32)), *band()])
    assert "flute" not in some.heard
    assert len(some.heard) == 4
    assert np.isfinite(some.audio).all()


def test_a_mix_depends_on_its_stems_and_the_generator_alone(mixes: list[Mix]) -> None:
    for seed in (0, 5, 9):
        again = mixed(seed)
        np.testing.assert_array_equal(again.audio, mixes[seed].audio)
        assert (again.heard, again.settings) == (mixes[seed].heard, mixes[seed].settings)
    assert not np.array_equal(mixes[0].audio, mixes[1].audio)
    kinds = {type(value) for each in mixes for value in each.settings.values()}
    assert kinds <= {float, int, str}


def test_stems_are_not_changed() -> None:
    stems = band()
    mixed(2, stems)
    for stem, fresh in zip(stems, band(), strict=True):
        np.testing.assert_array_equal(stem.audio, fresh.audio)


def test_what_cannot_be_mixed_is_refused() -> None:
    good = band()[0]
    with pytest.raises(ValueError, match=r"one shape \(2, samples\), got \[\]"):
        mixed(0, [])
    with pytest.raises(ValueError, match="one shape"):
        mixed(0, [good, Stem("flute", "melody", good.audio[:, :-1])])
    with pytest.raises(ValueError, match="one shape"):
        mixed(0, [Stem("flute", "melody", good.audio[:1])])
    with pytest.raises(ValueError, match=r"expected a role of melody, .* got 'solo'"):
        mixed(0, [Stem("flute", "solo", good.audio)])
    broken = good.audio.copy()
    broken[0, 77] = np.nan
    with pytest.raises(ValueError, match="flute holds samples that are no numbers"):
        mixed(0, [good, Stem("flute", "inner", broken)])


# files


def plain_checksum(page: bytes) -> int:
    """As RFC 3533 has it: bit by bit, the polynomial 0x04c11db7, from 0."""
    register = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x104C11DB7 if register >> 31 else 0)
    return register


def pages(content: bytes) -> list[bytes]:
    starts = [place for place in range(len(content)) if content.startswith(b"OggS\0", place)]
    return [content[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def test_an_ogg_file_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    sound = mixed(1).audio[:, : 3 * RATE]
    for name in ("a.ogg", "b.ogg"):
        write_ogg(tmp_path / name, sound, serial=0xFEDCBA98)
    first = (tmp_path / "a.ogg").read_bytes()
    assert first == (tmp_path / "b.ogg").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.ogg", "b.ogg"]
    found = pages(first)
    assert len(found) > 3
    for page in found:
        assert page[14:18] == bytes.fromhex("98badcfe")
        assert page[22:26] == plain_checksum(page).to_bytes(4, "little")
    back, rate = soundfile.read(tmp_path / "a.ogg", dtype="float32")
    assert rate == RATE
    assert back.shape == (3 * RATE, 2)
    assert abs(lag(sound, back.T)) <= 1
    assert np.corrcoef(back[:, 0], sound[0])[0, 1] > 0.98


def test_a_new_serial_number_gives_what_libsndfile_would_write() -> None:
    content = encode(bursts(), Codec("vorbis", 0.5))
    serial = int.from_bytes(content[14:18], "little")
    assert with_serial(with_serial(content, 1), serial) == content
    assert with_serial(content, serial ^ 1) != content


def test_long_clips_can_be_written(tmp_path: Path) -> None:
    write_ogg(tmp_path / "long.ogg", np.tile(bursts(), 15), serial=0)
    assert soundfile.info(tmp_path / "long.ogg").frames == 60 * RATE


def test_what_is_no_clip_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    sound = tone(300, seconds=0.1)
    for wrong in (sound.T, sound[0], sound[:, :0]):
        with pytest.raises(ValueError, match=r"expected sound of shape \(2, samples\), got"):
            write_ogg(path, wrong, serial=0)
    for wrong in (np.nan * sound, 11 * sound):
        with pytest.raises(ValueError, match="between -1 and 1"):
            write_ogg(path, wrong, serial=0)
    content = encode(sound, Codec("vorbis", 0.5))
    for wrong in (content[:-1], b"junk" + content, content + b"Og"):
        with pytest.raises(ValueError, match="Ogg"):
            with_serial(wrong, 0)
    assert not path.exists()


def test_a_frame_is_fifty_milliseconds() -> None:
    assert FRAME / RATE == 0.05
