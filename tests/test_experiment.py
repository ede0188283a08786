"""The experiment: every cell once, the same whether broken off or not, and all that comes of it."""

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from timbretree.checkpoint import Checkpoint, load_efficientat
from timbretree.claim import ClaimError
from timbretree.data import ClipSet
from timbretree.evaluate import evaluate, open_listener
from timbretree.experiment.lab import Lab, LabPlan
from timbretree.experiment.ledger import Cell, Ledger, LedgerError, Record, grid
from timbretree.experiment.shift import run_cells
from timbretree.heads import HEADS
from timbretree.material import Source
from timbretree.methods import METHODS, PAPER
from timbretree.openmic import read_openmic
from timbretree.taxonomy import Taxonomy
from timbretree.train import Epoch, Learner, TrainConfig, accelerator

MiniOpenMic = Callable[..., Path]
COMMAND = [sys.executable, "-m", "timbretree"]
TREE = Taxonomy.load("tone7")


def lab_plan(data: Path, *, frozen: bool, epochs: int = 2) -> LabPlan:
    config = TrainConfig(epochs=epochs, warmup=1, learning_rate=1e-3)
    return LabPlan(Source(data, TREE, seconds=1.0), "mn04", None, frozen, config)


def opened(plan: LabPlan, folder: Path) -> Lab:
    return Lab(plan, folder, where=accelerator("cpu"))


def untimed(record: Record) -> Record:
    return replace(record, seconds=0.0)


# --- the grid and the ledger


def test_the_grid_has_every_cell_once_and_whole_tables_first() -> None:
    cells = grid(["flat", "gmp", "resatt"], [0.7, 0.9], 3)
    assert len(cells) == len(set(cells)) == 3 * (1 + 2 + 2)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert {cell for cell in cells if cell.method == "flat"} == {
        Cell("flat", 1.0, seed) for seed in range(3)
    }


def test_the_methods_are_the_rows_of_table_1_and_ours() -> None:
    assert PAPER == ("flat", "levelwise", "topdown", "gap", "lp", "gmp", "resatt")
    assert set(METHODS) - set(PAPER) >= {"levelwise-plain", "mcm", "gmp-kleene", "resatt-kleene"}
    # the baseline is GMP that no group has a say in; the only difference the paper names
    flat, gmp = METHODS["flat"], METHODS["gmp"]
    assert (flat.head, flat.objective(0.7).fine_weight) == (gmp.head, 1.0)
    assert gmp.objective(0.7).fine_weight == 0.7
    assert METHODS["levelwise"].consistency == 1.0
    assert METHODS["levelwise-plain"].consistency == 0.0
    assert METHODS["mcm"].objective(0.8).group_loss == "mcm"
    assert {METHODS[name].rule for name in METHODS if "kleene" in name} == {"kleene"}
    assert {METHODS[name].rule for name in METHODS if "kleene" not in name} == {"observed-any"}


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gmp" / "lambda-0.7-seed-0.json"
    path.parent.mkdir()
    path.write_text('{"cell": ')
    with pytest.raises(LedgerError, match=r"lambda-0\.7-seed-0\.json is no record of a run"):
        Ledger(tmp_path)
    path.with_name(path.name + ".part").write_text("half")
    path.unlink()
    assert Ledger(tmp_path).records == ()


# --- the lab


def test_a_run_is_written_down_with_its_network(tmp_path: Path, mini_openmic: MiniOpenMic) -> None:
    data = mini_openmic(seconds=1.0)
    lab = opened(lab_plan(data, frozen=True), tmp_path)
    cells = [Cell("resatt", 0.8, 0), Cell("resatt", 0.8, 1), Cell("flat", 1.0, 0)]
    records = list(run_cells(lab, cells))
    again = opened(lab_plan(data, frozen=True), tmp_path)
    assert sorted(again.ledger.records, key=lambda each: cells.index(each.cell)) == records
    assert all(cell in again.ledger for cell in cells)
    # the network that is kept is the one with the lower loss, with the thresholds it was scored by
    best = min(records[:2], key=lambda each: each.valid_fine)
    checkpoint = Checkpoint.load(lab.model("resatt", 0.8))
    assert checkpoint.config["cell"] == {"method": "resatt", "fine_weight": 0.8,
                                         "seed": best.cell.seed}  # fmt: skip
    # what is scored in the lab is what `evaluate` makes of the same file and the same clips
    test = read_openmic(data).part("test")
    found = evaluate(open_listener(lab.model("resatt", 0.8)), test).scores
    assert found.fine.pr_auc == pytest.approx(best.scores.fine.pr_auc, abs=1e-6)
    assert found.coarse.f1_both == pytest.approx(best.scores.coarse.f1_both, abs=1e-6)
    assert found.hierarchical_f1 == pytest.approx(best.scores.hierarchical_f1, abs=1e-6)
    assert lab.time_run() > 0


def test_cells_differ_by_method_seed_and_lambda_and_by_nothing_else(
    tmp_path: Path, mini_openmic: MiniOpenMic
) -> None:
    plan = lab_plan(mini_openmic(seconds=1.0), frozen=True)
    lab = opened(plan, tmp_path)
    first = lab.run(Cell("gmp", 0.7, 0)).record
    torch.rand(5)
    lab.run(Cell("lp", 0.9, 4))
    assert untimed(lab.run(Cell("gmp", 0.7, 0)).record) == untimed(first)
    for other in (Cell("gmp", 0.9, 0), Cell("gmp", 0.7, 1), Cell("gmp-kleene", 0.7, 0)):
        assert lab.run(other).record.scores != first.scores, other


def test_all_seeds_and_methods_learn_from_the_same_clips_and_are_judged_by_the_same(
    tmp_path: Path, mini_openmic: MiniOpenMic, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = mini_openmic(seconds=1.0)
    lab = opened(lab_plan(data, frozen=True), tmp_path)
    plain = ClipSet.load
    heard: list[set[int]] = []

    def watch(clips: ClipSet, *rest: object, **more: object) -> object:
        heard.append({*clips.rows.tolist()})
        return plain(clips, *rest, **more)

    monkeypatch.setattr(ClipSet, "load", watch)
    lab.run(Cell("gmp", 0.7, 0))
    first, heard[:] = heard.copy(), []
    lab.run(Cell("topdown", 0.9, 5))
    assert heard == first
    train, valid, test = heard[0], heard[1], heard[-1]
    assert (len(train | valid), len(test)) == (48, 24)
    assert len(valid) == pytest.approx(0.15 * 48, abs=2)


def test_the_network_of_the_best_epoch_is_scored_not_the_last(
    tmp_path: Path, mini_openmic: MiniOpenMic, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = mini_openmic(train=16, test=8, seconds=1.0)
    lab = opened(lab_plan(data, frozen=True), tmp_path)

    def made_up(learner: Learner, *_: object, **__: object) -> object:
        for number, fine in enumerate((0.5, 0.3, 0.4, 0.3), 1):
            with torch.no_grad():
                learner.net.fine.bias.fill_(number)
            learner.epochs.append(Epoch(number, 0.0, fine, 1.0 - number, 0.0))
            yield learner.epochs[-1]

    monkeypatch.setattr("timbretree.resume.fit", made_up)
    found = lab.run(Cell("gmp", 0.8, 0))
    assert found.weights["fine.bias"].tolist() == [2.0] * 20  # of equals, the first
    assert (found.record.epoch, found.record.valid_fine) == (2, 0.3)
    lab.keep(found)
    scored = evaluate(open_listener(lab.model("gmp", 0.8)), lab.material.annotations.part("test"))
    assert scored.scores.fine.calibration_error == pytest.approx(
        found.record.scores.fine.calibration_error, abs=1e-6
    )


def test_a_cell_starts_from_the_trunk_of_audioset_and_a_head_at_random(
    tmp_path: Path, mini_openmic: MiniOpenMic, shared: Path
) -> None:
    """Unlike `train`, which copies AudioSet's classifier rows too."""
    start = shared / "weights" / "mn04_as" / "mn04_as_mAP_432.pt"
    plan = replace(lab_plan(mini_openmic(train=8, test=4, seconds=1.0), frozen=False), start=start)
    lab = opened(plan, tmp_path)
    first, second = (lab._learner(Cell("resatt", 0.8, seed)).net.state_dict() for seed in (0, 1))
    trunk = load_efficientat(start).trunk.state_dict()
    for name, weights in trunk.items():
        assert torch.equal(first[f"backbone.{name}"], weights)
        assert torch.equal(second[f"backbone.{name}"], weights)
    torch.manual_seed(1)
    for name, weights in HEADS["resatt"](512, TREE).state_dict().items():
        assert torch.equal(second[f"head.{name}"], weights)
    assert not torch.equal(first["head.fine.weight"], second["head.fine.weight"])


def test_the_test_split_decides_nothing(
    tmp_path: Path, mini_openmic: MiniOpenMic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PaSST's and EfficientAT's scripts choose their epoch on it. Here the test clips are read once
    and last, when the best epoch and the thresholds stand."""
    lab = opened(lab_plan(mini_openmic(seconds=1.0), frozen=True), tmp_path)
    assert not set(lab.test.rows) & (set(lab.valid.rows) | set(lab._part("train").rows))
    read: list[str] = []
    names = {id(lab.valid): "valid", id(lab.test): "test"}
    plain = ClipSet.load

    def watch(clips: ClipSet, *rest: object, **more: object) -> object:
        read.append(names.get(id(clips), "train"))
        return plain(clips, *rest, **more)

    monkeypatch.setattr(ClipSet, "load", watch)
    first = lab.run(Cell("resatt", 0.8, 0))
    assert read == ["train", "valid"] * 2 + ["valid", "test"]
    # other answers in the test split change the scores and not the network
    lab.test.fine.target[:] = ~lab.test.fine.target
    second = lab.run(Cell("resatt", 0.8, 0))
    assert second.record.scores != first.record.scores
    assert second.thresholds == first.thresholds
    assert second.record.epoch == first.record.epoch
    for name, weights in first.weights.items():
        assert torch.equal(second.weights[name], weights)


def test_kleene_teaches_other_groups_and_is_scored_alike(
    tmp_path: Path, mini_openmic: MiniOpenMic
) -> None:
    lab = opened(lab_plan(mini_openmic(seconds=1.0), frozen=True), tmp_path)
    strict, lenient = lab._part("train", rule="kleene"), lab._part("train")
    assert strict.coarse.mask.sum() < lenient.coarse.mask.sum()
    one, other = (lab.run(Cell(name, 0.8, 0)).record for name in ("gmp", "gmp-kleene"))
    counts = [
        [(each.present, each.absent) for each in record.scores.coarse.by_name.values()]
        for record in (one, other)
    ]
    assert counts[0] == counts[1]


def test_a_trunk_that_learns_goes_on_where_it_was(
    tmp_path: Path, mini_openmic: MiniOpenMic
) -> None:
    """Interrupted in the second of three epochs, the run comes to the same record."""
    plan = lab_plan(mini_openmic(train=12, test=4, seconds=1.0), frozen=False, epochs=3)
    whole = opened(plan, tmp_path / "whole")
    wanted = whole.run(Cell("topdown", 0.75, 1))
    done = 0

    def stop(_: int) -> None:
        nonlocal done
        done += 1
        if done == whole.steps + 1:
            raise KeyboardInterrupt

    broken = opened(plan, tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        broken.run(Cell("topdown", 0.75, 1), on_step=stop)
    again = opened(plan, tmp_path / "broken")
    steps: list[int] = []
    found = again.run(Cell("topdown", 0.75, 1), on_step=steps.append)
    assert len(steps) == 2 * whole.steps
    assert untimed(found.record) == untimed(wanted.record)
    for name, weights in wanted.weights.items():
        assert torch.equal(found.weights[name], weights), name
    before = again.trunk.state_dict()
    assert any(not torch.equal(found.weights[f"backbone.{name}"], each)
               for name, each in before.items())  # fmt: skip
    again.keep(found)
    assert not (tmp_path / "broken" / "unfinished" / "topdown-lambda-0.75-seed-1").exists()
    assert Checkpoint.load(again.model("topdown", 0.75)).head == "topdown"


def test_a_folder_of_another_plan_is_refused(tmp_path: Path, mini_openmic: MiniOpenMic) -> None:
    plan = lab_plan(mini_openmic(train=8, test=4, seconds=1.0), frozen=True)
    opened(plan, tmp_path)
    other = replace(plan, train=replace(plan.train, epochs=7))
    with pytest.raises(
        ClaimError,
        match=r"is of another plan: its train\.epochs is 2, now asked for is 7",
    ):
        opened(other, tmp_path)


# --- the whole, through the command


def reproduce(data: Path, out: Path, *more: object) -> list[str]:
    options = ["--backbone", "mn04", "--frozen", "--start", "none", "--device", "cpu"]
    options += ["--seeds", 2, "--lambdas", ".7,.9", "--epochs", 2, "--learning-rate", 1e-3]
    return [*COMMAND, "reproduce", *map(str, [data, out, *options, *more])]


def kill_at(command: list[str], line: str) -> None:
    """Start a command and kill it as soon as it says something."""
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = []
    for each in child.stderr:
        said.append(each)
        if re.match(line, each):
            break
    else:
        raise AssertionError("".join(said))
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_reproduce_runs_the_papers_grid_unless_told_otherwise(
    tmp_path: Path, mini_openmic: MiniOpenMic
) -> None:
    """Six methods of five lambdas and the flat baseline, eight seeds each."""
    options = ["--methods", "paper", "--backbone", "mn04", "--start", "none", "--device", "cpu"]
    data = mini_openmic(train=8, test=4, seconds=1.0)
    command = [*COMMAND, "reproduce", str(data), str(tmp_path), *options, "--frozen", "--plan"]
    planned = subprocess.run(command, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    assert f"{8 * (6 * 5 + 1)} runs: 7 methods" in planned.stderr
    assert "8 seeds, lambda 0.7, 0.75, 0.8, 0.85, 0.9, 1\n" in planned.stderr
    assert "each: 30 epochs of 1 steps" in planned.stderr
    record = json.loads((tmp_path / "plan.json").read_text())
    assert (record["train"]["batch"], record["train"]["warmup"]) == (16, 5)
    assert (record["train"]["learning_rate"], record["train"]["weight_decay"]) == (1e-4, 1e-4)
    assert (record["source"]["seconds"], record["source"]["taxonomy"]["name"]) == (10.0, "tone7")


def test_reproduce_from_end_to_end_killed_twice(tmp_path: Path, mini_openmic: MiniOpenMic) -> None:
    """Every method, two seeds, two lambdas; one clip is missing and one broken."""
    data, out = mini_openmic(seconds=1.0), tmp_path / "out"
    test = list(read_openmic(data).part("test").files)
    test[0].unlink()
    test[1].write_text("no audio " * 99)

    planned = subprocess.run(reproduce(data, out, "--plan"), capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    assert "58 runs: 15 methods" in planned.stderr
    assert re.search(r"0 are done, 58 to go: about \d+ s each, \d at a time, ", planned.stderr)
    assert not list(out.glob("runs/*/*"))

    kill_at(reproduce(data, out), r"5/58 ")
    first = {path: path.read_bytes() for path in out.glob("runs/*/*.json")}
    assert 5 <= len(first) < 30
    kill_at(reproduce(data, out), r"20/5\d ")
    second = {path: path.read_bytes() for path in out.glob("runs/*/*.json")}
    assert len(second) >= len(first) + 20

    done = subprocess.run(reproduce(data, out), capture_output=True, text=True)
    assert done.returncode == 1, done.stderr  # two clips were left out, which is said
    assert f"{test[0]}: left out, missing" in done.stderr
    assert f"{test[1]}: left out, not_audio" in done.stderr
    assert re.search(rf"{len(second)} are done, {58 - len(second)} to go", done.stderr)
    records = Ledger(out / "runs").records
    assert {record.cell for record in records} == set(grid(list(METHODS), [0.7, 0.9], 2))
    for path, content in (first | second).items():
        assert path.read_bytes() == content  # no finished run was run again
    assert {record.scores.clips for record in records} == {22}
    assert not list(out.rglob("*.part"))

    report = out / "report"
    written = [Path(line) for line in done.stdout.splitlines()]
    assert report / "report.html" in written
    assert all(path.stat().st_size for path in written)
    rows = list(csv.DictReader((report / "table1.csv").open()))
    assert {row["method"] for row in rows} == set(METHODS)
    table = (report / "table1.md").read_text()
    assert "ResAtt" in table
    assert "92.0" not in table  # the paper's figures stand beside those of its own test clips alone
    html = (report / "report.html").read_text()
    assert test[1].name in html
    assert "this is no audio or video that can be decoded here" in html
    for name in METHODS:  # of each method a network of the chosen lambda can be used
        assert [path for path in out.glob(f"models/{name}-lambda-*.safetensors")
                if Checkpoint.load(path).config["cell"]["method"] == name]  # fmt: skip

    # a cell run alone comes to what the killed and resumed grid came to
    config = json.loads((out / "plan.json").read_text())["train"]
    plan = LabPlan(Source(data, TREE), "mn04", None, True, TrainConfig(**config))
    alone = opened(plan, tmp_path / "alone")
    for cell in (Cell("mcm", 0.9, 1), Cell("resatt", 0.7, 0)):
        found = next(record for record in records if record.cell == cell)
        assert untimed(alone.run(cell).record) == untimed(found)


def test_side_by_side_comes_to_the_same(tmp_path: Path, mini_openmic: MiniOpenMic) -> None:
    plan = lab_plan(mini_openmic(train=16, test=6, seconds=1.0), frozen=True)
    cells = grid(["gmp", "resatt"], [0.8], 2)
    one, two = opened(plan, tmp_path / "one"), opened(plan, tmp_path / "two")
    wanted = {record.cell: untimed(record) for record in run_cells(one, cells)}
    found = {record.cell: untimed(record) for record in run_cells(two, cells, at_a_time=2)}
    assert found == wanted
    assert opened(plan, tmp_path / "two").ledger.records == two.ledger.records
