"""The bank of stems: ten seconds of one instrument each, as power in mel bands.

Sounds that have nothing to do with each other add up in power. So a mix can be made of stems in the
mel bands, at another level and through another equaliser each time it is heard, and costs no
decoding, no Fourier transform and no disk. A shard is two files: NAME.npy, (N, frames, bands) in
bfloat16 as numpy's uint16, and NAME.json, a record for each stem.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from timbretree.melspec import MN04, log_mel
from timbretree.taxonomy import Taxonomy

RATE = MN04.rate
SECONDS = 10
LENGTH = RATE * SECONDS
FRAMES, BANDS = 1000, MN04.mels
TAGS = Taxonomy.load("tone7").tags
FLOOR = 1e-5
"""What the network's own spectrogram adds to the power before its logarithm."""


@dataclass(frozen=True)
class Stem:
    """What is known of a stem."""

    tags: tuple[str, ...]
    """The instruments in it: mostly one, none for speech and noise."""
    origin: str
    """The font or the source of recordings that it was played on."""
    piece: str = ""
    """Stems of one piece were played together."""
    unsure: tuple[str, ...] = ()
    """Instruments that may be in it as well."""
    kind: str = "music"
    """music, or what else it is: speech, noise, ..., or track for real music without labels."""


def power(samples: NDArray[np.float32]) -> NDArray[np.uint16]:
    """(T,) at RATE to (frames, bands) of power, in bfloat16's bits."""
    heard = np.exp(5 * log_mel(samples, MN04).astype(np.float64) - 4.5) - FLOOR
    bits = np.maximum(heard, 0).astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_shard(path: Path, stems: Iterable[tuple[Stem, NDArray[np.uint16]]]) -> int:
    """Write a shard beside ``path`` (without suffix); how many stems there are."""
    records, rows = [], []
    for stem, row in stems:
        records.append(asdict(stem))
        rows.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    if rows:
        np.save(path.with_suffix(".npy"), np.stack(rows))
    path.with_suffix(".json").write_text(json.dumps(records), "utf-8")
    return len(rows)


class Bank:
    """The stems of some folders, opened but not read.

    ``powers[i]`` is (frames, bands) in bfloat16; ``stems[i]`` tells what it is.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.stems: list[Stem] = []
        self._rows: list[tuple[int, int]] = []
        for path in _shards(folders):
            records = json.loads(path.read_text("utf-8"))
            if not records:
                continue
            shard = np.load(path.with_suffix(".npy"), mmap_mode="r")
            assert shard.shape == (len(records), FRAMES, BANDS), path
            # read from the file, which is several times faster than by way of the map
            file = os.open(path.with_suffix(".npy"), os.O_RDONLY)
            for row, record in enumerate(records):
                tags, unsure = tuple(record.pop("tags")), tuple(record.pop("unsure"))
                self.stems.append(Stem(tags=tags, unsure=unsure, **record))
                self._rows.append((file, shard.offset + 2 * row * FRAMES * BANDS))

    def __len__(self) -> int:
        return len(self.stems)

    def power(self, index: int, first: int, frames: int) -> torch.Tensor:
        """(frames, bands) of a stem from a frame on, in float32."""
        file, offset = self._rows[index]
        read = os.pread(file, 2 * frames * BANDS, offset + 2 * first * BANDS)
        bits = torch.frombuffer(bytearray(read), dtype=torch.bfloat16)
        return bits.view(frames, BANDS).float()


def _shards(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.glob("*.json"))
