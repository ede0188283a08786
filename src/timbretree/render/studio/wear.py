"""What time and machines do to a recording: noise, tape, radio, one channel, lossy files."""

from typing import NamedTuple

import numpy as np
import scipy.signal

from timbretree.render.music import RATE
from timbretree.render.studio.codec import draw_codec, through
from timbretree.render.studio.desk import cut, delayed, drive, sway
from timbretree.render.studio.loudness import Audio, frame_powers

_CHANCES = {"tape": 0.15, "noise": 0.3, "radio": 0.06, "mono": 0.15, "codec": 0.5}
"""In the order in which they happen; about a quarter of all clips has none."""
_NOISES = ("white", "pink", "hum", "crackle")


class Worn(NamedTuple):
    """A recording with its traces."""

    audio: Audio
    traces: dict[str, float | str]
    """What happened to it, with numbers; empty where it is clean."""


def wear(audio: Audio, *, rng: np.random.Generator) -> Worn:
    """Leave a recording (2, T) as it is, or age it in one or several ways.

    It stays as long, and nothing in it moves by more than a few milliseconds.
    """
    happens = {name: rng.random() < chance for name, chance in _CHANCES.items()}
    traces: dict[str, float | str] = {}
    if happens["tape"]:
        audio, traces["tape_khz"] = _tape(audio, rng)
    if happens["noise"]:
        kind = _NOISES[int(rng.integers(len(_NOISES)))]
        level = float(rng.uniform(-70, -35))
        audio = audio + at_loudness_of(audio, noise(kind, audio.shape[1], rng), level)
        traces |= {"noise": kind, "noise_db": level}
    if happens["radio"]:
        audio, traces["radio_khz"] = _radio(audio, rng)
    if happens["mono"] or happens["radio"]:
        audio = np.repeat(audio.mean(axis=0, keepdims=True), 2, axis=0)
        traces["mono"] = 1
    if happens["codec"]:
        codec = draw_codec(rng)
        loud = np.float32(0.8 / max(float(np.abs(audio).max()), 1e-9))  # as files are
        audio = through(audio * loud, codec) / loud
        traces |= {"codec": codec.name, "codec_level": codec.level}
    return Worn(audio, traces)


def noise(kind: str, frames: int, rng: np.random.Generator) -> Audio:
    """Noise (2, T) at some level: white or pink noise, the hum of a mains lead, or crackle of a
    record."""
    if kind == "hum":
        base, turn = rng.choice([50.0, 60.0]), 2 * np.pi / RATE * np.arange(frames)
        overtones = enumerate(rng.uniform(0, 1, 6), start=1)
        wave = sum(high / n * np.sin(base * n * turn + 7 * high) for n, high in overtones)
        return np.repeat(np.asarray(wave, np.float32)[None], 2, axis=0)
    if kind == "crackle":
        clicks = np.zeros((2, frames), np.float32)
        count = 1 + rng.poisson(rng.uniform(5, 60) * frames / RATE)
        size = rng.exponential(1, count) ** 2 * rng.choice([-1, 1], count)
        clicks[:, rng.integers(frames, size=count)] = size
        clicks[1] *= np.float32(rng.uniform(0.3, 1))
        band = [rng.uniform(300, 1500), rng.uniform(4000, 10_000)]
        return cut(clicks, scipy.signal.butter(1, band, "bandpass", fs=RATE, output="sos"))
    white = rng.standard_normal((2, frames), dtype=np.float32)
    if kind == "white":
        return white
    # -3 dB an octave within 0.5 dB from 10 Hz; J. O. Smith, "Spectral audio signal processing"
    zeros = [0.98443604, 0.83392334, 0.07568359]
    poles = [0.99572754, 0.94790649, 0.53567505]
    return cut(white, scipy.signal.zpk2sos(zeros, poles, 0.05))


def at_loudness_of(audio: Audio, sound: Audio, level: float) -> Audio:
    """A sound at ``level`` dB against the mean loudness of ``audio``."""
    own, wanted = float(frame_powers(sound).mean()), float(frame_powers(audio).mean())
    return sound * np.float32(np.sqrt(wanted / max(own, 1e-20)) * 10 ** (level / 20))


def _tape(audio: Audio, rng: np.random.Generator) -> tuple[Audio, float]:
    """Soft peaks, wow and flutter, less treble; and above what frequency, in kHz."""
    frames = audio.shape[1]
    audio = drive(audio, float(rng.uniform(-6, 3)))
    shift = np.zeros(frames)
    for hertz, wander in ((rng.uniform(0.5, 1.5), 3e-3), (rng.uniform(5, 10), 8e-4)):
        speed = rng.uniform(0.15, 1) * wander  # the largest error of the speed
        shift += sway(frames, hertz, speed / (2 * np.pi * hertz), rng.uniform(0, 7))
    treble = float(rng.uniform(7000, 15_000))
    low = scipy.signal.butter(2, treble, fs=RATE, output="sos")
    return cut(delayed(audio, shift), low), treble / 1000


def _radio(audio: Audio, rng: np.random.Generator) -> tuple[Audio, float]:
    """Neither deep bass nor treble; and above what frequency, in kHz."""
    treble = float(rng.uniform(4000, 8000))
    bass = float(rng.uniform(60, 300))
    audio = cut(audio, scipy.signal.butter(1, bass, "highpass", fs=RATE, output="sos"))
    return cut(audio, scipy.signal.butter(6, treble, fs=RATE, output="sos")), treble / 1000
