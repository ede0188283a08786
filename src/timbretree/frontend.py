"""The first layer of every network: waveform to log-mel, and SpecAugment, in torch."""

import torch
from torch import Tensor, nn

from timbretree import melspec
from timbretree.melspec import MelSpec


class LogMel(nn.Module):
    """The log-mel spectrogram of ``timbretree.melspec`` in torch, on any device.

    Waveforms (B, T) at ``spec.rate`` become (B, frames, mels) in float32, the same as
    ``melspec.log_mel`` within 1e-4 (where that is in float32, within the rounding of a frame). The
    Fourier transform is in float64, also under autocast; the bands, sums of what is never negative,
    lose nothing in float32.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, spec: MelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("window", torch.from_numpy(melspec.hann(spec)), persistent=False)
        filters = torch.from_numpy(melspec.filters(spec)).float()
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, T) to (B, frames, mels)."""
        spec = self.spec
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = waveform.to(self.window.dtype)
            if spec.preemphasis:
                waveform = waveform[:, 1:] - spec.preemphasis * waveform[:, :-1]
            spectrum = torch.stft(
                waveform, spec.n_fft, spec.hop, spec.window, self.window,
                center=True, pad_mode="reflect", return_complex=True,
            )  # (B, bins, frames)  # fmt: skip
            power = (spectrum.real**2 + spectrum.imag**2).float()
            power = power.transpose(1, 2) @ self.filters  # (B, frames, mels)
            if spec.level == "decibel":
                return 10.0 * torch.log10(power.clamp_min(1e-10))
            return (torch.log(power + 1e-5) + 4.5) / 5.0


class SpecAugment(nn.Module):
    """In training, blank out random stripes of time and of pitch (Park et al., 2019).

    The defaults are PANNs': two stripes of fewer than 64 frames and two of fewer than 8 bands,
    drawn anew for each clip and set to 0. Outside training it does nothing. (B, 1, frames, mels)
    to the same shape.
    """

    def __init__(self, frames: int = 64, mels: int = 8, stripes: int = 2) -> None:
        super().__init__()
        self.frames, self.mels, self.stripes = frames, mels, stripes

    def forward(self, mel: Tensor) -> Tensor:
        """(B, 1, frames, mels) to the same shape."""
        if not self.training:
            return mel
        for _ in range(self.stripes):
            mel = mel * _stripe(mel, axis=2, widest=self.frames)
            mel = mel * _stripe(mel, axis=3, widest=self.mels)
        return mel


def _stripe(mel: Tensor, *, axis: int, widest: int) -> Tensor:
    """1 outside and 0 inside a stripe along ``axis``, another one for each clip."""
    clips, length = mel.shape[0], mel.shape[axis]
    width = torch.randint(0, min(widest, length), (clips, 1), device=mel.device)
    begin = (torch.rand(clips, 1, device=mel.device) * (length - width)).long()
    position = torch.arange(length, device=mel.device)
    kept = (position < begin) | (position >= begin + width)  # (B, length)
    shape = [clips, 1, 1, 1]
    shape[axis] = length
    return kept.view(shape).to(mel.dtype)
