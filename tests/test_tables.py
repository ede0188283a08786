"""Tables of labels: what is in them, and where exactly one is wrong."""

from pathlib import Path

import numpy as np
import pytest

from timbretree.annotations import AnnotationError, Annotations
from timbretree.tables import read_table

TAGS = ("piano", "violin", "voice")


def read(folder: Path, text: str | bytes) -> Annotations:
    path = folder / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, TAGS)


def test_a_good_table(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "violin,file,split,piano\n"
        "1,a.wav,train,0\n"
        ",sub/b.mp3,valid, 1 \n"
        '0,"c, d.ogg",test,\n'
        "0,/elsewhere/e.wav,train,1\n",
    )
    assert found.tags == TAGS
    assert len(found) == 4
    assert found.files == (
        tmp_path / "a.wav",
        tmp_path / "sub" / "b.mp3",
        tmp_path / "c, d.ogg",
        Path("/elsewhere/e.wav"),
    )
    assert found.splits == ("train", "valid", "test", "train")
    heard = [[1, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]  # nobody was asked for the voice
    plays = [[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]]
    np.testing.assert_array_equal(found.labels.mask, np.array(heard, bool))
    np.testing.assert_array_equal(found.labels.target & found.labels.mask, np.array(plays, bool))


def test_without_a_column_split_all_is_for_training(tmp_path: Path) -> None:
    assert read(tmp_path, "file,piano\na.wav,1\nb.wav,0\n").splits == ("train", "train")


@pytest.mark.parametrize(
    "text",
    [
        "\ufefffile,piano\nä.wav,1\n",  # as Excel begins a file
        "file,piano\r\nä.wav,1\r\n",
        'file,piano\n"ä.wav","1"',
    ],
)
def test_what_spreadsheets_write(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert found.files == (tmp_path / "ä.wav",)
    np.testing.assert_array_equal(found.labels.target[0], [True, False, False])
    np.testing.assert_array_equal(found.labels.mask[0], [True, False, False])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,piano\na,1\n", "row 1 names no column 'file', it has name, piano"),
        ("", "row 1 names no column 'file'"),
        ("file,piano\n", "no rows below the names"),
        ("file,piano,piano\na,1,0\n", "row 1 has the column 'piano' twice"),
        ("file,piano,pinao\na,1,0\n", "row 1, column 'pinao' is no tag of .*piano, violin"),
        ("file,piano\na,1\nb,2\n", "row 3, column 'piano': expected 1, 0 or nothing, got '2'"),
        ("file,piano,voice\na,1,0\nb,1,yes\n", "row 3, column 'voice': .* got 'yes'"),
        ("file,piano,voice\na,1\n", "row 2, column 'voice': .* got no cell"),
        ("file,piano\na,-1\n", "row 2, column 'piano': .* got '-1'"),
        ("file,piano\na,0.7\n", "row 2, column 'piano': .* got '0.7'"),
        ("file,piano\na,1\n,1\n", "row 3, column 'file' is empty"),
        ("file,split,piano\na,train,1\nb,dev,1\n", "row 3, column 'split': .* got 'dev'"),
        ("piano,file,split\n1,a\n", "row 2, column 'split': .* got None"),
        ("file,piano\n\n\na,2\n", "row 4, column 'piano'"),
        ("file,piano\na,1,0\n", "row 2 has more cells than row 1"),
    ],
)
def test_faults_are_named_with_row_and_column(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "labels.csv") in str(caught.value)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"labels\.csv: 'utf-8' codec"):
        read(tmp_path, "file,piano\nä.wav,1\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match=r"nowhere\.csv: .*No such file"):
        read_table(tmp_path / "nowhere.csv", TAGS)
    with pytest.raises(AnnotationError, match="directory"):
        read_table(tmp_path, TAGS)


def test_empty_cells_after_the_last_column_do_no_harm(tmp_path: Path) -> None:
    assert len(read(tmp_path, "file,piano\na.wav,1,,\n")) == 1
