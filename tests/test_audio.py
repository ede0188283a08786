"""Decoding: right samples from good files, a reason for every bad one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbretree.audio import REASONS, AudioError, Clip, Limits, Recording, load, resample

RATE = 16_000


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def level(samples: np.ndarray, rate: int, hertz: float) -> float:
    """The amplitude of one frequency."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate)
    return float(2 * np.abs((samples * wave).mean()))


def read(path: Path, **limits: float) -> tuple[np.ndarray, Recording]:
    with Recording(path, rate=RATE, limits=Limits(**limits)) as recording:
        return np.concatenate(list(recording)), recording


def code_of(path: Path, **limits: float) -> str:
    with pytest.raises(AudioError) as caught:
        read(path, **limits)
    assert REASONS[caught.value.code] in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    "name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "A.WAV", "a.aiff", "ü b.wav"]
)
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_every_format_gives_the_tone_that_went_in(tmp_path: Path, name: str, rate: int) -> None:
    stereo = np.stack([tone(2, rate), np.zeros(2 * rate, "f4")], axis=1)
    soundfile.write(tmp_path / name, stereo, rate)
    samples, recording = read(tmp_path / name)
    assert recording.reason is None
    assert recording.seconds == pytest.approx(2, abs=0.1)
    assert len(samples) == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert level(samples[RATE // 2 : RATE], RATE, 440) == pytest.approx(0.25, rel=0.02)


def test_opus(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    soundfile.write(path, tone(1, 48_000), 48_000, format="OGG", subtype="OPUS")
    assert level(read(path)[0][4000:12000], RATE, 440) == pytest.approx(0.5, rel=0.05)


def test_blocks_give_what_one_piece_gives(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(20, 44_100), 44_100, subtype="FLOAT")
    samples, _ = read(tmp_path / "a.wav")
    whole = resample(Clip(tone(20, 44_100), 44_100), RATE).samples
    assert abs(len(samples) - len(whole)) <= 1
    shared = min(len(samples), len(whole))
    np.testing.assert_allclose(samples[:shared], whole[:shared], atol=2e-4)


def test_no_alias_of_what_lies_above_the_new_rate(tmp_path: Path) -> None:
    """The public trainers take every second sample: 10 kHz turns up at 6 kHz at full level."""
    soundfile.write(tmp_path / "a.wav", tone(2, 32_000, 10_000), 32_000)
    samples, _ = read(tmp_path / "a.wav")
    assert level(samples[1000:-1000], RATE, 6_000) < 1e-4


def test_channels_are_averaged(tmp_path: Path) -> None:
    channels = np.stack([tone(1, RATE)] * 4, axis=1) * np.array([1, 0, 0, -0.5], "f4")
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read(tmp_path / "a.wav")[0], tone(1, RATE) / 8, atol=1e-6)


def test_what_is_no_audio_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("This is a text file named like a song.\n" * 50)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "garbage.flac").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "headless.raw").write_bytes(bytes(5000))
    assert code_of(tmp_path / "text.mp3") == "not_audio"
    assert code_of(tmp_path / "empty.wav") == "empty"
    assert code_of(tmp_path / "garbage.flac") == "not_audio"
    assert code_of(tmp_path / "headless.raw") == "not_audio"
    assert code_of(tmp_path / "nowhere.wav") == "missing"
    assert code_of(tmp_path / "text.mp3" / "below.wav") == "missing"
    assert code_of(tmp_path) == "is_folder"


def test_absurd_headers_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", tone(1, 8000), 1)
    soundfile.write(tmp_path / "fast.wav", tone(1, 8000), 2_100_000_000)
    soundfile.write(tmp_path / "wide.wav", np.zeros((100, 65), "f4"), 8000)
    assert code_of(tmp_path / "slow.wav") == "bad_rate"
    assert code_of(tmp_path / "fast.wav") == "bad_rate"
    assert code_of(tmp_path / "wide.wav") == "too_many_channels"


@pytest.mark.parametrize("frames", [0, 1, 799])
def test_too_short(tmp_path: Path, frames: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(frames, "f4"), 8000)
    assert code_of(tmp_path / "a.wav") == "too_short"


def test_too_long_is_used_up_to_the_limit(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(3, RATE), RATE)
    samples, recording = read(tmp_path / "a.wav", max_seconds=2.0)
    assert (len(samples), recording.reason) == (2 * RATE, "too_long")
    assert read(tmp_path / "a.wav", max_seconds=3.0)[1].reason is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_bad_numbers_become_silence_and_spread_nowhere(tmp_path: Path, bad: float) -> None:
    samples = tone(2, 44_100)
    samples[30_000:30_010] = bad
    soundfile.write(tmp_path / "a.wav", samples, 44_100, subtype="FLOAT")
    heard, recording = read(tmp_path / "a.wav")
    assert recording.reason == "not_finite"
    assert np.abs(heard).max() < 0.6
    assert level(heard[: RATE // 2], RATE, 440) == pytest.approx(0.5, rel=0.01)


def test_a_cut_mp3_is_partial(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", tone(60, 44_100), 44_100)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(content[: len(content) // 10])
    samples, recording = read(tmp_path / "cut.mp3")
    assert recording.reason == "truncated"
    assert 4 < len(samples) / RATE < 8


def test_a_flac_that_breaks_off_keeps_its_good_part(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 44_100 * 20).astype("f4")
    soundfile.write(tmp_path / "a.flac", noise, 44_100)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    samples, recording = read(tmp_path / "cut.flac")
    assert recording.reason in ("truncated", "corrupt")
    assert 5 < len(samples) / RATE < 11


def test_memory_does_not_grow_with_channels(tmp_path: Path) -> None:
    """A small file that unpacks to gigabytes: blocks hold no more values for more channels."""
    soundfile.write(tmp_path / "a.flac", np.zeros((1_000_000, 8), "i2"), 192_000)
    with Recording(tmp_path / "a.flac", rate=RATE) as recording:
        sizes = [len(block) for block in recording]
    assert max(sizes) <= (1 << 18) // 8
    assert sum(sizes) == pytest.approx(1_000_000 * RATE / 192_000, abs=2)


def test_load_and_resample(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1, 8_000), 8_000)
    clip = load(tmp_path / "a.wav", rate=RATE)
    assert (clip.rate, clip.seconds) == (RATE, pytest.approx(1, abs=0.01))
    assert resample(clip, RATE) is clip
    assert clip.samples.dtype == resample(clip, 22_050).samples.dtype == np.float32
