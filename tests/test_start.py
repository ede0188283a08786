"""Starting from a model file: the network in it is the one that was exported."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from timbretree.backbones import BACKBONES
from timbretree.checkpoint import Checkpoint, CheckpointError
from timbretree.cli.options import find_start
from timbretree.export import export
from timbretree.melspec import log_mel
from timbretree.model import build
from timbretree.modelfile import SHIPPED, ModelFile, ModelFileError
from timbretree.start import Fresh, ModelStart, read_network, read_start, start_from
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")
OURS = Taxonomy("ours", ("voice", "kazoo", "piano"), {"all": ("voice", "kazoo", "piano")})


@pytest.fixture(scope="module")
def trained() -> Checkpoint:
    torch.manual_seed(0)
    net = build("mn04", "resatt", TREE)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # away from what is there without training
            for values in (layer.weight, layer.running_var):
                torch.nn.init.uniform_(values, 0.6, 1.4)
            for values in (layer.bias, layer.running_mean):
                torch.nn.init.normal_(values, 0, 0.2)
    torch.nn.init.normal_(net.head.fine.weight, 0, 0.1)
    return Checkpoint(net, "mn04", "resatt", TREE, (0.5,) * 20, (0.5,) * 7)


@pytest.fixture(scope="module")
def exported(trained: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export(trained, path, name="n", licence="l", provenance="p")
    return path


@pytest.fixture(scope="module")
def start(exported: Path) -> ModelStart:
    return read_network(exported)


def test_the_network_in_the_file_is_the_one_that_was_exported(
    exported: Path, start: ModelStart, trained: Checkpoint
) -> None:
    assert not start.net.training
    for name, value in trained.net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(start.net.state_dict()[name], value), name
    samples = np.random.default_rng(1).normal(0, 0.1, (2, 64_000)).astype("f4")
    mel = np.stack([log_mel(each, start.info.melspec) for each in samples])
    with torch.inference_mode():
        ours = start.net.listen(torch.from_numpy(mel))
    for said, wanted in zip(ours, ModelFile(exported).raw(mel), strict=True):
        if said is not None:
            np.testing.assert_allclose(said.numpy(), wanted, atol=1e-5)
    assert np.ptp(ours.fine.numpy(), axis=1).max() > 0.1


def test_the_same_head_and_tree_take_all(start: ModelStart) -> None:
    tree = Taxonomy("another name", TREE.tags, TREE.children)
    net = build("mn04", "resatt", tree)
    assert start_from(net, start, head="resatt", taxonomy=tree) == Fresh()
    for name, value in start.net.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def reordered() -> Taxonomy:
    return Taxonomy("reordered", TREE.tags[::-1], TREE.children)


@pytest.mark.parametrize(("head", "tree", "fresh"), [
    ("levelwise", TREE, Fresh((), families=True)),
    ("gmp", TREE, Fresh()),  # it has no layer of families
    ("resatt", reordered(), Fresh((), families=True)),
    ("resatt", OURS, Fresh(("kazoo",), families=True)),
    ("gap", OURS, Fresh(("kazoo",))),
])  # fmt: skip
def test_another_head_or_tree_takes_the_rows_of_its_tags_by_name(
    start: ModelStart, head: str, tree: Taxonomy, fresh: Fresh
) -> None:
    torch.manual_seed(1)
    net = build("mn04", head, tree)
    before = {name: value.clone() for name, value in net.head.state_dict().items()}
    assert start_from(net, start, head=head, taxonomy=tree) == fresh
    for name, value in start.trunk.state_dict().items():
        assert torch.equal(net.backbone.state_dict()[name], value), name
    learnt = start.net.head.fine
    for row, tag in enumerate(tree.tags):
        weight, bias = before["fine.weight"][row], before["fine.bias"][row]
        if tag in TREE.tags:
            weight = learnt.weight[TREE.tags.index(tag)]
            bias = learnt.bias[TREE.tags.index(tag)]
        assert torch.equal(net.head.fine.weight[row], weight), tag
        assert torch.equal(net.head.fine.bias[row], bias), tag
    for name, value in net.head.state_dict().items():
        if not name.startswith("fine."):
            assert torch.equal(value, before[name]), name


def changed(path: Path, folder: Path, change: Callable[[onnx.GraphProto], object]) -> Path:
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def rename(graph: onnx.GraphProto) -> None:
    for each in graph.initializer:
        each.name = each.name.replace("net.head.fine.bias", "net.head.fine.offset")
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = name.replace("net.head.fine.bias", "net.head.fine.offset")


def add(graph: onnx.GraphProto) -> None:
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(2, "f4"), "net.head.wings"))


def test_a_file_without_all_its_weights(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"changed\.onnx does not hold all .*fine\.bias is "):
        read_network(changed(exported, tmp_path, rename))
    with pytest.raises(CheckpointError, match=r"head\.wings does not belong there"):
        read_network(changed(exported, tmp_path, add))


def test_the_shipped_model_is_a_start() -> None:
    assert isinstance(read_start("mn04", SHIPPED), ModelStart)


def test_what_is_no_start(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"backbone 'mn04', and 'cnn14' is .*--backbone mn04"):
        read_start("cnn14", exported)
    with pytest.raises(ModelFileError, match=r"nowhere\.onnx: No such file"):
        read_start("mn04", tmp_path / "nowhere.onnx")
    other = type("Other", (BACKBONES["mn04"],), {"spec": BACKBONES["cnn14"].spec})
    monkeypatch.setitem(BACKBONES.built_in, "mn04", other)
    with pytest.raises(
        CheckpointError, match=r"another spectrogram .*expected MelSpec\(rate=16000"
    ):
        read_network(exported)


def test_shipped_is_the_model_that_comes_with_timbretree(tmp_path: Path) -> None:
    assert find_start("mn04", "shipped") == SHIPPED
    assert find_start("mn04", str(tmp_path / "mine.onnx")) == tmp_path / "mine.onnx"


def test_an_epoch_from_a_model_file(
    exported: Path, tmp_path: Path, mini_openmic: Callable[..., Path]
) -> None:
    """Through the command: the whole network, and the head alone on another tree."""

    def train(*words: object) -> subprocess.CompletedProcess[str]:
        always = ("--device", "cpu", "--epochs", 1, "--warmup", 0, "--start", exported)
        return subprocess.run(
            [sys.executable, "-m", "timbretree", "train", *map(str, (*words, *always))],
            capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    data = mini_openmic(train=12, test=3, seconds=1.0)
    done = train(data, tmp_path / "run")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'run' / 'best.safetensors'}\n")
    assert "no pretrained" not in done.stderr
    assert "afresh" not in done.stderr
    best = Checkpoint.load(tmp_path / "run" / "best.safetensors")
    learnt = read_network(exported).net.state_dict()
    for name in ("backbone.features.0.0.weight", "head.fine.weight", "head.attention.weight"):
        moved = float((best.net.state_dict()[name] - learnt[name]).abs().max())
        assert 0 < moved < 0.01, name

    rows = ["file,voice,kazoo,piano"]
    audio = sorted((data / "audio").rglob("*.ogg"))
    rows += [f"{file},{n % 2},{1 - n % 2},{n % 2}" for n, file in enumerate(audio)]
    (tmp_path / "table.csv").write_text("\n".join(rows), "utf-8")
    (tmp_path / "tree.json").write_text(
        '{"name": "ours", "groups": {"all": ["voice", "kazoo", "piano"]}}', "utf-8"
    )
    done = train(tmp_path / "table.csv", tmp_path / "other", "--taxonomy", tmp_path / "tree.json",
                 "--frozen")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no pretrained classifier row for kazoo\n" in done.stderr
    assert "the layer of the families starts afresh" in done.stderr
    done = train(data, tmp_path / "third", "--backbone", "cnn14")
    assert (done.returncode, done.stdout) == (2, "")
    assert "add --backbone mn04" in done.stderr
