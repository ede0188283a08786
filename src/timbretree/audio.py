"""The only opener of audio: blocks of mono samples at the wanted rate, from any sound file.

A file is decoded in blocks, so that a ten-hour recording takes no more memory than a short one and
a small file that unpacks to gigabytes does no harm. What can't be used is refused with a reason
code; what is damaged on the way is left out, the rest is used, and that is said.

Resampling is soxr's HQ: it takes a small part of the time of decoding, a cheaper one hardly less,
and the cheapest (LQ) moves probabilities where people can see it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soxr

from timbretree.decoders import open_sound
from timbretree.decoders.stretch import Samples as Samples
from timbretree.decoders.stretch import Stretch
from timbretree.reasons import REASONS as REASONS
from timbretree.reasons import AudioError as AudioError

NOTHING = np.zeros(0, np.float32)
LOUDEST = 1e4
"""A sample beyond this (80 dB over full scale) is damage, not sound."""
SILENCE = 1e-4
"""A peak below this (-80 dB full scale) is silence."""


@dataclass(frozen=True)
class Limits:
    """What is taken for audio and how much of it."""

    min_rate: int = 2_000
    max_rate: int = 768_000
    max_channels: int = 64
    min_seconds: float = 0.1
    max_seconds: float = 48 * 3600.0


@dataclass(frozen=True, eq=False)
class Clip:
    """A recording in memory: ``samples`` (T,) float32 mono, ``rate`` in Hz."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


class Recording:
    """An opened sound file, read once from its beginning as mono at ``rate``.

    Use it as a context manager and iterate over it for blocks of float32 samples (T,). Once it has
    been read to its end, ``seconds`` and ``reason`` tell what was found. Raises AudioError on
    opening, and on iterating where nothing usable is found.
    """

    def __init__(self, path: str | Path, *, rate: int, limits: Limits = Limits()) -> None:
        self.path, self.rate, self.limits = Path(path), rate, limits
        self.reason: str | None = None
        """Why the recording is only partly used, or None."""
        self.seconds = 0.0
        """How much was decoded up to now."""
        self._decoder = open_sound(self.path)
        try:
            self._check_limits(self._decoder.rate, self._decoder.channels)
        except AudioError:
            self._decoder.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._decoder.close()

    def __iter__(self) -> Iterator[Samples]:
        resampler: soxr.ResampleStream | None = None
        old = 0
        for samples, rate in self._stretches():
            mono = _mono(samples)
            mended = without_damage(mono)  # before resampling, which would spread it
            if mended is not mono:
                self.reason = "not_finite"
            if resampler is None or rate != old:  # some files change it on the way
                if resampler is not None:
                    yield resampler.resample_chunk(NOTHING, last=True)
                resampler, old = soxr.ResampleStream(rate, self.rate, 1, dtype="float32"), rate
            yield resampler.resample_chunk(mended)
        if resampler is not None:
            yield resampler.resample_chunk(NOTHING, last=True)
        if self.seconds < self.limits.min_seconds:
            code = "too_short" if self.reason in (None, "not_finite") else self.reason
            raise AudioError(code, f"{self.seconds:.3f} s were decoded")

    def _stretches(self) -> Iterator[Stretch]:
        """What the decoder gives, within the limits."""
        for samples, rate in self._decoder:
            try:
                self._check_limits(rate, samples.shape[1])
            except AudioError:  # changed on the way
                self.reason = "corrupt"
                return
            left = round((self.limits.max_seconds - self.seconds) * rate)
            if left < len(samples):
                self.reason = "too_long"
                samples = samples[:left]
            self.seconds += len(samples) / rate
            yield Stretch(samples, rate)
            if self.reason == "too_long":
                return
        self.reason = self.reason or self._decoder.reason

    def _check_limits(self, rate: int, channels: int) -> None:
        if not self.limits.min_rate <= rate <= self.limits.max_rate:
            raise AudioError("bad_rate", f"{rate} Hz")
        if channels > self.limits.max_channels:
            raise AudioError("too_many_channels", f"{channels}")


def load(path: str | Path, *, rate: int, limits: Limits = Limits()) -> Clip:
    """Decode a whole file into memory, mono at ``rate`` Hz. Raises AudioError."""
    with Recording(path, rate=rate, limits=limits) as recording:
        return Clip(np.concatenate(list(recording)), rate)


def without_damage(samples: Samples) -> Samples:
    """The same samples (T,), or where some are no numbers or beyond ``LOUDEST``, a copy with
    silence in their place."""
    if not len(samples) or max(samples.max(), -samples.min()) <= LOUDEST:  # false for nan, too
        return samples
    return np.where(np.abs(samples) <= LOUDEST, samples, np.float32(0.0))


def resample(clip: Clip, rate: int) -> Clip:
    """The same clip at another sampling rate, in Hz."""
    if clip.rate == rate:
        return clip
    return Clip(soxr.resample(clip.samples, clip.rate, rate).astype(np.float32, copy=False), rate)


def _mono(samples: Samples) -> Samples:
    """The mean of the channels; summed by column, which is twenty times quicker than a mean."""
    channels = samples.shape[1]
    if channels == 1:
        return samples[:, 0].copy()
    mono = samples[:, 0] + samples[:, 1]
    for channel in range(2, channels):
        mono += samples[:, channel]
    mono /= np.float32(channels)
    return mono
