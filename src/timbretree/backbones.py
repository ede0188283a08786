"""The trunks: log-mel spectrogram in, one embedding a clip out; ``num_features`` is its length.

A trunk works in two steps: ``moments`` are what it hears in each ``MOMENT`` frames, and ``pool``
makes one embedding of those of a clip. Asked about spans of a clip, (N, 2) frames from the first to
the one after the last, it hears the clip once and pools each span: B clips and N spans give B * N
embeddings, those of the first clip first. What lies beyond a span's ends is heard faintly, as far
as the convolutions reach. A long recording can be heard piece by piece, and moments of several
pieces joined, before they are pooled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from timbretree.frontend import SpecAugment
from timbretree.melspec import CNN14_16K, MN04, MOMENT
from timbretree.plugins import Table


class Trunk(nn.Module):
    """First moments, then an embedding. A backbone has ``spec`` and ``num_features``, too."""

    def forward(self, mel: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, frames, mels) to (B, num_features), or (B * N, num_features)."""
        return self.pool(self.moments(mel, spans), spans)

    def moments(self, mel: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, frames, mels) to (B, channels, about frames / MOMENT)."""
        raise NotImplementedError

    def pool(self, moments: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, channels, M) to (B, num_features), or (B * N, num_features)."""
        raise NotImplementedError


class Cnn14(Trunk):
    """PANNs' Cnn14 (Kong et al., 2020), the base network of the paper.

    (B, frames, 64) to (B, 2048): the embedding after ``fc1`` and ReLU, which is the paper's Z.
    """

    spec = CNN14_16K
    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(64)
        self.spec_augment = SpecAugment()
        widths = [1, 64, 128, 256, 512, 1024, 2048]
        self.blocks = nn.ModuleList(
            _Cnn14Block(before, after) for before, after in pairwise(widths)
        )
        self.fc1 = nn.Linear(2048, 2048)
        nn.init.xavier_uniform_(self.fc1.weight)
        nn.init.zeros_(self.fc1.bias)

    def moments(self, mel: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, frames, 64) to (B, 2048, frames // 32); at least 32 frames."""
        image = mel[:, None]  # (B, 1, frames, 64)
        image = self.bn0(image.transpose(1, 3)).transpose(1, 3)  # each mel band its own statistics
        image = self.spec_augment(image)
        for number, block in enumerate(self.blocks):
            image = block(image)
            if number < 5:
                image = F.avg_pool2d(image, 2)
            image = F.dropout(image, 0.2, self.training)
        return image.mean(dim=3)

    def pool(self, moments: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, 2048, M) to (B, 2048), or (B * N, 2048)."""
        if spans is None:
            pooled = moments.amax(dim=2) + moments.mean(dim=2)
        else:
            share = _shares(spans, moments.shape[2])  # (N, M)
            inside = moments[:, None].where(share[:, None] > 0, -torch.inf)  # (B, N, 2048, M)
            pooled = inside.amax(dim=3).flatten(0, 1) + _means(moments, share)
        pooled = F.dropout(pooled, 0.5, self.training)
        return F.relu(self.fc1(pooled))


class _Cnn14Block(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.bn2 = nn.BatchNorm2d(after)
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)

    def forward(self, image: Tensor) -> Tensor:
        image = F.relu(self.bn1(self.conv1(image)))
        return F.relu(self.bn2(self.conv2(image)))


@dataclass(frozen=True)
class _Row:
    """One row of MobileNetV3-Large's table (Howard et al., 2019), before the width factor."""

    kernel: int
    inside: int
    after: int
    squeeze: bool
    activation: Callable[[], nn.Module]
    stride: int


_TABLE = (
    _Row(3, 16, 16, False, nn.ReLU, 1),
    _Row(3, 64, 24, False, nn.ReLU, 2),
    _Row(3, 72, 24, False, nn.ReLU, 1),
    _Row(5, 72, 40, True, nn.ReLU, 2),
    _Row(5, 120, 40, True, nn.ReLU, 1),
    _Row(5, 120, 40, True, nn.ReLU, 1),
    _Row(3, 240, 80, False, nn.Hardswish, 2),
    _Row(3, 200, 80, False, nn.Hardswish, 1),
    _Row(3, 184, 80, False, nn.Hardswish, 1),
    _Row(3, 184, 80, False, nn.Hardswish, 1),
    _Row(3, 480, 112, True, nn.Hardswish, 1),
    _Row(3, 672, 112, True, nn.Hardswish, 1),
    _Row(5, 672, 160, True, nn.Hardswish, 2),
    _Row(5, 960, 160, True, nn.Hardswish, 1),
    _Row(5, 960, 160, True, nn.Hardswish, 1),
)


class MobileNet(Trunk):
    """EfficientAT's mn04 (Schmid et al., 2023): MobileNetV3-Large at 0.4 of its width.

    (B, frames, 128) to (B, 512): the hidden layer of its AudioSet classifier, after Hardswish.
    """

    spec = MN04
    num_features = 512
    width = 0.4

    def __init__(self) -> None:
        super().__init__()
        self.spec_augment = SpecAugment(mels=16)
        before = self._wide(16)
        layers: list[nn.Module] = [_convolve(1, before, 3, nn.Hardswish, stride=2)]
        stride = 2
        for row in _TABLE:
            stride *= row.stride
            layers.append(
                _InvertedResidual(
                    before, self._wide(row.inside), self._wide(row.after), row, stride
                )
            )
            before = self._wide(row.after)
        layers.append(_convolve(before, 6 * before, 1, nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.embed = nn.Linear(6 * before, self.num_features)

    def moments(self, mel: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, frames, 128) to (B, 384, frames / 32 rounded up); any number of frames.

        The layers that weigh the channels by how loud each is in the whole clip do so, when asked
        about spans, at each moment by what is around it, as far as a span is long.
        """
        image: Tensor = self.spec_augment(mel[:, None]).transpose(2, 3)
        near = None if spans is None else _Near(spans)
        for layer in self.features:
            image = layer(image, near) if isinstance(layer, _InvertedResidual) else layer(image)
        return image.mean(dim=2)

    def pool(self, moments: Tensor, spans: Tensor | None = None) -> Tensor:
        """(B, 384, M) to (B, 512), or (B * N, 512)."""
        if spans is None:
            pooled = moments.mean(dim=2)
        else:
            pooled = _means(moments, _shares(spans, moments.shape[2]))
        embedding = F.hardswish(self.embed(pooled))
        return F.dropout(embedding, 0.2, self.training)

    @classmethod
    def _wide(cls, channels: int) -> int:
        return _to_eights(channels * cls.width)


class _InvertedResidual(nn.Module):
    """Widen, filter each channel alone, weigh the channels, narrow; add the input where it fits."""

    def __init__(self, before: int, inside: int, after: int, row: _Row, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if inside != before:
            layers.append(_convolve(before, inside, 1, row.activation))
        layers.append(
            _convolve(inside, inside, row.kernel, row.activation, stride=row.stride, groups=inside)
        )
        if row.squeeze:
            layers.append(_SqueezeExcitation(inside, stride))
        layers.append(_convolve(inside, after, 1, nn.Identity))
        self.block = nn.Sequential(*layers)
        self.residual = row.stride == 1 and before == after

    def forward(self, image: Tensor, near: "_Near | None" = None) -> Tensor:
        changed = image
        for layer in self.block:
            squeeze = isinstance(layer, _SqueezeExcitation)
            changed = layer(changed, near) if squeeze else layer(changed)
        return changed + image if self.residual else changed


class _SqueezeExcitation(nn.Module):
    """Weighs the channels. ``stride``: frames of the clip to one of the image."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.fc1 = nn.Linear(channels, _to_eights(channels // 4))
        self.fc2 = nn.Linear(_to_eights(channels // 4), channels)

    def forward(self, image: Tensor, near: "_Near | None" = None) -> Tensor:
        loudness = F.avg_pool2d(image, (image.shape[2], 1))  # (B, channels, 1, T)
        if near is None:
            loudness = loudness.mean(dim=3, keepdim=True)
        else:
            loudness = near.mean(loudness, self.stride)
        scale = torch.sigmoid(_each(self.fc2, F.relu(_each(self.fc1, loudness))))
        return image * scale


def _each(linear: nn.Linear, image: Tensor) -> Tensor:
    """A linear layer at each place of an image, as a convolution: nothing need be turned round."""
    return F.conv2d(image, linear.weight[:, :, None, None], linear.bias)


class _Near:
    """Averages over what is less than half a span away, before or after."""

    def __init__(self, spans: Tensor) -> None:
        first, last = spans.unbind(dim=1)
        self.reach = (last - first).mean() / 2
        self._matrices: dict[int, Tensor] = {}

    def mean(self, over_time: Tensor, stride: int) -> Tensor:
        """(..., T) to the same, where one step in time is ``stride`` frames of the clip."""
        if stride not in self._matrices:
            place = torch.arange(over_time.shape[-1], device=over_time.device) * float(stride)
            near = ((place[:, None] - place).abs() <= self.reach).to(over_time.dtype)
            self._matrices[stride] = near / near.sum(dim=0)
        return over_time @ self._matrices[stride]


def _shares(spans: Tensor, length: int) -> Tensor:
    """(N, length): how much each moment, ``MOMENT`` frames, counts in a span."""
    first, last = spans.unbind(dim=1)
    begin = torch.arange(length, device=spans.device) * float(MOMENT)
    end = torch.minimum(last[:, None], begin + MOMENT)
    inside = (end - torch.maximum(first[:, None], begin)).clamp(min=0)
    return inside / inside.sum(dim=1, keepdim=True)


def _means(moments: Tensor, share: Tensor) -> Tensor:
    """(B, D, M) and (N, M) to (B * N, D)."""
    return (share @ moments.transpose(1, 2)).flatten(0, 1)


def _convolve(
    before: int,
    after: int,
    kernel: int,
    activation: Callable[[], nn.Module],
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after, eps=1e-3, momentum=0.01),
        activation(),
    )


def _to_eights(channels: float) -> int:
    """The nearest multiple of 8, but never below 90 % of what was asked (MobileNet's rule)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


Backbone = Cnn14 | MobileNet
BACKBONES: Table[Callable[[], Backbone]] = Table(
    "backbone", type, {"cnn14": Cnn14, "mn04": MobileNet}
)
