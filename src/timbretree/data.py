"""Decoded audio and its labels, ready to learn from."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from timbretree.annotations import Annotations
from timbretree.audio import AudioError, Recording
from timbretree.labels import Labels
from timbretree.taxonomy import Taxonomy


class Batch(NamedTuple):
    """Some clips at once."""

    waveform: Tensor
    """(B, T) float32 between -1 and 1."""
    fine: Labels
    """Bool tensors (B, F)."""
    coarse: Labels
    """Bool tensors (B, C)."""

    def to(self, device: str | torch.device) -> "Batch":
        """The same on another device."""
        fine, coarse = (Labels(*(each.to(device) for each in pair)) for pair in self[1:])
        return Batch(self.waveform.to(device), fine, coarse)


@dataclass(frozen=True, eq=False)
class ClipSet:
    """N decoded clips with the labels of their tags and groups."""

    samples: NDArray[np.int16]
    """(M, T), usually mapped from a file that holds other clips, too."""
    rows: NDArray[np.int64]
    """(N,): where in ``samples`` these clips are."""
    fine: Labels
    """numpy bool arrays (N, F)."""
    coarse: Labels
    """numpy bool arrays (N, C)."""

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[Batch]:
        """All clips once, in order, or shuffled where a seed is given."""
        order = np.arange(len(self))
        if seed is not None:
            np.random.default_rng(seed).shuffle(order)
        for first in range(0, len(order), size):
            some = order[first : first + size]
            waveform = self.samples[self.rows[some]].astype(np.float32) / 32768
            fine, coarse = (
                Labels(torch.from_numpy(pair.target[some]), torch.from_numpy(pair.mask[some]))
                for pair in (self.fine, self.coarse)
            )
            yield Batch(torch.from_numpy(waveform), fine, coarse)


def decode_clips(
    annotations: Annotations, cache: Path, *, rate: int, seconds: float
) -> tuple[NDArray[np.int16], dict[str, str]]:
    """Decode every clip once into ``cache``, an .npy file of int16 (N, T), and map it.

    Longer clips are cut after ``seconds``, shorter ones end in silence. A file that can't be used
    leaves a row of silence and its reason in the second answer, file -> code. A cache made of the
    same files is used again; a half-written one is never seen.
    """
    described = _describe(annotations, rate, seconds)
    record = cache.with_suffix(".json")
    if cache.exists() and record.exists():
        known = json.loads(record.read_text("utf-8"))
        if known["files"] == described:
            return np.load(cache, mmap_mode="r"), known["failures"]
    cache.parent.mkdir(parents=True, exist_ok=True)
    half_written = cache.with_suffix(".part")
    shape = (len(annotations), round(rate * seconds))
    samples = np.lib.format.open_memmap(half_written, "w+", np.int16, shape)
    failures = {}
    for row, file in enumerate(annotations.files):
        try:
            start = _beginning(file, rate, shape[1])
            samples[row, : len(start)] = np.round(np.clip(start, -1.0, 32767 / 32768) * 32768)
        except AudioError as error:
            failures[str(file)] = error.code
    samples.flush()
    record.unlink(missing_ok=True)
    os.replace(half_written, cache)
    half_written.write_text(json.dumps({"files": described, "failures": failures}), "utf-8")
    os.replace(half_written, record)
    return np.load(cache, mmap_mode="r"), failures


def clip_set(
    annotations: Annotations,
    samples: NDArray[np.int16],
    taxonomy: Taxonomy,
    rows: NDArray[np.int64],
    *,
    rule: str = "observed-any",
) -> ClipSet:
    """Some of the decoded clips with their labels, those of the groups lifted by ``rule``."""
    fine = annotations.take(rows).labels
    return ClipSet(samples, rows, fine, taxonomy.lift(fine, rule))


def _beginning(file: Path, rate: int, length: int) -> NDArray[np.float32]:
    blocks, have = [], 0
    with Recording(file, rate=rate) as recording:
        for block in recording:
            blocks.append(block)
            have += len(block)
            if have >= length:
                break
    return np.concatenate(blocks)[:length]


def _describe(annotations: Annotations, rate: int, seconds: float) -> str:
    """A hash that changes with each file, its size and its time, with the rate and the length."""
    digest = hashlib.sha256(f"{rate} {seconds}".encode())
    for file in annotations.files:
        status = file.stat() if file.exists() else None
        digest.update(f"{file} {status and (status.st_size, status.st_mtime_ns)}\n".encode())
    return digest.hexdigest()
