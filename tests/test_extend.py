"""What other packages add: found when it is asked for, never in place of what is built in, and with
a word on those that can't be had."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from torch import nn

from plugged import package, timbretree
from timbretree.annotations import AnnotationError
from timbretree.backbones import BACKBONES, MobileNet
from timbretree.checkpoint import CheckpointError, classifier
from timbretree.cli.options import find_start
from timbretree.datasets import READERS, Reader, read_dataset
from timbretree.heads import HEADS
from timbretree.modelfile import ModelFile
from timbretree.plugins import PluginError, Table, plugins
from timbretree.taxonomy import Taxonomy
from timbretree.writers import WRITERS, Writer
from toy import PITCH

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "ode_to_joy.ogg"
WRITER = """
from timbretree.writers import Writer
UPPER = Writer('.up', lambda tags, explain: 'UP')
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for packages, which this process sees, too."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def writers() -> "Table[Writer]":
    """The built-in writers in a table that has not looked at other packages yet."""
    return Table("writer", Writer, WRITERS.built_in)


def test_another_package_adds_a_writer(site: Path) -> None:
    package(site, "loud", {"timbretree.writers": {"up": "loud_up:UPPER"}}, {"loud_up": WRITER})
    found = writers()
    assert [*found] == [*WRITERS.built_in, "up"]
    assert (found["up"].suffix, found.package("up"), found.faults) == (".up", "loud 1.0", [])
    assert found.package("csv") is None
    assert len(found) == len(WRITERS.built_in) + 1
    assert [each.name for each in plugins("writer")] == ["up"]


def test_no_package_is_looked_at_for_what_is_built_in() -> None:
    """Neither a verb's help, nor a format that is built in, waits for the list of packages."""
    code = """
import sys, timbretree.plugins
def look(kind): raise SystemExit(f"looked for each {kind}")
timbretree.plugins.plugins = look
from timbretree.cli import main
sys.argv[0] = "timbretree"
main()
"""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for words in (["--help"], ["train", "--help"], ["tag", "--format", "csv", str(EXAMPLE)]):
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
    assert run("tag", "--format", "up", str(EXAMPLE)).stderr == "looked for each writer\n"
    assert run("tag", "--help").stderr == "looked for each writer\n"


BROKEN = {
    "missing": ("nowhere:X", "ModuleNotFoundError: No module named 'nowhere'"),
    "unnamed": ("faulty:nothing", "AttributeError: module 'faulty' has no attribute 'nothing'"),
    "raising": ("raises:X", "ZeroDivisionError: division by zero"),
    "wrong": ("faulty:THING", "expected a Writer, got a int"),
}


def test_a_package_that_is_broken_is_named_and_the_rest_goes_on(site: Path) -> None:
    entries = {name: place for name, (place, _) in BROKEN.items()}
    code = {"faulty": "THING = 7\n", "raises": "X = 1 / 0\n"}
    package(site, "faulty", {"timbretree.writers": entries}, code)
    package(site, "loud", {"timbretree.writers": {"up": "loud_up:UPPER"}}, {"loud_up": WRITER})
    found = writers()
    assert [*found] == [*WRITERS.built_in, "up"]
    assert found["up"].suffix == ".up"
    assert len(found.faults) == len(BROKEN)
    for name, (_, why) in BROKEN.items():
        with pytest.raises(PluginError, match=f"faulty 1.0 adds the writer '{name}', which ") as no:
            found[name]
        assert why in str(no.value)
        assert str(no.value) in found.faults
    with pytest.raises(PluginError, match=r"no writer 'down'; choose from text, .*, up; faulty 1"):
        found.pick("down")
    with pytest.raises(KeyError):
        found["down"]
    # the command says the same, and no more
    told = timbretree("tag", "--format", "raising", EXAMPLE, site=site)
    assert (told.returncode, told.stdout) == (2, "")
    assert "can't be loaded (ZeroDivisionError: division by zero)" in told.stderr
    assert "Traceback" not in told.stderr
    assert timbretree("tag", "--format", "up", EXAMPLE, site=site).stdout == "UP"
    shown = " ".join(timbretree("tag", "--help", site=site).stdout.split())
    assert "Format up: of loud 1.0." in shown
    assert "ZeroDivisionError" in shown


def test_what_is_built_in_stays(site: Path) -> None:
    package(site, "bold", {"timbretree.writers": {"csv": "loud_up:UPPER"}}, {"loud_up": WRITER})
    found = writers()
    assert [*found] == [*WRITERS.built_in]
    assert found["csv"] is WRITERS.built_in["csv"]
    (fault,) = found.faults
    assert fault == "bold 1.0 adds the writer 'csv', but timbretree's own is used"
    assert fault in " ".join(timbretree("tag", "--help", site=site).stdout.split())


def test_of_two_packages_with_one_name_neither_is_used(site: Path) -> None:
    for name in ("loud", "louder"):
        entries = {"timbretree.writers": {"up": "loud_up:UPPER"}}
        package(site, name, entries, {"loud_up": WRITER})
    found = writers()
    assert "up" not in [*found]
    with pytest.raises(PluginError, match=r"loud 1\.0 adds the writer 'up', and so does louder 1"):
        found["up"]


def test_doctor_lists_what_is_added_and_stays_well(site: Path) -> None:
    entries = {
        "timbretree.writers": {"up": "loud_up:UPPER"},
        "timbretree.datasets": {"tapes": "tapes:TAPES"},
        "timbretree.methods": {"mine": "nowhere:MINE"},
    }
    package(site, "loud", entries, {"loud_up": WRITER, "tapes": "TAPES = 1\n"})
    told = timbretree("doctor", site=site)
    assert told.returncode == 0, told.stdout
    shown = "\n".join(" ".join(line.split()) for line in told.stdout.splitlines())
    assert "\nplugin loud 1.0 adds writer up, dataset tapes, method mine\n" in shown
    assert "\n- plugin loud 1.0 adds the dataset 'tapes', which is none (expected" in shown
    assert "No module named 'nowhere') (update or uninstall it)" in shown
    assert json.loads(timbretree("doctor", "--json", site=site).stdout)[-1]["works"]
    listed = timbretree("methods", site=site)
    assert (listed.returncode, "mine" in listed.stdout) == (0, False)
    assert "loud 1.0 adds the method 'mine', which can't be loaded" in listed.stderr
    assert "plugin" not in timbretree("doctor").stdout


def test_data_sets_of_which_two_readers_say_that_they_know_them(
    tmp_path: Path, toy_tree: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AnnotationError, match="no OpenMIC-2018"):
        read_dataset(tmp_path, toy_tree)
    site = tmp_path / "site"
    code = "from timbretree.datasets import Reader\n"
    code += "TAPES = Reader('tapes', lambda path: path.name == 'both', None)\n"
    entries = {"timbretree.datasets": {"a": "tapes:TAPES", "b": "tapes:TAPES", "c": "nowhere:C"}}
    package(site, "tapes", entries, {"tapes": code})
    monkeypatch.syspath_prepend(site)
    table = Table("dataset", Reader, READERS.built_in)
    monkeypatch.setattr("timbretree.datasets.READERS", table)
    (tmp_path / "both").mkdir()
    with pytest.raises(AnnotationError, match=r"a \(tapes 1.0\) and b \(tapes 1.0\) both say"):
        read_dataset(tmp_path / "both", toy_tree)
    with pytest.raises(AnnotationError, match=r"nor tapes, nor tapes; of .*; tapes 1.0 adds .*'c'"):
        read_dataset(tmp_path, toy_tree)


# --- the package in examples/, as it is installed and used


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed by pip into a folder of its own."""
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(ROOT / "examples" / "plugin", source)
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    how = ["--no-deps", "--no-build-isolation", "--target", site]
    done = subprocess.run([*pip, *how, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture(scope="module")
def solos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the form that the example's reader knows, and the families of its instruments."""
    folder = tmp_path_factory.mktemp("work") / "solos"
    noise = np.random.default_rng(0)
    for split, number in (("train", 3), ("valid", 2), ("test", 2)):
        for tag, pitch in PITCH.items():
            (folder / split / tag).mkdir(parents=True)
            for each in range(number):
                wave = 0.3 * np.sin(2 * np.pi * pitch * np.arange(16_000) / 16_000)
                wave += noise.normal(0, 0.01, len(wave))
                soundfile.write(folder / split / tag / f"{each}.wav", wave, 16_000)
    tree = Taxonomy("toy", tuple(PITCH), {"all": tuple(PITCH)})
    tree.save(folder.parent / "tree.json")
    return folder


QUICK = ("--frozen", "--epochs", 1, "--device", "cpu", "--taxonomy", "tree.json")
"""Of ``train``, for the toy data."""
CLIP = "solos/test/hum/0.wav"


@pytest.fixture(scope="module")
def work(installed: Path, solos: Path) -> Path:
    """A folder with a run that the example's method and reader made, and its model file."""
    folder = solos.parent
    words = ("train", "solos", "run", "--method", "noisy-or", "--start", "none", *QUICK)
    told = timbretree(*words, site=installed, cwd=folder)
    assert told.returncode == 0, told.stderr
    assert "6 clips to learn from, 4 to judge by" in told.stderr
    told = timbretree("export", "run/best.safetensors", "solos.onnx", site=installed, cwd=folder)
    assert told.returncode == 0, told.stderr
    return folder


def test_the_example_package_in_use(installed: Path, work: Path) -> None:
    def run(*words: object) -> str:
        told = timbretree(*words, site=installed, cwd=work)
        assert told.returncode == 0, told.stderr
        return told.stdout

    assert "whistle" in run("evaluate", "run/best.safetensors", "solos", "--out", "scores")
    written = run("tag", "--model", "solos.onnx", "--format", "srt", "--explain", CLIP)
    assert written == "" or written.startswith("1\n00:00:00,000 --> 00:00:01,000\n")
    assert "Noisy-or of the family's instruments (timbretree-example 0.1)\n" in run("methods")
    added = "writer srt, dataset solos, head noisy-or, method noisy-or"
    assert f"timbretree-example 0.1 adds {added}\n" in run("doctor")
    # it can be trained further from its model file
    words = ("train", "solos", "more", "--method", "noisy-or", "--start", "solos.onnx", *QUICK)
    told = timbretree(*words, site=installed, cwd=work)
    assert told.returncode == 0, told.stderr
    assert "afresh" not in told.stderr


def test_what_needs_the_package_and_what_does_not(work: Path) -> None:
    """The checkpoint and the data set need it; the model file needs neither it nor torch."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['timbretree_example'] = None\n"
        "from timbretree import Tagger; tags = Tagger('solos.onnx')(sys.argv[1])\n"
        "print(tags.status, [each.tag for each in tags.tags])"
    )
    command = [sys.executable, "-c", code, CLIP]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=work)
    assert done.stdout == f"ok {[*PITCH]}\n"
    model = ModelFile(work / "solos.onnx")
    said = model.raw(np.random.default_rng(0).normal(0, 1, (3, 100, 128)).astype(np.float32))
    np.testing.assert_allclose(said.coarse[:, 0], 1 - (1 - said.fine).prod(axis=1), atol=1e-5)
    told = timbretree("export", "run/best.safetensors", "again.onnx", cwd=work)
    assert told.returncode == 2
    assert "there is no head 'noisy-or'; choose from" in told.stderr
    assert "or install the package that adds it" in told.stderr
    told = timbretree("evaluate", "solos.onnx", "solos", cwd=work)
    assert told.returncode == 2
    assert "this folder is no OpenMIC-2018" in told.stderr


def test_a_head_that_can_not_be_lent_rows_says_so() -> None:
    with pytest.raises(CheckpointError, match="head Identity has no linear layer `fine`"):
        classifier(nn.Identity())
    assert classifier(HEADS["gmp"](8, Taxonomy.load("tone7"))).in_features == 8


def test_a_backbone_that_nobody_has_trained_yet_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BACKBONES.built_in, "mine", MobileNet)
    with pytest.raises(typer.Exit):
        find_start("mine", "auto")
    assert "there are no weights to start mine from" in capsys.readouterr().err
    assert find_start("mine", "none") is None
    with pytest.raises(PluginError, match="there is no backbone 'yours'; choose from cnn14, mn04,"):
        find_start("yours", "auto")


def test_subtitles(installed: Path) -> None:
    told = timbretree("tag", "--format", "srt", EXAMPLE, site=installed)
    assert told.returncode == 0, told.stderr
    blocks = told.stdout.split("\n\n")
    numbers, times, names = zip(*(block.splitlines() for block in blocks), strict=True)
    assert numbers == tuple(str(each + 1) for each in range(len(blocks)))
    assert times[0].startswith("00:00:00,000 --> 00:00:")
    begins = [each.split(" --> ")[0] for each in times]
    assert begins == sorted(begins)
    assert {"piano", "violin"} <= set(names)
