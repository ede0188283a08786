"""Known faults of others' code on this data: each check turns the fault away, and lets ours pass.

The faulty versions are written anew here, as PaSST, EfficientAT and PANNs have them in substance.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from published import panns_file, panns_like
from timbretree.audio import load
from timbretree.backbones import Cnn14
from timbretree.checkpoint import AudioSetStart, Checkpoint, CheckpointError, load_panns
from timbretree.decoding import decode_clips
from timbretree.labels import Labels
from timbretree.losses import masked_bce
from timbretree.model import build
from timbretree.taxonomy import Taxonomy

RATE = 16_000
"""What we decode to."""
Decoder = Callable[[Path], np.ndarray]
Loss = Callable[[Tensor, Labels], Tensor]


# --- the masked loss divided by all cells (PaSST, EfficientAT)


def over_all_cells(probability: Tensor, labels: Labels) -> Tensor:
    """The fault."""
    target, mask = labels.target.float(), labels.mask.float()
    return (functional.binary_cross_entropy(probability, target, reduction="none") * mask).mean()


def over_observed_cells(probability: Tensor, labels: Labels) -> Tensor:
    return masked_bce(probability, labels).value


def step(loss: Loss, labels: Labels) -> float:
    """How far one step moves the first clip's first tag, which is observed."""
    probability = torch.full(labels.mask.shape, 0.5, requires_grad=True)
    loss(probability, labels).backward()
    assert probability.grad is not None
    return abs(probability.grad[0, 0].item())


def step_varies_with_density(loss: Loss) -> bool:
    """Two clips of 20 tags, two cells observed in each: as on OpenMIC; then without the others."""
    sparse = torch.zeros(2, 20, dtype=torch.bool)
    sparse[:, :2] = True
    target = torch.zeros_like(sparse)
    few = Labels(target[:, :2], sparse[:, :2])
    return abs(step(loss, Labels(target, sparse)) / step(loss, few) - 1) > 1e-5


def test_the_loss_is_not_divided_by_all_cells() -> None:
    assert step_varies_with_density(over_all_cells)
    assert not step_varies_with_density(over_observed_cells)


# --- a failed strict load retried non-strictly (EfficientAT)


def load_leniently(path: Path) -> nn.Module:
    """The fault."""
    trunk = Cnn14()
    theirs = torch.load(path, weights_only=True)["model"]
    places = {name: re.sub(r"blocks\.(\d)", lambda n: f"conv_block{int(n[1]) + 1}", name)
              for name in trunk.state_dict()}  # fmt: skip
    weights = {name: theirs[place] for name, place in places.items() if place in theirs}
    try:
        trunk.load_state_dict(weights)
    except RuntimeError:
        trunk.load_state_dict(weights, strict=False)
    return trunk


def accepts(read: Callable[[Path], object], path: Path) -> bool:
    try:
        read(path)
    except CheckpointError:
        return False
    return True


def test_weights_that_lack_a_layer_are_not_loaded(tmp_path: Path) -> None:
    path = panns_file(tmp_path, panns_like())
    for read in (load_leniently, load_freely):
        assert accepts(read, path)
    weights = panns_like()
    wanted = weights.pop("fc1.weight")
    panns_file(tmp_path, weights)
    assert accepts(load_leniently, path)
    assert not torch.equal(load_leniently(path).fc1.weight, wanted)  # a layer at random
    assert not accepts(load_freely, path)


def load_freely(path: Path) -> AudioSetStart:
    return load_panns(path, sha256=None)


def test_a_checkpoint_that_lacks_a_layer_is_not_loaded(tmp_path: Path) -> None:
    tree, path = Taxonomy.load("tone7"), tmp_path / "net.safetensors"
    Checkpoint(build("mn04", "gmp", tree), "mn04", "gmp", tree, (0.5,) * 20, (0.5,) * 7).save(path)
    assert accepts(Checkpoint.load, path)
    with safe_open(str(path), framework="pt") as file:
        record = file.metadata()
    weights = load_file(path)
    del weights["head.fine.weight"]
    save_file(weights, path, record)

    def lenient(path: Path) -> None:
        build("mn04", "gmp", tree).load_state_dict(load_file(path), strict=False)

    assert accepts(lenient, path)
    assert not accepts(Checkpoint.load, path)


# --- how we decode, in both flows


def decode_whole(path: Path) -> np.ndarray:
    return load(path, rate=RATE).samples


def decode_for_training(path: Path) -> np.ndarray:
    """Ten seconds, which end in silence if need be."""
    samples, failures = decode_clips([path], path.with_suffix(".npy"), rate=RATE, seconds=10.0)
    assert not failures
    return samples[0].astype(np.float64) / 32768


OURS = [decode_whole, decode_for_training]


def tone(path: Path, pitch: float, rate: int, *, begin: float, end: float, seconds: float) -> Path:
    """A file with a tone at -6 dB from ``begin`` to ``end``, in seconds, faded in and out so that
    it holds no other pitch."""
    time = np.arange(round(seconds * rate)) / rate
    fade = np.clip(np.minimum(time - begin, end - time) / 0.2, 0, 1)
    samples = 0.5 * np.sin(np.pi / 2 * fade) ** 2 * np.sin(2 * np.pi * pitch * time)
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def level(samples: np.ndarray) -> float:
    """Of the loudest tone, in dB of full scale."""
    window = np.blackman(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window)) * 2 / window.sum()
    return float(20 * np.log10(spectrum.max() + 1e-12))


# --- 16 kHz by taking every second sample, without a filter (PaSST, EfficientAT, PANNs)


def every_second_sample(path: Path) -> np.ndarray:
    """The fault, on a file of 32 kHz."""
    return soundfile.read(path)[0][::2]


def lets_10_khz_through(decode: Decoder, folder: Path, rate: int = 32_000) -> bool:
    """A pitch above half our rate must not come back as another; one below it must come through."""
    stretch = {"begin": 0.0, "end": 10.0, "seconds": 10.0}
    heard = decode(tone(folder / "low.wav", 3_000, rate, **stretch))
    alias = decode(tone(folder / "high.wav", 10_000, rate, **stretch))
    middle = slice(2 * RATE, 8 * RATE)
    assert level(heard[middle]) == pytest.approx(-6, abs=0.1)
    return level(alias[middle]) > -90 or level(alias) > -90


def test_every_second_sample_lets_10_khz_through(tmp_path: Path) -> None:
    assert lets_10_khz_through(every_second_sample, tmp_path)
    aliased = every_second_sample(tmp_path / "high.wav")
    assert level(aliased[2 * RATE : 8 * RATE]) == pytest.approx(-6, abs=0.1)  # at full level


@pytest.mark.parametrize("decode", OURS)
@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000, 96_000])
def test_we_do_not(tmp_path: Path, decode: Decoder, rate: int) -> None:
    assert not lets_10_khz_through(decode, tmp_path, rate)


# --- clips cut before resampling (PaSST, EfficientAT)


def cut_before_resampling(path: Path) -> np.ndarray:
    """The fault: as many samples as ten seconds have at our rate, whatever the file's."""
    samples, rate = soundfile.read(path, frames=10 * RATE)
    short = soxr.resample(samples, rate, RATE)
    return np.pad(short, (0, 10 * RATE - len(short)))


def loses_the_end(decode: Decoder, folder: Path, rate: int = 44_100) -> bool:
    """A clip of ten seconds that plays in the last one alone."""
    file = tone(folder / "late.wav", 440, rate, begin=9.0, end=10.0, seconds=10.0)
    samples = decode(file)
    assert abs(len(samples) - 10 * RATE) <= 1
    assert not np.abs(samples[: 9 * RATE - 200]).max() > 1e-3
    return level(samples[round(9.3 * RATE) : round(9.7 * RATE)]) < -7


def test_what_is_cut_before_resampling_loses_the_end(tmp_path: Path) -> None:
    assert loses_the_end(cut_before_resampling, tmp_path)


@pytest.mark.parametrize("decode", OURS)
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_ours_is_heard_to_the_end(tmp_path: Path, decode: Decoder, rate: int) -> None:
    assert not loses_the_end(decode, tmp_path, rate)
