"""The commands for training and research, each as a process of its own: what they make, and what
they say and leave behind where it can't be done."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import typer

from loopback import Server, part, says
from timbretree.checkpoint import Checkpoint
from timbretree.cli.talk import interruptible
from timbretree.export import export
from timbretree.fetch import RESOURCES
from timbretree.methods import METHODS
from timbretree.model import build
from timbretree.openmic import CHECKSUMS
from timbretree.taxonomy import Taxonomy

HEAD = "file,split,hum,whistle"
TREE = Taxonomy("toy", ("hum", "whistle"), {"low": ("hum",), "high": ("whistle",)})
QUICK = ["--start", "none", "--device", "cpu", "--frozen", "--epochs", 1]
SMALL = ["--backbone", "mn04", "--methods", "gmp", "--lambdas", ".8", "--seeds", 1]
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
    """Two at a time, since most of them take no longer than torch takes to start."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda command: run(*command), commands))


def refused(done: Done, *words: str) -> None:
    """It could not be done at all, which is said in words."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    for each in words:
        assert each in done.stderr


@dataclass(frozen=True)
class Desk:
    """A folder with ten clips, five of each instrument, and their taxonomy."""

    folder: Path

    def __post_init__(self) -> None:
        TREE.save(self.tree)

    @property
    def tree(self) -> Path:
        return self.folder / "tree.json"

    def table(self, name: str, *rows: str, head: str = HEAD) -> Path:
        path = self.folder / name
        path.write_text("".join(f"{row}\n" for row in (head, *rows)), "utf-8")
        return path

    def left(self) -> dict[Path, bytes]:
        """All that lies in it."""
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


def rows(first: int, last: int, split: str) -> list[str]:
    return [f"{number}.wav,{split},{1 - number % 2},{number % 2}" for number in range(first, last)]


CLIPS = [*rows(0, 4, "train"), *rows(4, 6, "valid"), *rows(6, 10, "test")]


@pytest.fixture
def desk(toy_table: Path) -> Desk:
    return Desk(toy_table.parent)


# --- evaluate


@dataclass(frozen=True)
class Judged:
    """A network that tells clips apart, as both kinds of file, and a data set."""

    desk: Desk
    checkpoint: Path
    model: Path
    data: Path

    @property
    def gone(self) -> str:
        """The test clip that is missing."""
        return str(self.desk.folder / "gone.wav")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Its weights are random, but BatchNorm has seen the clips, so each is heard as another."""
    desk = Desk(tmp_path_factory.mktemp("judged"))
    noise = np.random.default_rng(0)
    pitch = 200 * 1.3 ** np.arange(12)
    waves = 0.3 * np.sin(2 * np.pi * pitch[:, None] * np.arange(16_000) / 32_000)
    waves = (waves + noise.normal(0, 0.01, waves.shape)).astype(np.float32)
    for number, wave in enumerate(waves):
        soundfile.write(desk.folder / f"{number}.wav", wave, 32_000, subtype="FLOAT")
    torch.manual_seed(0)
    net = build("mn04", "resatt", TREE)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean of all that it sees
    with torch.inference_mode():
        net.train()(torch.from_numpy(waves))
        said = net.eval()(torch.from_numpy(waves))
    tags, groups = (tuple(level.quantile(0.5, dim=0).tolist()) for level in (said[0], said[1]))
    checkpoint = Checkpoint(net, "mn04", "resatt", TREE, tags, groups, seconds=0.5)
    checkpoint.save(desk.folder / "net.safetensors")
    export(checkpoint, desk.folder / "net.onnx", name="toy", licence="MIT", provenance="")
    cells = noise.choice(["1", "0", ""], (12, 2))  # what is true is drawn by lot, or not known
    cells[[0, 6]], cells[[1, 7]] = ["1", "0"], ["0", "1"]
    lines = [
        f"{number}.wav,{'valid' if number < 6 else 'test'},{','.join(row)}"
        for number, row in enumerate(cells)
    ]
    data = desk.table("table.csv", *lines, "gone.wav,test,1,0")
    return Judged(desk, desk.folder / "net.safetensors", desk.folder / "net.onnx", data)


def leaves(plain: object, place: str = "") -> dict[str, object]:
    """Every value of a JSON document by where it stands."""
    if not isinstance(plain, dict):
        return {place: plain}
    inner = [leaves(value, f"{place}/{name}") for name, value in plain.items()]
    return {name: value for each in inner for name, value in each.items()}


def test_a_checkpoint_and_its_model_file_get_the_same_figures(judged: Judged) -> None:
    outs = [judged.desk.folder / "out" / name for name in ("checkpoint", "model")]
    done = run_all(
        ["evaluate", judged.checkpoint, judged.data, "--out", outs[0], "--device", "cpu"],
        ["evaluate", judged.model, judged.data, "--out", outs[1]],
    )
    found = []
    for each, out, model in zip(done, outs, (judged.checkpoint, judged.model), strict=True):
        assert each.returncode == 1, each.stderr  # for the clip that is missing
        assert f"{judged.gone}: left out, missing" in each.stderr
        plots = sorted(path.name for path in out.iterdir() if path.stat().st_size)
        assert plots == ["reliability.png", "reliability.svg", "scores.json"]
        record = json.loads((out / "scores.json").read_text())
        assert (record["model"], record["split"]) == (str(model), "test")
        assert record["failures"] == {judged.gone: "missing"}
        assert record["scores"]["clips"] == 6
        assert each.stdout.splitlines()[-1] == "clips: 6"
        found.append(leaves(record["scores"]))
    one, other = found
    assert one.keys() == other.keys()
    for place, value in one.items():
        # the model file hears through a mel in float32, the checkpoint in float64
        same = pytest.approx(value, abs=5e-5) if isinstance(value, float) else value
        assert other[place] == same, place
    figures = {round(value, 4) for value in one.values() if isinstance(value, float)}
    assert len(figures) > 12  # the network does hear something
    assert done[0].stdout == done[1].stdout


def test_what_is_printed_is_what_is_written(judged: Judged) -> None:
    out = judged.desk.folder / "valid"
    done = run("evaluate", judged.model, judged.data, "--split", "valid", "--out", out)
    assert done.returncode == 0, done.stderr
    lines = [line.split(",") for line in judged.data.read_text().splitlines() if "valid" in line]
    scores = json.loads((out / "scores.json").read_text())["scores"]
    printed = [line.split() for line in done.stdout.splitlines()]
    for column, (tag, group) in enumerate((("hum", "low"), ("whistle", "high")), 2):
        cells = [line[column] for line in lines]
        counts = [cells.count("1"), cells.count("0")]
        for level, name in (("fine", tag), ("coarse", group)):
            told = scores[level]["by_name"][name]
            assert [told["present"], told["absent"]] == counts
            row = next(row for row in printed if row[:1] == [name])
            assert row[1] == f"{100 * told['roc_auc']:.1f}"
            assert row[-2:] == list(map(str, counts))


def test_evaluate_says_why_it_can_not_score(judged: Judged) -> None:
    """A split with nobody in it, and clips that can't be used, each with its name."""
    desk, out = judged.desk, judged.desk.folder / "none"
    (desk.folder / "text.wav").write_text("no audio")
    bad = desk.table("bad.csv", "gone.wav,test,1,0", "text.wav,test,0,1")
    absent, unknown, nothing = run_all(
        ["evaluate", judged.model, judged.data, "--split", "train", "--out", out],
        ["evaluate", judged.model, judged.data, "--split", "dev", "--out", out],
        ["evaluate", judged.model, bad, "--out", out],
    )
    refused(absent, str(judged.data), "'train'")
    refused(unknown, "'dev'", "test, valid", "train")
    refused(nothing, f"{judged.gone}: left out, missing",
            f"{desk.folder / 'text.wav'}: left out, not_audio")  # fmt: skip
    assert not out.exists()


def test_evaluate_overwrites_nothing_unasked(judged: Judged) -> None:
    out = judged.desk.folder / "mine"
    out.mkdir()
    (out / "scores.json").write_text("of another model")
    command = ["evaluate", judged.model, judged.data, "--out", out]
    refused(run(*command), str(out / "scores.json"), "--force")
    assert (out / "scores.json").read_text() == "of another model"
    assert run(*command, "--force").returncode == 1
    assert json.loads((out / "scores.json").read_text())["scores"]["clips"] == 6


def test_where_evaluate_can_not_write_it_does_not_listen(judged: Judged) -> None:
    file = judged.desk.folder / "a file"
    file.write_text("mine")
    refused(run("evaluate", judged.model, judged.data, "--out", file), str(file))
    assert file.read_text() == "mine"


def test_a_network_of_another_taxonomy(judged: Judged) -> None:
    out = judged.desk.folder / "other"
    piano = judged.desk.table("piano.csv", "6.wav,test,1,0", head="file,split,piano,hum")
    for done in run_all(
        ["evaluate", judged.checkpoint, piano, "--out", out, "--device", "cpu"],
        ["evaluate", judged.model, piano, "--out", out],
    ):
        refused(done, "piano.csv: row 1, column 'piano' is no tag of the taxonomy (hum, whistle)")
    assert not out.exists()


# --- data that can't be read


def test_nothing_is_left_of_data_that_can_not_be_read(desk: Desk) -> None:
    """So the same command goes when its data is mended."""
    small = desk.folder / "small.json"
    Taxonomy("small", ("hum",), {"low": ("hum",)}).save(small)
    table = desk.table("table.csv", *CLIPS)
    label = desk.table("label.csv", *CLIPS, "x.wav,train,1,maybe")
    unknown = desk.table("unknown.csv", *CLIPS, head=HEAD + "le")
    before = desk.left()
    train = [*QUICK, "--taxonomy", desk.tree]
    reproduce = [*SMALL, *train]
    elsewhere = ["--audio", desk.folder / "elsewhere"]
    folders = [desk.folder / f"run {number}" for number in range(6)]
    cases = {
        "label.csv: row 12, column 'whistle': expected 1, 0 or nothing, got 'maybe'": (
            ["train", label, folders[0], *train],
            ["reproduce", label, folders[1], *reproduce],
        ),
        "unknown.csv: row 1, column 'whistlele' is no tag of the taxonomy (hum, whistle); "
        "did you mean 'whistle'?": (["train", unknown, folders[2], *train],),
        "table.csv: row 1, column 'whistle' is no tag of the taxonomy (hum)": (
            ["reproduce", table, folders[3], *reproduce, "--taxonomy", small],
        ),
        "name the folder that they are in with --audio": (
            ["train", table, folders[4], *train, *elsewhere],
            ["reproduce", table, folders[5], *reproduce, *elsewhere],
        ),
    }
    for done, words in zip(
        run_all(*(command for commands in cases.values() for command in commands)),
        [words for words, commands in cases.items() for _ in commands],
        strict=True,
    ):
        refused(done, words)
    assert desk.left() == before
    assert not list(desk.folder.glob("run *"))


def test_clips_that_can_not_be_used(desk: Desk) -> None:
    """Each is named and left out, and the rest go on."""
    (desk.folder / "1.wav").write_text("no audio")
    data, folder, out = desk.folder / "table.csv", desk.folder / "run", desk.folder / "out"
    desk.table("table.csv", *CLIPS, "gone.wav,test,0,1")
    train = ["train", data, folder, *QUICK, "--taxonomy", desk.tree]
    trained, reproduced = run_all(
        train, ["reproduce", data, out, *SMALL, *QUICK, "--taxonomy", desk.tree]
    )
    assert (trained.returncode, reproduced.returncode) == (1, 1), trained.stderr + reproduced.stderr
    broken, gone = (f"{desk.folder / name}: left out, " for name in ("1.wav", "gone.wav"))
    assert f"{broken}not_audio\n" in trained.stderr
    assert "gone.wav" not in trained.stderr  # the test split is none of its business
    assert f"{broken}not_audio\n{gone}missing\n" in reproduced.stderr
    assert trained.stdout == f"{folder / 'best.safetensors'}\n"
    assert Checkpoint.load(folder / "best.safetensors").taxonomy == TREE
    assert "3 clips to learn from, 2 to judge by" in trained.stderr
    report = (out / "report" / "report.html").read_text()
    assert all(name in report for name in ("1.wav", "gone.wav"))
    assert not list(desk.folder.rglob("*.part"))

    other, resumed = run_all([*train, "--resume", "--method", "gap"], [*train, "--resume"])
    refused(other, f"{folder} is of another plan: its method is resatt", "gap")
    assert resumed.returncode == 1
    assert "going on after epoch 1" in resumed.stderr


def test_paths_that_no_file_can_have(desk: Desk, judged: Judged) -> None:
    """They are missing clips like others; a hostile name can't write lines of its own."""
    (desk.folder / "loop.wav").symlink_to("loop.wav")
    hostile = ["loop.wav", "n" * 300 + ".wav", '"\x1b[31mred\nclips: 9"']
    train = desk.table("train.csv", *CLIPS, *(f"{file},train,0,1" for file in hostile))
    test = desk.table("test.csv", *rows(6, 10, "test"), *(f"{file},test,0,1" for file in hostile))
    trained, scored = run_all(
        ["train", train, desk.folder / "run", *QUICK, "--taxonomy", desk.tree],
        ["evaluate", judged.model, test],
    )
    for done in (trained, scored):
        assert done.returncode == 1, done.stderr
        assert done.stderr.count(": left out, missing\n") == 3
        assert "\x1b" not in done.stderr
        assert "\nclips: 9" not in done.stderr


def test_an_experiment_of_other_labels(desk: Desk) -> None:
    """Scores by other labels are not to be mixed with those that are there."""
    data, out = desk.table("table.csv", *CLIPS), desk.folder / "out"
    reproduce = ["reproduce", data, out, *SMALL, *QUICK, "--taxonomy", desk.tree]
    assert run(*reproduce, "--plan").returncode == 0
    desk.table("table.csv", *(line.replace("test,1,0", "test,0,1") for line in CLIPS))
    before = desk.left()
    refused(run(*reproduce), str(out), "labels")
    assert desk.left() == before


# --- what can't be begun


def test_weights_to_start_from(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    data, cache, folder = desk.table("t.csv", *CLIPS), desk.folder / "cache", desk.folder / "run"

    def attempt(verb: str, backbone: str, *more: object) -> list[object]:
        options = ["--taxonomy", desk.tree, "--device", "cpu", "--frozen", *more]
        return [verb, data, folder, "--backbone", backbone, *options]

    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    small, large = run_all(attempt("train", "mn04"), attempt("reproduce", "cnn14"))
    refused(small, "`timbretree fetch mn04-as`", "--start none")
    refused(large, "`timbretree fetch cnn14-16k`", "--start none")
    path = cache / "timbretree" / "weights" / RESOURCES["mn04-as"].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 and no more")
    # as it would be if it broke off, and as the weights of the other backbone are
    damaged, other = run_all(
        attempt("train", "mn04"), attempt("reproduce", "cnn14", "--start", path)
    )
    for done, name in ((damaged, "mn04-as"), (other, "cnn14-16k")):
        refused(done, f"{path}: expected the file with sha256 {RESOURCES[name].digest}")
        assert "fetch it again" in done.stderr
    assert not folder.exists()


NOTHING = [
    ("train --device gpu", "--device is auto or cpu, got 'gpu'"),
    ("train --precision fp8", "--precision is no, bf16 or fp16, got 'fp8'"),
    ("train --epochs 0", "'--epochs'"),
    ("train --backbone resnet", "there is no backbone 'resnet'; choose from cnn14, mn04"),
    ("train --method magic", f"there is no method 'magic'; choose from {', '.join(METHODS)}"),
    ("reproduce --methods gmp,", f"there is no method ''; choose from {', '.join(METHODS)}"),
    ("reproduce --lambdas .7,x", "--lambdas are numbers with commas, as in .70,.80, got '.7,x'"),
    ("reproduce --lambdas .7,nan", "--lambdas are above 0 and at most 1, got '.7,nan'"),
    ("reproduce --seeds 0", "'--seeds'"),
]
OUT_OF_RANGE = [
    (f"{words} {value}", f"'{words.split()[1]}'")
    for words, value in [
        ("train --learning-rate", "nan"),
        ("train --learning-rate", "-1"),
        ("train --learning-rate", "1e9"),
        ("train --seed", "-1"),
        ("train --seed", "9" * 20),
        ("train --split-seed", "-1"),
        ("reproduce --learning-rate", "inf"),
    ]
]


@pytest.mark.parametrize("cases", [NOTHING, OUT_OF_RANGE], ids=["words", "numbers"])
def test_what_stands_for_nothing(desk: Desk, cases: list[tuple[str, str]]) -> None:
    data = desk.table("t.csv", *CLIPS)
    usual = [data, desk.folder / "run", *QUICK, "--taxonomy", desk.tree]
    commands = [[verb, *usual, *more] for verb, *more in (words.split() for words, _ in cases)]
    before = desk.left()
    for (_, said), done in zip(cases, run_all(*commands), strict=True):
        refused(done, said)
    assert desk.left() == before
    assert not (desk.folder / "run").exists()


def test_places_where_something_else_is(desk: Desk) -> None:
    """Nothing of ours gets into somebody's own file or between somebody's own files."""
    data, file, folder = desk.table("t.csv", *CLIPS), desk.folder / "file", desk.folder / "mine"
    file.write_text("mine")
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    before = desk.left()
    more = [*QUICK, "--taxonomy", desk.tree]
    to_file, to_folder, reproduced = run_all(
        ["train", data, file, *more],
        ["train", data, folder, *more],
        ["reproduce", data, file, *SMALL, *more],
    )
    for done, place in ((to_file, file), (to_folder, folder), (reproduced, file)):
        refused(done, str(place))
    assert desk.left() == before


# --- what breaks off, and what is damaged


def test_ctrl_c_and_damaged_files(desk: Desk) -> None:
    """An interrupted run goes on; what is damaged in its folder is made again or named.

    It can't end before Ctrl-C comes: 200 lines don't fit into its pipe, which nobody reads then.
    """
    folder, table = desk.folder / "run", desk.table("t.csv", *CLIPS)
    options = [*QUICK, "--epochs", 200, "--taxonomy", desk.tree]
    words = map(str, ["train", table, folder, *options])
    with subprocess.Popen(
        [sys.executable, "-m", "timbretree", *words],
        stderr=subprocess.PIPE,
        text=True,
        pipesize=4096,
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("epoch 2/"):
                break
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
    assert child.returncode == 130
    assert "Traceback" not in rest
    assert rest.endswith("the same command with --resume goes on\n")
    plan, caches = (shutil.copytree(folder, desk.folder / name) for name in ("plan", "caches"))
    (plan / "plan.json").write_text("[]")
    (caches / "audio-32000.json").write_text("[]")
    (caches / "mn04.npy").write_bytes(b"")
    whole, named, mended = run_all(
        *(["train", table, each, *options, "--resume"] for each in (folder, plan, caches))
    )
    assert whole.returncode == 0, whole.stderr
    assert re.search(r"^going on after epoch \d+$", whole.stderr, re.MULTILINE)
    refused(named, str(plan / "plan.json"))
    assert mended.returncode == 0, mended.stderr
    best = [(each / "best.safetensors").read_bytes() for each in (folder, caches)]
    assert best[0] == best[1]


def test_ctrl_c_says_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, interruptible("all is kept"):
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert capsys.readouterr() == ("", "stopped; all is kept\n")


def test_a_folder_whose_name_is_no_text_is_refused_at_once(desk: Desk) -> None:
    folder = os.fsdecode(os.fsencode(desk.folder) + b"/run\xff")
    done = run("train", desk.table("t.csv", *CLIPS), folder, *QUICK, "--taxonomy", desk.tree)
    refused(done, "run\\udcff: expected a folder whose name is UTF-8")
    assert not Path(folder).exists()


def test_methods_fit_a_terminal_and_need_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from timbretree.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "methods"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(METHODS)
    assert max(map(len, lines)) <= 80


def test_a_text_that_is_none_beside_an_export(judged: Judged) -> None:
    model, note = judged.desk.folder / "new.onnx", judged.desk.folder / "note.txt"
    note.write_bytes(b"\xff\xfe")
    words, below = run_all(
        ["export", judged.checkpoint, model, "--provenance", note],
        ["export", judged.checkpoint, judged.data / "new.onnx"],
    )
    refused(words, str(note))
    refused(below, str(judged.data))
    assert not model.exists()


# --- fetch


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


OFFLINE = {
    name: value
    for plain, value in (("https_proxy", "http://"), ("no_proxy", "127.0.0.1"))
    for name in (plain, plain.upper())
}
"""A proxy that is none, so that nothing but loopback can be asked."""


def test_fetch_takes_no_other_bytes(server: Server, tmp_path: Path) -> None:
    size = RESOURCES["mn04-as"].size
    server.play(lambda visit: part(visit, bytes(size)))
    done = run("fetch", "mn04-as", tmp_path / "weights", "--mirror", server.url(), **OFFLINE)
    refused(done, f"{server.url()}: sent wrong bytes: expected sha256", "nothing was kept")
    assert "to download: 4.1 MB" in done.stderr
    assert "licence: MIT" in done.stderr
    assert [visit.sent for visit in server.visits] == [size]
    server.play(says(404))
    both = ["--mirror", server.url("/a"), "--mirror", server.url("/b")]
    done = run("fetch", "mn04-as", tmp_path / "weights", *both, **OFFLINE)
    refused(done, f"{server.url('/a')}: answers 404", f"{server.url('/b')}: answers 404")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    done = run("fetch", "openmic2018", tmp_path)
    refused(done, "'openmic2018' can't be fetched; choose from openmic, cnn14-16k, mn04-as")


def test_fetch_says_whether_data_that_is_there_is_whole(
    mini_openmic: Callable[..., Path], tmp_path: Path
) -> None:
    data = mini_openmic(train=3, test=3, seconds=0.1)
    top = RESOURCES["openmic"].top
    assert top is not None
    data.rename(tmp_path / top)
    data = tmp_path / top
    first, *others = sorted(data.rglob("*.ogg"))
    sums = [f",md5\n{first.stem},{hashlib.md5(first.read_bytes()).hexdigest()}\n"]
    sums += [f"{each.stem},{'0' * 32}\n" for each in others]
    checks = data / CHECKSUMS

    def fetch(code: int, *said: str) -> None:
        done = run("fetch", "openmic", tmp_path, **OFFLINE)
        assert (done.returncode, done.stdout) == (code, f"{data}\n" if code < 2 else "")
        for each in said:
            assert each in done.stderr

    fetch(0, "is there already, and whole")
    first.unlink()
    fetch(1, f"1 clips are missing in {data}: {first.stem}", "they will be left out")
    checks.write_text("".join(sums))
    fetch(1, f"6 clips are missing or changed in {data}: {first.stem}, {others[0].stem}")
    checks.write_text(sums[0].replace(",", ", ", 2))
    fetch(2, "is there already, but it is damaged", "move it away first")


def test_fetch_without_torch_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; from timbretree.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "fetch", "mn04-as"], capture_output=True, text=True
    )
    refused(done, "pip install 'timbretree[train]'")


def test_fetch_brings_weights_to_where_train_finds_them(
    server: Server, desk: Desk, shared: Path
) -> None:
    name = RESOURCES["mn04-as"].file
    content = next((shared / "weights").rglob(name)).read_bytes()
    server.play(lambda visit: part(visit, content))
    places = {"XDG_CACHE_HOME": desk.folder / "cache", **OFFLINE}
    path = desk.folder / "cache" / "timbretree" / "weights" / name
    for _ in range(2):
        done = run("fetch", "mn04-as", "--mirror", server.url(), **places)
        assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    assert len(server.visits) == 1  # what is there is not fetched again
    assert path.read_bytes() == content
    usual = ["--taxonomy", desk.tree, "--device", "cpu", "--frozen", "--epochs", 1]
    folder = desk.folder / "run"
    trained = run("train", desk.table("t.csv", *CLIPS), folder, *usual, **places)
    assert trained.returncode == 0, trained.stderr
    assert "no pretrained classifier row for hum, whistle" in trained.stderr
    assert Checkpoint.load(folder / "best.safetensors").config["start"] == str(path)
