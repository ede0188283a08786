"""Training: a toy orchestra is learnt, the same way each time, and only where it may be."""

import copy
import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from timbretree.annotations import AnnotationError
from timbretree.calibration import Calibrated, calibrate
from timbretree.checkpoint import Checkpoint
from timbretree.data import ClipSet, shuffled
from timbretree.evaluate import predict
from timbretree.losses import JointLoss, total
from timbretree.material import Source
from timbretree.model import InstrumentNet
from timbretree.objective import Objective
from timbretree.session import Plan, Session
from timbretree.start import Fresh
from timbretree.taxonomy import Taxonomy
from timbretree.train import (
    DivergedError,
    Epoch,
    Learner,
    TrainConfig,
    accelerator,
    fit,
    validation_losses,
)
from toy import PITCH, toy_clips, toy_net


def weights(net: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(net.state_dict())


def same(one: dict[str, Tensor], other: dict[str, Tensor], part: str = "") -> bool:
    """Bit for bit, for the entries whose name begins with ``part``."""
    names = [name for name in one if name.startswith(part)]
    assert names
    return all(torch.equal(one[name], other[name]) for name in names)


def learn(
    net: nn.Module, tree: Taxonomy, clips: tuple[ClipSet, ClipSet], config: TrainConfig
) -> Iterator[Epoch]:
    """Train on the first and judge by the second."""
    steps = math.ceil(len(clips[0]) / config.batch)
    return fit(Learner(net, tree, config, steps=steps, where=accelerator("cpu")), *clips)


def judge(net: nn.Module, clips: ClipSet) -> tuple[float, float]:
    return validation_losses(net, clips, where=accelerator("cpu"))


def trained(tree: Taxonomy, **config: object) -> tuple[InstrumentNet, list[Epoch]]:
    net = toy_net(tree)
    settings: dict[str, object] = {"epochs": 2, "warmup": 1, "batch": 8, "learning_rate": 0.01}
    plan = TrainConfig(**(settings | config))
    return net, list(learn(net, tree, (toy_clips(tree), toy_clips(tree, 6)), plan))


# --- fit


def test_a_toy_problem_is_learnt(toy_tree: Taxonomy) -> None:
    net, epochs = trained(toy_tree, epochs=25, learning_rate=0.03)
    assert epochs[-1].train_loss < 0.5 * epochs[0].train_loss
    assert epochs[-1].valid_fine < 0.5 * epochs[0].valid_fine
    clips = toy_clips(toy_tree, 7)
    heard = predict(net, clips).fine > 0.5
    np.testing.assert_array_equal(heard, clips.fine.target)


def test_epochs_are_counted_from_one_and_say_what_they_brought(toy_tree: Taxonomy) -> None:
    net, epochs = trained(toy_tree, epochs=3)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    valid = judge(net, toy_clips(toy_tree, 6))
    assert (epochs[-1].valid_fine, epochs[-1].valid_coarse) == valid
    assert all(math.isfinite(e.train_loss) and e.seconds >= 0 for e in epochs)


def test_the_same_seed_gives_the_same_network_bit_for_bit(toy_tree: Taxonomy) -> None:
    first, second, other = (trained(toy_tree, seed=seed)[0].state_dict() for seed in (3, 3, 4))
    assert same(first, second)
    assert not same(first, other)


def test_validation_losses_are_over_all_observed_cells(toy_tree: Taxonomy) -> None:
    """Over 40 clips, so two batches of different size and density."""
    net, clips = toy_net(toy_tree), toy_clips(toy_tree, 40)
    clips.fine.mask[2:32] = False
    with torch.no_grad():
        net.head.fine.weight.mul_(0.01)  # unsure, so that no loss is cut off
    said = predict(net, clips)
    wanted = []
    for score, labels in ((said.fine, clips.fine), (said.coarse, clips.coarse)):
        right = np.where(labels.target, score, 1 - score)
        wanted.append(-np.log(right[labels.mask]).mean())
    net.train()
    assert judge(net, clips) == pytest.approx(tuple(wanted), rel=1e-5)


def test_nobody_heard_the_validation_clips(toy_tree: Taxonomy) -> None:
    clips = toy_clips(toy_tree, 4)
    clips.fine.mask[:], clips.coarse.mask[:] = False, False
    assert judge(toy_net(toy_tree), clips) == (0.0, 0.0)


def test_clips_in_training_are_heard_in_training_mode(toy_tree: Taxonomy) -> None:
    """Validation ends an epoch in evaluation mode; the next one must leave it again."""
    net, modes = toy_net(toy_tree), []
    net.backbone.register_forward_hook(lambda module, *_: modes.append(module.training))
    clips = toy_clips(toy_tree), toy_clips(toy_tree, 6)
    list(learn(net, toy_tree, clips, TrainConfig(epochs=2, batch=10)))
    assert modes == [True, True, False] * 2


def test_train_loss_is_equation_2(toy_tree: Taxonomy) -> None:
    net, clips = toy_net(toy_tree), toy_clips(toy_tree, 8)
    config = TrainConfig(epochs=1, batch=8, objective=Objective(0.7), seed=5)
    batch = next(clips.batches(8, order=shuffled(8, seed=5 * 100_003 + 1)))
    torch.manual_seed(5)
    twin = copy.deepcopy(net).train()
    loss = JointLoss(Objective(0.7), toy_tree)
    wanted = total(loss(twin(batch.inputs), batch.fine, batch.coarse)).item()
    epoch = next(learn(net, toy_tree, (clips, clips), config))
    assert epoch.train_loss == pytest.approx(wanted, rel=1e-6)


# --- what may learn


def test_a_trunk_left_alone_stays_as_it_is(toy_tree: Taxonomy) -> None:
    before = weights(toy_net(toy_tree))
    after = weights(trained(toy_tree, trunk_share=0.0)[0])
    assert same(before, after, "backbone.")  # weights, means, variances, counts
    assert not same(before, after, "head.")


def test_frozen_statistics_stay_while_weights_learn(toy_tree: Taxonomy) -> None:
    before = weights(toy_net(toy_tree))
    after = weights(trained(toy_tree, frozen_statistics=True)[0])
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert same(before, after, f"backbone.norm.{name}")
    assert not same(before, after, "backbone.norm.weight")
    assert not same(before, after, "backbone.hidden.")


def test_statistics_and_weights_learn_unless_told_otherwise(toy_tree: Taxonomy) -> None:
    before, after = weights(toy_net(toy_tree)), weights(trained(toy_tree)[0])
    for name in ("backbone.norm.running_mean", "backbone.norm.weight", "backbone.hidden.", "head."):
        assert not same(before, after, name)


class Watched(torch.optim.Adam):
    """Adam, with a record of the learning rate of each group at each step."""

    rates: list[list[float]]

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)
        Watched.rates, Watched.decay = [], {group["weight_decay"] for group in self.param_groups}

    def step(self, closure: None = None) -> None:
        Watched.rates.append([group["lr"] for group in self.param_groups])
        super().step(closure)


def rates(monkeypatch: pytest.MonkeyPatch, tree: Taxonomy, **config: object) -> list[list[float]]:
    monkeypatch.setattr(torch.optim, "Adam", Watched)
    trained(tree, **config)
    return Watched.rates


def test_the_learning_rate_is_a_ramp_and_half_a_cosine(
    monkeypatch: pytest.MonkeyPatch, toy_tree: Taxonomy
) -> None:
    """20 clips by 8 are 3 steps an epoch: 6 to the top, and 12 down to nothing."""
    found = rates(monkeypatch, toy_tree, epochs=6, warmup=2, learning_rate=0.6)
    up = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    down = [0.3 * (1 + math.cos(math.pi * step / 12)) for step in range(12)]
    np.testing.assert_allclose(np.array(found)[:, 0], up + down, rtol=1e-9)
    np.testing.assert_array_equal(np.array(found)[:, 0], np.array(found)[:, 1])
    assert Watched.decay == {1e-4}


def test_no_ramp_and_nothing_but_ramp(monkeypatch: pytest.MonkeyPatch, toy_tree: Taxonomy) -> None:
    found = [pair[0] for pair in rates(monkeypatch, toy_tree, epochs=2, warmup=0)]
    assert found[0] == 0.01
    assert all(high > low for high, low in pairwise(found))
    found = [pair[0] for pair in rates(monkeypatch, toy_tree, epochs=1, warmup=5)]
    np.testing.assert_allclose(found, [0.01 * step / 15 for step in (1, 2, 3)])


def test_the_trunk_may_learn_more_slowly(
    monkeypatch: pytest.MonkeyPatch, toy_tree: Taxonomy
) -> None:
    for head, trunk in rates(monkeypatch, toy_tree, trunk_share=0.25):
        assert trunk == pytest.approx(head / 4)
    assert all(len(groups) == 1 for groups in rates(monkeypatch, toy_tree, trunk_share=0.0))


def test_the_defaults_are_those_of_the_paper() -> None:
    config = TrainConfig()
    assert (config.batch, config.learning_rate, config.weight_decay) == (16, 1e-4, 1e-4)
    assert (config.warmup, config.epochs) == (5, 30)
    assert config.objective.fine_weight in (0.70, 0.75, 0.80, 0.85, 0.90)


# --- a whole session


def plan(table: Path, tree: Taxonomy, **more: object) -> Plan:
    config = TrainConfig(epochs=1, warmup=0, batch=3, learning_rate=1e-3)
    return Plan(Source(table, tree, seconds=1.0), train=config, **more)


def begin(asked: Plan, folder: Path) -> Session:
    return Session(asked, folder, where=accelerator("cpu"))


def test_a_session_from_table_to_checkpoint(
    tmp_path: Path, toy_table: Path, toy_tree: Taxonomy
) -> None:
    (tmp_path / "3.wav").write_text("no audio " * 99)
    session = begin(plan(toy_table, toy_tree), tmp_path / "run")
    assert session.failures == {str(tmp_path / "3.wav"): "not_audio"}
    assert (len(session.train), len(session.valid), session.fresh) == (5, 4, Fresh())
    np.testing.assert_array_equal(session.train.rows, [0, 1, 2, 4, 5])
    epochs = list(session.epochs())

    run = tmp_path / "run"
    assert {"plan.json", "epochs.jsonl", "best.safetensors"} <= {p.name for p in run.iterdir()}
    assert not list(run.glob("*.part"))
    record = json.loads((run / "plan.json").read_text("utf-8"))
    assert record["source"]["taxonomy"] == toy_tree.to_dict()
    assert (record["backbone"], record["method"]) == ("mn04", "resatt")
    assert record["source"]["seconds"] == 1.0
    assert record["train"]["learning_rate"] == 1e-3
    lines = (run / "epochs.jsonl").read_text("utf-8").splitlines()
    assert [Epoch(**json.loads(line)) for line in lines] == epochs
    assert [epoch.number for epoch in epochs] == [1]

    best = Checkpoint.load(run / "best.safetensors")
    assert (best.taxonomy, best.seconds) == (toy_tree, 1.0)
    assert record == {**best.config, "labels": record["labels"], "precision": "no"}
    said, valid = predict(session.net, session.valid), session.valid
    wanted = calibrate(said.fine, said.coarse, valid.fine, valid.coarse)
    assert Calibrated.of(best) == wanted
    assert (len(best.tag_thresholds), len(best.group_thresholds)) == (2, 2)
    # after one epoch the best network is the last one
    np.testing.assert_array_equal(
        predict(best.net, session.valid).fine, predict(session.net, session.valid).fine
    )


def test_the_epoch_with_the_lowest_fine_loss_is_kept(
    tmp_path: Path, toy_table: Path, toy_tree: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from timbretree import resume as room

    session = begin(plan(toy_table, toy_tree), tmp_path / "run")
    bias = session.net.head.fine.bias

    def made_up(*_: object, **__: object) -> object:
        for number, fine in enumerate((0.5, 0.3, 0.4, 0.3), 1):
            with torch.no_grad():
                bias.fill_(number)
            yield Epoch(number, 0.0, fine, 1.0 - number, 0.0)

    monkeypatch.setattr(room, "fit", made_up)
    assert len(list(session.epochs())) == 4
    kept = Checkpoint.load(tmp_path / "run" / "best.safetensors")
    assert kept.net.head.fine.bias.tolist() == [2.0, 2.0]  # of equals, the first


def test_clips_are_held_out_where_the_table_names_none(
    tmp_path: Path, toy_table: Path, toy_tree: Taxonomy
) -> None:
    text = toy_table.read_text("utf-8").replace("valid", "train")
    toy_table.write_text(text, "utf-8")
    session = begin(plan(toy_table, toy_tree), tmp_path / "run")
    assert len(session.train) + len(session.valid) == 10
    assert 1 <= len(session.valid) <= 3
    assert not set(session.train.rows) & set(session.valid.rows)


def test_no_clip_that_can_be_used(tmp_path: Path, toy_table: Path, toy_tree: Taxonomy) -> None:
    for number in range(6, 10):
        (tmp_path / f"{number}.wav").unlink()
    with pytest.raises(AnnotationError, match="no usable clip is left in split 'valid'"):
        begin(plan(toy_table, toy_tree), tmp_path / "run")
    toy_table.write_text(toy_table.read_text("utf-8").replace("train", "test"), "utf-8")
    with pytest.raises(AnnotationError, match="no clip is in the split 'train'"):
        begin(plan(toy_table, toy_tree), tmp_path / "run")
    toy_table.write_text(toy_table.read_text("utf-8").replace("valid", "test"), "utf-8")
    with pytest.raises(AnnotationError, match="no clip is in the split 'train'"):
        begin(plan(toy_table, toy_tree), tmp_path / "run")


def test_a_session_may_start_from_audioset(tmp_path: Path, toy_table: Path, shared: Path) -> None:
    tree = Taxonomy("two", ("piano", "kazoo"), {"all": ("piano", "kazoo")})
    text = toy_table.read_text("utf-8").replace("hum", "piano").replace("whistle", "kazoo")
    toy_table.write_text(text, "utf-8")
    weights_ = shared / "weights" / "mn04_as" / "mn04_as_mAP_432.pt"
    session = begin(plan(toy_table, tree, start=weights_), tmp_path / "run")
    assert session.fresh == Fresh(("kazoo",))


def test_a_session_depends_on_its_seed_and_nothing_else(
    tmp_path: Path, toy_table: Path, toy_tree: Taxonomy
) -> None:
    nets = []
    for run in ("one", "two"):
        torch.rand(len(nets) + 1)  # whatever went on before
        nets.append(begin(plan(toy_table, toy_tree), tmp_path / run).net.state_dict())
    assert same(*nets)


def test_kleene_is_for_learning_and_validation_is_judged_alike(
    tmp_path: Path, toy_table: Path
) -> None:
    """Thresholds from strict labels would claim nearly every group: they know so few absent."""
    text = toy_table.read_text("utf-8").replace(",1,0\n", ",1,\n").replace(",0,1\n", ",0,\n")
    toy_table.write_text(text, "utf-8")
    tree = Taxonomy("toy", tuple(PITCH), {"both": tuple(PITCH)})
    lenient, strict = (
        begin(plan(toy_table, tree, method=name), tmp_path / name) for name in ("gmp", "gmp-kleene")
    )
    assert strict.train.coarse.mask.sum() < lenient.train.coarse.mask.sum()
    np.testing.assert_array_equal(strict.valid.coarse.mask, lenient.valid.coarse.mask)
    assert lenient.valid.coarse.mask.all()


@pytest.mark.parametrize("rate", [1e18, 1e38])
def test_weights_that_run_away_are_told(toy_tree: Taxonomy, rate: float) -> None:
    with pytest.raises(DivergedError, match=r"in epoch 1 .* try a lower learning rate"):
        trained(toy_tree, warmup=0, learning_rate=rate)


def test_other_faults_are_not_taken_for_it(
    toy_tree: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(Learner, "step", fail)
    with pytest.raises(RuntimeError, match="something else") as caught:
        trained(toy_tree)
    assert not isinstance(caught.value, DivergedError)
