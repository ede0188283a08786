"""What several tests share: the folder of real data, random trees, and made-up data sets."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings
from hypothesis import strategies as st

from timbretree.taxonomy import Taxonomy
from toy import PITCH

settings.register_profile("untimed", deadline=None)  # machines that run tests are busy
settings.load_profile("untimed")

OPENMIC = list(Taxonomy.load("tone7").tags)
"""The tags of OpenMIC-2018 in their official order."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights beside the checkout; without it the test is skipped."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("there is no ../shared beside this checkout")
    return folder


@pytest.fixture
def toy_tree() -> Taxonomy:
    """Two instruments, each in a family of its own."""
    return Taxonomy("toy", tuple(PITCH), {"low": ("hum",), "high": ("whistle",)})


@pytest.fixture
def toy_table(tmp_path: Path) -> Path:
    """Ten clips of half a second, five of each instrument, and what was said of them."""
    noise = np.random.default_rng(0)
    rows = ["file,split,hum,whistle"]
    for number in range(10):
        tag = list(PITCH)[number % 2]
        wave = 0.3 * np.sin(2 * np.pi * PITCH[tag] * np.arange(8000) / 16_000)
        wave += noise.normal(0, 0.01, 8000)
        soundfile.write(tmp_path / f"{number}.wav", wave, 16_000)
        split = "valid" if number >= 6 else "train"
        rows.append(f"{number}.wav,{split},{int(tag == 'hum')},{int(tag == 'whistle')}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def mini_openmic(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a new OpenMIC-2018 with few clips at each call: layout and formats are the official.

    ``mini_openmic(train=48, test=24, seconds=10.0)``; three clips or more in each split. Each tag
    sounds in a quarter of the clips, as two tones of its own, and in each split half of the clips
    are labelled for it, some of them present and some absent. A second of sound makes it quick.
    """

    def make(train: int = 48, test: int = 24, seconds: float = 10.0) -> Path:
        folder = tmp_path_factory.mktemp("openmic-2018")
        noise = np.random.default_rng(0)
        keys = [f"{46 + 3 * clip:06d}_{3840 * clip}" for clip in range(train + test)]
        parts = np.split(noise.permutation(train + test), [train])
        plays, told = np.zeros((2, train + test, len(OPENMIC)), dtype=bool)
        for part in parts:
            for tag in range(len(OPENMIC)):
                mixed = noise.permutation(part)
                plays[mixed[: max(1, len(part) // 4)], tag] = True
                told[mixed[::2], tag] = True
        _write_sound(folder, keys, plays, seconds)
        _write_partitions(folder, [[keys[clip] for clip in sorted(part)] for part in parts])
        _write_labels(folder, keys, plays, told)
        return folder

    return make


def _write_sound(folder: Path, keys: list[str], plays: np.ndarray, seconds: float) -> None:
    time = np.arange(round(seconds * 22_050)) / 22_050
    pitch = 150 * 2 ** (np.arange(2 * len(OPENMIC)) / 7.5)  # 150 to 5500 Hz, two of them a tag
    tones = np.sin(2 * np.pi * pitch[:, None] * time).reshape(len(OPENMIC), 2, -1).sum(axis=1)
    noise = np.random.default_rng(1)
    for key, sounding in zip(keys, plays, strict=True):
        wave = 0.4 * sounding @ tones / (1 + sounding.sum()) + noise.normal(0, 0.01, len(time))
        path = folder / "audio" / key[:3] / f"{key}.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, 22_050)


def _write_partitions(folder: Path, parts: list[list[str]]) -> None:
    """The official split, and the artists, who are in one part of it each."""
    (folder / "partitions").mkdir()
    rows: list[tuple[object, ...]] = []
    for name, keys in zip(("train", "test"), parts, strict=True):
        text = "".join(f"{key}\n" for key in keys)
        (folder / "partitions" / f"split01_{name}.csv").write_text(text, "utf-8")
        for number, key in enumerate(keys):
            artist = (1000 if name == "test" else 0) + number * 2 // 5  # two or three clips each
            rows.append((int(key[:6]), artist, f"The {artist},\nand Friends", "Tones", key))
    header = ("track_id", "artist_id", "artist_name", "track_title", "sample_key")
    _write_csv(folder / "openmic-2018-metadata.csv", header, rows)


def _write_labels(folder: Path, keys: list[str], plays: np.ndarray, told: np.ndarray) -> None:
    """What was said: as rows, and as arrays of which numpy pickles the one with the keys."""
    (folder / "class-map.json").write_text(
        json.dumps({tag: place for place, tag in enumerate(OPENMIC)}), "utf-8"
    )
    trust = np.random.default_rng(2).uniform(0.25, 0.5, plays.shape)
    relevance = 0.5 + np.where(plays, trust, -trust)
    cells = [(keys[clip], OPENMIC[tag], relevance[clip, tag], 3) for clip, tag in np.argwhere(told)]
    clip, tag = np.argwhere(~told)[0]
    undecided = (keys[clip], OPENMIC[tag], 0.5, 2)
    repeated = cells[0]  # as some are in the official file
    header = ("sample_key", "instrument", "relevance", "num_responses")
    path = folder / "openmic-2018-aggregated-labels.csv"
    _write_csv(path, header, [*cells, undecided, repeated])
    np.savez(
        folder / "openmic-2018.npz",
        X=np.zeros((len(keys), 10, 128), np.uint8),
        Y_true=np.where(told, relevance, 0.5),
        Y_mask=told,
        sample_key=np.array(keys, dtype=object),
    )


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


@st.composite
def trees(draw: st.DrawFn) -> Taxonomy:
    """Any tree: up to eight tags below up to six groups at any depth, columns in any order."""
    homes = draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    above = [None] + [draw(st.none() | st.integers(0, group - 1)) for group in range(1, 6)]
    children: dict[int, list[str]] = {}
    for number, home in enumerate(homes):
        child, group = f"t{number}", home
        while group is not None and child not in children.setdefault(group, []):
            children[group].append(child)
            child, group = f"g{group}", above[group]
    order = draw(st.permutations(sorted(children)))
    tags = draw(st.permutations([f"t{number}" for number in range(len(homes))]))
    return Taxonomy("any", tuple(tags), {f"g{g}": tuple(children[g]) for g in order})
