"""Running many cells: one after the other, or several side by side where only heads learn."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from timbretree.experiment.lab import Finished, Lab, LabPlan
from timbretree.experiment.ledger import Cell, Record
from timbretree.train import accelerator
from timbretree.workers import as_done

WORTH = 60.0
"""Seconds of work for which it pays to start processes."""


def side_by_side(lab: Lab, seconds: float) -> int:
    """How many runs go on at a time, where all of them together take about so many seconds.

    A head is trained on one core, so where the trunk is frozen and the CPU calculates, one a core.
    """
    apart = lab.plan.frozen and lab.where.device.type == "cpu" and seconds > WORTH
    return (os.cpu_count() or 1) if apart else 1


def run_cells(
    lab: Lab,
    cells: Sequence[Cell],
    *,
    at_a_time: int = 1,
    on_step: Callable[[int], None] | None = None,
) -> Iterator[Record]:
    """Run cells, and write each one down before its record is yielded.

    With more than one at a time, in processes of their own, the records come in the order in which
    they are done, and ``on_step`` is not called.
    """
    if at_a_time == 1:
        for cell in cells:
            finished = lab.run(cell, on_step=on_step)
            lab.keep(finished)
            yield finished.record
        return
    for finished in as_done(_run, ((lab.plan, lab.folder, cell) for cell in cells)):
        lab.keep(finished)
        yield finished.record


def _run(plan: LabPlan, folder: Path, cell: Cell) -> Finished:
    return _enter(plan, folder).run(cell)


@lru_cache(maxsize=1)
def _enter(plan: LabPlan, folder: Path) -> Lab:
    """The lab of this process: all was decoded before, so it is quickly opened."""
    return Lab(plan, folder, where=accelerator("cpu"))
