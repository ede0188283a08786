"""One training run in a folder of its own: table in, checkpoint out."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from timbretree.annotations import AnnotationError, Annotations, hold_out
from timbretree.checkpoint import Checkpoint, load_efficientat, start_from_audioset
from timbretree.data import ClipSet, clip_set, decode_clips
from timbretree.evaluate import choose_thresholds, predict
from timbretree.model import build
from timbretree.tables import read_table
from timbretree.taxonomy import Taxonomy
from timbretree.train import Epoch, TrainConfig, fit

BEST = "best.safetensors"


@dataclass(frozen=True)
class Plan:
    """What to train, on what."""

    table: Path
    taxonomy: Taxonomy
    backbone: str = "mn04"
    head: str = "resatt"
    start: Path | None = None
    """EfficientAT's AudioSet weights to start from, or None for random ones."""
    seconds: float = 10.0
    """Clips are cut or filled up to this length."""
    rule: str = "observed-any"
    """How labels are lifted to groups: see ``Taxonomy.lift``."""
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_dict(self) -> dict[str, object]:
        """Plain data, for the record."""
        return dataclasses.asdict(dataclasses.replace(self, taxonomy=None)) | {  # type: ignore[arg-type]
            "taxonomy": self.taxonomy.to_dict(),
            "table": str(self.table),
            "start": self.start and str(self.start),
        }


class Session:
    """A run: reads and decodes the data set, then ``epochs()`` trains, keeping the best network.

    ``folder`` gets ``plan.json``, ``audio.npy`` (decoded clips), ``epochs.jsonl`` and
    ``best.safetensors``. Raises AnnotationError and CheckpointError.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        annotations = read_table(plan.table, plan.taxonomy.tags)
        if "valid" not in annotations.splits:
            annotations = hold_out(annotations, seed=plan.train.seed)
        torch.manual_seed(plan.train.seed)  # before the first random weight
        self.net = build(plan.backbone, plan.head, plan.taxonomy)
        self.random_tags = self._start()
        """Tags whose classifier rows start at random though there is a pretrained start."""
        folder.mkdir(parents=True, exist_ok=True)
        samples, self.failures = decode_clips(
            annotations,
            folder / "audio.npy",
            rate=self.net.frontend.spec.rate,
            seconds=plan.seconds,
        )
        """Files that were left out, with the reason code."""
        self.train = self._part(annotations, samples, "train")
        self.valid = self._part(annotations, samples, "valid")

    def epochs(self, *, device: str = "cpu") -> Iterator[Epoch]:
        """Train. After each epoch with the lowest fine loss on ``valid``, the checkpoint is saved.

        Thresholds are chosen on ``valid`` for the network that is saved.
        """
        (self.folder / "plan.json").write_text(json.dumps(self.plan.to_dict(), indent=2), "utf-8")
        lowest = float("inf")
        with (self.folder / "epochs.jsonl").open("w", encoding="utf-8") as log:
            for epoch in fit(self.net, self.train, self.valid, self.plan.train, device=device):
                log.write(json.dumps(dataclasses.asdict(epoch)) + "\n")
                log.flush()
                if epoch.valid_fine < lowest:
                    lowest = epoch.valid_fine
                    self.checkpoint(device=device).save(self.folder / BEST)
                yield epoch

    def checkpoint(self, *, device: str = "cpu") -> Checkpoint:
        """The network as it stands, with thresholds chosen on ``valid``."""
        plan, said = self.plan, predict(self.net, self.valid, device=device)
        return Checkpoint(
            net=self.net,
            backbone=plan.backbone,
            head=plan.head,
            taxonomy=plan.taxonomy,
            tag_thresholds=choose_thresholds(said.fine, self.valid.fine),
            group_thresholds=choose_thresholds(said.coarse, self.valid.coarse),
            seconds=plan.seconds,
            config=plan.to_dict(),
        )

    def _start(self) -> list[str]:
        if self.plan.start is None:
            return []
        start = load_efficientat(self.plan.start)
        return start_from_audioset(self.net, start, self.plan.taxonomy.tags)

    def _part(self, annotations: Annotations, samples: np.ndarray, split: str) -> ClipSet:
        usable = np.array([str(file) not in self.failures for file in annotations.files])
        rows = np.flatnonzero(usable & (np.array(annotations.splits) == split))
        if not len(rows):
            raise AnnotationError(f"{self.plan.table}: no usable clip is left in split {split!r}")
        return clip_set(annotations, samples, self.plan.taxonomy, rows, rule=self.plan.rule)
