"""Any data set by its path, its labels in the columns of a taxonomy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import OPENMIC
from timbretree.annotations import AnnotationError
from timbretree.datasets import read_dataset
from timbretree.openmic import read_openmic
from timbretree.tables import read_table
from timbretree.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def mini(mini_openmic: Callable[..., Path]) -> Path:
    return mini_openmic(train=6, test=3, seconds=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_labels_stay_with_their_tags_whatever_the_taxonomy(mini: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    tags = tuple(random.permutation([*OPENMIC, "harp", "bagpipe"]).tolist())
    tree = Taxonomy("mine", tags, {"all": tuple(random.permutation(tags).tolist())})
    official, found = read_openmic(mini), read_dataset(mini, tree)
    assert found.tags == tags
    assert found.files == official.files
    assert (found.splits, found.artists) == (official.splits, official.artists)
    for column, tag in enumerate(tags):
        if tag in OPENMIC:
            place = OPENMIC.index(tag)
            for ours, theirs in zip(found.labels, official.labels, strict=True):
                np.testing.assert_array_equal(ours[:, column], theirs[:, place])
        else:
            assert not found.labels.mask[:, column].any()


def test_every_built_in_taxonomy_fits_openmic(mini: Path) -> None:
    for name in ("tone7", "hornbostel_sachs"):
        tree = Taxonomy.load(name)
        found = read_dataset(str(mini), tree)
        assert found.tags == tree.tags
        assert found.labels.mask.any(axis=0).all()


def test_a_taxonomy_that_lacks_a_tag_of_the_data_set(mini: Path, toy_table: Path) -> None:
    tree = Taxonomy("mine", ("banjos", *OPENMIC[2:]), {"all": ("banjos", *OPENMIC[2:])})
    with pytest.raises(AnnotationError, match="tag 'accordion' is not in the taxonomy 'mine'"):
        read_dataset(mini, tree)
    tags = ("accordion", "banjos", *OPENMIC[2:])
    with pytest.raises(AnnotationError, match=r"tag 'banjo' .*; did you mean 'banjos'\?"):
        read_dataset(mini, Taxonomy("mine", tags, {"all": tags}))
    with pytest.raises(AnnotationError, match="column 'whistle' is no tag of the taxonomy"):
        read_dataset(toy_table, Taxonomy("mine", ("hum",), {"all": ("hum",)}))


def test_a_table_is_read_as_one(toy_table: Path, tmp_path: Path) -> None:
    tree = Taxonomy("mine", ("whistle", "hum"), {"all": ("hum", "whistle")})
    text = toy_table.read_text("utf-8").replace("file,", "by,file,")
    rows = text.replace("\n", "\nme,").removesuffix("me,")
    (tmp_path / "by.csv").write_text(rows, "utf-8")
    found = read_dataset(tmp_path / "by.csv", tree, audio=tmp_path / "sound", artist="by")
    wanted = read_table(tmp_path / "by.csv", tree.tags, audio=tmp_path / "sound", artist="by")
    assert (found.files, found.splits) == (wanted.files, wanted.splits)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert found.files[3] == tmp_path / "sound" / "3.wav"
    assert found.artists == ("me",) * 10
    assert found.labels.target[0].tolist() == [False, True]


def test_paths_that_are_no_data_set(tmp_path: Path, toy_tree: Taxonomy, mini: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no OpenMIC-2018, which has .*\.csv in it; of a "):
        read_dataset(tmp_path, toy_tree)
    with pytest.raises(AnnotationError, match=r"nowhere\.csv: .*No such file"):
        read_dataset(tmp_path / "nowhere.csv", toy_tree)
    for options in ({"audio": tmp_path}, {"artist": "album_id"}):
        with pytest.raises(AnnotationError, match="for a csv file only"):
            read_dataset(mini, Taxonomy.load("tone7"), **options)
