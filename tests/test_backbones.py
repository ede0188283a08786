"""The trunks: their size, their shapes, and that a clip is heard alike alone and in company."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from timbretree.backbones import BACKBONES, Backbone, Cnn14, MobileNet, _means, _shares
from timbretree.checkpoint import load_efficientat
from timbretree.melspec import CNN14_16K, MN04, MOMENT

CLASSIFIER = 527 * 2048 + 527
"""PANNs' fc_audioset, which is no part of our trunk."""


def settled(make: Callable[[], Backbone]) -> Backbone:
    """Ready to listen: with the BatchNorm statistics of some noise, so that sounds come through."""
    torch.manual_seed(0)
    trunk = make()
    layers = [each for each in trunk.modules() if isinstance(each, nn.BatchNorm2d)]
    for layer in layers:
        layer.momentum = None  # a plain mean instead of a running one
    with torch.no_grad():
        trunk.train()(torch.randn(3, 64, trunk.spec.mels))
    return trunk.eval()


@pytest.fixture(scope="module")
def cnn14() -> Cnn14:
    return settled(Cnn14)


@pytest.fixture(scope="module")
def mobile_net() -> MobileNet:
    return settled(MobileNet)


def parameters(net: nn.Module) -> int:
    return sum(each.numel() for each in net.parameters())


def test_cnn14_has_the_published_number_of_parameters(cnn14: Cnn14) -> None:
    assert parameters(cnn14) + CLASSIFIER == 80_753_615


def test_cnn14_has_the_published_entries(cnn14: Cnn14) -> None:
    """84 under ['model']: all but the front end's three buffers and the classifier's two."""
    assert len(cnn14.state_dict()) + 3 + 2 == 84
    shapes = [tuple(each.shape) for each in cnn14.parameters() if each.ndim == 4]
    widths = [1, 64, 128, 256, 512, 1024, 2048]
    wanted = []
    for before, after in pairwise(widths):
        wanted += [(after, before, 3, 3), (after, after, 3, 3)]
    assert shapes == wanted


def test_mobile_net_has_the_published_number_of_parameters(mobile_net: MobileNet) -> None:
    assert parameters(mobile_net) + 527 * 512 + 527 == 983_599


def test_what_the_trunks_say_of_themselves(cnn14: Cnn14, mobile_net: MobileNet) -> None:
    assert (cnn14.spec, cnn14.num_features) == (CNN14_16K, 2048)
    assert (mobile_net.spec, mobile_net.num_features) == (MN04, 512)
    assert set(BACKBONES) == {"cnn14", "mn04"}


@pytest.mark.parametrize("name", ["cnn14", "mobile_net"])
def test_a_clip_is_heard_alike_alone_and_in_company(
    name: str, request: pytest.FixtureRequest
) -> None:
    trunk: Backbone = request.getfixturevalue(name)
    mel = torch.randn(3, 50, trunk.spec.mels)
    with torch.inference_mode():
        together = trunk(mel)
        alone = torch.cat([trunk(mel[clip : clip + 1]) for clip in range(3)])
    assert together.shape == (3, trunk.num_features)
    assert together.isfinite().all()
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3  # different clips sound different


def test_shapes_within_cnn14(cnn14: Cnn14) -> None:
    shapes: list[tuple[int, ...]] = []
    hooks = [
        block.register_forward_hook(lambda _, __, image: shapes.append(tuple(image.shape)))
        for block in cnn14.blocks
    ]
    with torch.inference_mode():
        embedding = cnn14(torch.randn(1, 32, 64))  # the fewest frames
    for hook in hooks:
        hook.remove()
    assert embedding.min() >= 0  # after ReLU
    assert shapes == [
        (1, 64, 32, 64), (1, 128, 16, 32), (1, 256, 8, 16),
        (1, 512, 4, 8), (1, 1024, 2, 4), (1, 2048, 1, 2),
    ]  # fmt: skip


def test_cnn14_normalises_each_mel_band_on_its_own(cnn14: Cnn14) -> None:
    """bn0 has a statistic for each of the 64 bands, and the third axis is the band."""
    assert cnn14.bn0.running_mean is not None
    assert cnn14.bn0.running_mean.shape == (64,)
    mel = torch.randn(1, 32, 64)
    shift = torch.linspace(-20, 20, 64)
    with torch.inference_mode():
        before = cnn14(mel)
        cnn14.bn0.running_mean.add_(shift)
        after = cnn14(mel + shift)
        cnn14.bn0.running_mean.sub_(shift)
    torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-4)


def test_cnn14_pools_the_loudest_and_the_mean_over_time(cnn14: Cnn14) -> None:
    class Map(nn.Module):
        """Stands for the last block: a map that is told."""

        def forward(self, image: Tensor) -> Tensor:
            return told

    told = torch.randn(1, 2048, 5, 2)
    last, cnn14.blocks[5] = cnn14.blocks[5], Map()
    try:
        with torch.inference_mode():
            embedding = cnn14(torch.randn(1, 160, 64))
            frames = told.mean(dim=3)[0].numpy()
            pooled = torch.from_numpy(frames.max(axis=1) + frames.sum(axis=1) / 5)
            wanted = cnn14.fc1(pooled).clamp_min(0)
    finally:
        cnn14.blocks[5] = last
    torch.testing.assert_close(embedding[0], wanted, rtol=1e-4, atol=1e-5)


def test_shapes_within_mobile_net(mobile_net: MobileNet) -> None:
    with torch.inference_mode():
        image = mobile_net.features(torch.randn(1, 1, 128, 1000))
    assert image.shape == (1, 384, 4, 32)


@pytest.mark.parametrize("frames", [1, 7, 33, 100])
def test_mobile_net_takes_any_number_of_frames(mobile_net: MobileNet, frames: int) -> None:
    with torch.inference_mode():
        assert mobile_net(torch.randn(2, frames, 128)).shape == (2, 512)


def test_the_trunks_augment_in_training_only(mobile_net: MobileNet) -> None:
    mel = torch.randn(1, 64, 128)
    with torch.inference_mode():
        torch.testing.assert_close(mobile_net(mel), mobile_net(mel), rtol=0, atol=0)
        layers = [each for each in mobile_net.modules() if isinstance(each, nn.BatchNorm2d)]
        mobile_net.train()
        for layer in layers:
            layer.eval()
        heard = [mobile_net(mel) for _ in range(3)]
        mobile_net.eval()
    assert not torch.equal(heard[0], heard[1])


def test_the_published_weights_fit_strictly_and_hear(shared: Path) -> None:
    """Every key and shape; and 10 s of noise and of a tone give finite, different embeddings."""
    trunk = load_efficientat(shared / "weights" / "mn04_as" / "mn04_as_mAP_432.pt").trunk.eval()
    mel = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 1000, 128)).astype("f4"))
    with torch.inference_mode():
        assert trunk.features(mel[:1, None].transpose(2, 3)).shape == (1, 384, 4, 32)
        embedding = trunk(mel)
        alone = trunk(mel[1:])
    assert embedding.shape == (2, 512)
    assert embedding.isfinite().all()
    torch.testing.assert_close(embedding[1:], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_span_is_what_is_inside(name: str) -> None:
    """What sounds far from a span makes no difference to it, and what sounds in it does."""
    torch.manual_seed(0)
    net = BACKBONES[name]().eval()
    mel = torch.randn(1, 2000, net.spec.mels)
    spans = torch.tensor([[0.0, 320.0], [1600.0, 1920.0]])
    with torch.inference_mode():
        before = net(mel, spans)
        mel[:, 1000:] = torch.randn_like(mel[:, 1000:])
        after = net(mel, spans)
        whole = net(mel, torch.tensor([[0.0, 1e9]]))
        torch.testing.assert_close(whole, net(mel), atol=1e-5, rtol=1e-4)
    assert torch.equal(after[0], before[0])
    assert not torch.equal(after[1], before[1])


@pytest.mark.parametrize("name", BACKBONES)
def test_moments_of_pieces_are_nearly_those_of_the_whole(name: str) -> None:
    torch.manual_seed(0)
    net = BACKBONES[name]().eval()
    mel = torch.randn(1, 20 * MOMENT, net.spec.mels)
    spans = torch.tensor([[0.0, 8 * MOMENT]])
    with torch.inference_mode():
        whole = net.moments(mel, spans)
        parts = [net.moments(part, spans) for part in mel.split(10 * MOMENT, dim=1)]
    assert whole.shape[2] == 20
    assert [part.shape for part in parts] == [(1, whole.shape[1], 10)] * 2
    joined = torch.cat(parts, dim=2)
    assert (joined - whole).abs().mean() < 0.2 * whole.std()
    assert not torch.equal(joined, whole)


def test_parts_of_a_long_frame_count_for_as_much_as_is_inside() -> None:
    spans = torch.tensor([[16.0, 80.0], [0.0, 1e9]])
    found = _shares(spans, 3)
    torch.testing.assert_close(found, torch.tensor([[0.25, 0.5, 0.25], [1 / 3, 1 / 3, 1 / 3]]))
    moments = torch.tensor([[[1.0, 2.0, 5.0]]])
    torch.testing.assert_close(_means(moments, found)[:, 0], torch.tensor([2.5, 8 / 3]))
