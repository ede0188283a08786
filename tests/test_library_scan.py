"""Scanning: what is tagged and what is not, what is marked, and what a kill leaves."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collecting import BOUND, FakeCrew, fill, scan
from timbretree.batch.how import HowToTag
from timbretree.files import BusyError
from timbretree.library import Library, LibraryError, how_of, scanning, store
from timbretree.library.binding import Binding

TESTS = Path(__file__).parent


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    fill(folder, "a.mp3", "b.flac", "c/d.ogg", "c/e.wav", "notes.txt", ".hidden/f.mp3")
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library.db"


def counts(summary: Any) -> dict[str, int]:
    """What of a summary is not 0."""
    found = {name: getattr(summary, name) for name in
             ("unchanged", "tagged", "failed", "moved", "copies", "gone", "back")}  # fmt: skip
    return {name: count for name, count in found.items() if count}


def ids(library: Path) -> dict[str, str]:
    with Library(library) as asked:
        return {row.track.path.name: row.track.id for row in asked.search(limit=None).rows}


def test_only_what_is_new_or_changed_is_tagged(library: Path, music: Path) -> None:
    crew = FakeCrew()
    assert counts(scan(library, music, crew=crew)) == {"tagged": 4}
    before = ids(library)
    assert set(before) == {"a.mp3", "b.flac", "d.ogg", "e.wav"}
    assert counts(scan(library, music, crew=crew)) == {"unchanged": 4}
    fill(music, "g.mp3")
    (music / "a.mp3").write_bytes(b"something else")
    crew.asked.clear()
    assert counts(scan(library, music, crew=crew)) == {"tagged": 2, "unchanged": 3}
    assert sorted(crew.asked) == ["a.mp3", "g.mp3"]
    assert ids(library) == before | {"g.mp3": ids(library)["g.mp3"]}


def test_unchanged_files_are_not_opened(
    library: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(library, music)
    monkeypatch.setattr("timbretree.library.catalogue.File.digest", lambda file: 1 / 0)
    assert counts(scan(library, music)) == {"unchanged": 4}


def test_a_moved_or_renamed_file_keeps_its_id_and_is_not_tagged(library: Path, music: Path) -> None:
    scan(library, music)
    before = ids(library)
    (music / "a.mp3").rename(music / "c" / "z.mp3")
    (music / "c").rename(music / "k")
    crew = FakeCrew()
    assert counts(scan(library, music, crew=crew)) == {"moved": 3, "unchanged": 1}
    assert not crew.asked
    after = ids(library)
    assert after == {"z.mp3": before["a.mp3"], **{k: before[k] for k in after if k != "z.mp3"}}
    with Library(library) as asked:
        assert asked.path_of(before["a.mp3"]) == music / "k" / "z.mp3"
        assert asked.stats().missing == 0


def test_two_files_that_change_names(library: Path, music: Path) -> None:
    scan(library, music)
    (music / "a.mp3").rename(music / "x.mp3")
    (music / "b.flac").rename(music / "a.mp3")
    crew = FakeCrew()
    scan(library, music, crew=crew)
    assert not crew.asked
    assert set(ids(library)) == {"a.mp3", "x.mp3", "d.ogg", "e.wav"}
    assert counts(scan(library, music)) == {"unchanged": 4}


def test_two_files_that_change_places(library: Path, music: Path) -> None:
    scan(library, music)
    before = ids(library)
    (music / "a.mp3").rename(music / "x")
    (music / "b.flac").rename(music / "a.mp3")
    (music / "x").rename(music / "b.flac")
    crew = FakeCrew()
    assert counts(scan(library, music, crew=crew)) == {"moved": 2, "unchanged": 2}
    assert not crew.asked
    assert ids(library) == before | {"a.mp3": before["b.flac"], "b.flac": before["a.mp3"]}


def test_a_file_moved_over_another(library: Path, music: Path) -> None:
    scan(library, music)
    before = ids(library)
    (music / "b.flac").rename(music / "a.mp3")
    crew = FakeCrew()
    assert counts(scan(library, music, crew=crew)) == {"moved": 1, "gone": 1, "unchanged": 2}
    assert not crew.asked
    assert ids(library)["a.mp3"] == before["b.flac"]
    with Library(library) as asked:
        assert not asked.track(before["a.mp3"]).there
    assert counts(scan(library, music)) == {"unchanged": 3}


def test_a_file_moved_between_two_scans_of_other_folders(library: Path, music: Path) -> None:
    scan(library, music)
    before = ids(library)["a.mp3"]
    other = music.parent / "other"
    other.mkdir()
    (music / "a.mp3").rename(other / "a.mp3")
    assert counts(scan(library, other)) == {"moved": 1}
    assert ids(library)["a.mp3"] == before


def test_copies_are_tracks_of_their_own_but_not_tagged(library: Path, music: Path) -> None:
    scan(library, music)
    (music / "copy.mp3").write_bytes((music / "a.mp3").read_bytes())
    crew = FakeCrew()
    assert counts(scan(library, music, crew=crew)) == {"copies": 1, "unchanged": 4}
    assert not crew.asked
    found = ids(library)
    with Library(library) as asked:
        one, two = (asked.windows(found[name]) for name in ("a.mp3", "copy.mp3"))
        assert (one.tags, one.groups) == (two.tags, two.groups)
        assert asked.like(found["a.mp3"], limit=1).rows[0].track.id == found["copy.mp3"]


def test_the_same_bytes_twice_in_one_scan_are_tagged_once(library: Path, tmp_path: Path) -> None:
    for name in ("a.mp3", "b.mp3"):
        (tmp_path / name).write_bytes(b"the same")
    assert counts(scan(library, tmp_path)) == {"tagged": 1, "copies": 1}


def test_a_touched_file_is_not_tagged(library: Path, music: Path) -> None:
    scan(library, music)
    os.utime(music / "a.mp3", (1, 1))
    assert counts(scan(library, music)) == {"unchanged": 4}
    assert counts(scan(library, music)) == {"unchanged": 4}


def test_what_is_gone_is_marked_and_comes_back(library: Path, music: Path) -> None:
    scan(library, music)
    before = ids(library)
    content = (music / "a.mp3").read_bytes()
    stamp = (music / "a.mp3").stat()
    (music / "a.mp3").unlink()
    assert counts(scan(library, music)) == {"gone": 1, "unchanged": 3}
    assert "a.mp3" not in ids(library)
    with Library(library) as asked:
        assert not asked.track(before["a.mp3"]).there
        assert asked.stats().missing == 1
    assert counts(scan(library, music)) == {"unchanged": 3}
    (music / "a.mp3").write_bytes(content)
    os.utime(music / "a.mp3", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert counts(scan(library, music)) == {"back": 1, "unchanged": 3}
    assert ids(library) == before


def test_only_what_is_below_the_roots_is_marked(library: Path, music: Path) -> None:
    fill(music.parent / "music2", "x.mp3")
    scan(library, music, music.parent / "music2")
    (music / "a.mp3").unlink()
    (music.parent / "music2" / "x.mp3").unlink()
    fill(music.parent / "music2", "y.mp3")
    assert counts(scan(library, music)) == {"gone": 1, "unchanged": 3}
    assert counts(scan(library, music, music)) == {"unchanged": 3}


def test_a_disk_that_is_unplugged_loses_nothing(library: Path, music: Path) -> None:
    scan(library, music)
    away = music.rename(music.parent / "away")
    summary = scan(library, music)
    assert counts(summary) == {}
    assert "is not there; the library knows 4 below it" in summary.trouble[0]
    music.mkdir()  # the empty folder that a disk is mounted on
    summary = scan(library, music)
    assert counts(summary) == {}
    assert "holds no sound file; the library knows 4" in summary.trouble[0]
    assert len(ids(library)) == 4
    music.rmdir()
    away.rename(music)
    summary = scan(library, music, music.parent / "nowhere")
    assert counts(summary) == {"unchanged": 4}
    assert summary.trouble == [f"{music.parent / 'nowhere'} is not there"]


def test_a_folder_that_can_not_be_read_loses_nothing(
    library: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(library, music)
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("/c"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    summary = scan(library, music)
    assert counts(summary) == {"unchanged": 2}
    assert "Permission denied" in summary.trouble[0]


def test_bad_files_are_put_down_with_their_reason(library: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"bad:not_audio")
    (tmp_path / "b.mp3").write_bytes(b"bad:crashed")
    summary = scan(library, tmp_path)
    assert counts(summary) == {"tagged": 2, "failed": 2}
    assert summary.reasons == {"not_audio": 1, "crashed": 1}
    with Library(library) as asked:
        assert asked.search().total == 0
        found = asked.search("status:failed")
        assert {row.track.reason for row in found.rows} == {"not_audio", "crashed"}
        assert asked.search("reason:crashed").rows[0].track.path.name == "b.mp3"
        tags = asked.windows(found.rows[0].track.id)
        assert (tags.status, tags.tags, tags.windows) == ("failed", (), ())
        assert asked.stats().statuses == {"failed": 2}
    assert counts(scan(library, tmp_path)) == {"unchanged": 2}
    crew = FakeCrew()
    assert counts(scan(library, tmp_path, crew=crew, retry=True)) == {
        "tagged": 1, "failed": 1, "unchanged": 1,
    }  # fmt: skip
    assert crew.asked == ["b.mp3"]


def test_names_that_are_no_text(library: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\n\xc3\xa9.mp3"
    Path(os.fsdecode(name)).write_bytes(b"sound")
    assert counts(scan(library, tmp_path)) == {"tagged": 1}
    assert counts(scan(library, tmp_path)) == {"unchanged": 1}
    with Library(library) as asked:
        track = asked.search("path:É").rows[0].track
        assert os.fsencode(track.path) == name


def test_two_scans_at_once_are_refused(library: Path, music: Path) -> None:
    with scanning(library, HowToTag()):
        code = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from pathlib import Path; from collecting import scan\n"
            "scan(Path(sys.argv[2]), Path(sys.argv[3]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, TESTS, library, music], capture_output=True, text=True
        )
    assert BusyError.__name__ in done.stderr
    assert counts(scan(library, music)) == {"tagged": 4}


def test_others_read_while_a_scan_writes(library: Path, music: Path) -> None:
    scan(library, music)
    fill(music, "g.mp3")
    with Library(library) as asked, scanning(library, HowToTag()) as running:
        for _ in running.look([music]):
            pass
        assert asked.search().total == 4
        for _ in running.tag(FakeCrew()):
            assert asked.search().total == 5
        with Library(library) as other:
            assert other.search().total == 5


def test_whoever_reads_sees_one_scan_after_another(library: Path, music: Path) -> None:
    scan(library, music)
    with Library(library) as asked:
        for number in range(3):
            assert asked.search().total == 4 + number
            fill(music, f"new{number}.mp3")
            scan(library, music)
        assert asked.search().total == 7


def test_a_library_at_rest_is_one_file(library: Path, music: Path) -> None:
    scan(library, music)
    assert [each.name for each in library.parent.iterdir() if "library" in each.name] == [
        "library.db"
    ]
    library.chmod(0o400)
    library.parent.chmod(0o500)
    try:
        assert len(ids(library)) == 4
    finally:
        library.parent.chmod(0o700)


def test_kill_9_loses_nothing_that_was_done(library: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    fill(music, *(f"{number}.mp3" for number in range(60)))
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from collecting import FakeCrew, scan\n"
        "class Slow(FakeCrew):\n"
        "    def tag(self, paths):\n"
        "        for tags in super().tag(paths):\n"
        "            yield tags\n"
        "            print(tags.file, flush=True); time.sleep(0.02)\n"
        "scan(Path(sys.argv[2]), Path(sys.argv[3]), crew=Slow())"
    )
    done = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, TESTS, library, music], stdout=subprocess.PIPE, text=True
        )
        told = [process.stdout.readline() for _ in range(10)]
        time.sleep(0.013)
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
        process.wait()
        done += len(told)
        with Library(library) as asked:
            total = asked.search().total
            assert done <= total <= done + 1
            done = total
        with sqlite3.connect(library) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    crew = FakeCrew()
    assert counts(scan(library, music, crew=crew)) == {"tagged": 60 - done, "unchanged": done}
    assert len(crew.asked) == 60 - done


def test_another_model_is_refused_unless_all_is_tagged_again(
    library: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(library, music)
    before = ids(library)
    other = HowToTag(hop=1.0)
    with pytest.raises(LibraryError, match=r"every 2\.5 s, .* every 1 s; add --rescan"):
        scan(library, music, how=other)
    with scanning(library, other, rescan=True):
        pass  # as if it had been killed at once
    with Library(library) as asked:
        assert asked.search().total == 0
        assert asked.stats().waiting == 4
        assert "waits" in asked.windows(before["a.mp3"]).message
    assert how_of(library) == other
    assert counts(scan(library, music, how=other)) == {"tagged": 4}
    assert ids(library) == before
    with pytest.raises(LibraryError, match="families of tone7"):
        scan(library, music, how=HowToTag(taxonomy="strings6", hop=1.0))
    monkeypatch.setattr(Binding, "of", lambda how: replace(BOUND, digest="0" * 64))
    with pytest.raises(LibraryError, match=r"now asked for is .* \(00000000\)"):
        scan(library, music)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"not a database at all" * 100), "is no library"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE x (y)").close(), "no library of"),
        (lambda path: path.write_bytes(b""), "no library of timbretree"),
        (lambda path: path.mkdir(), "there is no library"),
        (lambda path: None, "there is no library .* make one with `timbretree scan"),
    ],
)
def test_what_is_no_library_is_refused(library: Path, spoil: Any, said: str) -> None:
    spoil(library)
    with pytest.raises(LibraryError, match=said):
        Library(library)


def test_a_newer_library_is_refused(library: Path, music: Path) -> None:
    scan(library, music)
    with sqlite3.connect(library) as db:
        db.execute(f"PRAGMA user_version = {store.SCHEMA + 1}")
    for use in (Library, lambda path: scan(path, music)):
        with pytest.raises(LibraryError, match="newer timbretree"):
            use(library)


def test_a_path_that_sqlite_can_not_open_is_refused(tmp_path: Path, music: Path) -> None:
    place = tmp_path.joinpath(*(each * 200 for each in "abc"), "library.db")
    with pytest.raises(LibraryError, match="unable to open"):
        scan(place, music)
    scan(tmp_path / "library.db", music)
    (tmp_path / "library.db").rename(place)
    with pytest.raises(LibraryError, match="can't be opened"):
        Library(place)


@pytest.mark.parametrize(
    ("mode", "first", "statement", "said"),
    [
        ("rw", "PRAGMA max_page_count = 1", "CREATE TABLE x AS SELECT zeroblob(99999)", "no room"),
        ("ro", "SELECT 1", "DELETE FROM tracks", "may not be written"),
        ("rw", "SELECT 1", "SELECT x FROM nowhere", "can't be used: no such table"),
    ],
)
def test_what_sqlite_says_is_said_with_what_to_do(
    library: Path, music: Path, mode: str, first: str, statement: str, said: str
) -> None:
    scan(library, music)
    with contextlib.closing(sqlite3.connect(f"file:{library}?mode={mode}", uri=True)) as db:
        db.execute(first)
        with pytest.raises(LibraryError, match=said), store.translated(library):
            db.execute(statement)


def test_a_library_that_is_busy_is_not_called_damaged(
    library: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(library, music)
    monkeypatch.setattr(store, "PATIENCE", 0.0)
    with Library(library) as asked, contextlib.closing(sqlite3.connect(library)) as db:
        db.execute("BEGIN EXCLUSIVE")
        for use in (asked.search, lambda: Library(library), lambda: how_of(library)):
            with pytest.raises(LibraryError, match="is busy; wait"):
                use()


def test_a_full_disk_costs_no_track_that_was_heard(library: Path, music: Path) -> None:
    fill(music, *(f"{number}.mp3" for number in range(60)))
    heard = 0

    def run() -> None:
        nonlocal heard
        with scanning(library, HowToTag()) as running:
            for _ in running.look([music]):
                pass
            for _ in running.tag(FakeCrew()):
                heard += 1
                db = running._catalogue.db
                pages = db.execute("PRAGMA page_count").fetchone()[0]
                db.execute(f"PRAGMA max_page_count = {pages}")  # as if the disk were full by now

    with pytest.raises(LibraryError, match="no room left"):
        run()
    assert 0 < heard < 64
    assert counts(scan(library, music)) == {"unchanged": heard, "tagged": 64 - heard}


def test_a_library_holds_no_more_names_than_its_tables_have_columns(tmp_path: Path) -> None:
    tree = tmp_path / "tree.json"
    names = [f"t{number}" for number in range(store.MOST_NAMES)]
    tree.write_text(json.dumps({"name": "wide", "groups": {"all": names}}))
    with pytest.raises(LibraryError, match="at most"):
        scan(tmp_path / "library.db", tmp_path, how=HowToTag(taxonomy=str(tree)))
    assert not (tmp_path / "library.db").exists()


def test_another_database_is_never_written(library: Path, music: Path) -> None:
    with sqlite3.connect(library) as db:
        db.execute("CREATE TABLE mine (x)")
    before = library.read_bytes()
    with pytest.raises(LibraryError, match="no library of timbretree"):
        scan(library, music)
    assert library.read_bytes() == before
