"""The rooms that music is played in, made from reflections and decaying noise."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from timbretree.render.music import RATE
from timbretree.render.studio.desk import cut
from timbretree.render.studio.loudness import Audio


class _Kind(NamedTuple):
    share: float
    decay: tuple[float, float]  # seconds until it is 60 dB down
    size: float  # seconds in which the first reflections come
    wet: tuple[float, float]  # dB, against the sound itself


_KINDS = {
    "studio": _Kind(0.35, (0.15, 0.35), 0.012, (-20, -10)),
    "room": _Kind(0.3, (0.3, 0.9), 0.025, (-15, -6)),
    "hall": _Kind(0.25, (0.9, 2.0), 0.06, (-14, -5)),
    "church": _Kind(0.1, (1.8, 3.0), 0.09, (-12, -4)),
}


@dataclass(frozen=True, eq=False)
class Room:
    """A place to play in."""

    kind: str
    """studio, room, hall or church."""
    decay: float
    """Seconds until its sound is 60 dB down."""
    wet: float
    """How loud its sound is against the instrument's, in dB."""
    response: Audio
    """What a clap in it sounds like from left and right (2, L); each channel's energy is 1."""


def draw_room(rng: np.random.Generator) -> Room:
    """Some room: a dry studio as likely as a living room, seldom a church."""
    names = list(_KINDS)
    kind = names[int(rng.choice(len(names), p=[_KINDS[name].share for name in names]))]
    decay = float(rng.uniform(*_KINDS[kind].decay))
    wet = float(rng.uniform(*_KINDS[kind].wet))
    return Room(kind, decay, wet, _response(decay, _KINDS[kind].size, rng))


def reverberate(sound: NDArray[np.float32], room: Room) -> Audio:
    """What a room adds to a mono sound (T,): as long as the sound, and ``room.wet`` dB loud."""
    size = scipy.fft.next_fast_len(len(sound) + room.response.shape[1], real=True)
    spectrum = scipy.fft.rfft(sound, size)
    spectra = scipy.fft.rfft(room.response * np.float32(10 ** (room.wet / 20)), size)
    return np.ascontiguousarray(scipy.fft.irfft(spectra * spectrum, size)[:, : len(sound)])


def _response(decay: float, size: float, rng: np.random.Generator) -> Audio:
    """Early reflections within ``size`` seconds and a tail whose treble dies away sooner."""
    first = rng.uniform(0.1, 0.5) * size
    frames = int(RATE * (first + decay))
    noise = rng.standard_normal((2, frames), dtype=np.float32)
    split = scipy.signal.butter(1, rng.uniform(1500, 5000), fs=RATE, output="sos")
    bass = cut(noise, split)
    seconds = np.arange(frames, dtype=np.float32) / RATE - np.float32(first)
    fall = np.exp(-np.log(1000) / decay * np.maximum(seconds, 0))
    damping = float(1 / rng.uniform(0.35, 0.8))
    tail = (bass + (noise - bass) * fall ** (damping - 1)) * fall
    tail *= np.clip(seconds / np.float32(size), 0, 1)
    tail /= np.sqrt((tail**2).sum(axis=1, keepdims=True))
    early = np.zeros_like(tail)
    for ear in early:
        times = first + rng.uniform(0, 1, 10) * size
        places = np.minimum((times * RATE).astype(np.int64), frames - 1)
        ear[places] = rng.choice([-1.0, 1.0], 10) / (1 + 3 * (times - first) / size)
    early = cut(early, scipy.signal.butter(1, rng.uniform(4000, 12000), fs=RATE, output="sos"))
    early /= np.sqrt((early**2).sum(axis=1, keepdims=True))
    share = float(rng.uniform(0.3, 0.7))
    response = np.sqrt(share) * early + np.sqrt(1 - share) * tail
    return np.asarray(response / np.sqrt((response**2).sum(axis=1, keepdims=True)), np.float32)
