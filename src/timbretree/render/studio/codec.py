"""Sound that was an mp3, Ogg Vorbis or Opus file before, and came out of it a little changed."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from timbretree.render.music import RATE
from timbretree.render.studio.loudness import Audio

_FORMATS = {
    "mp3": ("MP3", "MPEG_LAYER_III", RATE),
    "vorbis": ("OGG", "VORBIS", RATE),
    "opus": ("OGG", "OPUS", 48_000),  # Opus knows no 44.1 kHz
}
_BLOCK = 1 << 14
"""Frames written at a time: libsndfile's Vorbis encoder crashes on long arrays."""
_LEVELS = {"mp3": (0.0, 0.8), "vorbis": (0.1, 1.0), "opus": (0.6, 0.97)}
"""From about 320 to 80, 200 to 45 and 220 to 25 kilobits a second."""
_SHARES = {"mp3": 0.5, "vorbis": 0.35, "opus": 0.15}


@dataclass(frozen=True)
class Codec:
    """How a file is compressed."""

    name: str
    """mp3, vorbis or opus."""
    level: float
    """How much, from 0 (largest file, best sound) to 1; mp3 takes up to 0.9."""
    mode: str | None = None
    """Of mp3: CONSTANT or VARIABLE bit rate."""


def draw_codec(rng: np.random.Generator) -> Codec:
    """Some kind of compression, from one nobody hears to one everybody hears."""
    names = list(_SHARES)
    name = names[int(rng.choice(len(names), p=list(_SHARES.values())))]
    level = float(rng.uniform(*_LEVELS[name]))
    return Codec(name, level, str(rng.choice(["CONSTANT", "VARIABLE"])) if name == "mp3" else None)


def encode(audio: Audio, codec: Codec) -> bytes:
    """Sound at 44.1 kHz (2, T) as a file. Raises soundfile.LibsndfileError."""
    form, subtype, rate = _FORMATS[codec.name]
    rows = np.ascontiguousarray(audio.T)
    if rate != RATE:
        rows = soxr.resample(rows, RATE, rate, quality="HQ")
    content = io.BytesIO()
    with soundfile.SoundFile(
        content,
        "w",
        rate,
        rows.shape[1],
        subtype,
        format=form,
        compression_level=codec.level,
        bitrate_mode=codec.mode,
    ) as file:
        for start in range(0, len(rows), _BLOCK):
            file.write(rows[start : start + _BLOCK])
    return content.getvalue()


def through(audio: Audio, codec: Codec) -> Audio:
    """What is left of a sound (2, T) after it was a file: as long, and at the same times.

    The decoders of libsndfile leave out the encoders' delay themselves.
    """
    rows, rate = soundfile.read(io.BytesIO(encode(audio, codec)), dtype="float32", always_2d=True)
    if rate != RATE:
        rows = soxr.resample(rows, rate, RATE, quality="HQ")
    out = np.zeros_like(audio)
    frames = min(len(rows), out.shape[1])
    out[:, :frames] = rows[:frames].T
    return out
