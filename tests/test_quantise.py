"""In 8-bit integers: it hears the same, or nothing is written."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from timbretree import quantise as room
from timbretree.checkpoint import Checkpoint, CheckpointError
from timbretree.evaluate import evaluate, open_listener
from timbretree.export import export, write_model
from timbretree.labels import Labels
from timbretree.material import Source
from timbretree.model import build
from timbretree.modelfile import ModelFile, read_info
from timbretree.quantise import QuantiseError, convert, quantise
from timbretree.start import read_network
from toy import PITCH, TREE


@pytest.fixture(scope="module")
def trained() -> Checkpoint:
    """A network that tells a hum from a whistle: random, but for BatchNorm's statistics and the
    classifier, which are those of a few sounds."""
    torch.manual_seed(0)
    net = build("mn04", "gmp", TREE)
    time = torch.arange(16_000) / 32_000
    pitch = torch.tensor(list(PITCH.values())).repeat_interleave(4)[:, None]
    waves = 0.3 * torch.sin(2 * torch.pi * pitch * time) + 0.01 * torch.randn(8, 16_000)
    waves = torch.nn.functional.pad(waves, (0, 16_000))  # as clips of half a second are
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean of all that it has seen
    with torch.no_grad():
        net.backbone.features.train()(net.frontend(waves)[:, None].transpose(2, 3))
        hum, whistle = net.eval().backbone(net.frontend(waves)).view(2, 4, -1).mean(dim=1)
        apart = 10 * (whistle - hum) / (whistle - hum).square().sum()
        net.head.fine.weight[:] = torch.stack([-apart, apart])
        net.head.fine.bias[:] = net.head.fine.weight @ -(hum + whistle) / 2
    return Checkpoint(net, "mn04", "gmp", TREE, (0.5, 0.5), (0.5, 0.5), 1.0)


@pytest.fixture(scope="module")
def exported(trained: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "float32.onnx"
    export(trained, path, name="toy", licence="MIT", provenance="für Elise", scores={"a": 0.5})
    return path


def annotations(table: Path) -> room.Annotations:
    return Source(table, TREE).read("train")


def test_it_hears_the_same_and_says_what_it_cost(
    exported: Path, tmp_path: Path, toy_table: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, clips, told = tmp_path / "int8.onnx", annotations(toy_table), []
    cost = quantise(exported, path, clips, progress=lambda *steps: told.append(steps))
    assert capfd.readouterr() == ("", "")
    assert told == [(6, 6)]
    assert (cost.map_before, cost.map_after, cost.changed, cost.failures) == (1.0, 1.0, 0.0, {})
    before, after = read_info(exported), read_info(path)
    assert (before.precision, after.precision) == ("float32", "int8")
    assert after.scores == {
        "a": 0.5,
        "valid macro mAP in float32": 1.0,
        "valid macro mAP in int8": 1.0,
        "valid share of decisions changed by int8": 0.0,
    }
    assert dataclasses.replace(after, precision="float32", scores=before.scores) == before
    said = [evaluate(open_listener(each), clips).prediction.fine for each in (exported, path)]
    assert 0 < np.abs(said[0] - said[1]).max() < 0.15
    assert path.stat().st_size < 0.8 * exported.stat().st_size
    assert [each.name for each in tmp_path.glob("*.onnx*")] == ["int8.onnx"]
    assert str(tmp_path).encode() not in path.read_bytes()


def test_all_convolutions_but_the_first_are_rounded_channel_by_channel(
    exported: Path, tmp_path: Path
) -> None:
    convert(exported, tmp_path / "int8.onnx", [np.zeros((100, 128), np.float32)] * 2)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    weights = {each.name: each for each in graph.initializer}
    unpacked = {
        node.output[0]: [weights[each] for each in node.input[:2]] for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in weights
    }  # fmt: skip
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions[0].input[1] in weights
    for node in convolutions[1:]:
        weight, scale = unpacked[node.input[1]]
        assert weight.data_type == onnx.TensorProto.INT8
        assert list(scale.dims) == [weight.dims[0]]
        assert np.abs(onnx.numpy_helper.to_array(weight).astype(int)).max() <= 64
    assert all(name in weights for name in ("net.head.fine.weight", "net.backbone.embed.weight"))


def test_a_model_that_hears_worse_is_not_written(
    exported: Path, tmp_path: Path, toy_table: Path
) -> None:
    """Ranges set by silence are too narrow for music."""
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(8000), 16_000)
    path = tmp_path / "int8.onnx"
    path.write_text("what was there before")
    with pytest.raises(QuantiseError, match=r"hears otherwise.*1\.0000 to 0\.\d+, by -\d") as found:
        quantise(exported, path, annotations(toy_table))
    said = re.search(r"and (\S+)% of present and absent change \(allowed: 2%\)", str(found.value))
    assert said is not None
    assert float(said[1]) > 2
    assert "(allowed: 0.5)" in str(found.value)
    assert "Use the float32 file; or" in str(found.value)
    assert path.read_text() == "what was there before"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("after", "changed", "refused"), [
    (0.9051, 0.0199, False),
    (0.8949, 0.0199, True),
    (0.9061, 0.0, True),
    (0.9, 0.0201, True),
])  # fmt: skip
def test_where_the_line_is(after: float, changed: float, refused: bool) -> None:
    cost = room.Cost(0.9005, after, changed, {})
    if refused:
        with pytest.raises(QuantiseError, match=f"from 0.9005 to {after:.4f}"):
            room._check(cost)
    else:
        room._check(cost)


def test_what_can_not_be_judged(exported: Path, tmp_path: Path, toy_table: Path) -> None:
    path, clips = tmp_path / "int8.onnx", annotations(toy_table)
    known, splits = clips.labels, np.array(clips.splits)
    nothing = dataclasses.replace(clips, splits=("train",) * 10)
    with pytest.raises(QuantiseError, match="no clip to judge by: expected some in split 'valid'"):
        quantise(exported, path, nothing)
    with pytest.raises(QuantiseError, match=r"no clip to set the ranges by.*10 clips in valid"):
        quantise(exported, path, dataclasses.replace(clips, splits=("valid",) * 10))
    unlabelled = dataclasses.replace(
        clips, labels=Labels(known.target, known.mask & (splits != "valid")[:, None])
    )
    with pytest.raises(QuantiseError, match="no tag is known to be present in one and absent in"):
        quantise(exported, path, unlabelled)
    for number in range(6):
        (tmp_path / f"{number}.wav").write_text("no audio " * 99)
    with pytest.raises(QuantiseError, match="none of the training clips can be used"):
        quantise(exported, path, clips)
    assert not path.exists()


def test_clips_that_can_not_be_used_are_named(
    exported: Path, tmp_path: Path, toy_table: Path
) -> None:
    for number in (1, 9):
        (tmp_path / f"{number}.wav").write_text("no audio " * 99)
    cost = quantise(exported, tmp_path / "int8.onnx", annotations(toy_table))
    assert cost.failures == {str(tmp_path / f"{n}.wav"): "not_audio" for n in (9, 1)}


def test_what_is_rounded_is_neither_rounded_again_nor_trained(
    exported: Path, tmp_path: Path, toy_table: Path
) -> None:
    path = tmp_path / "already.onnx"
    convert(exported, path, [np.zeros((100, 128), np.float32)])
    assert ModelFile(path).info.precision == "int8"
    with pytest.raises(QuantiseError, match=r"already\.onnx is in int8 already; give the float32"):
        quantise(path, tmp_path / "int8.onnx", annotations(toy_table))
    with pytest.raises(CheckpointError, match=r"is in int8, its weights are rounded and can't be"):
        read_network(path)
    odd = dataclasses.replace(read_info(path), precision="int4")
    write_model(onnx.load(path), odd, path)
    with pytest.raises(ValueError, match="its precision is 'int4', not float32 or int8"):
        ModelFile(path)


def test_a_few_of_many_clips_set_the_ranges(
    monkeypatch: pytest.MonkeyPatch, exported: Path, toy_table: Path
) -> None:
    monkeypatch.setattr(room, "CLIPS", 4)
    train = room._part(annotations(toy_table), "train")
    mels = [list(room._listen(train, read_info(exported), {}, None)) for _ in range(2)]
    assert len(mels[0]) == 4
    np.testing.assert_array_equal(mels[0], mels[1])


def test_the_command_takes_the_split_of_the_run(
    trained: Checkpoint, tmp_path: Path, toy_table: Path
) -> None:
    from timbretree.annotations import write_split

    def command(*more: object) -> subprocess.CompletedProcess[str]:
        words = ["export", tmp_path / "best.safetensors", tmp_path / "out.onnx", *more]
        return subprocess.run(
            [sys.executable, "-m", "timbretree", *map(str, words)],
            capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    trained.save(tmp_path / "best.safetensors")
    clips = annotations(toy_table)
    toy_table.write_text(toy_table.read_text("utf-8").replace("valid", "train"), "utf-8")
    done = command("--int8", toy_table)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no clip to judge by" in done.stderr
    write_split(tmp_path / "split.json", clips, seed=0)
    done = command("--int8", toy_table)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out.onnx'}\n")
    assert done.stderr.splitlines()[-1] == (
        "int8 takes macro mAP of the tags from 1.0000 to 1.0000 on the validation clips and "
        "changes 0.0% of present and absent"
    )
    assert "torchvision" not in done.stderr
    assert "Warning" not in done.stderr
    assert read_info(tmp_path / "out.onnx").precision == "int8"
