"""From checkpoint to model file: they say the same, or nothing is written."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from timbretree.calibration import Calibrated, Calibration
from timbretree.checkpoint import Checkpoint
from timbretree.evaluate import open_listener
from timbretree.export import ExportError, export
from timbretree.heads import HEADS
from timbretree.melspec import log_mel
from timbretree.model import build
from timbretree.modelfile import ModelFile
from timbretree.taxonomy import Taxonomy


def untrained(backbone: str, head: str, tree: Taxonomy) -> Checkpoint:
    torch.manual_seed(0)
    net = build(backbone, head, tree)
    with torch.no_grad():  # away from the flat start, so that a difference would show
        for parameter in net.head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    tags, groups = (0.4,) * len(tree.tags), (0.6,) * len(tree.groups)
    return Checkpoint(net, backbone, head, tree, tags, groups)


@pytest.mark.parametrize("head", HEADS)
def test_onnx_runtime_says_what_torch_says(tmp_path: Path, head: str) -> None:
    tree = Taxonomy.load("hornbostel_sachs" if head == "topdown" else "tone7")
    checkpoint = untrained("mn04", head, tree)
    path = tmp_path / "model.onnx"
    assert export(checkpoint, path, name="n", licence="l", provenance="p") <= 1e-4
    model = ModelFile(path)
    assert model.info.taxonomy == tree
    assert model.info.tag_thresholds == (0.4,) * 20
    samples = np.random.default_rng(1).normal(0, 0.1, (3, 64_000)).astype("f4")
    mel = np.stack([log_mel(each, model.info.melspec) for each in samples])
    with torch.inference_mode():
        wanted = checkpoint.net.eval()(torch.from_numpy(samples))
    for ours, theirs in zip(wanted, model.run(mel), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-4)
    assert list(tmp_path.iterdir()) == [path]
    assert b"export.py" not in path.read_bytes()
    assert b"stack_trace" not in path.read_bytes()


def test_a_calibration_goes_into_the_model_file_and_is_evaluated_alike(tmp_path: Path) -> None:
    tree = Taxonomy.load("tone7")
    numbers = [0.5 + n / 20 for n in range(20)]
    checkpoint = dataclasses.replace(
        untrained("mn04", "resatt", tree),
        tag_absent_below=(0.2,) * 20,
        tag_calibration=Calibration(numbers, numbers[::-1], numbers),
        group_calibration=Calibration([2] * 7, [0.5] * 7, [1] * 7),
    )
    checkpoint.save(tmp_path / "net.safetensors")
    export(checkpoint, tmp_path / "net.onnx", name="n", licence="l", provenance="p")
    net, file = (open_listener(tmp_path / f"net.{kind}") for kind in ("safetensors", "onnx"))
    assert Calibrated.of(ModelFile(tmp_path / "net.onnx").info) == Calibrated.of(checkpoint)
    assert (file.tag_thresholds, file.group_thresholds) == (
        net.tag_thresholds,
        net.group_thresholds,
    )
    waveforms = np.random.default_rng(1).normal(0, 0.1, (2, 64_000)).astype("f4")
    heard, raw = net.hear(waveforms), predict_raw(checkpoint, waveforms)
    for ours, theirs in zip(heard[:3], file.hear(waveforms)[:3], strict=True):
        np.testing.assert_allclose(theirs, ours, atol=2e-4)
    assert np.abs(heard.fine - raw).max() > 0.05


def predict_raw(checkpoint: Checkpoint, waveforms: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return checkpoint.net.eval()(torch.from_numpy(waveforms)).fine.numpy()


def test_weights_that_are_not_finite_are_not_exported(tmp_path: Path) -> None:
    checkpoint = untrained("mn04", "gmp", Taxonomy.load("tone7"))
    with torch.no_grad():
        checkpoint.net.head.fine.bias[3] = float("nan")
    with pytest.raises(ExportError, match="not all finite"):
        export(checkpoint, tmp_path / "model.onnx", name="n", licence="l", provenance="p")
    assert not list(tmp_path.iterdir())


def test_a_difference_stops_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from timbretree import export as room

    monkeypatch.setattr(room, "_difference", lambda net, file: 2e-4)
    (tmp_path / "model.onnx").write_text("what was there before")
    with pytest.raises(ExportError, match=r"differ by 2\.0e-04"):
        export(untrained("mn04", "gmp", Taxonomy.load("tone7")), tmp_path / "model.onnx",
               name="n", licence="l", provenance="p")  # fmt: skip
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was there before"]


@pytest.mark.parametrize(("backbone", "head"), [("mn04", "resatt"), ("cnn14", "levelwise")])
def test_spans_of_a_clip_are_heard_in_one_run(tmp_path: Path, backbone: str, head: str) -> None:
    """By the file as by torch, and nearly as if each were cut out."""
    checkpoint = untrained(backbone, head, Taxonomy.load("tone7"))
    path = tmp_path / "model.onnx"
    export(checkpoint, path, name="n", licence="l", provenance="p")
    model = ModelFile(path)
    assert model.slides
    spec = model.info.melspec
    samples = np.random.default_rng(1).normal(0, 0.1, (2, 4 * spec.rate)).astype("f4")
    mel = np.stack([log_mel(each, spec) for each in samples])
    spans = np.array([(0, 200), (96, 296), (100.5, 300.25)], np.float32)
    said, embedding, moments = model.listen_raw(mel, spans)
    assert (said.fine.shape, said.coarse.shape) == ((6, 20), (6, 7))
    assert embedding.shape == (6, checkpoint.net.backbone.num_features)
    with torch.inference_mode():
        wanted = checkpoint.net.eval().backbone(torch.from_numpy(mel), torch.from_numpy(spans))
    np.testing.assert_allclose(embedding, wanted.numpy(), atol=1e-4)
    # clip by clip; and all of a clip is as good as no span
    alone = model.listen_raw(mel[1:], spans).prediction
    np.testing.assert_allclose(said.fine[3:], alone.fine, atol=1e-5)
    everything = model.listen_raw(mel, np.array([(0, 1e9)])).prediction
    np.testing.assert_allclose(everything.fine, model.raw(mel).fine, atol=1e-6)
    # moments from before the clip are pooled with its own
    again = model.listen_raw(mel[:1, 96:], spans[1:] - 32, moments[:1, :, 1:3])
    with torch.inference_mode():
        trunk = checkpoint.net.backbone
        later = trunk.moments(torch.from_numpy(mel[:1, 96:]), torch.from_numpy(spans[1:]))
        joined = torch.cat([torch.from_numpy(moments[:1, :, 1:3]), later], dim=2)
        wanted = trunk.pool(joined, torch.from_numpy(spans[1:] - 32))
    np.testing.assert_allclose(again.embedding, wanted.numpy(), atol=1e-4)
    cut = [model.raw(mel[:, int(first) : int(last)]).fine for first, last in spans[:2]]
    apart = np.abs(np.stack(cut, axis=1).reshape(4, 20) - said.fine[[0, 1, 3, 4]])
    assert apart.mean() < 0.02
