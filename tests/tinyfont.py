"""SoundFonts of a few kilobytes, made of sines and noise, so that no test needs one of the system.

``write_font(path, {(0, 40): "Violin", (128, 0): "Standard"})``. Fonts with fewer than 64 presets in
bank 0 are taken by the presets' names, so give them the names of instruments.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from timbretree.render.band.instruments import INSTRUMENTS

RATE = 22_050
ROOT = 60
PERIOD = 84
"""Samples, of 262.5 Hz."""
PITCHED = {(0, n): tag for n, tag in enumerate(INSTRUMENTS) if tag not in ("drums", "cymbals")}
ALL = {
    **PITCHED,
    (0, 9): "Vibraphone",  # its tag is no name of an instrument
    (128, 0): "Standard",
}
"""One preset a tag, and a kit."""


def write_font(
    path: str | Path,
    presets: Mapping[tuple[int, int], str],
    sample_names: Sequence[str] | None = None,
    *,
    padded: bool = True,
) -> Path:
    """Write a valid SoundFont with one sample a preset, and return its path.

    Presets of bank 128 are kits: every key is a burst of noise, no key a pitch. The samples are
    named after file and preset, so that two fonts are strangers, or as ``sample_names`` says.
    Without ``padded``, the chunks of odd length are not made even, as in some .sf3 files.
    """
    path = Path(path)
    names = list(sample_names or (f"{path.stem} {name}" for name in presets.values()))
    sounds = [_noise(n) if bank == 128 else _tone(n) for n, (bank, _) in enumerate(presets)]
    body = _list("INFO", _chunk("ifil", struct.pack("<HH", 2, 1)) + _text("isng", "EMU8000")
                 + _text("INAM", path.stem))  # fmt: skip
    gap = np.zeros(46, dtype="<i2")
    wave = np.concatenate([gap, *(part for sound in sounds for part in (sound, gap))]).tobytes()
    wave = wave if padded else wave + b"\0"
    body += _list("sdta", _chunk("smpl", wave, padded), padded)
    body += _list("pdta", _directory(presets, names, sounds))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"sfbk" + body)
    return path


def _directory(
    presets: Mapping[tuple[int, int], str], names: Sequence[str], sounds: Sequence[np.ndarray]
) -> bytes:
    count = len(presets)
    heads = [
        struct.pack("<20sHHHIII", name.encode()[:19], program, bank, n, 0, 0, 0)
        for n, ((bank, program), name) in enumerate(presets.items())
    ]
    heads.append(struct.pack("<20sHHHIII", b"EOP", 0, 0, count, 0, 0, 0))
    bags = b"".join(struct.pack("<HH", n, 0) for n in range(count + 1))
    mods = bytes(10)
    instruments = [struct.pack("<20sH", f"inst {n}".encode(), n) for n in range(count)]
    instruments.append(struct.pack("<20sH", b"EOI", count))
    zones = [_zone(n, bank == 128) for n, (bank, _) in enumerate(presets)]
    first = np.cumsum([0, *(len(zone) for zone in zones)])
    headers, place = [], 46
    for name, sound in zip(names, sounds, strict=True):
        end = place + len(sound)
        headers.append(
            struct.pack("<20sIIIIIBbHH", name.encode()[:19], place, end, place + PERIOD,
                        end - PERIOD, RATE, ROOT, 0, 0, 1)
        )  # fmt: skip
        place = end + 46
    headers.append(struct.pack("<20sIIIIIBbHH", b"EOS", *[0] * 9))
    return b"".join(
        [
            _chunk("phdr", b"".join(heads)),
            _chunk("pbag", bags),
            _chunk("pmod", mods),
            _chunk("pgen", b"".join(struct.pack("<HH", 41, n) for n in range(count)) + bytes(4)),
            _chunk("inst", b"".join(instruments)),
            _chunk("ibag", b"".join(struct.pack("<HH", n, 0) for n in first)),
            _chunk("imod", mods),
            _chunk("igen", b"".join(b"".join(zone) for zone in zones) + bytes(4)),
            _chunk("shdr", b"".join(headers)),
        ]
    )


def _zone(sample: int, kit: bool) -> list[bytes]:
    """Looped and soon over, or one pitch on all keys and rung out; the sample comes last."""
    settings = [(56, 0)] if kit else [(38, -4000), (54, 1)]
    return [struct.pack("<Hh", *pair) for pair in [*settings, (53, sample)]]


def _tone(number: int) -> np.ndarray:
    """Middle C with harmonics of its own: whole periods, so that the loop does not click."""
    phase = 2 * np.pi * np.arange(8 * PERIOD) / PERIOD
    wave = sum(np.sin(phase * h) / (h + (number * h) % 5) for h in range(1, 6))
    return (8000 * wave / np.abs(wave).max()).astype("<i2")


def _noise(number: int) -> np.ndarray:
    burst = np.random.default_rng(number).normal(0, 6000, 2000) * np.exp(-np.arange(2000) / 400)
    return burst.clip(-32000, 32000).astype("<i2")


def _chunk(name: str, body: bytes, padded: bool = True) -> bytes:
    return name.encode() + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2 * padded)


def _list(kind: str, body: bytes, padded: bool = True) -> bytes:
    return _chunk("LIST", kind.encode() + body, padded)


def _text(name: str, text: str) -> bytes:
    body = text.encode() + b"\0"
    return _chunk(name, body + b"\0" * (len(body) % 2))
