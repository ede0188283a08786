"""What a network learns from: a data set read, split and decoded into a folder, ready for use."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from timbretree.annotations import (
    AnnotationError,
    Annotations,
    hold_out,
    hold_out_artists,
    read_split,
    write_split,
)
from timbretree.data import ClipSet
from timbretree.datasets import read_dataset
from timbretree.decoding import CLIP, Progress, audio_identity, decode_clips, size_and_time
from timbretree.evaluate import embed
from timbretree.model import InstrumentNet
from timbretree.taxonomy import Taxonomy


@dataclass(frozen=True)
class Source:
    """Which data set, and how it is split."""

    path: Path
    """An OpenMIC folder or a csv file."""
    taxonomy: Taxonomy
    audio: Path | None = None
    """The folder that file names in a csv are relative to, where it is not that of the csv."""
    artist: str | None = None
    """The column that says who made a clip, where validation clips are held out by artist."""
    split_seed: int = 0
    """Decides which clips are held out for validation, where the data set names none."""
    seconds: float = CLIP
    """Clips are cut or filled up to this length."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the record."""
        plain = dataclasses.asdict(dataclasses.replace(self, taxonomy=None))  # type: ignore[arg-type]
        paths = {name: value and str(value) for name, value in plain.items() if name in PATHS}
        return plain | paths | {"taxonomy": self.taxonomy.to_dict()}

    def read(self, *splits: str) -> Annotations:
        """The clips, and what was said of them; valid clips may still have to be held out.

        Raises AnnotationError, also where one of ``splits`` has no clip and where no file is there.
        """
        found = read_dataset(self.path, self.taxonomy, audio=self.audio, artist=self.artist)
        for split in splits:
            if split not in found.splits and split != "valid":
                raise AnnotationError(f"{self.path}: no clip is in the split {split!r}")
        if all(size_and_time(file) is None for file in found.files):
            raise AnnotationError(
                f"{self.path}: none of the {len(found)} clips is there, the first of them is "
                f"{found.files[0]}; name the folder that they are in with --audio"
            )
        return found


PATHS = ("path", "audio")


@dataclass(frozen=True, eq=False)
class Material:
    """A data set in memory: labels, and all its clips decoded."""

    source: Source
    annotations: Annotations
    """With train, valid and test."""
    samples: NDArray[np.int16]
    """(N, T), the rows of ``annotations``."""
    failures: dict[str, str]
    """Clips that could not be used: file -> reason code."""

    def part(
        self, split: str, *, rule: str = "observed-any", inputs: NDArray[Any] | None = None
    ) -> ClipSet:
        """The usable clips of a split, groups lifted by ``rule``; ``inputs`` (N, D) take the place
        of the samples. Raises AnnotationError where none is left."""
        annotations = self.annotations
        usable = np.array([str(file) not in self.failures for file in annotations.files])
        rows = np.flatnonzero(usable & (np.array(annotations.splits) == split))
        if not len(rows):
            raise AnnotationError(f"{self.source.path}: no usable clip is left in split {split!r}")
        fine = annotations.take(rows).labels
        coarse = self.source.taxonomy.lift(fine, rule)
        return ClipSet(self.samples if inputs is None else inputs, rows, fine, coarse)

    def embed(
        self,
        net: InstrumentNet,
        cache: Path,
        *,
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """What the frozen trunk of ``net`` makes of each clip, (N, D), kept in ``cache``."""
        rate = net.frontend.spec.rate
        digest = hashlib.sha256(audio_identity(self.annotations.files, rate).encode())
        digest.update(f"{self.source.seconds}".encode())
        for name, weights in net.backbone.state_dict().items():
            digest.update(name.encode() + weights.cpu().numpy().tobytes())
        return embed(
            net, self.samples, cache, identity=digest.hexdigest(), device=device, progress=progress
        )


def digest(annotations: Annotations) -> str:
    """A hash that changes with the clips, their splits and their labels."""
    found = hashlib.sha256()
    for file, split, artist in zip(
        annotations.files, annotations.splits, annotations.artists or annotations.splits,
        strict=True,
    ):  # fmt: skip
        found.update(f"{file}\0{split}\0{artist}\n".encode(errors="surrogateescape"))
    for cells in annotations.labels:
        found.update(np.packbits(cells).tobytes())
    return found.hexdigest()


def prepare(
    source: Source,
    annotations: Annotations,
    *,
    cache: Path,
    rate: int,
    progress: Progress | None = None,
) -> Material:
    """Decode the clips of a data set at ``rate`` into the folder ``cache``; what is there of the
    same is used again."""
    samples, failures = decode_clips(
        annotations.files,
        cache / f"audio-{rate}.npy",
        rate=rate,
        seconds=source.seconds,
        progress=progress,
    )
    return Material(source, annotations, samples, failures)


def with_validation(annotations: Annotations, source: Source, folder: Path) -> Annotations:
    """The data set with a split for validation: its own, or one that is held out and written to
    ``folder/split.json``, from where later runs take it."""
    if "valid" in annotations.splits:
        return annotations
    path = folder / "split.json"
    if path.exists():
        return read_split(path, annotations)
    folder.mkdir(parents=True, exist_ok=True)
    if source.artist is None:
        annotations = hold_out(annotations, seed=source.split_seed)
        write_split(path, annotations, seed=source.split_seed, by="clip")
    else:
        annotations = hold_out_artists(annotations, seed=source.split_seed)
        write_split(path, annotations, seed=source.split_seed, by="artist")
    return annotations
