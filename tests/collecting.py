"""What the tests of the library share: a crew that hears what a file's bytes say, at once."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from timbretree.batch.how import HowToTag
from timbretree.library import Scan, Summary, scanning
from timbretree.library.binding import Binding
from timbretree.reasons import REASONS
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores

BOUND = Binding.of(HowToTag())
TREE = BOUND.taxonomy


def made_up(file: str, seed: int, windows: int = 6, *, dimensions: int = 12) -> Tags:
    """Tags as a tagger makes them, of nothing: the same for the same seed."""
    chance = np.random.default_rng(seed)
    loud = chance.beta(0.3, 1.0, (1, len(TREE.tags)))
    fine = np.clip(loud + chance.normal(0, 0.1, (windows, len(TREE.tags))), 0, 1)
    fine = fine.astype(np.float32)
    below = np.where(TREE.members, fine[:, :, None], -1)  # (W, F, C)
    coarse, look = below.max(axis=1), below.argmax(axis=1)
    eye = np.eye(len(TREE.tags), dtype=np.float32)
    heard = tuple(
        WindowScores(2.5 * w, 2.5 * (w + 1), fine[w], coarse[w], eye[:, look[w]] if w else None)
        for w in range(windows)
    )
    pooled = fine.max(axis=0), coarse.max(axis=0)
    (there, perhaps), (plays, may) = (
        bands.read(each)
        for bands, each in zip((BOUND.tag_bands, BOUND.group_bands), pooled, strict=True)
    )
    return Tags(
        file=file,
        model=BOUND.model,
        taxonomy=TREE,
        seconds=2.5 * windows,
        tags=tuple(
            TagScore(tag, float(pooled[0][f]), bool(there[f]), bool(perhaps[f]))
            for f, tag in enumerate(TREE.tags)
        ),
        groups=tuple(
            GroupScore(
                group, float(pooled[1][c]), bool(plays[c]),
                dict(zip(TREE.tags, eye[look[-1, c]].tolist(), strict=True)) if c else {},
                bool(may[c]),
            )
            for c, group in enumerate(TREE.groups)
        ),
        windows=heard,
        notes=("a note",),
        tag_bands=BOUND.tag_bands,
        group_bands=BOUND.group_bands,
        embedding=chance.random(dimensions, dtype=np.float32),
    )  # fmt: skip


def failed(file: str, reason: str) -> Tags:
    """A file that could not be heard."""
    return Tags(file, BOUND.model, TREE, "failed", reason, REASONS[reason])


class FakeCrew:
    """Hears, in a file that begins with *bad:*, the reason it names; else something of its own."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def tag(self, paths: Iterable[Path]) -> Iterator[Tags]:
        for path in paths:
            self.asked.append(path.name)
            content = path.read_bytes()
            if content.startswith(b"bad:"):
                yield failed(str(path), content[4:].split(b" ")[0].decode())
            else:
                digest = hashlib.sha256(content).digest()
                yield made_up(str(path), int.from_bytes(digest[:4], "big"))


def fill(folder: Path, *names: str) -> None:
    """Files that are called sound, each with its name in it."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def scan(
    library: Path,
    *roots: Path,
    crew: FakeCrew | None = None,
    retry: bool = False,
    rescan: bool = False,
    how: HowToTag | None = None,
) -> Summary:
    """A whole scan by a fake crew."""
    with scanning(library, how or HowToTag(), rescan=rescan) as running:
        return finish(running, *roots, crew=crew, retry=retry)


def finish(
    running: Scan, *roots: Path, crew: FakeCrew | None = None, retry: bool = False
) -> Summary:
    """Look and tag."""
    for _ in running.look(roots, retry=retry):
        pass
    for _ in running.tag(crew or FakeCrew()):
        pass
    return running.summary
