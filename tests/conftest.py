"""What several tests share: the folder of real data, random trees, and a table of made-up audio."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from timbretree.taxonomy import Taxonomy

PITCH = {"hum": 300.0, "whistle": 2400.0}
"""The two instruments of the toy orchestra, in Hz."""


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
