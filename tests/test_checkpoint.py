"""Networks on disk: what is saved is loaded, and what is no network of ours is refused."""

import dataclasses
import hashlib
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from published import PANNS, panns_file, panns_like
from timbretree.backbones import BACKBONES
from timbretree.calibration import UNCALIBRATED, Calibrated, Calibration
from timbretree.checkpoint import (
    KEY,
    LOADERS,
    AudioSetStart,
    Checkpoint,
    CheckpointError,
    audioset_classes,
    load_efficientat,
    load_panns,
    load_start,
    start_from_audioset,
)
from timbretree.heads import HEADS
from timbretree.melspec import CNN14_16K
from timbretree.model import InstrumentNet, build
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")
Change = Callable[[dict[str, Any], dict[str, Tensor]], object]


def checkpoint(head: str = "resatt", tree: Taxonomy = TREE) -> Checkpoint:
    torch.manual_seed(0)
    net = build("mn04", head, tree)
    for buffer in net.buffers():  # statistics away from their start
        if buffer.ndim == 1 and buffer.is_floating_point() and len(buffer) < 800:
            buffer.add_(torch.rand_like(buffer))
    tags = tuple(0.3 + n / 100 for n in range(len(tree.tags)))
    groups = tuple(0.6 + n / 100 for n in range(len(tree.groups)))
    below = tuple(threshold - 0.2 for threshold in tags)
    calibration = Calibration(
        *([0.5 + n + row / 100 for n in range(len(tags))] for row in range(3))
    )
    return Checkpoint(
        net, "mn04", head, tree, tags, groups, 4.0, {"note": "für Elise"},
        tag_absent_below=below, tag_calibration=calibration,
    )  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    checkpoint().save(path)
    return path


def record_of(path: Path) -> dict[str, Any]:
    with safe_open(str(path), framework="pt") as file:
        record: dict[str, Any] = json.loads(file.metadata()[KEY])
    return record


def changed(saved: Path, folder: Path, change: Change) -> Path:
    """The saved file with something else in its record or its weights."""
    record, weights = record_of(saved), load_file(saved)
    change(record, weights)
    save_file(weights, folder / "changed.safetensors", {KEY: json.dumps(record)})
    return folder / "changed.safetensors"


# --- our own


@pytest.mark.parametrize("head", HEADS)
def test_what_is_saved_is_loaded(tmp_path: Path, head: str) -> None:
    tree = Taxonomy.load("hornbostel_sachs") if head == "topdown" else TREE
    before = checkpoint(head, tree)
    before.save(tmp_path / "net.safetensors")
    after = Checkpoint.load(tmp_path / "net.safetensors")
    for field in dataclasses.fields(Checkpoint)[1:]:
        assert getattr(after, field.name) == getattr(before, field.name), field.name
    assert after.taxonomy.groups == tree.groups
    waveform = torch.rand(2, 16_000) - 0.5
    with torch.inference_mode():
        wanted, found = before.net.eval()(waveform), after.net(waveform)
    for one, other in zip(wanted, found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert torch.equal(one, other)
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_no_pickle_is_written_or_read(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not saved.read_bytes().startswith((b"PK", b"\x80"))

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Trap()))
    torch.save({"model": Trap()}, tmp_path / "b.safetensors")
    for name in ("a", "b"):
        with pytest.raises(CheckpointError, match="is no checkpoint"):
            Checkpoint.load(tmp_path / f"{name}.safetensors")
    assert not (tmp_path / "sprung").exists()
    monkeypatch.setattr(pickle, "Unpickler", None)
    monkeypatch.setattr(torch, "load", None)
    Checkpoint.load(saved)


def test_a_checkpoint_replaces_another_whole(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.safetensors"
    path.write_text("what was there before")
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError("no space left on device")

        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="no space"):
            checkpoint().save(path)
    assert path.read_text() == "what was there before"
    checkpoint().save(path)
    assert path.read_bytes() == saved.read_bytes()  # the same network gives the same bytes


def test_a_checkpoint_of_before_calibration_still_loads(saved: Path, tmp_path: Path) -> None:
    def age(record: dict[str, Any], _: object) -> None:
        record["schema"] = 1
        for name in UNCALIBRATED:
            del record[name]

    old, new = Checkpoint.load(changed(saved, tmp_path, age)), Checkpoint.load(saved)
    assert old.tag_thresholds == new.tag_thresholds
    assert Calibrated.of(old) == Calibrated(new.tag_thresholds, new.group_thresholds)


def test_files_that_are_no_checkpoint(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    files = {
        "cut.safetensors": content[: len(content) // 2],
        "cut_in_header.safetensors": content[:100],
        "empty.safetensors": b"",
        "text.safetensors": b"This is a text file. " * 99,
    }
    for name, some in files.items():
        (tmp_path / name).write_bytes(some)
        with pytest.raises(CheckpointError, match=f"{name} is no checkpoint: ."):
            Checkpoint.load(tmp_path / name)
    for path in (tmp_path / "nowhere.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match=r"is no checkpoint: ."):
            Checkpoint.load(path)


def test_other_peoples_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}, {KEY: "[1]"}, {KEY: "null"}):
        save_file({"weight": torch.zeros(2)}, path, metadata)
        with pytest.raises(CheckpointError, match="no timbretree checkpoint of schema 1 or 2"):
            Checkpoint.load(path)
    save_file({"weight": torch.zeros(2)}, path, {KEY: "{"})
    with pytest.raises(CheckpointError, match="is no checkpoint: Expecting"):
        Checkpoint.load(path)


BIAS = "head.fine.bias"
CHANGES: dict[str, tuple[Change, str]] = {
    "schema": (lambda record, _: record.update(schema=3), "no .* of schema 1 or 2"),
    "shape": (lambda _, w: w.update({BIAS: torch.zeros(19)}), f"size mismatch for {BIAS}"),
    "missing": (lambda _, w: w.pop(BIAS), f'Missing key.*"{BIAS}"'),
    "more": (lambda _, w: w.update(more=torch.zeros(1)), 'Unexpected key.*"more"'),
    "head": (lambda record, _: record.update(head="levelwise"), "head.attention"),
    "unknown head": (lambda record, _: record.update(head="tail"), "no head 'tail'"),
    "backbone": (lambda record, _: record.update(backbone="mn10"), "no backbone 'mn10'"),
    "no backbone": (lambda record, _: record.pop("backbone"), "'backbone'"),
    "entry": (lambda record, _: record.update(wings=2), "wings"),
    "no thresholds": (lambda record, _: record.pop("tag_thresholds"), "tag_thresholds"),
    "thresholds": (lambda record, _: record.update(tag_thresholds=0.5), "not iterable"),
    "fewer thresholds": (
        lambda record, _: record["group_thresholds"].pop(),
        r"expected \(20, 7\) thresholds of tags and groups, got \(20, 6\)",
    ),
    "no calibration": (lambda record, _: record.pop("tag_calibration"), "tag_calibration"),
    "calibration": (lambda record, _: record["tag_calibration"]["a"].pop(), "got 19, 20 and 20"),
    "flat calibration": (
        lambda record, _: record["tag_calibration"].update(a=[0] * 20),
        "a and b above 0",
    ),
    "absent below": (
        lambda record, _: record.update(group_absent_below=[0.9] * 7),
        "woodwind is absent below 0.9, which is not between 0 and its threshold, 0.6",
    ),
    "fewer tags": (lambda record, _: record["taxonomy"]["tags"].pop(), "'voice'"),
    "no tree": (lambda record, _: record.update(taxonomy=3), "a taxonomy is a table"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_does_not_fit_itself(saved: Path, tmp_path: Path, change: str) -> None:
    alter, words = CHANGES[change]
    path = changed(saved, tmp_path, alter)
    with pytest.raises(CheckpointError, match=rf"(?s)changed\.safetensors .*{words}"):
        Checkpoint.load(path)


# --- PANNs'


@pytest.fixture(scope="module")
def cnn14(tmp_path_factory: pytest.TempPathFactory) -> AudioSetStart:
    path = panns_file(tmp_path_factory.mktemp("panns"), panns_like())
    assert path.stat().st_size < 100_000
    return load_panns(path, sha256=None)


def test_every_weight_of_panns_comes_to_its_place(cnn14: AudioSetStart) -> None:
    theirs = panns_like()
    assert len(theirs) == 84
    found = {"fc_audioset.weight": cnn14.weight, "fc_audioset.bias": cnn14.bias}
    for name, value in cnn14.trunk.state_dict().items():
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            name = f"conv_block{int(number) + 1}.{rest}"
        found[name] = value
    front_end = {name for name in theirs if name.startswith(("spectrogram", "logmel"))}
    assert set(found) == set(theirs) - front_end
    for name, value in found.items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("name", PANNS)
def test_each_of_the_84_entries_is_needed_in_its_shape(tmp_path: Path, name: str) -> None:
    less = panns_like()
    del less[name]
    with pytest.raises(CheckpointError, match=rf"Cnn14\.pth is not .*: {name} is missing$"):
        load_panns(panns_file(tmp_path, less), sha256=None)
    misshapen = panns_like() | {name: torch.zeros(3, 5)}
    words = re.escape(f"{name} has shape (3, 5), expected {PANNS[name]}")
    with pytest.raises(CheckpointError, match=rf"Cnn14\.pth is not .*: {words}$"):
        load_panns(panns_file(tmp_path, misshapen), sha256=None)


def test_nothing_else_is_taken_for_panns(tmp_path: Path) -> None:
    def refused(content: object, words: str) -> None:
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(CheckpointError, match=rf"other\.pth is not PANNs' Cnn14_16k: {words}"):
            load_panns(tmp_path / "other.pth", sha256=None)

    refused({"model": panns_like() | {"more": torch.zeros(1)}}, "more does not belong there$")
    refused({"model": panns_like() | {"bn0.bias": [0.0] * 64}}, "bn0.bias has shape None")
    refused(panns_like(), "expected a table of 84 weights, got NoneType$")
    refused([1], "expected a table of 84 weights, got NoneType$")
    refused({"model": {}}, r".* is missing; .* is missing; .* is missing; and 81 more$")


def test_the_rows_of_all_20_tags_are_copied_from_panns(cnn14: AudioSetStart) -> None:
    rows = torch.randn(527, 2048)
    start = AudioSetStart(cnn14.trunk, rows, rows[:, 0])
    net = build("cnn14", "mcm", TREE)
    assert start_from_audioset(net, start, TREE.tags) == []
    for row, tag in enumerate(TREE.tags):
        assert torch.equal(net.head.fine.weight[row], rows[audioset_classes()[tag]])
        assert net.head.fine.bias[row] == rows[audioset_classes()[tag], 0]
    for name, value in cnn14.trunk.state_dict().items():
        assert torch.equal(net.backbone.state_dict()[name], value)
    other = build("mn04", "mcm", TREE)
    with pytest.raises(CheckpointError, match="those of Cnn14, the network has a MobileNet"):
        start_from_audioset(other, start, TREE.tags)


# --- whoever's


KNOWN = {
    "cnn14": "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
    "mn04": "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
}


@pytest.mark.parametrize("backbone", LOADERS)
def test_another_sha256_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str
) -> None:
    path = panns_file(tmp_path, panns_like())
    monkeypatch.setattr(torch, "load", None)
    for load in (LOADERS[backbone], lambda path: load_start(backbone, path)):
        with pytest.raises(CheckpointError, match=rf"the file with sha256 {KNOWN[backbone]}, got"):
            load(path)
        with pytest.raises(CheckpointError, match=r"nowhere\.pt: No such file"):
            load(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("load", LOADERS.values())
def test_a_known_sha256_is_opened(tmp_path: Path, load: Callable[..., AudioSetStart]) -> None:
    torch.save({"model": {}}, tmp_path / "a.pt")
    digest = hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    with pytest.raises(CheckpointError, match=r"a\.pt is not .* is missing"):
        load(tmp_path / "a.pt", sha256=digest)


def test_the_loader_of_each_backbone() -> None:
    assert {"cnn14": load_panns, "mn04": load_efficientat} == LOADERS
    assert set(LOADERS) == set(BACKBONES)
    with pytest.raises(CheckpointError, match="backbone 'mn10'; choose from cnn14, mn04"):
        load_start("mn10", "weights.pt")


@pytest.mark.parametrize("load", LOADERS.values())
def test_files_that_cannot_be_opened_safely(
    tmp_path: Path, load: Callable[..., AudioSetStart]
) -> None:
    path = tmp_path / "other.pt"
    path.write_bytes(b"garbage" * 99)
    with pytest.raises(CheckpointError, match=r"other\.pt holds no weights .* safely$"):
        load(path, sha256=None)
    torch.save({"path": Path("x")}, path)  # an object, which only an unsafe load would make
    with pytest.raises(CheckpointError, match=r"other\.pt holds no weights .* safely$"):
        load(path, sha256=None)
    torch.save({"model": panns_like()}, path)
    for content in (path.read_bytes()[:-99], b""):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"other\.pt is damaged"):
            load(path, sha256=None)


# --- EfficientAT's


@pytest.fixture(scope="module")
def real(shared: Path) -> AudioSetStart:
    return load_efficientat(shared / "weights" / "mn04_as" / "mn04_as_mAP_432.pt")


def upstream(shared: Path) -> dict[str, Tensor]:
    path = shared / "weights" / "mn04_as" / "mn04_as_mAP_432.pt"
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def test_files_that_are_no_mn04(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    for content in ({"model": torch.zeros(1)}, [1, 2], {"classifier.5.weight": torch.zeros(2)}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=r"other\.pt is not EfficientAT's mn04"):
            load_efficientat(path, sha256=None)


def test_the_load_is_strict(shared: Path, tmp_path: Path) -> None:
    """EfficientAT's own loader tries again without strictness and goes on with random layers."""
    path = tmp_path / "almost.pt"
    whole = upstream(shared)

    def refused(weights: dict[str, Tensor], words: str) -> None:
        torch.save(weights, path)
        with pytest.raises(CheckpointError, match=rf"almost\.pt.* mn04: {words}"):
            load_efficientat(path, sha256=None)

    names = ("features.0.0.weight", "features.4.block.2.conc_se_layers.0.fc1.bias",
             "features.16.1.running_var", "classifier.2.weight", "classifier.5.bias")  # fmt: skip
    for name in names:
        assert name in whole
        refused({k: v for k, v in whole.items() if k != name}, f"{name} is missing$")
        refused(whole | {name: torch.zeros(3, 5)}, rf"{name} has shape \(3, 5\), expected")
    refused(whole | {"more": torch.zeros(1)}, "more does not belong there$")
    torch.save(whole, path)  # the same weights in another file
    load_efficientat(path, sha256=None)


def test_the_trunk_is_that_of_the_file(shared: Path, real: AudioSetStart) -> None:
    theirs = upstream(shared)
    assert torch.equal(real.weight, theirs.pop("classifier.5.weight"))
    assert torch.equal(real.bias, theirs.pop("classifier.5.bias"))
    ours = real.trunk.state_dict()
    assert len(ours) == len(theirs)
    for mine, other in zip(ours.values(), theirs.values(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("head", HEADS)
def test_the_rows_of_all_20_tags_are_copied(real: AudioSetStart, head: str) -> None:
    torch.manual_seed(0)
    net = build("mn04", head, TREE)
    assert start_from_audioset(net, real, TREE.tags) == []
    for row, tag in enumerate(TREE.tags):
        number = audioset_classes()[tag]
        assert torch.equal(net.head.fine.weight[row], real.weight[number])
        assert net.head.fine.bias[row] == real.bias[number]
    for name, value in real.trunk.state_dict().items():
        assert torch.equal(net.backbone.state_dict()[name], value)


def test_the_classes_are_those_of_the_instruments(shared: Path) -> None:
    lines = (shared / "weights" / "mn04_as" / "class_labels_indices.csv").read_text("utf-8")
    names = {int(line.split(",")[0]): line.lower() for line in lines.splitlines()[1:]}
    called = {
        "bass": "bass guitar", "cymbals": "cymbal", "drums": "drum", "mallet_percussion": "mallet",
        "voice": "singing", "violin": "violin, fiddle",
    }  # fmt: skip
    assert set(audioset_classes()) == set(TREE.tags)
    for tag, number in audioset_classes().items():
        assert called.get(tag, tag) in names[number]


def test_a_tag_that_audioset_does_not_have_starts_at_random(real: AudioSetStart) -> None:
    tree = Taxonomy("", ("kazoo", "piano"), {"all": ("kazoo", "piano")})
    torch.manual_seed(0)
    net = build("mn04", "gmp", tree)
    before = net.head.fine.weight[0].detach().clone()
    assert start_from_audioset(net, real, tree.tags) == ["kazoo"]
    assert torch.equal(net.head.fine.weight[0], before)
    assert torch.equal(net.head.fine.weight[1], real.weight[audioset_classes()["piano"]])
    # a copy: to train the network leaves the start as it was
    with torch.no_grad():
        net.backbone.embed.weight.zero_()
    assert real.trunk.embed.weight.abs().max() > 0


def test_weights_of_another_backbone_are_refused(real: AudioSetStart) -> None:
    class Other(torch.nn.Module):
        spec = CNN14_16K

    net = InstrumentNet(Other(), torch.nn.Linear(1, 1))
    with pytest.raises(CheckpointError, match="those of MobileNet, the network has a Other"):
        start_from_audioset(net, real, TREE.tags)
