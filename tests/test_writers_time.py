"""The formats that say when: Audacity's labels, Sonic Visualiser's regions, and JAMS."""

import csv
import io
import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_tags import HOSTILE, KINDS, either, every, failed, hear, in_doubt
from timbretree.bands import Bands
from timbretree.spans import family_spans, spans
from timbretree.tags import Tags, WindowScores
from timbretree.taxonomy import Taxonomy
from timbretree.writers import as_audacity, as_jams, as_sonic_visualiser
from timbretree.writers.outline import in_order

TONE = Taxonomy.load("tone7")
SCRIPT = (
    (("piano", 0.9), ("violin", 0.3)),
    (("piano", 0.7), ("violin", 0.8), ("mallet_percussion", 0.4)),
    (("violin", 0.95), ("mallet_percussion", 0.4)),
    (("piano", 0.8),),
)


@pytest.fixture
def scene() -> Tags:
    """Four windows of 2.5 s: a piano, a violin after it, mallets that may play."""
    tags = hear(TONE, 1, playing=("piano", "violin", "mallet_percussion"))
    windows = []
    for number, playing in enumerate(SCRIPT):
        shares = np.full(len(TONE.tags), 0.01, np.float32)
        for name, share in playing:
            shares[TONE.tags.index(name)] = share
        groups = np.where(TONE.members, shares[:, None], 0).max(axis=0).astype(np.float32)
        windows.append(WindowScores(2.5 * number, 2.5 * number + 2.5, shares, groups, None))
    bands = [Bands((0.6,) * n, (0.2,) * n) for n in (len(TONE.tags), len(TONE.groups))]
    return replace(
        in_doubt(tags, "mallet_percussion"),
        seconds=10.0,
        windows=tuple(windows),
        tag_bands=bands[0],
        group_bands=bands[1],
    )


def test_audacity_to_the_letter(scene: Tags) -> None:
    assert as_audacity.write(scene, False) == (
        "0.000000\t5.000000\tpiano\n"
        "0.000000\t2.500000\tviolin?\n"
        "2.500000\t7.500000\tmallet percussion?\n"
        "2.500000\t7.500000\tviolin\n"
        "7.500000\t10.000000\tpiano\n"
    )
    assert "0.000000\t5.000000\tpiano 0.80\n" in as_audacity.write(scene, True)


@every
@either
def test_every_label_is_a_line_of_three(kind: str, explain: bool) -> None:
    lines = as_audacity.write(KINDS[kind], explain).splitlines()
    assert all(re.fullmatch(r"\d+\.\d{6}\t\d+\.\d{6}\t[^\t]+", line) for line in lines)
    starts = [float(line.split("\t")[0]) for line in lines]
    assert starts == sorted(starts)
    assert len(lines) == len(spans(KINDS[kind]))


def test_nothing_heard_is_no_label() -> None:
    assert as_audacity.write(failed(), True) == as_audacity.write(KINDS["silent"], True) == ""
    heading = "TIME,VALUE,DURATION,LABEL\n"
    assert as_sonic_visualiser.write(failed(), True) == heading
    assert as_sonic_visualiser.write(KINDS["silent"], True) == heading


def test_sonic_visualiser_to_the_letter(scene: Tags) -> None:
    assert as_sonic_visualiser.write(scene, False) == (
        "TIME,VALUE,DURATION,LABEL\n"
        "0.000000,8,5.000000,piano\n"
        "0.000000,15,2.500000,violin?\n"
        "2.500000,2,5.000000,mallet percussion?\n"
        "2.500000,15,5.000000,violin\n"
        "7.500000,8,2.500000,piano\n"
    )
    assert "0.000000,8,5.000000,piano 80%\n" in as_sonic_visualiser.write(scene, True)


def test_each_instrument_has_a_height_beside_its_family() -> None:
    order = in_order(TONE)
    assert sorted(order) == sorted(TONE.tags)
    families = [TONE.parents[tag] for tag in order]
    assert [*dict.fromkeys(families)] == [*TONE.groups]
    assert families == sorted(families, key=TONE.groups.index)
    deep = in_order(KINDS["deep"].taxonomy)
    assert sorted(deep) == sorted(KINDS["deep"].taxonomy.tags)


@every
@either
def test_every_region_is_four_cells(kind: str, explain: bool) -> None:
    written = as_sonic_visualiser.write(KINDS[kind], explain)
    rows = [*csv.reader(io.StringIO(written, newline=""), strict=True)]
    assert {len(row) for row in rows} == {4}
    assert all(row[1].isdecimal() and "." in row[0] and "." in row[2] for row in rows[1:])
    assert len(rows) == len(written.splitlines())


# JAMS


def load(tags: Tags, explain: bool, folder: Path) -> Any:
    """What the jams package reads, which must be valid in all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own
        import jams

        path = folder / "a.jams"
        path.write_text(as_jams.write(tags, explain), "utf-8")
        return jams.load(str(path), validate=True, strict=True)


def shown_as(annotation: Any) -> list[tuple[float, float, str, float]]:
    return [(row.time, row.duration, row.value, row.confidence) for row in annotation.data]


def test_jams_says_what_and_when(scene: Tags, tmp_path: Path) -> None:
    jam = load(scene, True, tmp_path)
    assert jam.file_metadata.duration == 10.0
    found = {each.sandbox.what: each for each in jam.annotations}
    assert [*found] == [*as_jams.RULES]
    assert {each.namespace for each in jam.annotations} == {"tag_open"}
    assert shown_as(found["instruments"]) == [
        (0.0, 10.0, "piano", 0.9),
        (0.0, 10.0, "violin", 0.9),
    ]
    assert shown_as(found["instruments in time"]) == [
        (0.0, 5.0, "piano", 0.8),
        (2.5, 5.0, "violin", 0.875),
        (7.5, 2.5, "piano", 0.8),
    ]
    assert shown_as(found["instruments in time, unsure"]) == [
        (0.0, 2.5, "violin", 0.3),
        (2.5, 5.0, "mallet_percussion", 0.4),
    ]
    assert len(found["families in time"].data) == sum(
        not span.unsure for span in family_spans(scene)
    )
    scores = found["instruments"].sandbox.scores
    assert scores["mallet_percussion"]["answer"] == "unsure"
    assert set(scores) == set(TONE.tags)
    assert found["families"].annotation_metadata.annotator.model == "tiny"
    assert "attention" in found["families"].sandbox.scores["keyboard"]
    plain_families = load(scene, False, tmp_path).annotations[3]
    assert "attention" not in plain_families.sandbox.scores["keyboard"]


@every
@either
def test_every_jams_is_valid(kind: str, explain: bool, tmp_path: Path) -> None:
    tags = KINDS[kind]
    jam = load(tags, explain, tmp_path)
    assert len(jam.annotations) == (0 if tags.status == "failed" else 6)
    assert jam.sandbox.file == tags.file
    assert jam.sandbox.status == tags.status
    assert Taxonomy.from_dict(json.loads(jam.dumps())["sandbox"]["taxonomy"]) == tags.taxonomy
    for annotation in jam.annotations:
        for row in annotation.data:
            assert row.time + row.duration <= jam.file_metadata.duration + 1e-6


def test_jams_of_a_failed_file_says_why(tmp_path: Path) -> None:
    jam = load(failed(file=HOSTILE), True, tmp_path)
    assert (jam.sandbox.file, jam.sandbox.reason) == (HOSTILE, "missing")
    assert jam.file_metadata.duration == 0


def test_jams_refuses_what_is_no_number(scene: Tags) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        as_jams.write(replace(scene, seconds=float("nan")), False)
