"""Broken off and gone on: the same network, bit for bit. Several processes: the same network."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from timbretree.resume import ResumeError, load_learner, save_learner, train_to_best
from timbretree.train import Learner, TrainConfig, accelerator, fit
from toy import TREE, toy_clips, toy_net

CONFIG = TrainConfig(epochs=5, warmup=2, batch=8, learning_rate=0.01, seed=3)
COMMAND = [sys.executable, "-m", "timbretree"]


def learner() -> Learner:
    return Learner(toy_net(), TREE, CONFIG, steps=3, where=accelerator("cpu"))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_saved_learner_goes_on_bit_for_bit(tmp_path: Path, after: int) -> None:
    """With dropout, BatchNorm, Adam's moments and the ramp in mid-air."""
    clips, valid = toy_clips(), toy_clips(number=6)
    whole = learner()
    epochs = list(fit(whole, clips, valid))
    broken = learner()
    for _, _ in zip(range(after), fit(broken, clips, valid), strict=False):
        pass
    save_learner(broken, tmp_path / "state.safetensors")
    torch.rand(17)  # whatever goes on elsewhere
    second = learner()
    load_learner(second, tmp_path / "state.safetensors")
    rest = list(fit(second, clips, valid))
    assert [epoch.number for epoch in rest] == list(range(after + 1, 6))
    assert same(whole.net.state_dict(), second.net.state_dict())
    told = [(e.number, e.train_loss, e.valid_fine, e.valid_coarse) for e in epochs]
    assert [(e.number, e.train_loss, e.valid_fine, e.valid_coarse) for e in second.epochs] == told


def test_the_best_is_kept_across_a_break(tmp_path: Path) -> None:
    clips, valid, state = toy_clips(), toy_clips(number=6), tmp_path / "state.safetensors"
    kept: list[int] = []

    def train(one: Learner, most: int) -> None:
        for epoch in train_to_best(one, clips, valid, on_best=lambda: kept.append(len(one.epochs)),
                                   state=state):  # fmt: skip
            if epoch.number == most:
                return

    whole = learner()
    train(whole, 5)
    wanted, kept[:] = kept.copy(), []
    state.unlink()
    train(learner(), 3)
    second = learner()
    load_learner(second, state)
    train(second, 5)
    assert kept == wanted


@pytest.mark.parametrize(
    "content", [b"", b"no safetensors at all", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_a_file_that_is_no_learner(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(content)
    with pytest.raises(ResumeError, match="delete it to start this run from its beginning"):
        load_learner(learner(), path)


def test_a_learner_of_another_network(tmp_path: Path) -> None:
    save_learner(learner(), tmp_path / "state.safetensors")
    other = Learner(torch.nn.Linear(2, 2), TREE, CONFIG, steps=3, where=accelerator("cpu"))
    with pytest.raises(ResumeError, match="no saved training of this network"):
        load_learner(other, tmp_path / "state.safetensors")


def train(table: Path, tree: Path, run: Path, *more: object) -> list[str]:
    options = ["--taxonomy", tree, "--epochs", 4, "--warmup", 1, "--batch", 3, "--start", "none"]
    return [*COMMAND, "train", *map(str, [table, run, *options, "--device", "cpu", *more])]


@pytest.fixture
def tree_file(tmp_path: Path) -> Path:
    TREE.save(tmp_path / "tree.json")
    return tmp_path / "tree.json"


def test_kill_and_resume_through_the_command(
    tmp_path: Path, toy_table: Path, tree_file: Path
) -> None:
    """Killed in the middle of an epoch, twice; the outcome is that of the unbroken run."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(train(toy_table, tree_file, whole), check=True, capture_output=True)
    for number in (1, 3):
        more = ["--resume"] if number > 1 else []
        child = subprocess.Popen(
            train(toy_table, tree_file, broken, *more), stderr=subprocess.PIPE, text=True
        )
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith(f"epoch {number}/4"):
                break
        child.send_signal(signal.SIGKILL)
        child.wait()
    refused = subprocess.run(train(toy_table, tree_file, broken), capture_output=True, text=True)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    other = [*train(toy_table, tree_file, broken, "--resume"), "--seed", "1"]
    refused = subprocess.run(other, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "is of another plan: its train.seed is 0, now asked for is 1" in refused.stderr
    done = subprocess.run(
        train(toy_table, tree_file, broken, "--resume"), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "going on after epoch" in done.stderr
    best = "best.safetensors"
    assert (broken / best).read_bytes() == (whole / best).read_bytes()
    logs = [(run / "epochs.jsonl").read_text().splitlines() for run in (whole, broken)]
    for one, other_ in zip(*logs, strict=True):
        assert {**json.loads(one), "seconds": 0} == {**json.loads(other_), "seconds": 0}
    assert list((broken / "tensorboard").iterdir())
    assert not list(broken.glob("*.part"))
    (broken / best).unlink()
    lost = subprocess.run(
        train(toy_table, tree_file, broken, "--resume"), capture_output=True, text=True
    )
    assert lost.returncode == 2
    assert f"{broken / best}, the best network of this run so far, is gone" in lost.stderr


def launched(*arguments: object) -> list[str]:
    return [
        sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--num_cpu_threads_per_process", "1", *map(str, arguments),
    ]  # fmt: skip


def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    """Each has half of every batch, and other numbers of observed cells in it."""
    script = Path(__file__).with_name("train_in_parts.py")
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    subprocess.run([sys.executable, script, one], check=True)
    done = subprocess.run(launched(script, two), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted, found = load_file(one), load_file(two)
    start = toy_net(dropout=0.0).state_dict()
    assert wanted.keys() == found.keys()
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(wanted["backbone.hidden.weight"], start["backbone.hidden.weight"])
    losses = []
    for path in (one, two):
        with safe_open(str(path), framework="pt") as file:
            losses.append([float(each) for each in file.metadata()["losses"].split()])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_two_processes_through_the_command(
    tmp_path: Path, toy_table: Path, tree_file: Path
) -> None:
    one = train(toy_table, tree_file, tmp_path / "one", "--frozen")
    two = train(toy_table, tree_file, tmp_path / "two", "--frozen")
    subprocess.run(one, check=True, capture_output=True)
    done = subprocess.run(launched("-m", *two[2:]), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best.safetensors") == 1  # one of them talks
    found = [load_file(tmp_path / run / "best.safetensors") for run in ("one", "two")]
    for name in found[0]:
        torch.testing.assert_close(found[1][name], found[0][name], rtol=1e-4, atol=1e-5)


def test_mixed_precision_trains_and_judges_in_float32(
    tmp_path: Path, toy_table: Path, tree_file: Path
) -> None:
    """bf16 has 8 bits: the losses are near those of float32, and not the same."""
    losses = []
    for precision in ("no", "bf16"):
        run = tmp_path / precision
        command = train(toy_table, tree_file, run, "--precision", precision, "--epochs", 1)
        subprocess.run(command, check=True, capture_output=True)
        losses.append([json.loads(line)["train_loss"] for line in (run / "epochs.jsonl").open()])
        assert all(each.dtype in (torch.float32, torch.int64)
                   for each in load_file(run / "best.safetensors").values())  # fmt: skip
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
