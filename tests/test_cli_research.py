"""The commands for training and research, each as a process of its own: what they make, and what
they say and leave behind where it can't be done."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from loopback import Server, part, says
from timbretree.checkpoint import Checkpoint
from timbretree.export import export
from timbretree.fetch import RESOURCES
from timbretree.methods import METHODS
from timbretree.model import build
from timbretree.taxonomy import Taxonomy

HEAD = "file,split,hum,whistle"
TREE = Taxonomy("toy", ("hum", "whistle"), {"low": ("hum",), "high": ("whistle",)})
QUICK = ["--start", "none", "--device", "cpu", "--frozen", "--epochs", "1"]
SMALL = ["--backbone", "mn04", "--methods", "gmp", "--lambdas", ".8", "--seeds", "1"]
Done = subprocess.CompletedProcess[str]


def run(*arguments: object, **environment: object) -> Done:
    words = {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, "-m", "timbretree", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **words},
    )


def run_all(*commands: list[object]) -> list[Done]:
    """Several at a time, since starting torch is what takes long."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda command: run(*command), commands))


def refused(done: Done, *words: str) -> None:
    """It ended with exit code 2 and nothing on standard output, and said why in a sentence."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    for each in words:
        assert each in done.stderr


@dataclass(frozen=True)
class Desk:
    """A folder with ten clips, five of each instrument, and what a command needs beside them."""

    folder: Path

    def table(self, name: str, *rows: str, head: str = HEAD) -> Path:
        path = self.folder / name
        path.write_text("".join(f"{row}\n" for row in (head, *rows)), "utf-8")
        return path

    def left(self, name: str) -> list[str]:
        """What lies in a folder, or [] where there is none."""
        return sorted(path.name for path in (self.folder / name).rglob("*"))


def rows(first: int, last: int, split: str) -> list[str]:
    return [f"{n}.wav,{split},{1 - n % 2},{n % 2}" for n in range(first, last)]


CLIPS = [*rows(0, 4, "train"), *rows(4, 6, "valid"), *rows(6, 10, "test")]


@pytest.fixture
def desk(toy_table: Path) -> Desk:
    return Desk(toy_table.parent)


# --- evaluate


@dataclass(frozen=True)
class Judged:
    """A network that hears something, as both kinds of file, and a data set."""

    desk: Desk
    checkpoint: Path
    model: Path
    data: Path


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """A network at random, whose BatchNorm was shown the clips: so it tells them apart somehow."""
    folder = tmp_path_factory.mktemp("judged")
    noise = np.random.default_rng(0)
    waves = noise.normal(0, 0.01, (12, 16_000)).astype(np.float32)
    pitch = 200 * 1.3 ** np.arange(12)
    waves += 0.3 * np.sin(2 * np.pi * pitch[:, None] * np.arange(16_000) / 32_000)
    for number, wave in enumerate(waves):
        soundfile.write(folder / f"{number}.wav", wave, 32_000, subtype="FLOAT")
    torch.manual_seed(0)
    net = build("mn04", "resatt", TREE)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.inference_mode():
        net.train()(torch.from_numpy(waves))
        fine, coarse, _ = net.eval()(torch.from_numpy(waves))
    middle = [tuple(level.median(dim=0).values.tolist()) for level in (fine, coarse)]
    checkpoint = Checkpoint(net, "mn04", "resatt", TREE, middle[0], middle[1], seconds=0.5)
    checkpoint.save(folder / "net.safetensors")
    export(checkpoint, folder / "net.onnx", name="toy", licence="MIT", provenance="")
    # what is true is drawn by lot, a third of it is unknown, and one clip is missing
    cells = noise.choice(["1", "0", ""], (12, 2))
    cells[:2], cells[6:8] = [["1", "0"], ["0", "1"]], [["1", "0"], ["0", "1"]]
    lines = [
        f"{number}.wav,{'valid' if number < 6 else 'test'},{','.join(row)}"
        for number, row in enumerate(cells)
    ]
    desk = Desk(folder)
    return Judged(desk, folder / "net.safetensors", folder / "net.onnx",
                  desk.table("table.csv", *lines, "gone.wav,test,1,0"))  # fmt: skip


def leaves(plain: object, path: str = "") -> dict[str, object]:
    """Every value of a JSON document by where it stands."""
    if isinstance(plain, dict):
        inner = [leaves(value, f"{path}/{name}") for name, value in plain.items()]
        return {name: value for each in inner for name, value in each.items()}
    return {path: plain}


def test_a_checkpoint_and_its_model_file_get_the_same_figures(judged: Judged) -> None:
    outs = [judged.desk.folder / name for name in ("of checkpoint", "of model")]
    done = run_all(
        ["evaluate", judged.checkpoint, judged.data, "--out", outs[0], "--device", "cpu"],
        ["evaluate", judged.model, judged.data, "--out", outs[1]],
    )
    found = []
    for each, out, model in zip(done, outs, (judged.checkpoint, judged.model), strict=True):
        assert each.returncode == 1, (
            each.stderr
        )  # a clip is missing: it is named, and the rest go on
        assert f"{judged.data.parent / 'gone.wav'}: left out, missing" in each.stderr
        written = ["reliability.png", "reliability.svg", "scores.json"]
        assert sorted(path.name for path in out.iterdir()) == written
        assert all(path.stat().st_size for path in out.iterdir())
        record = json.loads((out / "scores.json").read_text())
        assert (record["model"], record["split"]) == (str(model), "test")
        assert record["failures"] == {str(judged.data.parent / "gone.wav"): "missing"}
        assert record["scores"]["clips"] == 6
        assert re.search(r"^clips: 6$", each.stdout, re.MULTILINE)
        found.append(leaves(record["scores"]))
    one, other = found
    assert one.keys() == other.keys()
    for place, value in one.items():
        wanted = pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
        assert other[place] == wanted, place
    assert done[0].stdout.split() == done[1].stdout.split()
    assert (
        len({value for value in one.values() if isinstance(value, float)}) > 9
    )  # it means something


def test_what_is_scored_is_what_the_table_says(judged: Judged) -> None:
    """The printed figures against numpy: of each tag, how many are known present and absent."""
    out = judged.desk.folder / "valid"
    done = run("evaluate", judged.model, judged.data, "--split", "valid", "--out", out)
    assert done.returncode == 0, done.stderr
    lines = [line.split(",") for line in judged.data.read_text().splitlines() if "valid" in line]
    scores = json.loads((out / "scores.json").read_text())["scores"]
    for column, (tag, group) in enumerate((("hum", "low"), ("whistle", "high")), 2):
        cells = [line[column] for line in lines]
        for level, name in (("fine", tag), ("coarse", group)):
            told = scores[level]["by_name"][name]
            assert (told["present"], told["absent"]) == (cells.count("1"), cells.count("0"))
            row = next(line for line in done.stdout.splitlines() if line.startswith(name))
            assert row.split()[1] == f"{100 * told['roc_auc']:.1f}"
            assert row.split()[-2:] == [str(cells.count("1")), str(cells.count("0"))]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_evaluate_says_what_it_can_not_score(judged: Judged) -> None:
    """A split that nobody is in, and clips that can't be used, each with its name."""
    desk, out = judged.desk, judged.desk.folder / "none"
    (desk.folder / "text.wav").write_text("no audio")
    gone = desk.table("gone.csv", "gone.wav,test,1,0", "text.wav,test,0,1")
    train, dev, nothing = run_all(
        ["evaluate", judged.model, judged.data, "--split", "train", "--out", out],
        ["evaluate", judged.model, judged.data, "--split", "dev", "--out", out],
        ["evaluate", judged.model, gone, "--out", out],
    )
    refused(train, str(judged.data), "no clip", "'train'")
    refused(dev, "train, valid, test", "'dev'")
    refused(nothing, f"{desk.folder / 'gone.wav'}: left out, missing",
            f"{desk.folder / 'text.wav'}: left out, not_audio")  # fmt: skip
    assert not out.exists()


def test_evaluate_overwrites_nothing_unasked(judged: Judged) -> None:
    out = judged.desk.folder / "mine"
    out.mkdir()
    (out / "scores.json").write_text("of another model")
    file = judged.desk.folder / "a file"
    file.write_text("mine")
    again, into = run_all(
        ["evaluate", judged.model, judged.data, "--out", out],
        ["evaluate", judged.model, judged.data, "--out", file],
    )
    refused(again, str(out / "scores.json"), "--force")
    assert (out / "scores.json").read_text() == "of another model"
    refused(into, str(file))  # before an hour of listening
    assert file.read_text() == "mine"


# --- data that can't be read


@pytest.mark.parametrize("verb", ["train", "reproduce"])
def test_nothing_is_left_of_data_that_can_not_be_read(desk: Desk, verb: str) -> None:
    """So the same command goes when its data is mended."""
    small = Taxonomy("small", ("hum",), {"low": ("hum",)})
    TREE.save(desk.folder / "tree.json")
    small.save(desk.folder / "small.json")
    table = desk.table("table.csv", *CLIPS)
    label = desk.table("label.csv", *CLIPS, "x.wav,train,1,maybe")
    unknown = desk.table("unknown.csv", *CLIPS, head=HEAD + "le")
    before = desk.left(".")

    def attempt(data: Path, *more: object, tree: str = "tree.json") -> list[object]:
        options = [*QUICK, *(SMALL if verb == "reproduce" else []), *more]
        return [verb, data, desk.folder / "run", *options, "--taxonomy", desk.folder / tree]

    wrong, strange, lacking, elsewhere = run_all(
        attempt(label),
        attempt(unknown),
        attempt(table, tree="small.json"),
        attempt(table, "--audio", desk.folder / "elsewhere"),
    )
    refused(wrong, "label.csv: row 12, column 'whistle': expected 1, 0 or nothing, got 'maybe'")
    refused(strange, "unknown.csv: row 1, column 'whistlele' is no tag", "mean 'whistle'?")
    refused(lacking, "table.csv: row 1, column 'whistle' is no tag of the taxonomy (hum)")
    refused(elsewhere, "table.csv", "--audio")
    assert desk.left(".") == before


def test_clips_that_can_not_be_used(desk: Desk) -> None:
    """Each is named and left out, the rest go on; and a run that is done keeps to its plan."""
    (desk.folder / "1.wav").write_text("no audio")
    (desk.folder / "loop.wav").symlink_to("loop.wav")
    bad = ["gone.wav", "loop.wav", "n" * 300 + ".wav"]
    lines = [*CLIPS, *(f"{file},train,0,1" for file in bad)]
    data, folder, out = desk.table("table.csv", *lines), desk.folder / "run", desk.folder / "out"
    TREE.save(desk.folder / "tree.json")
    options = [*QUICK, "--taxonomy", desk.folder / "tree.json"]
    train = ["train", data, folder, *options]
    reproduce = ["reproduce", data, out, *SMALL, *options]
    trained, reproduced = run_all(train, reproduce)
    for done in (trained, reproduced):
        assert done.returncode == 1, done.stderr
        for name in ("1.wav", *bad):
            assert re.search(rf"/{name}: left out, \w+$", done.stderr, re.MULTILINE), name
        assert done.stderr.count(": left out, ") == 4
    assert trained.stdout == f"{folder / 'best.safetensors'}\n"
    assert Checkpoint.load(folder / "best.safetensors").taxonomy == TREE
    assert "3 clips to learn from, 2 to judge by" in trained.stderr
    report = (out / "report" / "report.html").read_text()
    assert all(name in report for name in ("1.wav", *bad))
    assert not list(desk.folder.rglob("*.part"))

    other, resumed = run_all([*train, "--resume", "--method", "gap"], [*train, "--resume"])
    refused(other, f"{folder} holds a run of another plan: its method is resatt", "gap")
    assert resumed.returncode == 1
    assert "going on after epoch 1" in resumed.stderr

    # other labels make another experiment, whose scores are not to be mixed with these
    desk.table("table.csv", *(line.replace("test,1,0", "test,0,1") for line in lines))
    kept = {path: path.read_bytes() for path in out.rglob("*.json")}
    refused(run(*reproduce, "--seeds", 2), str(out), "labels")
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == kept


def test_a_network_of_another_taxonomy(judged: Judged) -> None:
    out = judged.desk.folder / "other"
    piano = judged.desk.table("piano.csv", "6.wav,test,1,0", head="file,split,piano,hum")
    for done in run_all(
        ["evaluate", judged.checkpoint, piano, "--out", out, "--device", "cpu"],
        ["evaluate", judged.model, piano, "--out", out],
    ):
        refused(done, "piano.csv: row 1, column 'piano' is no tag of the taxonomy (hum, whistle)")
    assert not out.exists()


# --- what can't be begun


def test_weights_to_start_from(desk: Desk, tmp_path: Path) -> None:
    data, cache = desk.table("t.csv", *CLIPS), tmp_path / "cache"
    TREE.save(desk.folder / "tree.json")
    options = ["--taxonomy", desk.folder / "tree.json", "--device", "cpu", "--frozen"]

    def attempt(verb: str, backbone: str, *more: object) -> Done:
        words = [verb, data, desk.folder / "run", "--backbone", backbone, *options, *more]
        return run(*words, XDG_CACHE_HOME=cache)

    refused(attempt("train", "mn04"), "`timbretree fetch mn04-as`", "--start none")
    refused(attempt("reproduce", "cnn14"), "`timbretree fetch cnn14-16k`", "--start none")
    path = cache / "timbretree" / "weights" / RESOURCES["mn04-as"].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 and no more")
    damaged = f"{path}: expected the file with sha256 {RESOURCES['mn04-as'].digest}"
    refused(attempt("train", "mn04"), damaged, "fetch it again")
    other = f"{path}: expected the file with sha256 {RESOURCES['cnn14-16k'].digest}"
    refused(attempt("reproduce", "cnn14", "--start", path), other)
    assert not (desk.folder / "run").exists()


NOTHING = [
    ("train --device gpu", "--device is auto or cpu, got 'gpu'"),
    ("train --precision fp8", "--precision is no, bf16 or fp16, got 'fp8'"),
    ("train --epochs 0", "'--epochs'"),
    ("train --learning-rate nan", "'--learning-rate'"),
    ("train --learning-rate -1", "'--learning-rate'"),
    ("train --seed -1", "'--seed'"),
    ("train --split-seed -1", "'--split-seed'"),
    ("train --backbone resnet", "there is no backbone 'resnet'; choose from cnn14, mn04"),
    ("train --method magic", f"there is no method 'magic'; choose from {', '.join(METHODS)}"),
    ("reproduce --backbone resnet", "there is no backbone 'resnet'; choose from cnn14, mn04"),
    ("reproduce --methods gmp,", f"there is no method ''; choose from {', '.join(METHODS)}"),
    ("reproduce --lambdas .7,x", "--lambdas are numbers with commas, as in .70,.80, got '.7,x'"),
    ("reproduce --lambdas .7,nan", "--lambdas are above 0 and at most 1, got '.7,nan'"),
    ("reproduce --seeds 0", "'--seeds'"),
]


def test_words_that_stand_for_nothing(desk: Desk) -> None:
    TREE.save(desk.folder / "tree.json")
    data = desk.table("t.csv", *CLIPS)
    usual = [data, desk.folder / "run", "--start", "none", "--taxonomy", desk.folder / "tree.json"]
    commands = [[verb, *usual, *more] for verb, *more in (words.split() for words, _ in NOTHING)]
    for (words, said), done in zip(NOTHING, run_all(*commands), strict=True):
        refused(done, said)
        assert not (desk.folder / "run").exists(), words


def test_places_where_something_else_is(desk: Desk) -> None:
    """Nothing of ours gets into somebody's own file or between somebody's own files."""
    data, file, folder = desk.table("t.csv", *CLIPS), desk.folder / "file", desk.folder / "mine"
    TREE.save(desk.folder / "tree.json")
    file.write_text("mine")
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    more = [*QUICK, "--taxonomy", desk.folder / "tree.json"]
    for done, place in zip(
        run_all(
            ["train", data, file, *more],
            ["reproduce", data, file, *SMALL, *more],
            ["train", data, folder, *more, "--resume"],
            ["reproduce", data, folder, *SMALL, *more, "--plan"],
        ),
        (file, file, folder, folder),
        strict=True,
    ):
        refused(done, str(place))
    assert file.read_text() == "mine"
    assert desk.left("mine") == ["thesis.txt"]


# --- breaking off, and what is damaged


def test_ctrl_c_and_damage(desk: Desk) -> None:
    """An interrupted run goes on; what is damaged in its folder is made again or named."""
    data, folder = desk.table("t.csv", *CLIPS), desk.folder / "run"
    TREE.save(desk.folder / "tree.json")
    options = ["--start", "none", "--device", "cpu", "--frozen", "--epochs", 400, "--taxonomy"]
    train = ["train", data, folder, *options, desk.folder / "tree.json"]
    command = [sys.executable, "-m", "timbretree", *map(str, train)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("epoch 2/"):
                break
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
    assert child.returncode == 130
    assert "Traceback" not in rest
    assert "--resume" in rest

    copies = [shutil.copytree(folder, desk.folder / f"copy {number}") for number in range(2)]
    (copies[0] / "plan.json").write_text("[]")
    (copies[1] / "audio-32000.json").write_text("[]")
    (copies[1] / "mn04.npy").write_bytes(b"")
    broken, mended, whole = run_all(
        *([*train[:2], each, *train[3:], "--resume"] for each in (*copies, folder))
    )
    refused(broken, str(copies[0] / "plan.json"))
    for done in (mended, whole):
        assert done.returncode == 0, done.stderr
        assert re.search(r"^going on after epoch \d+$", done.stderr, re.MULTILINE)
    best = [(each / "best.safetensors").read_bytes() for each in (copies[1], folder)]
    assert best[0] == best[1]


# --- fetch


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


OFFLINE = {"HTTPS_PROXY": "http://", "https_proxy": "http://", "NO_PROXY": "127.0.0.1"}
"""No proxy at all, so that nothing but loopback is asked."""


def test_fetch_takes_no_other_bytes(server: Server, tmp_path: Path) -> None:
    size = RESOURCES["mn04-as"].size
    server.play(lambda visit: part(visit, bytes(size)))
    done = run("fetch", "mn04-as", tmp_path / "weights", "--mirror", server.url(), **OFFLINE)
    refused(done, f"{server.url()}: sent wrong bytes: expected sha256", "nothing was kept")
    assert "to download: 4.1 MB" in done.stderr
    assert "licence: MIT" in done.stderr
    assert [visit.sent for visit in server.visits] == [size]
    assert not list(tmp_path.rglob("*.*"))
    server.play(says(404))
    both = ["--mirror", server.url("/a"), "--mirror", server.url("/b")]
    done = run("fetch", "mn04-as", tmp_path / "weights", *both, **OFFLINE)
    refused(done, f"{server.url('/a')}: answers 404", f"{server.url('/b')}: answers 404")
    refused(run("fetch", "openmic2018", tmp_path), "'openmic2018' can't be fetched; choose from "
            "openmic, cnn14-16k, mn04-as")  # fmt: skip


def test_fetch_brings_weights_to_where_train_finds_them(
    server: Server, desk: Desk, shared: Path
) -> None:
    name = RESOURCES["mn04-as"].file
    content = next(shared.rglob(name)).read_bytes()
    server.play(lambda visit: part(visit, content))
    places = {"XDG_CACHE_HOME": desk.folder / "cache", **OFFLINE}
    path = desk.folder / "cache" / "timbretree" / "weights" / name
    for _ in range(2):
        done = run("fetch", "mn04-as", "--mirror", server.url(), **places)
        assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    assert len(server.visits) == 1  # what is there is not fetched again
    assert path.read_bytes() == content
    TREE.save(desk.folder / "tree.json")
    usual = ["--taxonomy", desk.folder / "tree.json", "--device", "cpu", "--frozen", "--epochs", 1]
    data, folder = desk.table("t.csv", *CLIPS), desk.folder / "run"
    trained = run("train", data, folder, *usual, **places)
    assert trained.returncode == 0, trained.stderr
    assert "no pretrained classifier row for hum, whistle" in trained.stderr
    assert Checkpoint.load(folder / "best.safetensors").config["start"] == str(path)
