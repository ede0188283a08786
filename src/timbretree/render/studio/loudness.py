"""How loud something is, as an ear weighs it, and how long a part is to be heard in a mix."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from timbretree.render.music import RATE

Audio = NDArray[np.float32]
"""Stereo sound (2, T)."""
Powers = NDArray[np.float64]
"""The weighted power of both channels together in each frame (F,)."""

FRAME = RATE // 20
"""Samples in a frame of 50 ms."""
SILENT = -70.0
"""A part none of whose frames is louder than this (dB) is silent."""
FLOOR = -45.0
"""Further below the whole mix (dB) nothing counts as sounding, even alone."""
MASKED = -35.0
"""Further below what else sounds in the same frame (dB) nothing counts as sounding."""

_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_RUMBLE = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_OF_RATE = 48_000  # the two filters of ITU-R BS.1770-4, numerators and denominators


@dataclass(frozen=True)
class Heard:
    """How an instrument is to be heard in a mix."""

    seconds: float
    """How long it sounds: above 0."""
    loudness: float
    """In dB against the whole mix, over the frames in which it sounds."""


def frame_powers(audio: Audio) -> Powers:
    """How strong a sound is every 50 ms, the power of both channels added.

    The spectrum of each frame is weighted as ITU-R BS.1770-4 ("K") says, so that ``decibels`` of a
    full-scale sine of 997 Hz in one channel is -3.0. The last frame is filled up with silence.
    """
    frames = -(-audio.shape[1] // FRAME)
    if frames * FRAME != audio.shape[1]:
        audio = np.pad(audio, ((0, 0), (0, frames * FRAME - audio.shape[1])))
    spectra = scipy.fft.rfft(audio.reshape(len(audio), frames, FRAME))
    squares = (spectra.real**2 + spectra.imag**2).sum(axis=0, dtype=np.float64)
    return np.asarray((squares * _weights()).sum(axis=1))


def decibels(power: float) -> float:
    """A weighted power as loudness in dB (LUFS); -200 for none."""
    return float(10 * np.log10(max(power, 1e-20))) - 0.691  # the constant is the standard's


def integrated(powers: Powers) -> float:
    """The loudness of a whole track in dB (LUFS), its pauses left out.

    As ITU-R BS.1770-4: over stretches of 400 ms, those above -70, of them those less than 10 dB
    below their mean; but the stretches follow each other by 50 ms, not 100.
    """
    blocks = powers
    if len(powers) > 8:
        sums = np.cumsum(np.concatenate([[0.0], powers]))
        blocks = (sums[8:] - sums[:-8]) / 8
    blocks = blocks[blocks > 10 ** ((SILENT + 0.691) / 10)]
    if not len(blocks):
        return decibels(0.0)
    return decibels(float(blocks[blocks > 0.1 * blocks.mean()].mean()))


def struck_level(powers: Powers) -> float:
    """How loud a player plays while playing, in dB; decaying sounds count by their beginnings.

    The mean over the frames at most 30 dB below the loudest, or 3 dB less than their 90th
    percentile if that is more: so a long decay does not make the blow before it loud.
    """
    if decibels(float(powers.max(initial=0.0))) < SILENT:
        return decibels(0.0)
    sounding = powers[powers > 1e-3 * powers.max()]
    return decibels(max(float(sounding.mean()), float(np.percentile(sounding, 90)) / 2))


def heard_in(mix: Powers, part: Powers) -> Heard | None:
    """How a part is to be heard in the mix it is in, or None where it never is.

    It sounds in the frames where it is less than 35 dB below the mix in that frame and less than
    45 dB below the loudness of the whole mix.
    """
    floor = 10 ** ((max(integrated(mix) + FLOOR, SILENT) + 0.691) / 10)
    sounds = (part > floor) & (part > 10 ** (MASKED / 10) * mix)
    if not sounds.any():
        return None
    ratio = float(part[sounds].sum()) / max(float(mix[sounds].sum()), 1e-20)
    return Heard(float(sounds.sum()) * FRAME / RATE, float(10 * np.log10(ratio)))


def _weights() -> NDArray[np.float64]:
    """By which to weight the squares of a frame's spectrum; they sum to its mean power (F,)."""
    turn = np.exp(-2j * np.pi * scipy.fft.rfftfreq(FRAME, 1 / RATE) / _OF_RATE)
    gain = np.ones(len(turn))
    for above, below in (_SHELF, _RUMBLE):
        gain *= np.abs(np.polyval(above[::-1], turn) / np.polyval(below[::-1], turn)) ** 2
    gain[1:] *= 2  # a real signal's other half; FRAME is odd, so there is no middle
    return np.asarray(gain / FRAME**2)
