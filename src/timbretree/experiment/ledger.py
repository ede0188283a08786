"""What has been run: one record a run, on disk as soon as it is done, never lost or repeated."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from timbretree.files import write_whole
from timbretree.labels import Labels, Prediction
from timbretree.methods import METHODS
from timbretree.scores import Scores
from timbretree.taxonomy import Taxonomy


class Cell(NamedTuple):
    """One run of the grid, by what makes it different from the others."""

    method: str
    """One of ``timbretree.methods.METHODS``."""
    fine_weight: float
    """lambda; 1.0 for the flat baseline."""
    seed: int

    @property
    def name(self) -> str:
        """For files: lambda and seed."""
        return f"lambda-{self.fine_weight:g}-seed-{self.seed}"


class LedgerError(ValueError):
    """A record that can't be read; the message names it."""


@dataclass(frozen=True)
class Record:
    """What one finished run brought."""

    cell: Cell
    valid_fine: float
    """The lowest masked loss of the tags on the validation clips: that of the network scored."""
    valid_coarse: float
    """The loss of the groups at that epoch."""
    epoch: int
    """Which epoch that was, from 1."""
    seconds: float
    """What the run took."""
    scores: Scores
    """On the test split, with thresholds from validation."""

    def to_json(self) -> str:
        """One line of JSON."""
        plain: dict[str, Any] = dataclasses.asdict(dataclasses.replace(self, scores=None))  # type: ignore[arg-type]
        return json.dumps(plain | {"cell": self.cell._asdict(), "scores": self.scores.to_dict()})

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Read what ``to_json`` wrote. Raises ValueError, KeyError and TypeError for other text."""
        plain = json.loads(text)
        plain["cell"] = Cell(**plain["cell"])
        plain["scores"] = Scores.from_dict(plain["scores"])
        return cls(**plain)


def grid(methods: Sequence[str], fine_weights: Sequence[float], seeds: int) -> list[Cell]:
    """All runs of an experiment: seed by seed, so that there is a whole table after each seed."""
    return [
        Cell(method, weight, seed)
        for seed in range(seeds)
        for method in methods
        for weight in ((1.0,) if METHODS[method].flat else fine_weights)
    ]


class Ledger:
    """The finished runs of an experiment: one small file a run, there as soon as it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._found: dict[Cell, Record] = {}
        for path in sorted(folder.glob("*/*.json")):
            try:
                record = Record.from_json(path.read_text("utf-8"))
            except (ValueError, KeyError, TypeError) as error:
                raise LedgerError(
                    f"{path} is no record of a run: {error!r}; delete it to have it run again"
                ) from error
            self._found[record.cell] = record

    @property
    def records(self) -> tuple[Record, ...]:
        """All of them, by method, lambda and seed."""
        return tuple(self._found[cell] for cell in sorted(self._found))

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._found

    def add(self, record: Record) -> None:
        """Write a finished run down, whole or not at all."""
        path = self.folder / record.cell.method / f"{record.cell.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, record.to_json() + "\n")
        self._found[record.cell] = record


@dataclass(frozen=True, eq=False)
class Heard:
    """What the chosen network of one method says of the test split."""

    prediction: Prediction
    """numpy arrays (N, F), (N, C), and (N, F, C) or None."""
    tag_thresholds: tuple[float, ...]
    group_thresholds: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Study:
    """All that the tables, figures and the report are made of."""

    name: str
    """Of the data set, for titles."""
    openmic: bool
    """Whether the paper's figures may stand beside ours: the official OpenMIC folder."""
    taxonomy: Taxonomy
    records: tuple[Record, ...]
    """Every finished run of the grid."""
    files: tuple[str, ...]
    """The N test clips."""
    fine: Labels
    """Of the test clips; numpy bool arrays (N, F)."""
    coarse: Labels
    """The same lifted by observed-any, (N, C)."""
    heard: dict[str, Heard]
    """By method: the run with the lowest validation fine loss at the chosen lambda."""
    failures: dict[str, str]
    """Clips of any split that could not be used: file -> reason code."""
    settings: dict[str, str]
    """What was run, in words, for the report: backbone, start, epochs, seeds, split, machine."""
