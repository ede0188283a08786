"""Tables of labels: what is in them, and where exactly one is wrong."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("file;piano\na;1\n", "it has file;piano; its columns are parted by semicolons"),
        ("file\tpiano\na\t1\n", "its columns are parted by tabs, save it with commas"),
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
        ("file,pinao\na,1\n", r"did you mean 'piano'\?"),
        ("file,piano\na,1\nb,0\na,1\n", "row 4, column 'file': a has row 2 already"),
        ("file,piano\na,1\n./a,\n", "row 3, column 'file': a has row 2 already"),
        ("file,tag,label\na,pinao,1\n", "row 2, column 'tag': 'pinao' is no tag of .*piano, vio"),
        ("file,tag,label\na,pinao,1\n", r"did you mean 'piano'\?"),
        ("file,tag,label\na,,1\n", "row 2, column 'tag' is empty"),
        ("file,tag,label\n,piano,1\n", "row 2, column 'file' is empty"),
        ("file,tag,label\na,piano,x\n", "row 2, column 'label': expected 1, 0 or nothing, got 'x'"),
        ("file,tag,label\na,piano\n", "row 2, column 'label': .* got no cell"),
        ("file,tag,label,piano\na,piano,1,1\n", "column 'piano' is no tag"),
        (
            "file,tag,label\na,piano,1\na,voice,0\nb,piano,0\na,piano,0\n",
            "row 5, column 'label' says 0 of a and 'piano', but row 2 says 1",
        ),
        (
            "file,tag,label,split\na,piano,1,train\nb,voice,0,test\na,voice,0,test\n",
            "row 4, column 'split' says test of a, but row 2 says train",
        ),
        ("file,tag,label,split\na,piano,1,dev\n", "row 2, column 'split': expected one of"),
    ],
)
def test_faults_are_named_with_row_and_column(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "labels.csv") in str(caught.value)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"labels\.csv: expected text in UTF-8"):
        read(tmp_path, "file,piano\nä.wav,1\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match=r"nowhere\.csv: .*No such file"):
        read_table(tmp_path / "nowhere.csv", TAGS)
    with pytest.raises(AnnotationError, match="directory"):
        read_table(tmp_path, TAGS)


def test_empty_cells_after_the_last_column_do_no_harm(tmp_path: Path) -> None:
    assert len(read(tmp_path, "file,piano\na.wav,1,,\n")) == 1


def write_long(wide: list[tuple[str, str, str, list[str]]]) -> list[str]:
    return [
        f"{file},{split},{by},{tag},{label}"
        for file, split, by, labels in wide
        for tag, label in zip(TAGS, labels, strict=True)
    ]


CLIPS = st.lists(
    st.tuples(
        st.sampled_from(["train", "valid", "test"]),
        st.sampled_from(["ann", "bob"]),
        st.lists(st.sampled_from(["1", "0", ""]), min_size=len(TAGS), max_size=len(TAGS)),
    ),
    min_size=1,
    max_size=6,
)


@given(CLIPS, st.randoms(use_true_random=False))
def test_both_forms_say_the_same_whatever_the_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory,
    clips: list[tuple[str, str, list[str]]],
    random: Random,
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    wide = [(f"{number}.wav", *clip) for number, clip in enumerate(clips)]
    long = write_long(wide)
    long += [row for row in long if random.random() < 0.3]  # saying it twice does no harm
    random.shuffle(long)
    mixed = random.sample(wide, len(wide))
    texts = {
        "wide.csv": ["file,split,by,piano,violin,voice"]
        + [",".join([file, split, by, *labels]) for file, split, by, labels in mixed],
        "long.csv": ["file,split,by,tag,label", *long],
    }
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines), "utf-8")
        found = read_table(folder / name, TAGS, artist="by")
        assert len(found) == len(clips)
        assert found.artists is not None
        for row, file in enumerate(found.files):
            split, by, labels = clips[int(file.stem)]
            assert file == folder / f"{file.stem}.wav"
            assert (found.splits[row], found.artists[row]) == (split, by)
            assert found.labels.mask[row].tolist() == [label != "" for label in labels]
            plays = found.labels.target[row] & found.labels.mask[row]
            assert plays.tolist() == [label == "1" for label in labels]


def test_the_long_form(tmp_path: Path) -> None:
    found = read(
        tmp_path, "tag,label,file\nvoice,1,b.wav\npiano,,a.wav\nvoice,,b.wav\npiano,0,b.wav"
    )
    assert found.files == (tmp_path / "b.wav", tmp_path / "a.wav")  # as they are first named
    assert found.splits == ("train", "train")
    assert found.artists is None
    np.testing.assert_array_equal(found.labels.mask, [[True, False, True], [False] * 3])
    np.testing.assert_array_equal(found.labels.target[0], [False, False, True])


def test_a_folder_of_audio_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,piano\na.wav,1\n/b.wav,1\n", "utf-8")
    found = read_table(tmp_path / "labels.csv", TAGS, audio=tmp_path / "sound")
    assert found.files == (tmp_path / "sound" / "a.wav", Path("/b.wav"))
    assert read_table(str(tmp_path / "labels.csv"), TAGS, audio="x").files[0] == Path("x/a.wav")


def test_a_column_of_artists(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("album,file,piano\n1st,a,1\n 2nd ,b,0\n1st,c,\n", "utf-8")
    assert read_table(path, TAGS, artist="album").artists == ("1st", "2nd", "1st")
    with pytest.raises(AnnotationError, match="column 'album' is no tag"):
        read_table(path, TAGS)
    with pytest.raises(AnnotationError, match="row 1 names no column 'band', it has album, file"):
        read_table(path, TAGS, artist="band")
    path.write_text("album,file,piano\n1st,a,1\n,b,0\n", "utf-8")
    with pytest.raises(AnnotationError, match="row 3, column 'album' is empty"):
        read_table(path, TAGS, artist="album")
    path.write_text("by,file,tag,label\nx,a,piano,1\nx,b,piano,1\ny,a,voice,1\n", "utf-8")
    with pytest.raises(AnnotationError, match="row 4, column 'by' says y of a, but row 2 says x"):
        read_table(path, TAGS, artist="by")
