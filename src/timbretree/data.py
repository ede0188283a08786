"""Clips and their labels, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from timbretree.labels import Labels

Rows = NDArray[np.int64]


class Batch(NamedTuple):
    """Some clips at once."""

    inputs: Tensor
    """(B, T) waveforms, int16 as they are stored, float32 between -1 and 1 once ``to`` a device;
    or (B, D) embeddings in float32 where the trunk is frozen."""
    fine: Labels
    """Bool tensors (B, F)."""
    coarse: Labels
    """Bool tensors (B, C)."""

    def to(self, device: str | torch.device) -> "Batch":
        """The same on a device, samples as float32: they travel as int16, half the bytes."""
        inputs = self.inputs.to(device, non_blocking=True)
        if inputs.dtype == torch.int16:
            inputs = inputs.float() / 32768
        fine, coarse = (
            Labels(*(each.to(device, non_blocking=True) for each in pair)) for pair in self[1:]
        )
        return Batch(inputs, fine, coarse)


@dataclass(frozen=True, eq=False)
class ClipSet:
    """N clips with the labels of their tags and groups."""

    inputs: NDArray[Any]
    """(M, T) int16 waveforms or (M, D) float32 embeddings, usually mapped from a file that holds
    other clips, too."""
    rows: Rows
    """(N,): where in ``inputs`` these clips are."""
    fine: Labels
    """numpy bool arrays (N, F)."""
    coarse: Labels
    """numpy bool arrays (N, C)."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, numbers: Rows) -> "ClipSet":
        """Some of the clips, by number."""
        fine, coarse = (
            Labels(pair.target[numbers], pair.mask[numbers]) for pair in (self.fine, self.coarse)
        )
        return ClipSet(self.inputs, self.rows[numbers], fine, coarse)

    def batch(self, numbers: Rows) -> Batch:
        """The clips with some numbers, 0 to N - 1."""
        fine, coarse = (
            Labels(torch.from_numpy(pair.target[numbers]), torch.from_numpy(pair.mask[numbers]))
            for pair in (self.fine, self.coarse)
        )
        return Batch(torch.from_numpy(self.inputs[self.rows[numbers]]), fine, coarse)

    def batches(
        self, size: int, *, order: Rows | None = None, device: str | torch.device = "cpu"
    ) -> Iterator[Batch]:
        """All clips once on a device, or those in ``order``."""
        order = np.arange(len(self)) if order is None else order
        return self.load([order[first : first + size] for first in range(0, len(order), size)],
                         device=device)  # fmt: skip

    def load(
        self, plan: Sequence[Rows], *, device: str | torch.device = "cpu", workers: int = 0
    ) -> Iterator[Batch]:
        """The batches of a plan, one after the other, on a device.

        ``workers`` processes read ahead, which pays where the device is faster than the disk.
        """
        if not workers:
            yield from (self.batch(numbers).to(device) for numbers in plan)
            return
        pinned = torch.device(device).type == "cuda"
        loader = DataLoader(_Batches(self, plan), None, num_workers=workers, pin_memory=pinned)
        yield from (cast("Batch", batch).to(device) for batch in loader)


class _Batches(Dataset[Batch]):
    """A plan as torch's loader wants it: batch n is its item n."""

    def __init__(self, clips: ClipSet, plan: Sequence[Rows]) -> None:
        self.clips, self.plan = clips, plan

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, number: int) -> Batch:
        return self.clips.batch(self.plan[number])


def shuffled(clips: int, *, seed: int) -> Rows:
    """The numbers 0 to ``clips`` - 1 in an order that the seed decides."""
    order = np.arange(clips)
    np.random.default_rng(seed).shuffle(order)
    return order
