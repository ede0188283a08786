"""The tables: csv and Parquet say the same, and what others read of them is what was heard."""

import csv
import io
import os
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet
import pytest

from made_tags import HOSTILE, KINDS, either, every, failed, hear, in_doubt
from timbretree.bands import Bands
from timbretree.tags import Tags
from timbretree.taxonomy import Taxonomy
from timbretree.writers import WRITERS, as_csv, as_parquet
from timbretree.writers.table import Row

TONE = Taxonomy.load("tone7")


def table(tags: Tags, explain: bool = False) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(as_csv.write(tags, explain), newline=""))]


@pytest.fixture
def duet() -> Tags:
    """Two windows of ten seconds: a flute in both, drums that are unsure, a piano in the second."""
    tags = in_doubt(hear(TONE, 2, playing=("flute", "drums")), "drums")
    second = tags.windows[1].tags.copy()
    second[TONE.tags.index("piano")] = 0.75
    windows = tags.windows[0], replace(tags.windows[1], tags=second)
    bands = [Bands((0.6,) * n, (0.2,) * n) for n in (len(TONE.tags), len(TONE.groups))]
    return replace(tags, windows=windows, tag_bands=bands[0], group_bands=bands[1])


def test_csv_to_the_letter() -> None:
    tree = Taxonomy("two", ("flute", "drums"), {"woodwind": ("flute",), "percussion": ("drums",)})
    tags = in_doubt(hear(tree, 2, playing=("flute",)), "drums")
    assert as_csv.write(tags, False) == (
        "file,model,status,reason,scope,start,end,kind,name,family,probability,answer,plays\n"
        "song.flac,tiny,ok,,recording,0.0000,20.0000,tag,flute,woodwind,0.9000,present,20.0000\n"
        "song.flac,tiny,ok,,recording,0.0000,20.0000,tag,drums,percussion,0.0200,unsure,0.0000\n"
        "song.flac,tiny,ok,,recording,0.0000,20.0000,group,woodwind,,0.9000,present,20.0000\n"
        "song.flac,tiny,ok,,recording,0.0000,20.0000,group,percussion,,0.0200,absent,0.0000\n"
    )
    explained = as_csv.write(tags, True)
    assert explained.startswith(as_csv.write(tags, False))
    assert explained.endswith(
        "song.flac,tiny,ok,,window,10.0000,20.0000,group,percussion,,0.0200,absent,\n"
    )


def test_a_file_that_failed_has_one_row_that_says_why() -> None:
    (row,) = table(failed(), explain=True)
    assert {name: cell for name, cell in row.items() if cell} == {
        "file": "gone.wav",
        "model": "tiny",
        "status": "failed",
        "reason": "missing",
        "scope": "recording",
    }


def test_rows_say_how_long_each_plays_and_what_each_window_answers(duet: Tags) -> None:
    rows = table(duet, explain=True)
    whole = {row["name"]: row for row in rows if row["scope"] == "recording"}
    assert len(whole) == len(TONE.tags) + len(TONE.groups)
    assert [whole[name]["plays"] for name in ("flute", "piano", "organ")] == [
        "20.0000",
        "10.0000",  # absent over the whole, but not in its second window
        "0.0000",
    ]
    assert whole["drums"]["answer"] == "unsure"
    assert whole["piano"]["answer"] == "absent"
    assert whole["flute"]["family"] == "woodwind"
    assert whole["woodwind"] | {"family": "", "kind": "group"} == whole["woodwind"]
    windows = [row for row in rows if row["scope"] == "window"]
    assert len(windows) == 2 * len(whole)
    piano = [row for row in windows if row["name"] == "piano"]
    assert [(row["start"], row["answer"]) for row in piano] == [
        ("0.0000", "absent"),
        ("10.0000", "present"),
    ]


def test_families_within_families_are_named() -> None:
    rows = {row["name"]: row for row in table(KINDS["deep"])}
    assert rows["clarinet"]["family"] in rows
    assert rows[rows["clarinet"]["family"]]["family"] in rows


@every
@either
def test_every_csv_is_a_table_of_one_width(kind: str, explain: bool) -> None:
    written = as_csv.write(KINDS[kind], explain)
    rows = [*csv.reader(io.StringIO(written, newline=""), strict=True)]
    assert {len(row) for row in rows} == {len(Row._fields)}
    assert len(rows) == len(written.splitlines()), "no row goes over more than one line"


@pytest.mark.parametrize(
    ("file", "cell"),
    [
        ('a,"b".wav', 'a,"b".wav'),
        ("a\nb\tc.wav", "a\\nb\\tc.wav"),
        ("caf\udce9.wav", "caf\\udce9.wav"),
        ("=HYPERLINK(x).wav", "./=HYPERLINK(x).wav"),
        ("-a.wav", "./-a.wav"),
        ("+a.wav", "./+a.wav"),
        ("@a.wav", "./@a.wav"),
        ("\t=a.wav", "\\t=a.wav"),
        ("Dvořák/琴.wav", "Dvořák/琴.wav"),
    ],
)
def test_csv_holds_any_file_name_and_no_spreadsheet_runs_it(file: str, cell: str) -> None:
    (row,) = table(failed(file=file))
    assert row["file"] == cell


def test_no_name_is_a_formula() -> None:
    tree = Taxonomy.from_dict({"groups": {"@g": ["=1+1", "-t"]}})
    for row in table(hear(tree, 2, model="+m"), explain=True):
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_pandas_reads_the_csv(duet: Tags) -> None:
    frame = pandas.read_csv(io.StringIO(as_csv.write(duet, True)))
    assert tuple(frame.columns) == Row._fields
    heard = frame[
        (frame.scope == "recording") & (frame.answer == "present") & (frame.kind == "tag")
    ]
    assert [*heard.name] == ["flute"]
    assert frame.probability.dtype == frame.start.dtype == np.float64


@every
@either
def test_parquet_says_what_the_csv_says(kind: str, explain: bool) -> None:
    tags = KINDS[kind]
    written = pyarrow.parquet.read_table(io.BytesIO(as_parquet.write(tags, explain)))
    rows = table(tags, explain)
    assert written.column_names == [*Row._fields]
    assert written.num_rows == len(rows)
    for ours, theirs in zip(written.to_pylist(), rows, strict=True):
        for name, cell in theirs.items():
            if isinstance(ours[name], float):
                assert f"{ours[name]:.4f}" == cell
            elif name not in ("file", "model", "name", "family"):  # whose letters are kept
                assert (ours[name] or "") == cell
    assert all(ours["file"] == tags.file for ours in written.to_pylist()) or "\udcff" in tags.file


def test_parquet_is_typed(duet: Tags) -> None:
    schema = pyarrow.parquet.read_schema(io.BytesIO(as_parquet.write(duet, False)))
    kinds = dict(zip(schema.names, schema.types, strict=True))
    numbers = {name: str(kind) for name, kind in kinds.items() if str(kind) != "string"}
    assert numbers == {
        "start": "double",
        "end": "double",
        "probability": "float",
        "plays": "double",
    }
    nothing = pyarrow.parquet.read_schema(io.BytesIO(as_parquet.write(failed(), True)))
    assert [str(kind) for kind in nothing.types] == [str(kind) for kind in kinds.values()]


def test_parquet_keeps_every_bit_and_every_letter(duet: Tags) -> None:
    odd = replace(duet, file="a\nb\u202e=.wav", tags=(replace(duet.tags[0], probability=1 / 3),))
    row = pyarrow.parquet.read_table(io.BytesIO(as_parquet.write(odd, False))).to_pylist()[0]
    assert row["file"] == odd.file
    assert row["probability"] == float(np.float32(1 / 3))
    row = pyarrow.parquet.read_table(io.BytesIO(as_parquet.write(failed(file=HOSTILE), False)))
    assert row["file"].to_pylist() == [HOSTILE.replace("\udcff", "\\udcff")]


def test_many_recordings_in_one_parquet_file(duet: Tags, tmp_path: Path) -> None:
    path = tmp_path / "all's well.parquet"
    as_parquet.write_all(path, [replace(duet, file=f"{n}.wav") for n in range(3)] + [failed()])
    assert os.listdir(tmp_path) == [path.name]
    columns = ["file", "plays"]
    wanted = [("name", "=", "flute"), ("probability", ">", 0.5)]
    found = pyarrow.parquet.read_table(path, columns=columns, filters=wanted).to_pylist()
    assert [tuple(row.values()) for row in found] == [(f"{n}.wav", 20.0) for n in range(3)]
    found = pyarrow.parquet.read_table(path, filters=[("status", "=", "failed")])
    assert found["reason"].to_pylist() == ["missing"]
    as_parquet.write_all(path, [])
    assert pyarrow.parquet.read_table(path).num_rows == 0


def test_a_parquet_file_is_there_whole_or_as_it_was(duet: Tags, tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    as_parquet.write_all(path, [duet])
    before = path.read_bytes()

    def broken() -> Iterator[Tags]:
        yield duet
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        as_parquet.write_all(path, broken())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_many_recordings_take_no_more_memory_than_few(
    duet: Tags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_parquet, "GROUP", 300)
    peaks = []
    for count in (60, 500):
        tracemalloc.start()
        as_parquet.write_all(tmp_path / "a.parquet", (replace(duet) for _ in range(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert pyarrow.parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == (
            -(-count * 27 // 300)
        )
    assert peaks[1] < 1.5 * peaks[0]


def test_without_pyarrow_it_is_said_what_to_install(
    duet: Tags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'timbretree\[parquet\]'"):
        WRITERS["parquet"].write(duet, False)
    with pytest.raises(ImportError, match=r"pip install 'timbretree\[parquet\]'"):
        as_parquet.write_all(tmp_path / "a.parquet", [duet])
    assert os.listdir(tmp_path) == []


def test_the_page_on_formats_names_every_format_and_every_column() -> None:
    page = (Path(__file__).parents[1] / "docs" / "outputs.md").read_text("utf-8")
    assert ",".join(Row._fields) in page.splitlines()
    for name, writer in WRITERS.items():
        assert f"`{name}`" in page
        assert f"`{writer.suffix}`" in page
