"""A library that is asked: pages, spans, full records, likeness, numbers; and the real verbs."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from collecting import BOUND, TREE, FakeCrew, fill, finish, made_up, scan
from tagged import make
from terminal import on_a_terminal
from timbretree.batch.how import HowToTag
from timbretree.library import (
    SORTS,
    Library,
    LibraryError,
    Match,
    Page,
    QueryError,
    UnknownTrackError,
    default_place,
    scanning,
)
from timbretree.library.binding import Binding
from timbretree.library.records import (
    DamagedError,
    pack_looks,
    pack_windows,
    unpack_looks,
    unpack_scores,
    unpack_windows,
)
from timbretree.library.similar import of
from timbretree.library.writing import as_csv, as_json, as_m3u, as_text, left_out
from timbretree.modelfile import SHIPPED
from timbretree.spans import family_spans, spans
from timbretree.tags import Tags, WindowScores
from timbretree.taxonomy import Taxonomy
from timbretree.writers import as_json as tags_as_json

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "ode_to_joy.ogg"
COMMAND = [sys.executable, "-c", "from timbretree.cli import main; main()"]


class Told(FakeCrew):
    """Hears what the test says."""

    def __init__(self, heard: dict[str, Tags]) -> None:
        super().__init__()
        self.heard = heard

    def tag(self, paths):
        for path in paths:
            yield replace(self.heard[path.name], file=str(path))


@pytest.fixture(scope="module")
def heard() -> dict[str, Tags]:
    return {f"{seed:02}.mp3": made_up("", seed, windows=1 + seed % 9) for seed in range(40)}


@pytest.fixture(scope="module")
def place(heard: dict[str, Tags], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    fill(folder / "music", *heard)
    scan(folder / "library.db", folder / "music", crew=Told(heard))
    return folder / "library.db"


@pytest.fixture(scope="module")
def library(place: Path):
    with Library(place) as asked:
        yield asked


def names(page: Page) -> list[str]:
    return [row.track.path.name for row in page.rows]


def the(page: Page, name: str) -> Match:
    return next(match for match in page.rows[0].matches if match.name == name)


def test_who_has_what_and_not_what(library: Library, heard: dict[str, Tags]) -> None:
    found = library.search("clarinet and not drums", limit=None)
    wanted = {
        name for name, tags in heard.items()
        if "clarinet" in tags.present and "drums" not in tags.present
    }  # fmt: skip
    assert wanted
    assert set(names(found)) == wanted
    assert found.total == len(wanted)
    assert found.sort == "share"
    values = [row.value for row in found.rows]
    assert values == sorted(values, reverse=True)
    assert [match.name for match in found.rows[0].matches] == ["clarinet"]


def test_spans_are_those_of_the_writers(library: Library, heard: dict[str, Tags]) -> None:
    everything = " or ".join(f"({name} >= 0)" for name in (*TREE.tags, *TREE.groups))
    page = library.search(everything, sort="path", limit=None)
    assert names(page) == sorted(heard)
    for row in page.rows:
        tags = library.windows(row.track.id)
        wanted = [*spans(tags), *family_spans(tags)]
        found = [span for match in row.matches for span in match.spans]
        assert sorted(found, key=repr) == sorted(wanted, key=repr)
        for match in row.matches:
            sure = sum(span.seconds for span in match.spans if not span.unsure)
            assert match.seconds == pytest.approx(sure, abs=0.002)


def test_the_whole_record_comes_back(library: Library, heard: dict[str, Tags]) -> None:
    for name, tags in heard.items():
        path = library.path.parent / "music" / name
        again = library.windows(library.id_of(path))
        same = replace(tags, file=str(path), embedding=None)
        assert again.tags == same.tags
        assert again.groups == same.groups
        assert (again.notes, again.tag_bands, again.group_bands) == (
            same.notes, BOUND.tag_bands, BOUND.group_bands,
        )  # fmt: skip
        assert tags_as_json.write(again, False) == tags_as_json.write(same, False)
        for one, two in zip(again.windows, same.windows, strict=True):
            assert (one.start, one.end) == (two.start, two.end)
            np.testing.assert_allclose(one.tags, two.tags, atol=5.1e-5)
            np.testing.assert_allclose(one.groups, two.groups, atol=5.1e-5)
            assert (one.attention is None) == (two.attention is None)
            if one.attention is not None:
                np.testing.assert_allclose(one.attention, two.attention, atol=5.1e-5)


def test_pages_hold_every_answer_once(library: Library) -> None:
    for sort in SORTS:
        whole = library.search("keyboard or drums", sort=sort, limit=None)
        pages = [library.search("keyboard or drums", sort=sort, limit=7, offset=at)
                 for at in range(0, whole.total, 7)]  # fmt: skip
        assert {page.total for page in pages} == {whole.total}
        assert [name for page in pages for name in names(page)] == names(whole)
    assert library.search("keyboard", limit=0).rows == ()
    assert library.search("keyboard", offset=1000).rows == ()


def test_groups_and_least_seconds_and_unsure(library: Library, heard: dict[str, Tags]) -> None:
    narrowed = library.search("drums", groups=["keyboard", "Bowed Strings"], limit=None)
    assert names(narrowed) == names(library.search('drums keyboard "bowed strings"', limit=None))
    assert [match.name for match in narrowed.rows[0].matches] == [
        "drums", "keyboard", "bowed_strings",
    ]  # fmt: skip
    for row in library.search("drums and not voice", min_seconds=5, limit=None).rows:
        assert row.matches[0].seconds >= 5
    sure, loose = (library.search("clarinet", unsure=unsure) for unsure in (False, True))
    assert set(names(sure)) < set(names(loose))
    assert set(names(loose)) == {name for name, tags in heard.items()
                                 if "clarinet" in (*tags.present, *tags.unsure)}  # fmt: skip
    with pytest.raises(LibraryError, match="no family 'clarinet'; there are woodwind"):
        library.search(groups=["clarinet"])
    with pytest.raises(LibraryError, match="sorted by share"):
        library.search(sort="size")
    with pytest.raises(QueryError, match="did you mean clarinet"):
        library.search("clarinte")


def test_sorting_by_what_must_all_play(library: Library) -> None:
    found = library.search("(drums and keyboard) or voice", sort="probability", limit=None)
    for row in found.rows:
        drums, keyboard, voice = row.matches
        both = min(drums.probability, keyboard.probability)
        wanted = max(both * (drums.present and keyboard.present), voice.probability * voice.present)
        assert row.value == pytest.approx(wanted, abs=1e-4)
    assert library.search("not drums").sort == "path"
    assert library.search("not drums").rows[0].value is None


def test_one_track(library: Library) -> None:
    row = library.search("drums", limit=1).rows[0]
    assert library.track(row.track.id) == row.track
    assert library.path_of(row.track.id) == row.track.path
    for use in (library.track, library.windows, library.path_of, library.like):
        with pytest.raises(UnknownTrackError, match="no track 'nobody'"):
            use("nobody")
    assert library.id_of("/nowhere.mp3") is None


def test_likeness(library: Library, heard: dict[str, Tags]) -> None:
    id = library.id_of(library.path.parent / "music" / "05.mp3")
    page = library.like(id, limit=None)
    assert page.total == len(heard) - 1
    assert "05.mp3" not in names(page)
    values = [row.value for row in page.rows]
    assert values == sorted(values, reverse=True)
    assert -1 <= values[-1] <= values[0] <= 1
    same = library.like(heard["05.mp3"], limit=1)
    assert names(same) == ["05.mp3"]
    assert same.rows[0].value == pytest.approx(1, abs=1e-5)
    assert all(match.present or match.unsure for row in page.rows for match in row.matches)
    assert names(library.like(id, limit=3, offset=2)) == names(page)[2:5]


def test_likeness_is_the_mean_of_two_centred_cosines(
    library: Library, heard: dict[str, Tags]
) -> None:
    def centred(vectors: list[bytes], kind: type) -> np.ndarray:
        whole = np.array([np.frombuffer(each, kind) for each in vectors], np.float64)
        whole /= np.linalg.norm(whole, axis=1, keepdims=True)
        whole -= whole.mean(axis=0) * len(whole) / (len(whole) + 20)
        return whole / np.linalg.norm(whole, axis=1, keepdims=True)

    sounds = [of(tags) for tags in heard.values()]
    both = [centred([each.profile for each in sounds], np.uint8),
            centred([each.embedding for each in sounds], np.int8)]  # fmt: skip
    values = np.mean([each @ each[5] for each in both], axis=0)
    wanted = dict(zip(heard, values, strict=True))
    for row in library.like(heard["05.mp3"], limit=None).rows:
        assert row.value == pytest.approx(wanted[row.track.path.name], abs=1e-4)


def test_likeness_without_embeddings(tmp_path: Path, heard: dict[str, Tags]) -> None:
    some = {name: replace(tags, embedding=None if number % 2 else tags.embedding)
            for number, (name, tags) in enumerate(heard.items())}  # fmt: skip
    fill(tmp_path / "music", *some)
    scan(tmp_path / "library.db", tmp_path / "music", crew=Told(some))
    with Library(tmp_path / "library.db") as asked:
        for name in ("04.mp3", "05.mp3"):
            found = asked.like(some[name], limit=1)
            assert names(found) == [name]
            assert found.rows[0].value == pytest.approx(1, abs=1e-5)
        with pytest.raises(LibraryError, match="could not be heard"):
            asked.like(Tags("x", "", TREE, "failed"))
        with pytest.raises(LibraryError, match="other instruments than toy"):
            asked.like(Tags("x", "", Taxonomy("toy", ("hum",), {"low": ("hum",)})))


def test_numbers(library: Library, heard: dict[str, Tags]) -> None:
    counted = library.stats()
    assert (counted.tracks, counted.missing, counted.waiting) == (len(heard), 0, 0)
    assert counted.seconds == pytest.approx(sum(tags.seconds for tags in heard.values()))
    assert counted.statuses == {"ok": len(heard)}
    assert [each.name for each in counted.names] == [*TREE.tags, *TREE.groups]
    for each in counted.names[: len(TREE.tags)]:
        assert each.tracks == sum(each.name in tags.present for tags in heard.values())
        assert each.perhaps == sum(each.name in tags.unsure for tags in heard.values())


def test_many_threads_ask_at_once(place: Path) -> None:
    with Library(place) as asked:
        wanted = asked.search("drums", limit=None)
        found: list[Page] = []

        def ask() -> None:
            found.extend(asked.search("drums", limit=None) for _ in range(5))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [wanted] * 40


def test_an_empty_library(tmp_path: Path) -> None:
    with scanning(tmp_path / "library.db", HowToTag()):
        pass
    with Library(tmp_path / "library.db") as asked:
        assert asked.search("clarinet") == Page(0, (), "share")
        assert asked.stats().tracks == 0
        assert asked.like(made_up("", 0)).total == 0


def test_a_taxonomy_of_ones_own(tmp_path: Path) -> None:
    how = HowToTag(taxonomy="strings6")
    bound = Binding.of(how)
    assert bound.group_bands is None
    tags = how.tagger()(EXAMPLE)
    fill(tmp_path / "music", "a.mp3")
    with scanning(tmp_path / "library.db", how) as running:
        finish(running, tmp_path / "music", crew=Told({"a.mp3": tags}))
    with Library(tmp_path / "library.db") as asked:
        whole = asked.windows(asked.search("piano").rows[0].track.id)
        group = bound.taxonomy.path("piano")[0].replace("_", " ")
        row = asked.search(f'"{group}"').rows[0]
        assert list(row.matches[0].spans) == [
            span for span in family_spans(whole) if span.name == bound.taxonomy.path("piano")[0]
        ]


def test_damage_is_said(place: Path, tmp_path: Path) -> None:
    import sqlite3

    spoiled = tmp_path / "library.db"
    spoiled.write_bytes(place.read_bytes())
    with Library(spoiled) as asked:
        track = asked.search().rows[0].track.id
    with sqlite3.connect(spoiled) as db:
        db.execute("UPDATE sounds SET windows = X'0102030405060708'")
    with Library(spoiled) as asked, pytest.raises(LibraryError, match="is damaged: of one track"):
        asked.search("drums")
    with sqlite3.connect(spoiled) as db:
        db.execute("DELETE FROM heard")
    with Library(spoiled) as asked, pytest.raises(LibraryError, match="it has no answers"):
        asked.windows(track)
    with sqlite3.connect(spoiled) as db:
        db.execute("UPDATE binding SET json = '{}'")
    with pytest.raises(LibraryError, match="does not say of which model"):
        Library(spoiled)


windows = st.lists(
    st.tuples(
        st.floats(0, 0.125, width=32), st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)
    ),
    max_size=5,
)


@given(windows)
def test_any_windows_come_back(told: list[tuple[float, list[float]]]) -> None:
    many = tuple(
        WindowScores(
            number + gap, number + 1.0,
            np.array(row[:2], np.float32), np.array(row[2:], np.float32),
            None if gap < 0.05 else np.array([[row[0]], [row[1]]], np.float32),
        )
        for number, (gap, row) in enumerate(told)
    )  # fmt: skip
    times, scores = unpack_windows(pack_windows(many), 3) if many else ([], [])
    look = unpack_looks(pack_looks(many), 2, 1)
    for number, window in enumerate(many):
        np.testing.assert_allclose(times[number], (window.start, window.end), atol=5.1e-4)
        wanted = [*window.tags, *window.groups]
        np.testing.assert_allclose(scores[number], wanted, atol=5.1e-5)
        assert (look(number) is None) == (window.attention is None)
        if window.attention is not None:
            np.testing.assert_allclose(look(number), window.attention, atol=5.1e-5)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_record_are_refused(blob: bytes) -> None:
    for read in (lambda: unpack_windows(blob, 27), lambda: unpack_looks(blob, 20, 7),
                 lambda: unpack_scores(blob, 20, 7)):  # fmt: skip
        with pytest.raises(DamagedError):
            read()


@pytest.mark.parametrize("size", [0, 3, 4, 13])
def test_records_of_another_length_are_refused(size: int) -> None:
    blob = zlib.compress(bytes(size))
    counted = b"\1\0\0\0" + blob
    for read in (lambda: unpack_windows(counted, 27), lambda: unpack_looks(counted, 20, 7),
                 lambda: unpack_scores(blob, 20, 7)):  # fmt: skip
        with pytest.raises(DamagedError, match=f"{size} bytes"):
            read()


def test_written_as_text_json_csv_and_playlist(library: Library) -> None:
    page = library.search("drums or clarinet", limit=5)
    text = as_text(page).decode()
    assert str(page.rows[0].track.path) in text
    assert "plays" in text
    data = json.loads(as_json(page))
    assert data["total"] == page.total
    assert [row["id"] for row in data["rows"]] == [row.track.id for row in page.rows]
    assert any(match["spans"] for match in data["rows"][0]["matches"])
    table = [*csv.DictReader(io.StringIO(as_csv(page).decode()))]
    assert len(table) == 10
    assert table[0]["path"] == str(page.rows[0].track.path)
    lines = as_m3u(page).decode().splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line for line in lines if not line.startswith("#")] == [
        str(row.track.path) for row in page.rows
    ]


def test_written_of_a_part_of_a_recording_with_many_spans(tmp_path: Path) -> None:
    told = made_up("", 3, windows=400)
    hush = replace(told.windows[0], tags=0 * told.windows[0].tags)
    told = replace(told, windows=(hush, *told.windows[1:]), status="partial", reason="truncated")
    fill(tmp_path / "music", "a.mp3")
    scan(tmp_path / "library.db", tmp_path / "music", crew=Told({"a.mp3": told}))
    with Library(tmp_path / "library.db") as asked:
        pages = [asked.search(f'"{score.tag}"') for score in told.tags if score.present]
    spans_of = [match.spans for page in pages for row in page.rows for match in row.matches]
    many = next(page for page, found in zip(pages, spans_of, strict=True) if len(found) > 12)
    late = next(page for page, found in zip(pages, spans_of, strict=True) if found[0].start > 0)
    lines = as_text(many).decode().splitlines()
    assert lines[1] == "  partial, truncated"
    more = len(many.rows[0].matches[0].spans) - 12
    assert " ".join(line.strip() for line in lines).endswith(f"and {more} more")
    start = late.rows[0].matches[0].spans[0].start
    _, head, option, path = as_m3u(late).decode().splitlines()
    assert head == "#EXTINF:1000,a.mp3"
    assert option == f"#EXTVLCOPT:start-time={start:.1f}"
    assert path == str(tmp_path / "music" / "a.mp3")


def test_playlists_name_what_people_call_a_track(tmp_path: Path) -> None:
    make("flac", tmp_path)
    make("mp3 without tags", tmp_path)
    scan(tmp_path / "library.db", tmp_path)
    with Library(tmp_path / "library.db") as asked:
        lines = as_m3u(asked.search(sort="path")).decode().splitlines()
    heads = [line.partition(",")[2] for line in lines if line.startswith("#EXTINF")]
    assert heads == ["Dvořák; Clara - Adagio – 琴", "song.mp3"]


def test_hostile_names_break_no_output(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff\n\x1b[31m.mp3")
    (tmp_path / name).write_bytes(b"sound")
    scan(tmp_path / "library.db", tmp_path)
    with Library(tmp_path / "library.db") as asked:
        page = asked.search()
    assert b"\x1b" not in as_text(page)
    assert as_text(page).count(b"\n") == 1
    assert json.loads(as_json(page))["rows"][0]["path"].endswith(name)
    assert os.fsencode(name) in as_csv(page)
    assert as_m3u(page) == b"#EXTM3U\n"
    assert left_out(page) == [*page.rows]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False,
        env=os.environ | environment,
    )  # fmt: skip


def test_the_real_verbs_on_real_sound(tmp_path: Path) -> None:
    place, music = tmp_path / "library.db", tmp_path / "music"
    music.mkdir()
    song = music / "ode.ogg"
    song.write_bytes(EXAMPLE.read_bytes())
    (music / "text.mp3").write_text("no music")
    first = run("scan", music, "--library", place, "--jobs", 1)
    assert (first.returncode, first.stdout) == (1, "")
    assert "text.mp3: failed, not_audio" in first.stderr
    assert "2 tagged, 1 failed" in first.stderr
    song.rename(music / "joy.ogg")
    second = run("scan", music, TIMBRETREE_LIBRARY=str(place))
    assert (second.returncode, "1 moved, 1 unchanged" in second.stderr) == (0, True)
    found = run("find", "piano", "and", "not", "voice", "--library", place)
    assert found.returncode == 0
    assert found.stdout.startswith(f"{music / 'joy.ogg'}\n  piano ")
    assert found.stderr == "1 found\n"
    rows = json.loads(run("find", "piano > 1 s", "--library", place, "--format", "json").stdout)
    assert rows["rows"][0]["matches"][0]["spans"][0]["start"] == 0
    with Library(place) as asked:
        tags = asked.windows(rows["rows"][0]["id"])
    again = replace(HowToTag().tagger()(EXAMPLE), file=tags.file)
    assert tags_as_json.write(tags, False) == tags_as_json.write(again, False)
    like = run("find", "--like", EXAMPLE, "--library", place)
    assert "likeness 1.00" in like.stdout
    assert "keyboard" in run("stats", "--library", place).stdout
    assert json.loads(run("stats", "--library", place, "--format", "json").stdout)["tracks"] == 2


def test_what_can_not_be_asked_is_refused(place: Path, tmp_path: Path) -> None:
    wrong = run("find", "clarinet and drumms", "--library", place)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.splitlines()[1:] == ["  clarinet and drumms", "               ^^^^^^"]
    nothing = run("find", "artist:nobody", "--library", place)
    assert (nothing.returncode, nothing.stderr) == (1, "nothing found\n")
    for arguments in (
        ("find", "x", "--library", tmp_path / "none.db"),
        ("stats", "--library", tmp_path / "none.db"),
        ("find", "drums", "--like", EXAMPLE, "--library", place),
        ("find", "--like", tmp_path / "none.mp3", "--library", place),
        ("find", "--min-seconds", "nan", "--library", place),
        ("scan", tmp_path, "--library", EXAMPLE),
        ("scan", tmp_path, "--library", place, "--hop", "1"),
        ("scan", tmp_path, "--model", EXAMPLE, "--library", tmp_path / "new.db"),
    ):
        refused = run(*arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "Traceback" not in refused.stderr
    assert not (tmp_path / "new.db").exists()


def test_pages_say_what_they_leave_out(place: Path) -> None:
    for limit, offset, said in (
        (0, 0, "40 found, none of them shown\n"),
        (2, 1, "2 to 3 of 40; see --limit and --offset\n"),
        (50, 0, "40 found\n"),
    ):
        found = run("find", "--library", place, "--limit", limit, "--offset", offset)
        assert (found.returncode, found.stderr) == (0, said)


def test_what_is_like_a_file_of_the_library_or_of_none(
    place: Path, library: Library, tmp_path: Path
) -> None:
    known = library.search(limit=1).rows[0].track.path
    found = run("find", "--like", known, "--library", place, "--format", "json")
    page = library.like(library.id_of(known), limit=None)
    assert [row["id"] for row in json.loads(found.stdout)["rows"]] == [
        row.track.id for row in page.rows
    ]
    (tmp_path / "text.mp3").write_text("no music")
    refused = run("find", "--like", tmp_path / "text.mp3", "--library", place)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "text.mp3: not_audio" in refused.stderr


def test_what_is_like_a_file_where_the_model_is_another_or_none(tmp_path: Path) -> None:
    place, model = tmp_path / "library.db", tmp_path / "model.onnx"
    shutil.copy(SHIPPED, model)
    fill(tmp_path / "music", "a.mp3")
    scan(place, tmp_path / "music", how=HowToTag(model))
    content = model.read_bytes()
    for changed, said in (
        (content + b"\x72\x00", "scan it with --rescan"),  # one empty entry of metadata more
        (content[:1000], "is no model file that can be used"),
        (None, "model.onnx: No such file"),
    ):
        model.unlink() if changed is None else model.write_bytes(changed)
        refused = run("find", "--like", EXAMPLE, "--library", place)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


def test_names_with_line_breaks_are_told_beside_a_playlist(tmp_path: Path) -> None:
    fill(tmp_path / "music", "a\nb.mp3", "c.mp3")
    scan(tmp_path / "library.db", tmp_path / "music")
    found = run("find", "--library", tmp_path / "library.db", "--format", "m3u")
    assert found.stdout.count("\n") == 3
    assert "left out of the playlist, for its name has a line break" in found.stderr
    assert "a\\nb.mp3" in found.stderr


def test_a_reader_that_has_enough_of_answers_is_no_trouble(place: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "find", "--library", str(place), "--format", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 141


def test_a_scan_says_what_it_could_not_see(tmp_path: Path) -> None:
    place, music = tmp_path / "library.db", tmp_path / "music"
    music.mkdir()
    told = run("scan", music, tmp_path / "gone", "--library", place)
    assert told.returncode == 1
    assert f"{tmp_path / 'gone'} is not there" in told.stderr
    assert f"{place}: no sound file" in told.stderr
    busy = f"import sys; from pathlib import Path; {HOLDING}"
    with subprocess.Popen(
        [sys.executable, "-c", busy, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"holding\n"
        refused = run("scan", music, "--library", place)
        other.communicate()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "another" in refused.stderr


def test_a_scan_says_where_it_can_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = run("scan", tmp_path, "--library", tmp_path / "file" / "library.db")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"timbretree: {tmp_path / 'file'}: ")
    assert refused.stderr.count("\n") == 1


HOLDING = """
from timbretree.batch.how import AS_SHIPPED
from timbretree.library import scanning
with scanning(Path(sys.argv[1]), AS_SHIPPED):
    print("holding", flush=True)
    sys.stdin.read()
"""


def test_a_scan_on_a_terminal_and_ctrl_c(tmp_path: Path) -> None:
    place, music = tmp_path / "library.db", tmp_path / "music"
    music.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).normal(0, 0.1, 8000 * (600 if number else 1))
        soundfile.write(music / f"{number}.wav", noise, 8000)
    command = [*COMMAND, "scan", str(music), "--library", str(place), "--jobs", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        while not place.exists() or not tagged(place):
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        said = child.stderr.read()
    assert (child.returncode, said) == (130, "stopped; run the same again to go on\n")
    before = tagged(place)
    assert 0 < before < 3
    drawn = on_a_terminal(command)
    assert "x real time" in drawn
    assert f"{3 - before} tagged, {before} unchanged" in drawn


def tagged(place: Path) -> int:
    try:
        with Library(place) as asked:
            return asked.search().total
    except LibraryError:  # it is just being made
        return 0


def test_the_usual_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_place() == tmp_path / "timbretree" / "library.db"
