"""Model files: what is wrong with one is said, and nothing wrong is run."""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from timbretree.calibration import UNCALIBRATED, Calibrated, Calibration
from timbretree.modelfile import KEY, SHIPPED, ModelFile, ModelFileError, ModelInfo, read_info
from timbretree.onnxbytes import MalformedError, OnnxBytes
from timbretree.taxonomy import Taxonomy

Change = Callable[[onnx.ModelProto], None]


def changed(folder: Path, change: Change) -> Path:
    """The shipped model file with something else in it."""
    model = onnx.load(SHIPPED)
    change(model)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


NOTHING = {"a": [], "b": [], "c": []}
PLAIN = {
    "tag_absent_below": [], "group_absent_below": [],
    "tag_calibration": NOTHING, "group_calibration": NOTHING,
}  # fmt: skip
"""Metadata of a model that is not calibrated."""


def metadata(**other: object) -> Change:
    """Replace entries of the metadata."""

    def change(model: onnx.ModelProto) -> None:
        entry = next(each for each in model.metadata_props if each.key == KEY)
        entry.value = json.dumps(json.loads(entry.value) | other)

    return change


def test_the_shipped_model_opens_and_runs() -> None:
    model = ModelFile(SHIPPED)
    heard = model.raw(np.zeros((2, 1000, 128), np.float32))
    assert heard.fine.shape == (2, 20)
    assert heard.coarse.shape == (2, 7)
    assert heard.attention.shape == (2, 20, 7)
    np.testing.assert_allclose(heard.attention.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        np.einsum("bfc,bf->bc", heard.attention, heard.fine), heard.coarse, atol=1e-5
    )


def test_the_shipped_model_is_small_and_says_what_it_is() -> None:
    info = read_info(SHIPPED)
    assert SHIPPED.stat().st_size < 6_000_000
    assert info == ModelFile(SHIPPED).info
    assert info.taxonomy == Taxonomy.load("tone7")
    assert len(info.provenance) > 100
    assert "MIT" in info.licence
    assert info.scores
    assert (SHIPPED.parent / "shipped.LICENSES.txt").exists()


def test_the_shipped_model_tells_nothing_of_where_it_was_made() -> None:
    content = SHIPPED.read_bytes()
    for trace in (b".py", b"site-packages", b"stack_trace", b"/src/"):
        assert trace not in content


def test_metadata_round_trip() -> None:
    info = dataclasses.replace(read_info(SHIPPED), scores={"mAP": 0.5}, name="Ü")
    assert ModelInfo.from_json(info.to_json()) == info


def calibrated(info: ModelInfo) -> ModelInfo:
    """The same with a map of its own for each tag, and room to be unsure."""
    numbers = [0.5 + n / 10 for n in range(20)]
    return dataclasses.replace(
        info,
        tag_absent_below=tuple(threshold / 2 for threshold in info.tag_thresholds),
        tag_calibration=Calibration(numbers, numbers[::-1], numbers),
        group_calibration=Calibration([0.5] * 7, [2] * 7, [-1] * 7),
    )


def test_schema_2_round_trip_and_what_is_run_is_calibrated(tmp_path: Path) -> None:
    info = calibrated(read_info(SHIPPED))
    data = json.loads(info.to_json())
    assert data["schema"] == 2
    assert ModelInfo.from_json(info.to_json()) == info
    model = ModelFile(changed(tmp_path, metadata(**data)))
    assert model.info == info
    mel = np.random.default_rng(0).normal(0, 1, (3, 200, 128)).astype(np.float32)
    raw, said, before = model.raw(mel), model.run(mel), ModelFile(SHIPPED).raw(mel)
    for one, other in zip(raw[:3], before[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(said.fine, info.tag_calibration.apply(raw.fine))
    np.testing.assert_array_equal(said.coarse, info.group_calibration.apply(raw.coarse))
    np.testing.assert_array_equal(said.attention, raw.attention)
    assert np.abs(said.fine - raw.fine).max() > 0.01
    # the weighted sum of the tags is the family before calibration
    together = np.einsum("bfc,bf->bc", raw.attention, raw.fine)
    np.testing.assert_allclose(together, raw.coarse, atol=1e-5)


def test_a_file_of_schema_1_is_taken_at_its_word(tmp_path: Path) -> None:
    data = json.loads(read_info(SHIPPED).to_json())
    for name in UNCALIBRATED:
        del data[name]
    old = ModelInfo.from_json(json.dumps(data | {"schema": 1}))
    assert Calibrated.of(old) == Calibrated(old.tag_thresholds, old.group_thresholds)
    assert Calibrated.of(old).tag_bands.absent_below == old.tag_thresholds
    for name in UNCALIBRATED:
        whole = json.loads(old.to_json())
        del whole[name]
        with pytest.raises(ModelFileError, match=f"lacks something.*{name}"):
            ModelInfo.from_json(json.dumps(whole))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tag_absent_below": [0.1] * 19}, "20 tags but there are 19 numbers in absent_below"),
        ({"tag_absent_below": None}, "ill-formed"),
        ({"group_absent_below": [1.0] * 7}, "woodwind is absent below 1.0, which is not between"),
        ({"group_calibration": {"a": [1], "b": [1], "c": [0]}}, "7 groups but 1 are calibrated"),
        ({"tag_calibration": {"a": [1], "b": [1]}}, "got 1, 1 and 0"),
        ({"tag_calibration": {"a": [-1], "b": [1], "c": [0]}}, "a and b above 0"),
        ({"tag_calibration": {"a": 1, "b": 1, "c": 0}}, "ill-formed"),
        ({"tag_calibration": {"d": []}}, "ill-formed"),
        ({"tag_calibration": None}, "ill-formed"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(change: dict[str, object], said: str) -> None:
    data = json.loads(calibrated(read_info(SHIPPED)).to_json())
    with pytest.raises(ModelFileError, match=said):
        ModelInfo.from_json(json.dumps(data | change))


def cut_metadata(model: onnx.ModelProto) -> None:
    entry = next(each for each in model.metadata_props if each.key == KEY)
    entry.value = entry.value[:-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (metadata(schema=99), "schema is 99"),
        (metadata(schema=None), "schema is None"),
        (metadata(tag_thresholds=[0.5] * 19), "20 tags but there are 19 thresholds"),
        (metadata(group_thresholds=[1.5] * 7), "threshold of its groups is not between 0 and 1"),
        (metadata(group_thresholds=[float("nan")] * 7), "not between 0 and 1"),
        (metadata(seconds=0), "windows last 0"),
        (metadata(seconds=5, step=6), "windows begin every 6"),
        (metadata(melspec={"rate": 1}), "ill-formed"),
        (metadata(surprise=1), "ill-formed"),
        (metadata(taxonomy={"groups": {"a": ["b"], "b": ["a"]}}), "taxonomy is wrong"),
        (
            metadata(
                taxonomy=Taxonomy.load("strings6").to_dict(), group_thresholds=[0.5] * 6, **PLAIN
            ),
            r"asks for coarse of shape \[6\], its network gives \[7\]",
        ),
        (
            metadata(
                taxonomy={"groups": {"a": ["x"]}}, tag_thresholds=[0], group_thresholds=[0], **PLAIN
            ),
            r"asks for fine of shape \[1\]",
        ),
        (lambda model: model.ClearField("metadata_props"), "no 'timbretree' metadata"),
        (cut_metadata, "its metadata is not JSON"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(tmp_path: Path, change: Change, said: str) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(ModelFileError, match=said) as caught:
        ModelFile(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("raw", [True, False])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float, raw: bool) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        tensor = max(model.graph.initializer, key=lambda each: int(np.prod(each.dims)))
        values = numpy_helper.to_array(tensor).copy()
        values.flat[7] = bad
        name = tensor.name
        if raw:
            tensor.CopyFrom(numpy_helper.from_array(values, name))
        else:
            tensor.CopyFrom(onnx.helper.make_tensor(name, 1, values.shape, values.ravel()))

    with pytest.raises(ModelFileError, match="not all finite"):
        ModelFile(changed(tmp_path, spoil))


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load(SHIPPED)
    path = tmp_path / "outside.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelFileError, match="in another file"):
        ModelFile(path)


def test_another_input_is_refused(tmp_path: Path) -> None:
    def widen(model: onnx.ModelProto) -> None:
        entry = next(each for each in model.metadata_props if each.key == KEY)
        data = json.loads(entry.value)
        data["melspec"]["mels"] = 64
        entry.value = json.dumps(data)

    with pytest.raises(ModelFileError, match=r"expected one input mel \(clips, frames, 64\)"):
        ModelFile(changed(tmp_path, widen))


def without(*names: str) -> Change:
    """Leave inputs or outputs out."""

    def change(model: onnx.ModelProto) -> None:
        for ports in (model.graph.input, model.graph.output):
            left = [each for each in ports if each.name not in names]
            del ports[:]
            ports.extend(left)

    return change


def deep_embedding(model: onnx.ModelProto) -> None:
    """What is called the embedding is the moments."""
    for node in model.graph.node:
        for ports in (node.input, node.output):
            ports[:] = ["former" if each == "embedding" else each for each in ports]
    model.graph.node.append(onnx.helper.make_node("Identity", ["moments"], ["embedding"]))
    ports = {each.name: each for each in model.graph.output}
    ports["embedding"].type.CopyFrom(ports["moments"].type)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("spans"), "no optional inputs but spans"),
        (without("coarse"), "expected outputs fine, coarse, attention"),
        (without("moments"), "past .* to fit moments"),
        (deep_embedding, "expected an embedding"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, change: Change, said: str) -> None:
    with pytest.raises(ModelFileError, match=said):
        ModelFile(changed(tmp_path, change))


def test_a_file_that_does_not_slide_hears_each_span_for_itself(tmp_path: Path) -> None:
    file = ModelFile(changed(tmp_path, without("spans", "past")))
    assert not file.slides
    assert ModelFile(SHIPPED).slides
    mels = file.info.melspec.mels
    mel = np.random.default_rng(0).normal(0, 1, (2, 400, mels)).astype(np.float32)
    spans = [(0, 200), (150, 400), (200, 400)]
    told = file.listen_raw(mel, np.array(spans, np.float32))
    assert told.moments is None
    for clip in range(2):
        for number, (first, last) in enumerate(spans):
            alone = file.listen_raw(mel[clip : clip + 1, first:last])
            row = clip * len(spans) + number
            np.testing.assert_allclose(
                told.prediction.fine[row], alone.prediction.fine[0], atol=1e-5
            )
            np.testing.assert_allclose(told.embedding[row], alone.embedding[0], atol=1e-4)


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -1])
def test_a_cut_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(SHIPPED.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="no model file that can be used"):
        ModelFile(path)


def test_no_file_and_no_model(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello " * 100)
    with pytest.raises(ModelFileError, match="No such file"):
        ModelFile(tmp_path / "nowhere.onnx")
    for path in (tmp_path / "text.onnx", Path(__file__)):
        with pytest.raises(ModelFileError, match="no model file"):
            ModelFile(path)
        with pytest.raises(ModelFileError, match="no model file"):
            read_info(path)


def test_weights_are_read_as_the_onnx_package_reads_them() -> None:
    ours = dict(OnnxBytes(SHIPPED.read_bytes()).weights())
    theirs = {
        each.name: numpy_helper.to_array(each)
        for each in onnx.load(SHIPPED).graph.initializer
        if each.data_type == onnx.TensorProto.FLOAT
    }
    assert ours.keys() == theirs.keys()
    assert sum(each.size for each in ours.values()) > 700_000
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values.ravel())


def message(number: int, inside: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    return bytes([number << 3 | 2, len(inside)]) + inside


NUMBER = bytes([1 << 3, 5])
"""Field 1 is the integer 5."""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (message(14, NUMBER), "a metadata entry is not text"),
        (message(14, message(1, b"\xff")), "a name in it is not text"),
        (b"\xff" * 11, "it is not an ONNX file"),
        (message(7, message(5, bytes([8 << 3, 5]))), "name or values are a number"),
        (message(7, message(5, bytes([2 << 3, 1]) + message(9, b"abc"))), "are cut off"),
    ],
)
def test_bytes_that_are_no_model_are_refused(data: bytes, said: str) -> None:
    model = OnnxBytes(data)
    with pytest.raises(MalformedError, match=said):
        dict(model.weights(), **model.metadata())


def test_fields_of_fixed_length_are_passed_over() -> None:
    entry = message(14, message(1, b"name") + message(2, b"value"))
    for fixed in (bytes([1 << 3 | 5]) + bytes(4), bytes([1 << 3 | 1]) + bytes(8)):
        assert OnnxBytes(fixed + entry).metadata() == {"name": "value"}
        with pytest.raises(MalformedError, match="cut off"):
            OnnxBytes(fixed[:-1]).metadata()


def test_random_bytes_never_crash_the_reader() -> None:
    rng = np.random.default_rng(0)
    whole = bytearray(SHIPPED.read_bytes())
    for _ in range(30):
        for position in rng.integers(0, 400, 8):
            whole[position] = rng.integers(256)
        with contextlib.suppress(MalformedError):
            OnnxBytes(bytes(whole)).metadata()
