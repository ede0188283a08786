"""The only opener of audio: blocks of mono samples at the wanted rate, from any sound file.

A file is decoded in blocks, so that a ten-hour recording takes no more memory than a short one and
a small file that unpacks to gigabytes does no harm. What can't be used is refused with a reason
code; what is damaged on the way is used as far as it goes, and said so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from timbretree.reasons import REASONS as REASONS
from timbretree.reasons import AudioError as AudioError

Samples = NDArray[np.float32]

BLOCK = 1 << 18
"""Decoded values (frames times channels) held at a time: 1 MiB of float32."""
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


class Window(NamedTuple):
    """A stretch of a recording: ``samples`` (T,) that begin ``start`` samples into it."""

    start: int
    samples: Samples


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
        self._file = _open(self.path, limits)
        self._frames = 0

    @property
    def seconds(self) -> float:
        """How much was decoded up to now."""
        return self._frames / int(self._file.samplerate)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Samples]:
        resampler = soxr.ResampleStream(self._file.samplerate, self.rate, 1, dtype="float32")
        for block in self._decode():
            mono = _mono(block)
            mended = without_damage(mono)  # before resampling, which would spread it
            if mended is not mono:
                self.reason = "not_finite"
            yield resampler.resample_chunk(mended)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        self._conclude()

    def _decode(self) -> Iterator[Samples]:
        size = BLOCK // self._file.channels
        end = int(self.limits.max_seconds * self._file.samplerate)
        while self._frames < end:
            try:
                block = self._file.read(min(size, end - self._frames), "float32", always_2d=True)
            except soundfile.LibsndfileError:
                self.reason = "corrupt"
                return
            if not len(block):
                return
            self._frames += len(block)
            yield block
        if len(self._file.read(1)):
            self.reason = "too_long"

    def _conclude(self) -> None:
        if self.seconds < self.limits.min_seconds:
            code = "corrupt" if self.reason == "corrupt" else "too_short"
            raise AudioError(code, f"{self.seconds:.3f} s were decoded")
        # the length of an mp3 without an index is an estimate, so allow it a second and 2 %
        declared = self._file.frames / self._file.samplerate
        if self.reason is None and self.seconds < 0.98 * declared - 1.0:
            self.reason = "truncated"


def load(path: str | Path, *, rate: int, limits: Limits = Limits()) -> Clip:
    """Decode a whole file into memory, mono at ``rate`` Hz. Raises AudioError."""
    with Recording(path, rate=rate, limits=limits) as recording:
        return Clip(np.concatenate(list(recording)), rate)


def without_damage(samples: Samples) -> Samples:
    """The same samples (T,), or where some are no numbers or beyond ``LOUDEST``, a copy with
    silence in their place."""
    if np.abs(samples).max(initial=0.0) <= LOUDEST:  # false for nan, too
        return samples
    return np.where(np.abs(samples) <= LOUDEST, samples, np.float32(0.0))


def resample(clip: Clip, rate: int) -> Clip:
    """The same clip at another sampling rate, in Hz."""
    if clip.rate == rate:
        return clip
    return Clip(soxr.resample(clip.samples, clip.rate, rate).astype(np.float32, copy=False), rate)


def windows(blocks: Iterator[Samples], size: int, step: int | None = None) -> Iterator[Window]:
    """Cut blocks of samples into windows of ``size`` samples that together cover every sample.

    Each begins ``step`` samples after the one before; by default they follow each other without a
    gap. The last one ends where the recording ends, so it may share more samples with the one
    before it; a recording shorter than ``size`` is one short window.
    """
    step = step or size
    held, start = np.zeros(0, np.float32), 0  # from where the next window begins
    past, covered = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size:
            yield Window(start, held[:size])
            covered = start + size
            past, held = held[:step], held[step:]
            start += step
    if start + len(held) > covered:
        tail = np.concatenate([past, held])[-size:]
        yield Window(start + len(held) - len(tail), tail)


def _open(path: Path, limits: Limits) -> soundfile.SoundFile:
    try:
        if path.is_dir():
            raise AudioError("is_folder")
        if path.stat().st_size == 0:
            raise AudioError("empty")
        with path.open("rb"):  # libsndfile does not tell "may not" from "is none"
            pass
        file = soundfile.SoundFile(path)
    except PermissionError:
        raise AudioError("unreadable") from None
    except OSError:  # also of names that are too long, and of links that go round in a circle
        raise AudioError("missing") from None
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        # libsndfile's own words mislead: it says of garbage named .mp3 that there is no such file
        raise AudioError("not_audio") from error
    try:
        _check_limits(file, limits)
    except AudioError:
        file.close()
        raise
    return file


def _check_limits(file: soundfile.SoundFile, limits: Limits) -> None:
    if not limits.min_rate <= file.samplerate <= limits.max_rate:
        raise AudioError("bad_rate", f"{file.samplerate} Hz")
    if file.channels > limits.max_channels:
        raise AudioError("too_many_channels", f"{file.channels}")


def _mono(block: Samples) -> Samples:
    """The mean of the channels; summed by column, which is twenty times quicker than a mean."""
    mono = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        mono += block[:, channel]
    return mono / np.float32(block.shape[1])
