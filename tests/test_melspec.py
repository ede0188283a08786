"""The front end: our log-mels against other people's, against a slow restatement, against torch."""

from collections.abc import Iterator

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchlibrosa.stft import LogmelFilterBank, Spectrogram

from timbretree.frontend import LogMel, SpecAugment
from timbretree.melspec import CNN14_16K, MN04, PRESETS, MelSpec, log_mel

RATE = 16_000


def sound(kind: str, rate: int = RATE, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(0).normal(0, 1, len(time))
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (261.6, 329.6, 392.0, 3000.0))
    made = {
        "noise": 0.3 * noise,
        "tone": 0.5 * np.sin(2 * np.pi * 1000 * time),
        "chord": 0.2 * chord * np.exp(-6 * time),
        "quiet": 1e-3 * chord + 1e-5 * noise,
    }
    return made[kind].astype(np.float32)


SOUNDS = ("noise", "tone", "chord", "quiet")


@pytest.fixture
def exact_torch() -> Iterator[None]:
    """New tensors are float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# --- CNN14_16K, in decibels


@pytest.mark.parametrize("kind", SOUNDS)
def test_cnn14_equals_librosa(kind: str) -> None:
    samples = sound(kind)
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=RATE, n_fft=512, hop_length=160, window="hann",
        center=True, pad_mode="reflect", power=2.0, n_mels=64, fmin=50, fmax=8000,
    )  # fmt: skip
    wanted = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None).T
    np.testing.assert_allclose(log_mel(samples, CNN14_16K), wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", SOUNDS)
def test_cnn14_equals_torchlibrosa(kind: str, exact_torch: None) -> None:
    """PANNs' own front end, in float64: in float32 its convolutions lose what is 100 dB down."""
    samples = sound(kind)
    spectrogram = Spectrogram(
        n_fft=512, hop_length=160, win_length=512, window="hann", center=True,
        pad_mode="reflect", freeze_parameters=True,
    )  # fmt: skip
    logmel = LogmelFilterBank(
        sr=RATE, n_fft=512, n_mels=64, fmin=50, fmax=8000, ref=1.0, amin=1e-10, top_db=None,
        freeze_parameters=True,
    )  # fmt: skip
    with torch.inference_mode():
        wanted = logmel(spectrogram(torch.from_numpy(samples).double()[None]))[0, 0].numpy()
    np.testing.assert_allclose(log_mel(samples, CNN14_16K), wanted, rtol=0, atol=1e-3)


def test_silence_is_100_decibels_down() -> None:
    assert (log_mel(np.zeros(RATE, np.float32), CNN14_16K) == -100).all()


# --- MN04, slowly, from its description


def slow_mn04(samples: np.ndarray) -> np.ndarray:
    """Pre-emphasis, 800 Hann samples in the middle of 1024, 128 Kaldi filters over 512 bins."""
    sharp = [float(samples[t + 1]) - 0.97 * float(samples[t]) for t in range(len(samples) - 1)]
    mirrored = sharp[512:0:-1] + sharp + sharp[-2:-514:-1]
    window = np.zeros(1024)
    for t in range(800):
        window[112 + t] = 0.5 * (1 - np.cos(2 * np.pi * t / 799))
    top = 1127 * np.log(1 + 15_000 / 700)
    filters = np.zeros((512, 128))
    for band in range(128):
        left, centre, right = (top * (band + step) / 129 for step in range(3))
        for number in range(512):
            mel = 1127 * np.log(1 + number * 31.25 / 700)
            if left < mel <= centre:
                filters[number, band] = (mel - left) / (centre - left)
            elif centre < mel < right:
                filters[number, band] = (right - mel) / (right - centre)
    rows = []
    for start in range(0, len(mirrored) - 1023, 320):
        spectrum = np.fft.fft(np.array(mirrored[start : start + 1024]) * window)[:512]
        rows.append((np.log(np.abs(spectrum) ** 2 @ filters + 1e-5) + 4.5) / 5)
    return np.array(rows)


@pytest.mark.parametrize("kind", SOUNDS)
def test_mn04_equals_the_slow_way(kind: str) -> None:
    samples = sound(kind, 32_000, 0.5)
    np.testing.assert_allclose(log_mel(samples, MN04), slow_mn04(samples), rtol=0, atol=1e-4)


def test_mn04_shows_what_the_pre_emphasis_left_of_silence_as_the_floor() -> None:
    floor = (np.log(1e-5) + 4.5) / 5
    np.testing.assert_allclose(log_mel(np.zeros(32_000, np.float32), MN04), floor, rtol=1e-6)


# --- both


def test_shapes_of_ten_seconds() -> None:
    assert log_mel(np.zeros(160_000, np.float32), CNN14_16K).shape == (1001, 64)
    assert log_mel(np.zeros(320_000, np.float32), MN04).shape == (1000, 128)


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=40)
@given(extra=st.integers(0, 3000))
def test_frames_are_foretold(name: str, extra: int) -> None:
    spec = PRESETS[name]
    mel = log_mel(np.zeros(spec.shortest + extra, np.float32), spec)
    assert mel.shape == (spec.frames(spec.shortest + extra), spec.mels)
    assert mel.dtype == np.float32


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("whole", [0, 1, 4])
@pytest.mark.parametrize("around", [-1, 0, 1, 2])
def test_frames_are_foretold_at_whole_hops(name: str, whole: int, around: int) -> None:
    spec = PRESETS[name]
    samples = (spec.shortest // spec.hop + 1 + whole) * spec.hop + around
    assert len(log_mel(np.zeros(samples, np.float32), spec)) == spec.frames(samples)


def rounding(mel: np.ndarray) -> np.ndarray:
    """How far one rounding (2^-24) of all that sounds in a frame moves each band of an mn04 mel."""
    amplitude = np.exp((5 * mel.astype(np.float64) - 4.5) / 2)  # floor included
    whole = np.sqrt((amplitude**2).sum(axis=-1, keepdims=True))
    # level = (2 ln amplitude + 4.5) / 5, itself rounded to float32
    return 2 / 5 * 2**-24 * whole / amplitude + 2e-6


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=25)
@given(
    extra=st.integers(0, 8000),
    clips=st.integers(1, 3),
    level=st.sampled_from([1e-6, 1e-3, 0.05, 1.0]),
    seed=st.integers(0, 99),
)
def test_torch_says_what_numpy_says(
    name: str, extra: int, clips: int, level: float, seed: int
) -> None:
    spec = PRESETS[name]
    noise = np.random.default_rng(seed).normal(0, level, (clips, spec.shortest + extra))
    waveform = noise.astype(np.float32)
    heard = LogMel(spec)(torch.from_numpy(waveform))
    assert heard.dtype == torch.float32
    found = np.stack([log_mel(each, spec) for each in waveform])
    allowed = rounding(heard.numpy()) if spec == MN04 else 1e-4
    assert (np.abs(heard.numpy() - found) <= allowed).all()


def full_scale(name: str) -> np.ndarray:
    """Loud tones with nearly empty bands beside them: where rounding shows most."""
    spec = PRESETS[name]
    time = np.arange(3 * spec.rate)
    tones = [0.9 * np.sin(step * time) for step in (0.05, 0.2, 0.7, 2.0)]
    bass = 0.9 * np.sin(0.01 * time) + 1e-4 * np.random.default_rng(0).normal(0, 1, len(time))
    return np.stack([*tones, bass]).astype(np.float32)


def test_torch_says_what_numpy_says_at_full_scale() -> None:
    """In decibels, down to 1e-10 of power, which float32 would lose."""
    for samples in full_scale("cnn14_16k"):
        heard = LogMel(CNN14_16K)(torch.from_numpy(samples)[None])[0]
        np.testing.assert_allclose(heard.numpy(), log_mel(samples, CNN14_16K), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["full scale", *SOUNDS])
def test_mn04_loses_one_rounding_of_its_frame(kind: str) -> None:
    """What float32 costs: the amplitude in each band is right to 2^-24 of that of all that sounds
    in its frame. For music that is far below 1e-4 of the mel; for a tone at full scale it is
    2e-4 in the faintest bands. A deep bass, which the pre-emphasis takes away, leaves none."""
    every = full_scale("mn04") if kind == "full scale" else sound(kind, MN04.rate)[None]
    for samples in every:
        quick = log_mel(samples, MN04).astype(np.float64)
        exact = LogMel(MN04)(torch.from_numpy(samples)[None])[0].numpy().astype(np.float64)
        assert (np.abs(quick - exact) <= rounding(exact)).all()
        assert np.abs(quick - exact).max() < 3e-4


@pytest.mark.parametrize("kind", SOUNDS)
@pytest.mark.parametrize("name", PRESETS)
def test_torch_says_what_numpy_says_of_music(name: str, kind: str) -> None:
    spec = PRESETS[name]
    samples = sound(kind, spec.rate)
    with torch.autocast("cpu", torch.bfloat16):
        heard = LogMel(spec)(torch.from_numpy(samples)[None])[0]
    np.testing.assert_allclose(heard.numpy(), log_mel(samples, spec), rtol=0, atol=1e-4)


def test_the_front_end_has_no_weights() -> None:
    assert not LogMel(MN04).state_dict()
    assert not list(LogMel(MN04).parameters())


@pytest.mark.parametrize("spec", PRESETS.values(), ids=PRESETS)
def test_too_short_or_not_mono_is_refused(spec: MelSpec) -> None:
    enough = np.zeros(spec.shortest, np.float32)
    log_mel(enough, spec)
    LogMel(spec)(torch.from_numpy(enough)[None])
    with pytest.raises(ValueError, match=f"T >= {spec.shortest}, got shape"):
        log_mel(enough[1:], spec)
    with pytest.raises(ValueError, match=r"got shape \(2, 9000\)"):
        log_mel(np.zeros((2, 9000), np.float32), spec)
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        LogMel(spec)(torch.zeros(1, spec.n_fft // 2))


# --- SpecAugment


def blanked(mel: torch.Tensor, axis: int) -> np.ndarray:
    """(B, length): which frames (axis 2) or bands (axis 3) are blank all over."""
    return (mel == 0).all(dim=5 - axis)[:, 0].numpy()


def runs(blank: np.ndarray) -> int:
    """How many stretches of True there are."""
    return int((np.diff(blank.astype(int), prepend=0) == 1).sum())


def test_augment_does_nothing_outside_training() -> None:
    mel = torch.randn(2, 1, 100, 64)
    torch.testing.assert_close(SpecAugment().eval()(mel), mel, rtol=0, atol=0)


def test_augment_blanks_up_to_two_narrow_stripes_each_way() -> None:
    torch.manual_seed(0)
    mel = torch.rand(50, 1, 1001, 64) + 1
    told = SpecAugment().train()(mel)
    frames, bands = blanked(told, 2), blanked(told, 3)
    for clip in range(50):
        assert runs(frames[clip]) <= 2
        assert runs(bands[clip]) <= 2
        assert frames[clip].sum() <= 2 * 63
        assert bands[clip].sum() <= 2 * 7
    # what is zero lies in a stripe; all else is as it was
    crossed = frames[:, None, :, None] | bands[:, None, None, :]
    np.testing.assert_array_equal(told.numpy(), np.where(crossed, 0, mel.numpy()))
    assert len({tuple(row) for row in frames}) > 45  # drawn anew for each clip
    assert len({tuple(row) for row in bands}) > 25
    assert mel.min() >= 1  # what came in is untouched


@pytest.mark.parametrize(("axis", "widest"), [(2, 64), (3, 8)])
def test_stripes_have_every_width_below_the_limit_and_every_place(axis: int, widest: int) -> None:
    torch.manual_seed(1)
    none_the_other_way = {"frames": 1} if axis == 3 else {"mels": 1}
    augment = SpecAugment(**none_the_other_way, stripes=1).train()
    blank = blanked(augment(torch.ones(4000, 1, 200, 64)), axis)
    widths = blank.sum(axis=1)
    assert (widths.min(), widths.max()) == (0, widest - 1)
    assert widths.mean() == pytest.approx((widest - 1) / 2, rel=0.05)
    assert widths.var() == pytest.approx((widest**2 - 1) / 12, rel=0.1)
    share = blank.mean(axis=0)
    middle = share[widest:-widest]
    assert middle.min() > 0.5 * middle.max()  # no place is favoured
    assert share[:2].min() > 0  # the very first can be blank, too


def test_augment_of_fewer_frames_than_a_stripe_is_wide() -> None:
    torch.manual_seed(0)
    augment = SpecAugment(mels=1, stripes=1).train()
    blank = blanked(augment(torch.ones(500, 1, 10, 64)), 2)
    assert blank.sum(axis=1).max() == 9  # never the whole clip
