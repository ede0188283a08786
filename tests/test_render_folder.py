"""The files of a rendered data set: OpenMIC's, and the truth."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from test_render_labels import TAGS, clips, labelled
from timbretree.annotations import AnnotationError
from timbretree.openmic import audio_path, is_official, read_openmic
from timbretree.render.labelling.folder import COLUMNS, Track, make_keys, write_folder
from timbretree.render.labelling.labeller import Observed, complete, label
from timbretree.render.labelling.truth import FLOOR, SECONDS, Truth, read_truth


def tracks(number: int) -> tuple[Track, ...]:
    return tuple(Track(f"No. {n}", f"Band {n // 3}", "Anon.", ("Folk",)) for n in range(number))


def test_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    truth, _ = clips(50)
    silent = truth.seconds.copy(), truth.loudness.copy()
    silent[0][7], silent[1][7] = 0, -np.inf
    truth = replace(truth, seconds=silent[0], loudness=silent[1])
    truth.write(tmp_path / "truth.csv")
    found = read_truth(tmp_path / "truth.csv", TAGS)
    assert (found.keys, found.tags) == (truth.keys, truth.tags)
    np.testing.assert_array_equal(found.seconds, truth.seconds)
    np.testing.assert_array_equal(found.loudness, truth.loudness)
    np.testing.assert_array_equal(found.present, truth.present)
    assert found.sounds is not None
    assert truth.sounds is not None
    np.testing.assert_array_equal(found.sounds[truth.sounding], truth.sounds[truth.sounding])
    lines = (tmp_path / "truth.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + truth.sounding.sum() + 1  # the silent clip has a row too


def test_present_takes_time_and_loudness() -> None:
    seconds = np.array([[SECONDS, SECONDS - 0.001, 9, 0]])
    loudness = np.array([[-3, -3, FLOOR, -np.inf]])
    truth = Truth(("000007_0",), TAGS[:4], seconds, loudness)
    assert truth.present.tolist() == [[True, False, False, False]]
    assert truth.sounding.tolist() == [[True, True, True, False]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("7_0,piano,3,-6,1,x", "row 3, column 'sample_key': expected a key"),
        ("000014_0,pian,3,-6,1,x", "'pian' is none of the tags; did you mean 'piano'"),
        ("000014_0,,3,-6,1,x", "column 'instrument' is empty"),
        ("000014_0,piano,long,-6,1,x", "column 'seconds': expected a number, got 'long'"),
        ("000014_0,piano,0,-6,0,x", "column 'seconds': expected more than 0"),
        ("000014_0,piano,3,-inf,0,x", "column 'loudness_db': expected a number, got '-inf'"),
        ("000014_0,piano,3,-6,yes,x", "column 'present': expected 1 or 0, got 'yes'"),
        ("000014_0,piano,3,-6,0,x", "column 'present': 0, but present means 1.0 seconds or more"),
        ("000007_0,piano,3,-6,1,x", "row 2 is of this clip and tag too"),
    ],
)
def test_truth_that_can_t_be_read(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "truth.csv"
    head = "sample_key,instrument,seconds,loudness_db,present,sound"
    path.write_text(f"{head}\n000007_0,piano,3,-6,1,x\n{row}\n", "utf-8")
    with pytest.raises(AnnotationError) as error:
        read_truth(path, TAGS)
    assert message in str(error.value)


def test_truth_needs_arrays_that_fit() -> None:
    zeros, keys = np.zeros((2, 20)), ("000007_0", "000014_0")
    with pytest.raises(ValueError, match="got arrays of the shapes"):
        Truth(keys, TAGS[:3], zeros, zeros)
    with pytest.raises(ValueError, match="a key comes twice"):
        Truth((keys[0], keys[0]), TAGS, zeros, zeros)
    with pytest.raises(ValueError, match="seconds"):
        Truth(keys, TAGS, zeros - 1, zeros)
    with pytest.raises(ValueError, match="loudness"):
        Truth(keys, TAGS, zeros, zeros * np.nan)


@pytest.mark.parametrize("labels", [label, complete])
def test_the_folder_is_read_as_openmic(tmp_path: Path, labels: Callable[..., Observed]) -> None:
    truth, splits = clips(400)
    rng = {"splits": splits, "rng": np.random.default_rng(0)} if labels is label else {}
    observed = labels(truth, **rng)
    write_folder(tmp_path, truth, splits, observed, tracks(400))
    found = read_openmic(tmp_path)
    assert found.tags == TAGS
    assert found.splits == splits
    assert found.files == tuple(audio_path(tmp_path, key) for key in truth.keys)
    np.testing.assert_array_equal(found.labels.mask, observed.labels.mask)
    np.testing.assert_array_equal(found.labels.target, observed.labels.target)
    assert found.artists is not None
    assert len(set(found.artists)) == 134
    assert not is_official(found)
    np.testing.assert_array_equal(read_truth(tmp_path / "truth.csv", TAGS).present, truth.present)
    with np.load(tmp_path / "openmic-2018.npz", allow_pickle=False) as arrays:
        assert arrays["sample_key"].tolist() == list(truth.keys)
        assert arrays["Y_true"].shape == arrays["Y_mask"].shape == (400, 20)
        assert (arrays["Y_true"][~arrays["Y_mask"]] == 0.5).all()
    responses = tmp_path / "openmic-2018-individual-responses.csv"
    assert responses.exists() == (labels is label)
    if labels is label:
        assert len(responses.read_text("utf-8").splitlines()) == 1 + observed.responses.sum()


def test_the_same_folder_has_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("one", "other"):
        truth, splits, observed = labelled(400)
        write_folder(tmp_path / name, truth, splits, observed, tracks(400))
        paths = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        files.append({path.relative_to(tmp_path / name): path.read_bytes() for path in paths})
    assert files[0] == files[1]
    assert len(files[0]) == 8


def test_columns_are_openmic_s(shared: Path, tmp_path: Path) -> None:
    truth, splits, observed = labelled(20)
    write_folder(tmp_path, truth, splits, observed, tracks(20))
    for theirs in sorted((shared / "openmic" / "fixtures").glob("openmic-2018-*.csv")):
        with theirs.open(encoding="utf-8") as one, (tmp_path / theirs.name).open() as other:
            assert one.readline() == other.readline()
    assert COLUMNS[-2:] == ("sample_key", "start_time")
    official_map = (shared / "openmic" / "class-map.json").read_text("utf-8")
    assert (tmp_path / "class-map.json").read_text("utf-8").split() == official_map.split()


def test_what_can_t_be_a_folder(tmp_path: Path) -> None:
    truth, splits, observed = labelled(20)
    with pytest.raises(ValueError, match="19 tracks"):
        write_folder(tmp_path / "a", truth, splits, observed, tracks(19))
    with pytest.raises(ValueError, match="train or test, got 'valid'"):
        write_folder(tmp_path / "a", truth, ("valid",) * 20, observed, tracks(20))
    with pytest.raises(ValueError, match="has no artist"):
        write_folder(tmp_path / "a", truth, splits, observed, (Track("x", " "), *tracks(19)))
    assert not (tmp_path / "a").exists()


def test_keys() -> None:
    keys = make_keys(20_000)
    assert len(set(keys)) == 20_000
    assert list(keys) == sorted(keys)
    assert make_keys(10) == keys[:10]
    assert 100 <= len({key[:3] for key in keys}) <= 200  # folders; OpenMIC has 156
    assert audio_path("out", keys[0]) == Path("out/audio/000/000007_0.ogg")
    with pytest.raises(ValueError, match="0 to 142857 clips"):
        make_keys(142_858)
