"""The page for those who extend timbretree: each example is a module that does what it says."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile

from plugged import package, timbretree
from timbretree.backbones import BACKBONES
from timbretree.datasets import READERS
from timbretree.heads import HEADS
from timbretree.methods import METHODS
from timbretree.model import build
from timbretree.plugins import Table
from timbretree.taxonomy import Taxonomy
from timbretree.writers import WRITERS, _written_by
from toy import PITCH

PAGE = (Path(__file__).parents[1] / "docs" / "contributing.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLES: dict[str, Table[Any]] = {
    "heads": HEADS,
    "methods": METHODS,
    "backbones": BACKBONES,
    "datasets": READERS,
    "writers": WRITERS,
}


class Example(NamedTuple):
    """What stands below a heading that begins with A."""

    title: str
    code: str
    entries: dict[str, dict[str, str]]
    """By group: name to place."""
    lines: list[str]
    """For the tables of timbretree itself, one for each group."""

    @property
    def module(self) -> str:
        """Its file in the package, by any of its entry points."""
        (place, *_) = [place for part in self.entries.values() for place in part.values()]
        return place.split(":")[0].removeprefix("mine.")


def examples() -> list[Example]:
    found = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title, blocks = section.partition("\n")[0], dict(BLOCK.findall(section))
        if "python" in blocks:
            points = tomllib.loads(blocks["toml"])["project"]["entry-points"]
            lines = blocks["text"].splitlines()
            found.append(Example(title, blocks["python"], points, lines))
    return found


EXAMPLES = examples()
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=[each.title for each in EXAMPLES])


def test_there_is_one_of_each_kind() -> None:
    assert [each.title for each in EXAMPLES] == ["A head", "A backbone", "A data set", "A writer"]
    groups = {group for each in EXAMPLES for group in each.entries}
    assert groups == {f"timbretree.{kind}" for kind in TABLES}


@each_example
def test_it_is_short(example: Example) -> None:
    assert len(example.code.splitlines()) < 40


@each_example
def test_the_lines_for_the_tables_fit(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """They name what the entry points name, and what they put into the table can be picked."""
    names: dict[str, Any] = {"_written_by": _written_by}
    exec(compile(example.code, f"docs/contributing.md, {example.title}", "exec"), names)
    assert len(example.lines) == len(example.entries)
    for (group, points), line in zip(example.entries.items(), example.lines, strict=True):
        table = TABLES[group.removeprefix("timbretree.")]
        ((name, place),) = points.items()
        entry = eval(f"{{{line}}}", names)
        assert list(entry) == [name]
        wanted = names[place.split(":")[1]]
        if group == "timbretree.writers":
            assert entry[name].suffix == wanted.suffix
        else:
            assert entry[name] is wanted
        monkeypatch.setitem(table.built_in, name, wanted)
        assert table.pick(name) is wanted


def test_a_family_that_heeds_the_loudest_most(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    names: dict[str, Any] = {}
    exec(EXAMPLES[0].code, names)
    monkeypatch.setitem(HEADS.built_in, "softmax", names["SoftMax"])
    tree = Taxonomy.load("tone7")
    said = build("mn04", "softmax", tree).head(torch.randn(5, 512))
    members = torch.from_numpy(tree.members)
    assert (said.attention[:, ~members] == 0).all()
    torch.testing.assert_close(said.attention.sum(dim=1), torch.ones(5, len(tree.groups)))
    loudest = torch.where(members, said.fine[:, :, None], 0).amax(dim=1)
    mean = torch.where(members, said.fine[:, :, None], 0).sum(dim=1) / members.sum(dim=0)
    assert (said.coarse <= loudest + 1e-6).all()
    assert (said.coarse >= mean - 1e-6).all()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all the examples as one package."""
    site = tmp_path_factory.mktemp("site")
    (site / "mine").mkdir()
    modules = {f"mine/{each.module}": each.code for each in EXAMPLES}
    entries = {group: points for each in EXAMPLES for group, points in each.entries.items()}
    return package(site, "mine", entries, {"mine/__init__": "", **modules})


def test_the_examples_together_from_a_data_set_to_a_file(mine: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    rows = []
    for number in range(14):
        tag, other = [*PITCH][:: 1 if number % 2 else -1]
        wave = 0.3 * np.sin(2 * np.pi * PITCH[tag] * np.arange(16_000) / 16_000)
        soundfile.write(tmp_path / f"{number}.wav", wave + noise.normal(0, 0.01, 16_000), 16_000)
        split = "train" if number < 8 else "valid" if number < 12 else "test"
        silent = [other] if number % 3 else []
        rows.append({"file": f"{number}.wav", "split": split, "plays": [tag], "silent": silent})
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    Taxonomy("toy", tuple(PITCH), {"all": tuple(PITCH)}).save(tmp_path / "tree.json")

    def run(*words: object) -> str:
        done = timbretree(*words, site=mine, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(
        *("train", "clips.jsonl", "run", "--taxonomy", "tree.json", "--method", "softmax"),
        *("--backbone", "tiny", "--start", "none", "--epochs", 20, "--batch", 4),
        *("--learning-rate", 0.01, "--device", "cpu"),
    )
    assert "whistle" in run("evaluate", "run/best.safetensors", "clips.jsonl")
    run("export", "run/best.safetensors", "mine.onnx")
    assert "softmax" in run("info", "mine.onnx", "--json")
    written = run("tag", "--model", "mine.onnx", "--format", "lrc", "12.wav", "13.wav")
    assert re.fullmatch(r"(\[00:00\.00\](hum|whistle)\??\n)+", written)
    assert "mine 1.0 adds writer lrc, dataset lines, head softmax" in run("doctor")


def test_a_line_that_is_no_json_is_named(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "clips.jsonl").write_text('{"file": "a.wav"\n', "utf-8")
    Taxonomy("toy", tuple(PITCH), {"all": tuple(PITCH)}).save(tmp_path / "tree.json")
    told = timbretree(
        *("train", "clips.jsonl", "run", "--taxonomy", "tree.json", "--start", "none"),
        site=mine, cwd=tmp_path,
    )  # fmt: skip
    assert told.returncode == 2
    assert "clips.jsonl: line 1: Expecting" in told.stderr
