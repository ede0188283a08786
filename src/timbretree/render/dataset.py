"""A whole data set: clips made side by side, the truth of them all, and labels such as OpenMIC's.

A kill at any moment costs the clips that were being made: the same call goes on.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from timbretree import __version__
from timbretree.claim import claim
from timbretree.files import alone, write_whole
from timbretree.labels import Labels
from timbretree.openmic import audio_path
from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.clip import Materials, Workshop
from timbretree.render.labelling.folder import Track, make_keys, write_folder
from timbretree.render.labelling.labeller import (
    Observed,
    Shortfall,
    complete,
    label,
    noise,
    shortfalls,
)
from timbretree.render.labelling.truth import Truth
from timbretree.render.sounds.bank import Sounds
from timbretree.render.studio.ogg import write_ogg
from timbretree.workers import as_done

RECORD = "render.json"
"""What a folder was rendered from."""
CLIPS = "clips.jsonl"
"""How each clip came about: piece, band, tempo, sounds, mixing."""
UNFINISHED = "unfinished"
"""A folder with the records of the clips that are made, until all are."""
CHUNK = 8
"""Clips that a process makes before it reports."""
TAGS = tuple(INSTRUMENTS)
TEST_SHARE = 5085 / 20_000
"""OpenMIC's."""

Records = dict[int, dict[str, Any]]
"""Of clips, by number."""
Progress = Callable[[int, int], None]
"""Called with how many clips are made, and how many there are to be."""


@dataclass(frozen=True)
class Plan:
    """What to render."""

    clips: int
    materials: Materials
    seed: int = 0
    complete: bool = False
    """Whether every cell is labelled, as it truly is."""

    def to_dict(self) -> dict[str, object]:
        """Plain data: what makes it another data set; files by name and size, not by place."""
        made_of = self.materials
        return {
            "versions": {"timbretree": __version__, "music21": version("music21")},
            "clips": self.clips,
            "seed": self.seed,
            "complete": self.complete,
            "soundfonts": [[path.name, path.stat().st_size] for path in made_of.soundfonts],
            "samples": made_of.samples and [made_of.samples.resolve().name, _size(made_of.samples)],
        }


@dataclass(frozen=True, eq=False)
class Rendered:
    """A finished data set."""

    truth: Truth
    observed: Observed
    """What was asked, and answered."""
    noise: float
    """The share of its labels that contradict the truth."""
    shortfalls: list[Shortfall]
    """Tags that sound in too few clips for as many present labels as OpenMIC's share of them."""
    sounds: Sounds
    """What it was played on."""

    @property
    def labels(self) -> Labels:
        """The labels, numpy bool arrays (N, 20)."""
        return self.observed.labels


def render(
    plan: Plan, out: Path, *, jobs: int | None = None, progress: Progress | None = None
) -> Rendered:
    """Render a data set into the folder ``out``.

    ``jobs`` processes work side by side (default: one a core); the files are the same whatever
    their number. A folder of the same plan is gone on with. Raises RenderError, ClaimError, the
    errors of SoundFonts, samples and FluidSynth, ValueError for more clips than there are names,
    and OSError.
    """
    keys, splits = make_keys(plan.clips), _split(plan)  # before anything is written
    workshop = _workshop(plan.materials, plan.seed)
    claim(out / RECORD, plan.to_dict())
    with alone(out / RECORD):
        made = {n: record for n, record in _made(out).items() if audio_path(out, keys[n]).exists()}
        todo = [_Job(n, keys[n], splits[n]) for n in range(plan.clips) if n not in made]
        if progress:
            progress(len(made), plan.clips)
        for records in _make(plan, out, todo, jobs):
            made |= records
            if progress:
                progress(len(made), plan.clips)
        whole = [made[number] for number in range(plan.clips)]
        truth = _truth(keys, whole)
        rng = np.random.default_rng([plan.seed, plan.clips])
        observed = complete(truth) if plan.complete else label(truth, splits=splits, rng=rng)
        write_folder(out, truth, splits, observed, tuple(map(_track, whole)))
        write_whole(out / CLIPS, "".join(json.dumps(each) + "\n" for each in whole))
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    missed = [] if plan.complete else shortfalls(truth, splits=splits, observed=observed)
    return Rendered(truth, observed, noise(truth, observed), missed, workshop.sounds)


def _size(folder: Path) -> int:
    """Of all files in a folder, in bytes: other recordings make another data set."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _split(plan: Plan) -> tuple[str, ...]:
    """The split of each clip, in OpenMIC's proportion."""
    order = np.random.default_rng([plan.seed, plan.clips, 1]).permutation(plan.clips)
    test = set(order[: round(plan.clips * TEST_SHARE)].tolist())
    return tuple("test" if number in test else "train" for number in range(plan.clips))


def _made(out: Path) -> Records:
    """The records of the clips made so far, by number; those that are damaged are not."""
    lines: list[bytes] = []
    for path in [*sorted((out / UNFINISHED).glob("*.jsonl")), out / CLIPS]:
        if path.exists():
            lines += path.read_bytes().splitlines()
    records: Records = {}
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            record = json.loads(line)
            records[record["number"]] = record
    return records


def _truth(keys: tuple[str, ...], records: list[dict[str, Any]]) -> Truth:
    shape = len(keys), len(TAGS)
    seconds, loudness = np.zeros(shape), np.full(shape, -np.inf)
    sounds = np.full(shape, "", dtype=object)
    for row, record in enumerate(records):
        for tag, heard in record["heard"].items():
            cell = row, TAGS.index(tag)
            seconds[cell], loudness[cell] = heard["seconds"], heard["loudness"]
            sounds[cell] = heard["sound"]
    return Truth(keys, TAGS, seconds, loudness, sounds)


def _track(record: dict[str, Any]) -> Track:
    """The artist is the piece in all its variants: what must not be torn apart."""
    return Track(record["piece"], record["group"], record["composer"], (record["band"],))


class _Job(NamedTuple):
    """A clip to make."""

    number: int
    key: str
    split: str


def _make(plan: Plan, out: Path, todo: list[_Job], jobs: int | None) -> Iterator[Records]:
    """Make clips chunk by chunk, and yield the records of each."""
    chunks = [tuple(todo[first : first + CHUNK]) for first in range(0, len(todo), CHUNK)]
    if not chunks:
        return
    (out / UNFINISHED).mkdir(exist_ok=True)
    if jobs == 1 or len(chunks) == 1:
        for chunk in chunks:
            yield _make_chunk(plan, out, chunk)
        return
    yield from as_done(_make_chunk, ((plan, out, chunk) for chunk in chunks), jobs=jobs)


def _make_chunk(plan: Plan, out: Path, chunk: tuple[_Job, ...]) -> Records:
    """Make some clips: their audio, then one file with their records."""
    workshop = _workshop(plan.materials, plan.seed)
    records: Records = {}
    for number, key, split in chunk:
        clip = workshop.make(number, split)
        path = audio_path(out, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ogg(path, clip.audio, serial=number)
        heard = {
            tag: {
                "seconds": round(float(each.seconds), 3),
                "loudness": round(float(each.loudness), 2),
                "sound": clip.sounds[tag],
            }
            for tag, each in clip.heard.items()
        }
        records[number] = {"number": number, "key": key, "heard": heard, **clip.record}
    text = "".join(json.dumps(record) + "\n" for record in records.values())
    write_whole(out / UNFINISHED / f"{chunk[0].number:06d}.jsonl", text)
    return records


@lru_cache(maxsize=1)
def _workshop(materials: Materials, seed: int) -> Workshop:
    """The workshop of this process: its SoundFonts are loaded once."""
    return Workshop(materials, seed)
