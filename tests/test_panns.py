"""Our Cnn14 against PANNs' own class: the same weights hear the same, and learn the same."""

import copy
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency
from torch import Tensor, nn

from published import PANNS
from timbretree.backbones import Cnn14
from timbretree.checkpoint import AudioSetStart, load_panns
from timbretree.frontend import LogMel, SpecAugment
from timbretree.melspec import CNN14_16K

SETTINGS = {
    "sample_rate": 16000, "window_size": 512, "hop_size": 160, "mel_bins": 64, "fmin": 50,
    "fmax": 8000, "classes_num": 527,
}  # fmt: skip
"""Of the published Cnn14_16k."""
Draw = Callable[[Tensor], Tensor]


@pytest.fixture(scope="module")
def panns() -> Iterator[ModuleType]:
    """``panns_inference.models`` without its package's own import, which fetches files."""
    spec = PathFinder.find_spec("panns_inference")
    assert spec is not None, "install the dev extra"
    package = ModuleType("panns_inference")
    package.__path__ = list(spec.submodule_search_locations or ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "panns_inference", package)
        for name in ("models", "pytorch_utils"):
            patch.delitem(sys.modules, f"panns_inference.{name}", raising=False)
        yield importlib.import_module("panns_inference.models")
    for name in ("models", "pytorch_utils"):
        sys.modules.pop(f"panns_inference.{name}", None)


@pytest.fixture(scope="module")
def theirs(panns: ModuleType) -> nn.Module:
    """Their network with random weights and statistics, through which sounds come at their scale.

    Convolutions keep the variance; bn0 knows levels about -40 dB.
    """
    net: nn.Module = panns.Cnn14(**SETTINGS)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.startswith(("spectrogram", "logmel")) or not value.is_floating_point():
                continue
            if value.ndim > 1:
                value.normal_(0, (2 / value[0].numel()) ** 0.5)
            elif name.endswith(("running_mean", "bias")):
                value.normal_(0, 0.2)
            else:
                value.uniform_(0.5, 1.5)
        net.bn0.running_mean.normal_(-40, 10)
        net.bn0.running_var.mul_(300)
    return net.eval()


@pytest.fixture(scope="module")
def start(theirs: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> AudioSetStart:
    """Their weights as our loader reads them from a file like the published one."""
    path = tmp_path_factory.mktemp("panns") / "Cnn14_16k.pth"
    torch.save({"model": theirs.state_dict()}, path)
    try:
        return load_panns(path, sha256=None)
    finally:
        path.unlink()  # 320 MB


@pytest.fixture
def ours(start: AudioSetStart) -> Cnn14:
    assert isinstance(start.trunk, Cnn14)
    return start.trunk.eval()


def sounds() -> dict[str, Tensor]:
    """Each (1, T) at 16 kHz."""
    noise = torch.Generator().manual_seed(1)
    hiss = torch.randn(32_000, generator=noise)
    time = torch.arange(32_000) / 16_000
    tones = sum(torch.sin(2 * np.pi * pitch * time) for pitch in (220, 440, 660, 3300))
    music = 0.1 * tones * torch.exp(-3 * (time % 0.5)) + 1e-3 * hiss
    loud = torch.sin(2 * np.pi * 1000 * time)
    known = {
        "noise": 0.1 * hiss, "faint noise": 1e-4 * hiss, "music": music,
        "music in 16 bits": torch.round(music * 32768) / 32768, "silence": torch.zeros(32_000),
        "tone": 0.5 * torch.sin(2 * np.pi * 440 * time), "loud tone": loud,
    }  # fmt: skip
    return {name: sound[None] for name, sound in known.items()}


def their_mel(net: nn.Module, waveform: Tensor) -> Tensor:
    """(B, T) to (B, frames, 64)."""
    mel: Tensor = net.logmel_extractor(net.spectrogram_extractor(waveform))
    return mel[:, 0]


def test_its_entries_are_those_our_loader_is_tested_with(theirs: nn.Module) -> None:
    assert {name: tuple(each.shape) for name, each in theirs.state_dict().items()} == PANNS


# --- what is heard


@pytest.mark.parametrize("sound", sounds())
def test_the_same_embedding_from_the_same_spectrogram(
    theirs: nn.Module, ours: Cnn14, sound: str
) -> None:
    with torch.inference_mode():
        wanted = theirs(sounds()[sound])["embedding"]
        found = ours(their_mel(theirs, sounds()[sound]))
    assert wanted.abs().max() > 1
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sound", ["noise", "faint noise", "music", "music in 16 bits", "silence"])
def test_the_same_embedding_from_the_waveform(theirs: nn.Module, ours: Cnn14, sound: str) -> None:
    waveform = sounds()[sound]
    with torch.inference_mode():
        wanted = theirs(waveform)["embedding"]
        found = ours(LogMel(CNN14_16K)(waveform))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("sound", "bound"), [("tone", 1e-5), ("loud tone", 5e-5)])
def test_a_pure_tone_from_the_waveform(
    theirs: nn.Module, ours: Cnn14, sound: str, bound: float
) -> None:
    """Beside a tone without any noise, most bands hold nothing but the rounding of their float32
    Fourier matrix, and ours, in float64, have none: up to 0.4 dB. So the bound is a share of the
    embedding's length; for a tone at full scale it is wider."""
    waveform = sounds()[sound]
    with torch.inference_mode():
        wanted = theirs(waveform)["embedding"]
        found = ours(LogMel(CNN14_16K)(waveform))
    assert (found - wanted).norm() < bound * wanted.norm()


def test_ten_seconds_of_two_clips(theirs: nn.Module, ours: Cnn14) -> None:
    waveform = 0.1 * torch.randn(2, 160_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        mel = LogMel(CNN14_16K)(waveform)
        assert mel.shape == (2, 1001, 64)
        torch.testing.assert_close(ours(mel), theirs(waveform)["embedding"], rtol=0, atol=1e-5)


def test_the_classifier_is_theirs(theirs: nn.Module, start: AudioSetStart, ours: Cnn14) -> None:
    with torch.inference_mode():
        said = theirs(sounds()["music"])
        logits = said["embedding"] @ start.weight.T + start.bias
    torch.testing.assert_close(logits.sigmoid(), said["clipwise_output"])


# --- how it learns


def learn(net: nn.Module, *, hear: Callable[[nn.Module], Tensor]) -> Tensor:
    """The answer in training mode, from one seed; leaves gradients and statistics behind."""
    net.train()
    torch.manual_seed(5)
    answer = hear(net)
    answer.square().sum().backward()
    return answer.detach()


def test_training_is_the_same_number_by_number(
    theirs: nn.Module, ours: Cnn14, start: AudioSetStart
) -> None:
    """With our SpecAugment in their network, both draw the same stripes and dropouts, one after
    the other, if these are at the same places, of the same shapes and rates."""
    other, net = copy.deepcopy(theirs), copy.deepcopy(ours)
    other.spec_augmenter = SpecAugment()
    generator = torch.Generator().manual_seed(2)
    waveform = 0.1 * torch.randn(3, 24_000, generator=generator)
    mel = their_mel(other, waveform).detach()
    wanted = learn(other, hear=lambda other: other(waveform)["clipwise_output"])
    # what they call embedding has one more dropout in training, which their classifier has not
    weight, bias = start.weight, start.bias
    found = learn(net, hear=lambda net: (net(mel) @ weight.T + bias).sigmoid())
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    for name, theirs_, ours_ in same_weights(other, net):
        torch.testing.assert_close(ours_, theirs_, rtol=1e-4, atol=1e-6, msg=name)
        if theirs_.requires_grad:
            bound = 1e-4 * theirs_.grad.abs().max().item()
            torch.testing.assert_close(ours_.grad, theirs_.grad, rtol=1e-4, atol=bound, msg=name)


def same_weights(other: nn.Module, net: Cnn14) -> Iterator[tuple[str, Any, Any]]:
    for number, block in enumerate(net.blocks, 1):
        twin = getattr(other, f"conv_block{number}")
        for name, value in [*twin.named_parameters(), *twin.named_buffers()]:
            yield f"conv_block{number}.{name}", value, value_of(block, name)
    for layer in ("bn0", "fc1"):
        twin = getattr(other, layer)
        for name, value in [*twin.named_parameters(), *twin.named_buffers()]:
            yield f"{layer}.{name}", value, value_of(getattr(net, layer), name)


def value_of(net: nn.Module, name: str) -> Tensor:
    known = dict([*net.named_parameters(), *net.named_buffers()])
    return known[name]


# --- SpecAugment: the same stripes, in distribution

IMAGE = (9, 7)
"""Frames and bands: so small that every stripe there can be is drawn often."""


def their_stripes(frames: int, bands: int, stripes: int) -> Draw:
    from torchlibrosa.augmentation import SpecAugmentation

    return SpecAugmentation(frames, stripes, bands, stripes).train()


def our_stripes(frames: int, bands: int, stripes: int) -> Draw:
    return SpecAugment(frames=frames, mels=bands, stripes=stripes).train()


def hidden(
    draw: Draw, *, clips: int = 8000, size: tuple[int, int] = IMAGE, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(clips, frames) and (clips, bands): which of them are blanked out in each clip."""
    torch.manual_seed(seed)
    blank = draw(torch.ones(clips, 1, *size))[:, 0] == 0
    return blank.all(dim=2).numpy(), blank.all(dim=1).numpy()


def patterns(draw: Draw, axis: int, seed: int = 0) -> list[bytes]:
    return [row.tobytes() for row in hidden(draw, seed=seed)[axis]]


def likeness(some: list[Any], others: list[Any]) -> float:
    """How probable so large a difference between two samples of one distribution is (chi^2)."""
    kinds = sorted(set(some) | set(others))
    counts = [Counter(some), Counter(others)]
    table = np.array([[count[kind] for kind in kinds] for count in counts])
    rare = table.sum(axis=0) < 20
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1) + 1])
    return float(chi2_contingency(table).pvalue)


def independence(some: np.ndarray, others: np.ndarray) -> float:
    """How probable so close a tie between how much is blank here and there is by chance (chi^2)."""
    table = np.zeros((10, 10))
    np.add.at(table, (some.sum(axis=1), others.sum(axis=1)), 1)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    return float(chi2_contingency(table).pvalue)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("stripes", [1, 2])
def test_which_stripes_are_drawn_and_how_often(axis: int, stripes: int) -> None:
    theirs = patterns(their_stripes(5, 4, stripes), axis, seed=1)
    ours = patterns(our_stripes(5, 4, stripes), axis)
    assert likeness(ours, theirs) > 1e-3
    if stripes == 1:  # every one there can be, and no other
        assert set(ours) == set(theirs)
    for frames, bands, number in [(6, 5, stripes), (4, 3, stripes), (5, 4, stripes + 1)]:
        assert likeness(patterns(our_stripes(frames, bands, number), axis), theirs) < 1e-6


def test_a_stripe_placed_otherwise_would_be_noticed() -> None:
    """Theirs never hides the last frame; one drawn from all places would."""

    def anywhere(image: Tensor) -> Tensor:
        for clip in image:
            width = int(torch.randint(0, 5, ()))
            begin = int(torch.randint(0, IMAGE[0] - width + 1, ()))
            clip[:, begin : begin + width] = 0
        return image

    assert likeness(patterns(anywhere, 0), patterns(their_stripes(5, 4, 1), 0, seed=1)) < 1e-6


def test_the_published_widths_and_numbers(theirs: nn.Module) -> None:
    """In the network: two stripes of up to 63 frames, two of up to 7 bands, as theirs."""

    def draw_with(draw: Draw, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        return hidden(draw, clips=2500, size=(400, 64), seed=seed)

    def shares(rows: np.ndarray, widest: int) -> list[int]:
        """How many are blank, in about ten steps."""
        return (10 * rows.sum(axis=1) // (2 * widest + 1)).tolist()

    ours = draw_with(Cnn14().spec_augment.train())
    wanted = draw_with(copy.deepcopy(theirs.spec_augmenter).train(), seed=1)
    wrong = [draw_with(our_stripes(64, 8, number)) for number in (1, 3)]
    for axis, widest in ((0, 63), (1, 7)):
        for rows in (ours[axis], wanted[axis]):
            assert max(longer_of_two(row) for row in rows) == widest
        assert likeness(shares(ours[axis], widest), shares(wanted[axis], widest)) > 1e-3
        for each in wrong:
            assert likeness(shares(each[axis], widest), shares(wanted[axis], widest)) < 1e-6


def longer_of_two(row: np.ndarray) -> int:
    """The length of the longer of two stripes that lie apart; else 0, as they may overlap."""
    edges = np.flatnonzero(np.diff(np.r_[0, row.astype(int), 0]))
    lengths = edges[1::2] - edges[::2]
    return int(lengths.max()) if len(lengths) == 2 else 0


def test_each_clip_is_drawn_on_its_own() -> None:
    """What is hidden in one clip tells nothing of the next, nor its frames of its bands."""

    def alike(image: Tensor) -> Tensor:
        """A fault: each pair of clips is given the same stripes."""
        return our_stripes(5, 4, 2)(image[::2]).repeat_interleave(2, dim=0)

    frames, bands = hidden(our_stripes(5, 4, 2))
    assert independence(frames, bands) > 1e-3
    for rows in (frames, bands):
        assert independence(rows[::2], rows[1::2]) > 1e-3
    for rows in hidden(alike):
        assert independence(rows[::2], rows[1::2]) < 1e-6


def test_eval_mode_hides_nothing() -> None:
    image = torch.randn(3, 1, 100, 64)
    assert torch.equal(SpecAugment().eval()(image), image)
