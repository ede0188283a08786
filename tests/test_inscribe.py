"""Tags inside files: what is written is all that changes, and it can be taken back to the byte."""

import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import mutagen
import mutagen.id3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.ogg import OggPage

from tagged import FILES, encoded, make, payload
from timbretree.inscribe import (
    InscribeError,
    Records,
    inscribe,
    is_ours,
    look,
    read_metadata,
    undo,
)
from timbretree.inscribe import id3 as id3_room
from timbretree.inscribe.editing import Change
from timbretree.inscribe.splice import Splice, applied, inverse, spliced, trimmed

TRIO = ("mallet percussion", "violin", "saxophone")
ROOMY = {"mp3 2.4", "mp3 2.3", "mp3 with all tags", "flac", "flac without tags", "flac after a tag"}
ROOMY |= {"m4a", "mp4", "wav", "wav, odd", "aiff"}
every = pytest.mark.parametrize("kind", FILES)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of every kind, made once."""
    folder = tmp_path_factory.mktemp("shelf")
    for kind in FILES:
        (folder / kind).mkdir()
        make(kind, folder / kind)
    return folder


def taken(shelf: Path, kind: str, folder: Path) -> Path:
    """A copy of a file of some kind."""
    (file,) = (shelf / kind).iterdir()
    return Path(shutil.copy(file, folder))


def others(path: Path) -> dict[str, str]:
    """All tags that mutagen reads, but for ours, as texts."""
    file = mutagen.File(path)
    tags = {} if file.tags is None else {key: repr(file.tags[key]) for key in file.tags.keys()}  # noqa: SIM118
    tags |= {"pictures": repr([each.data for each in getattr(file, "pictures", [])])}
    return {key: value for key, value in tags.items() if "INSTRUMENTS" not in key.upper()}


def ours(path: Path) -> list[str]:
    """What mutagen reads of ours."""
    tags = mutagen.File(path).tags
    found = [key for key in tags.keys() if "INSTRUMENTS" in key.upper()]  # noqa: SIM118
    assert len(found) < 2
    values = [getattr(tags[key], "text", tags[key]) for key in found]
    return [bytes(each).decode() if isinstance(each, bytes) else each for value in values
            for each in value]  # fmt: skip


@every
def test_nothing_else_changes_and_undo_gives_every_byte_back(
    kind: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    before, sound, tags = path.read_bytes(), payload(path), others(path)
    change = look(path, TRIO)
    assert (change.had, change.wants) == ((), TRIO)
    assert path.read_bytes() == before, "looking changes nothing"
    inscribe(change, records)
    joined = kind.startswith(("mp3 2.2", "mp3 2.3", "mp3 with all"))
    assert ours(path) == (["; ".join(TRIO)] if joined else list(TRIO))
    assert payload(path) == sound
    assert others(path) == tags
    again = look(path, TRIO)
    assert (again.had, again.splices) == (TRIO, ())
    if not kind.startswith(("ogg", "opus", "flac in ogg")):  # there, pages are laid out anew
        gone = b"".join(before[each.start : each.end] for each in change.splices)
        assert len(gone.replace(b"\0", b"")) <= 16, "sizes alone give way, and padding"

    for wants in (("piano",), (), ("flute", "organ")):
        inscribe(look(path, wants), records)
        assert look(path, wants).had == wants
        assert payload(path) == sound
        assert others(path) == tags
    done = undo(path, records)
    assert done is not None
    assert (done.had, done.says, done.exact) == (("flute", "organ"), (), True)
    assert path.read_bytes() == before
    assert not [each for each in records.folder.rglob("*") if each.is_file()]
    assert undo(path, records) is None
    assert [each.name for each in tmp_path.iterdir()].count(path.name) == 1
    assert not list(tmp_path.glob(".*"))


@every
def test_tags_of_a_file_keep_their_version_and_use_their_room(
    kind: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    size, head = path.stat().st_size, path.read_bytes()[:6]
    inscribe(look(path, TRIO), records)
    if head[:3] == b"ID3":
        assert path.read_bytes()[:6] == head
    if kind in ROOMY:
        assert path.stat().st_size == size, "there was room in the padding"
    else:
        assert path.stat().st_size > size


@every
def test_nothing_to_write_where_nothing_is_said(
    kind: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    before, change = path.stat(), look(path, ())
    assert (change.had, change.splices) == ((), ())
    inscribe(change, records)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not records.folder.exists()


def test_old_tags_at_the_end_stay(shelf: Path, tmp_path: Path, records: Records) -> None:
    path = taken(shelf, "mp3 with all tags", tmp_path)
    tail = path.read_bytes()[-400:]
    assert tail[-128:].startswith(b"TAGAdagio")
    assert b"APETAGEX" in tail
    inscribe(look(path, TRIO), records)
    assert path.read_bytes()[-400:] == tail


@pytest.mark.parametrize("kind", ["mp3 2.4", "mp3 2.3", "flac", "ogg", "opus", "m4a", "wav"])
def test_what_others_wrote_is_told_from_ours(
    kind: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    inscribe(look(path, ("viola d’amore", "琴")), Records(tmp_path / "of somebody else"))
    change = look(path, TRIO)
    assert change.had == ("viola d’amore", "琴")
    assert not is_ours(change, records)
    inscribe(change, records)
    change = look(path, ())
    assert is_ours(change, records)
    moved = path.rename(path.with_name(f"moved{path.suffix}"))
    assert is_ours(look(moved, ()), records)
    done = undo(moved, records)
    assert done is not None
    assert done.exact
    assert done.says == ("viola d’amore", "琴")


@pytest.mark.parametrize(
    "kind", ["mp3 2.4", "mp3 2.3", "flac", "ogg", "opus", "m4a", "wav", "aiff"]
)
def test_undo_keeps_what_was_changed_since_then(
    kind: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    for wants in (("piano",), TRIO):
        inscribe(look(path, wants), records)
    file = mutagen.File(path)
    title = {"m4a": "\xa9nam", "flac": "title", "ogg": "title", "opus": "title"}.get(kind)
    if title is None:
        file.tags.add(mutagen.id3.TIT2(encoding=3, text=["Largo"]))
        file.save(v2_version=3) if "2.3" in kind else file.save()
    else:
        file[title] = ["Largo"]
        file.save()
    done = undo(path, records)
    assert done is not None
    assert (done.says, done.exact) == ((), False)
    assert read_metadata(path)["title"] == "Largo"  # type: ignore[index]
    assert ours(path) == []
    assert undo(path, records) is None
    assert not [each for each in records.folder.rglob("*") if each.is_file()]


def test_undo_leaves_instruments_alone_that_somebody_changed(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    inscribe(look(path, TRIO), records)
    file = mutagen.File(path)
    file["instruments"] = ["lute"]
    file.save()
    before = path.read_bytes()
    with pytest.raises(InscribeError, match="changed by something else"):
        undo(path, records)
    assert path.read_bytes() == before


A, B, C = ("piano",), ("violin", "flute"), ("organ",)


@pytest.mark.parametrize("kind", ["mp3 2.4", "mp3 without tags", "flac", "ogg", "m4a", "wav"])
@pytest.mark.parametrize("said", [(A, B, A), (A, (), A), (A, B, C, B, A, C), (A, B, ())])
def test_what_is_said_again_is_undone_to_the_byte(
    kind: str, said: tuple[tuple[str, ...], ...], shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    before = path.read_bytes()
    for wants in said:
        inscribe(look(path, wants), records)
        assert is_ours(look(path, ("lute",)), records) or path.read_bytes() == before
    undo(path, records)
    assert path.read_bytes() == before
    assert not [each for each in records.folder.rglob("*") if each.is_file()]


def test_equal_files_are_undone_each_by_itself(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "mp3 2.4", tmp_path)
    twin = Path(shutil.copy(path, tmp_path / "twin.mp3"))
    before = path.read_bytes()
    for each in (path, twin):
        inscribe(look(each, TRIO), records)
    for each in (twin, path):
        assert undo(each, records) is not None
        assert each.read_bytes() == before


def test_a_copy_that_is_undone_leaves_the_other_its_way_back(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    inscribe(look(path, TRIO), records)
    copy = Path(shutil.copy(path, tmp_path / "copy.flac"))
    for each in (copy, path):
        assert undo(each, records) is not None
        assert each.read_bytes() == before
    assert undo(copy, records) is None


@pytest.mark.parametrize("moved_after", [1, 2])
def test_what_is_said_again_of_a_moved_file_is_undone_to_the_byte(
    moved_after: int, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    for count, wants in enumerate((A, B, A)):
        if count == moved_after:
            path = path.rename(tmp_path / "moved.flac")
        inscribe(look(path, wants), records)
    undo(path, records)
    assert path.read_bytes() == before
    assert not [each for each in records.folder.rglob("*") if each.is_file()]


def test_what_others_did_leads_no_file_in_a_circle(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    third = Path(shutil.copy(path, tmp_path / "third.flac"))
    inscribe(look(path, TRIO), records)
    other = Path(shutil.copy(path, tmp_path / "other.flac"))
    inscribe(look(other, ()), records)
    assert other.read_bytes() == before
    assert undo(third, records) is None
    assert undo(path, records) is not None
    assert third.read_bytes() == path.read_bytes() == before


def test_nothing_is_written_whose_way_back_can_not_be_kept(shelf: Path, tmp_path: Path) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    (tmp_path / "records").write_text("a file where the folder belongs")
    with pytest.raises(InscribeError, match="what would undo it can't be written"):
        inscribe(look(path, TRIO), Records(tmp_path / "records"))
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("{", "", "is damaged"),
        ('"back"', '"bock"', "is damaged"),
        ('"had"', '"hud"', "is damaged"),
        ('"back": [[', '"back": [[7], [', "is damaged"),
        ('"back": [[', '"other": 1, "back": [[', "is damaged"),
        ('{"path', 'null #{"path', "is damaged"),
        ('"back": [[', '"back": [[0, 1, "AAAA"], [', "does not give what it was"),
    ],
)
def test_what_a_damaged_record_says_is_not_done(
    old: str, new: str, why: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    inscribe(look(path, TRIO), records)
    after = path.read_bytes()
    (record,) = records.folder.rglob("*.json")
    text = record.read_text()
    assert old in text
    record.write_text(text.replace(old, new).partition("#")[0])
    with pytest.raises(InscribeError, match=why):
        undo(path, records)
    assert path.read_bytes() == after
    record.write_text(text)
    assert undo(path, records) is not None


def test_what_can_not_be_read_can_not_be_undone(tmp_path: Path, records: Records) -> None:
    for path in (tmp_path, tmp_path / "gone.flac"):
        with pytest.raises(InscribeError, match="can't be read"):
            undo(path, records)


# the file as a file


def test_rights_owner_attributes_and_times(shelf: Path, tmp_path: Path, records: Records) -> None:
    path = taken(shelf, "mp3 2.4", tmp_path)
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 10**18 + 1))
    try:
        os.setxattr(path, "user.mood", b"slow")
        kept = True
    except (OSError, AttributeError):  # the disk or the system has none
        kept = False
    if os.geteuid() == 0:
        os.chown(path, 1234, 1234)
    owner = path.stat().st_uid, path.stat().st_gid
    inscribe(look(path, TRIO), records)
    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert (found.st_uid, found.st_gid) == owner
    assert found.st_mtime_ns > 10**18 + 1, "a backup must see that it was changed"
    assert not kept or os.getxattr(path, "user.mood") == b"slow"
    undo(path, records)
    found = path.stat()
    assert found.st_mtime_ns == 10**18 + 1, "and that it was not, once it is as it was"
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert not kept or os.getxattr(path, "user.mood") == b"slow"


def test_links_and_read_only_files(shelf: Path, tmp_path: Path, records: Records) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    link = tmp_path / "link.flac"
    link.symlink_to(path.name)
    inscribe(look(link, TRIO), records)
    assert link.is_symlink()
    assert look(path, ()).had == TRIO
    assert undo(link, records) is not None
    assert link.is_symlink()
    assert path.read_bytes() == before

    other = tmp_path / "other.flac"
    os.link(path, other)
    with pytest.raises(InscribeError, match="2 names"):
        inscribe(look(path, TRIO), records)
    other.unlink()
    path.chmod(0o444)
    with pytest.raises(InscribeError, match="read-only"):
        inscribe(look(path, TRIO), records)
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else can become somebody else")
def test_a_file_that_belongs_to_somebody_else_is_left_alone(shelf: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # tmp_path is in a folder of its owner's alone
        folder = Path(name)
        path = taken(shelf, "flac", folder)
        path.chmod(0o666)
        folder.chmod(0o777)
        before = path.read_bytes()
        change = look(path, TRIO)
        os.seteuid(65534)
        try:
            with pytest.raises(InscribeError, match="belongs to somebody else"):
                inscribe(change, Records(folder / "records"))
        finally:
            os.seteuid(0)
        assert path.read_bytes() == before
        assert [*folder.iterdir()] == [path]


def test_a_file_that_changes_meanwhile_is_left_alone(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    change = look(path, TRIO)
    file = mutagen.File(path)
    file["title"] = ["another"]
    file.save()
    before = path.read_bytes()
    with pytest.raises(InscribeError, match="changed by something else"):
        inscribe(change, records)
    assert path.read_bytes() == before


HELD = """
import os, sys
from pathlib import Path
from timbretree.inscribe import *
replace = os.replace
def patient(*names):
    print("holding", flush=True)
    sys.stdin.read()
    replace(*names)
os.replace = patient
inscribe(look(Path(sys.argv[1]), ("violin",)), Records(Path(sys.argv[2])))
"""


def test_two_never_write_into_one_file(shelf: Path, tmp_path: Path, records: Records) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(path), str(records.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"holding\n"
        with pytest.raises(InscribeError, match="another process"):
            inscribe(look(path, TRIO), records)
        assert path.read_bytes() == before
        other.communicate()
    assert look(path, ()).had == ("violin",)
    assert undo(path, records) is not None
    assert path.read_bytes() == before


def test_a_name_that_leaves_no_room_for_that_of_a_copy(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    path = path.rename(tmp_path / f"1.{'o' * 250}")
    before = path.read_bytes()
    with pytest.raises(InscribeError, match="can't be written"):
        inscribe(look(path, TRIO), records)
    assert path.read_bytes() == before
    assert not records.folder.exists()


KILLED = """
import os, sys
from pathlib import Path
from timbretree.inscribe import *
count, calls = int(sys.argv[3]), 0
def mortal(name):
    real = getattr(os, name)
    def call(*args, **keywords):
        global calls
        calls += 1
        if calls == count:
            os._exit(9)
        return real(*args, **keywords)
    setattr(os, name, call)
for name in ("replace", "fsync", "utime", "open", "unlink"):
    mortal(name)
path, records = Path(sys.argv[1]), Records(Path(sys.argv[2]))
inscribe(look(path, ("violin", "flute")), records)
"""


def test_killed_at_any_moment_a_file_is_whole_and_can_be_undone(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "flac", tmp_path)
    before = path.read_bytes()
    said = set()
    for count in range(1, 60):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(path), str(records.folder), str(count)], check=False
        )
        had = look(path, ()).had
        said.add(had)
        assert had in ((), ("violin", "flute"))
        assert had or path.read_bytes() == before
        undone = undo(path, records)
        assert (undone is not None) == bool(had)
        assert path.read_bytes() == before
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert said == {(), ("violin", "flute")}
    names = {each.name for each in tmp_path.iterdir()} - {"records", path.name}
    assert names == set(), "what a killed one leaves is taken away by the next"


# what can't be done


def test_files_without_a_place_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello, this is no sound")
    (tmp_path / "a.au").write_bytes(b".snd" + bytes(4000))
    for name, why in (("a.txt", "none of them"), ("a.au", "this is au"), ("b", "no such file")):
        with pytest.raises(InscribeError, match=why):
            look(tmp_path / name, TRIO)


@every
def test_cut_and_spoilt_files_are_left_alone_or_undone_to_the_byte(
    kind: str, shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, kind, tmp_path)
    whole = path.read_bytes()
    chance = random.Random(kind)
    outcomes = []
    for _ in range(25):
        data = bytearray(whole)
        if chance.random() < 0.4:
            del data[chance.randrange(len(data)) :]
        else:
            near = min(len(data), chance.choice([64, 400, len(data)]))
            for _ in range(chance.randint(1, 6)):
                data[chance.randrange(near)] = chance.choice([0, 1, 127, 128, 255])
        path.write_bytes(data)
        try:
            inscribe(look(path, TRIO), records)
            outcomes.append(True)
        except InscribeError:
            outcomes.append(False)
        done = undo(path, records)
        assert (done is not None and done.exact) or not outcomes[-1]
        assert path.read_bytes() == data
    assert True in outcomes or kind.startswith(("aiff", "m4a"))


# the parts


@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), st.binary(max_size=9)), max_size=5),
)
def test_splices_can_be_taken_back(data: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    import io

    splices, place = [], 0
    for gap, size, new in cuts:
        start = min(place + gap, len(data))
        place = min(start + size, len(data))
        splices.append(Splice(start, place, new))
    file = io.BytesIO(data)
    short = trimmed(splices, file)
    changed = b"".join(spliced(short, file))
    assert changed == applied(splices, data)
    back = inverse(short, file)
    assert b"".join(spliced(back, io.BytesIO(changed))) == data


@given(st.binary(max_size=80))
def test_id3_is_unsynchronised_as_mutagen_does(body: bytes) -> None:
    from mutagen.id3._util import unsynch

    mixed = id3_room._unsynchronised(body)
    assert mixed == unsynch.encode(body)
    assert unsynch.decode(mixed) == body


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_name_can_be_written(names: list[str]) -> None:
    room = id3_room.fresh(("a",), room=0)
    clean = tuple(name.replace("\0", "").replace("; ", "") or "x" for name in names)
    try:
        "".join(clean).encode()
    except UnicodeEncodeError:
        return
    had, splices = id3_room.change(room, clean)
    assert had == ("a",)
    if clean != had:
        assert id3_room.change(applied(splices, room), ())[0] == clean


def tag(version: int, body: bytes, flags: int = 0) -> bytes:
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body


def test_id3_frames_of_ours_are_found_however_they_are_written() -> None:
    import zlib

    text = b"\x03instruments\0lute"
    packed = zlib.compress(text)
    mixed = b"\1" + "Instruments\0lute".encode("utf-16").replace(b"\xff", b"\xff\0")
    frames = (
        (4, b"TXXX" + bytes([0, 0, 0, len(text)]) + b"\0\0" + text),
        (4, b"TXXX" + bytes([0, 0, 0, len(packed) + 4]) + b"\0\x09" + bytes(4) + packed),
        (4, b"TXXX" + bytes([0, 0, 0, len(text) + 1]) + b"\0\x40G" + text),
        (3, b"TXXX" + bytes([0, 0, 0, len(packed) + 4]) + b"\0\x80" + bytes(4) + packed),
        (3, b"TXXX\0\0\0\x25\0\0\1" + "Instruments\0lute".encode("utf-16") + b"\0\0"),
        (4, b"TXXX" + bytes([0, 0, 0, len(mixed)]) + b"\0\2" + mixed),
    )
    title = b"TIT2\0\0\0\4\0\0\0abc"
    for version, frame in frames:
        raw = tag(version, title + frame + title + frame + bytes(9))
        had, splices = id3_room.change(raw, ("oud",))
        assert had == ("lute", "lute")
        new = applied(splices, raw)
        assert len(new) == len(raw)
        assert new.count(b"TXXX") == 1
        assert new.count(title) == 2
        assert new.index(b"TXXX") == 10 + len(title)
        assert id3_room.change(new, ("oud",)) == (("oud",), [])
    for form in (b"\4", b"\x08"):
        locked = b"TXXX" + bytes([0, 0, 0, len(text)]) + b"\0" + form + text
        told = id3_room.change(tag(4, locked), ())
        assert told == ((), []), "what is encrypted can't be read, nor what does not unpack"
    spoilt = b"TXXX" + bytes([0, 0, 0, 17]) + b"\0\0\x03INSTRUMENTS\0l\xffte"
    assert id3_room.change(tag(4, spoilt), ())[0] == ("l\ufffdte",)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (tag(5, bytes(20)), "version 2.5"),
        (tag(3, bytes(20), 0x40), "extended header"),
        (tag(4, bytes(20), 0x10), "footer"),
        (tag(3, b"\xff\xe0" + bytes(20), 0x80), "can't be put back"),
    ],
)
def test_id3_tags_that_are_strange_are_left_alone(raw: bytes, why: str) -> None:
    with pytest.raises(InscribeError, match=why):
        id3_room.change(raw, ("oud",))


@pytest.mark.parametrize(
    "junk", [b"\x01junk that some program left", b"TIT2\0\1", b"TIT2\0\0\0\x7f\0"]
)
def test_id3_keeps_what_is_no_frame(junk: bytes) -> None:
    raw = tag(4, b"TIT2\0\0\0\4\0\0\0abc" + junk)
    had, splices = id3_room.change(raw, ("oud",))
    new = applied(splices, raw)
    assert had == ()
    assert new.endswith(b"abcTXXX\0\0\0\x10\0\0\x03INSTRUMENTS\0oud" + raw[24:])


@pytest.mark.parametrize(
    ("format", "options", "why"),
    [
        ("m4a", {"movflags": "frag_keyframe+empty_moov"}, "in fragments"),
        ("wav", {"rf64": "always"}, "more than 4 GB"),
        ("mka", {}, "this is matroska"),
    ],
)
def test_files_that_are_left_alone(
    format: str, options: dict[str, str], why: str, tmp_path: Path
) -> None:
    codec = {"m4a": "aac", "wav": "pcm_s16le", "mka": "flac"}[format]
    path = encoded(tmp_path / f"song.{format}", codec, 44100, **options)
    with pytest.raises(InscribeError, match=why):
        look(path, TRIO)


def test_wide_tables_of_places_are_moved_too(shelf: Path, tmp_path: Path, records: Records) -> None:
    path = taken(shelf, "m4a, bare, tags first", tmp_path)
    data = path.read_bytes()
    at = data.index(b"stco") - 4
    size, count = (int.from_bytes(data[at + n : at + n + 4], "big") for n in (0, 12))
    places = [int.from_bytes(data[at + 16 + 4 * n : at + 20 + 4 * n], "big") for n in range(count)]
    wide = b"".join((place + 4 * count).to_bytes(8, "big") for place in places)
    data = data[: at + 16] + wide + data[at + size :]
    data = data.replace(b"stco", b"co64")
    for name in (b"co64", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        here = data.index(name) - 4
        longer = int.from_bytes(data[here : here + 4], "big") + 4 * count
        data = data[:here] + longer.to_bytes(4, "big") + data[here + 4 :]
    path.write_bytes(data)
    sound = payload(path)
    assert sound
    inscribe(look(path, TRIO), records)
    assert path.stat().st_size > len(data)
    assert payload(path) == sound
    assert undo(path, records) is not None
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("name", "further", "new", "why"),
    [
        (b"stco", 8, b"\0\0\1\0", "where its sound lies is damaged"),
        (b"stco", 12, b"\xff\xff\xff\xff", "no room to grow"),
        (b"sgpd", 0, b"saio", "it is encrypted"),
        (b"mdat", 0, b"moof", "in fragments"),
        (b"mdhd", -4, b"\0\0\0\7", "longer than what it is in"),
        (b"mdhd", -4, b"\0\0\0\1", "longer than what it is in"),
        (b"moov", 0, b"gone", "no atom moov"),
    ],
)
def test_mp4_that_is_damaged_is_left_alone(
    name: bytes, further: int, new: bytes, why: str, shelf: Path, tmp_path: Path
) -> None:
    path = taken(shelf, "m4a without udta, sound last", tmp_path)
    data = path.read_bytes()
    place = data.index(name) + further
    path.write_bytes(data[:place] + new + data[place + len(new) :])
    with pytest.raises(InscribeError, match=why):
        look(path, TRIO)


def test_mp4_that_no_other_program_can_read_is_left_alone(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "m4a", tmp_path)
    path.write_bytes(path.read_bytes().replace(b"ftyp", b"free", 1))
    before = path.read_bytes()
    with pytest.raises(InscribeError, match="nobody could check"):
        inscribe(look(path, TRIO), records)
    assert path.read_bytes() == before
    assert not records.folder.exists()


def mp4_atom(name: bytes, *inside: bytes) -> bytes:
    whole = b"".join(inside)
    return (8 + len(whole)).to_bytes(4, "big") + name + whole


HDLR = mp4_atom(b"hdlr", bytes(25))
NAMED = mp4_atom(b"name", b"Largo")


@pytest.mark.parametrize(
    ("udta", "after"),
    [
        ((), b""),
        ((NAMED, bytes(4)), bytes(4)),
        ((NAMED, bytes(12)), bytes(12)),
        ((mp4_atom(b"meta", bytes(4), HDLR), NAMED), NAMED),
        ((mp4_atom(b"meta", HDLR), NAMED), NAMED),
        ((mp4_atom(b"meta", HDLR, bytes(4)), NAMED), bytes(4) + NAMED),
        ((mp4_atom(b"meta", HDLR, mp4_atom(b"ilst")), NAMED), NAMED),
    ],
)
def test_mp4_says_it_in_whatever_there_is(
    udta: tuple[bytes, ...], after: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "song.m4a"
    inside = b"".join(udta)
    head = mp4_atom(b"ftyp", b"M4A ", bytes(4)) + mp4_atom(b"mdat", bytes(99))
    path.write_bytes(head + mp4_atom(b"moov", mp4_atom(b"udta", inside)))
    assert look(path, ()).splices == ()
    new = applied(look(path, TRIO).splices, path.read_bytes())
    assert new.startswith(head)
    assert new.endswith(after)
    grown = len(new) - len(head)
    assert new[len(head) : len(head) + 8] == grown.to_bytes(4, "big") + b"moov"
    assert new[len(head) + 8 : len(head) + 16] == (grown - 8).to_bytes(4, "big") + b"udta"
    path.write_bytes(new)
    assert look(path, TRIO).had == TRIO
    assert applied(look(path, ()).splices, new).endswith(after)


@pytest.mark.parametrize("inside", [b"", b"\0\0"])
def test_mp4_with_too_short_a_place_for_tags_is_left_alone(inside: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    udta = mp4_atom(b"udta", mp4_atom(b"meta", inside), NAMED)
    path.write_bytes(mp4_atom(b"ftyp", b"M4A ", bytes(4)) + mp4_atom(b"moov", udta))
    with pytest.raises(InscribeError, match="shorter than it can be"):
        look(path, TRIO)


NEAR = 0xFFFFFFF0
STREAM = b"fLaC" + bytes([0, 0, 0, 34]) + bytes(34)
FULL = (1 << 24) - 1


def flac_comment(size: int) -> bytes:
    """The beginning of a FLAC whose comments are as long as they can be, with one of a length."""
    numbers = [0, 1, size]  # the vendor's name, the comments, the first of them
    head = b"\x84" + FULL.to_bytes(3, "big")
    return STREAM + head + b"".join(each.to_bytes(4, "little") for each in numbers)


@pytest.mark.parametrize(
    ("head", "size", "why"),
    [
        (b"RIFF" + (NEAR - 8).to_bytes(4, "little") + b"WAVE", NEAR, "as long as such a file"),
        (
            mp4_atom(b"ftyp") + NEAR.to_bytes(4, "big") + b"moov" + (NEAR - 8).to_bytes(4, "big"),
            8 + NEAR,
            "no room to grow",
        ),
        (flac_comment(FULL - 12), len(STREAM) + 4 + FULL, "as long as FLAC allows"),
        (flac_comment(FULL - 11), len(STREAM) + 4 + FULL, "longer than the block"),
    ],
)
def test_tags_that_can_not_grow_are_left_alone(
    head: bytes, size: int, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "song"
    with path.open("wb") as file:
        file.write(head)
        if head.startswith(b"RIFF"):
            file.write(b"data" + (size - len(head) - 8).to_bytes(4, "little"))
        file.truncate(size)  # what is not written takes no room on the disk
    with pytest.raises(InscribeError, match=why):
        look(path, TRIO)


@pytest.mark.parametrize("size", [0, 3, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", ["wav", "wav without tags", "aiff"])
def test_sizes_that_were_never_filled_in_are_left_alone(
    kind: str, size: int, shelf: Path, tmp_path: Path
) -> None:
    path = taken(shelf, kind, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:4] + size.to_bytes(4, "big" if kind == "aiff" else "little") + data[8:])
    with pytest.raises(InscribeError, match="not as long as its header says"):
        look(path, TRIO)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("wav", "a tag comes before its header"),
        ("aiff", "a tag comes before its header"),
        ("ogg", "something between its pages"),
        ("m4a", "longer than what it is in"),
    ],
)
def test_a_tag_where_none_belongs_is_left_alone(
    kind: str, why: str, shelf: Path, tmp_path: Path
) -> None:
    path = taken(shelf, kind, tmp_path)
    path.write_bytes(tag(4, bytes(20)) + path.read_bytes())
    with pytest.raises(InscribeError, match=why):
        look(path, TRIO)


def test_a_damaged_tag_in_a_wav_is_left_alone(shelf: Path, tmp_path: Path) -> None:
    path = taken(shelf, "wav", tmp_path)
    data = path.read_bytes()
    assert data.count(b"ID3\4") == 1
    path.write_bytes(data.replace(b"ID3\4", b"ID4\4"))
    with pytest.raises(InscribeError, match="its ID3 tag is damaged"):
        look(path, TRIO)


@pytest.mark.parametrize("kind", ["ogg", "opus", "flac in ogg"])
def test_ogg_whose_comments_are_not_where_they_belong(
    kind: str, shelf: Path, tmp_path: Path
) -> None:
    path = taken(shelf, kind, tmp_path)
    with path.open("rb+") as file:
        OggPage(file)
        second = OggPage(file)
        second.packets[0] = b"\1" + second.packets[0][1:]
        file.seek(second.offset)
        file.write(second.write())
    with pytest.raises(InscribeError, match="its second packet holds no comments"):
        look(path, TRIO)


def test_ogg_pages_of_others_and_of_the_next_stream_keep_their_numbers(
    shelf: Path, tmp_path: Path, records: Records
) -> None:
    path = taken(shelf, "ogg, full page", tmp_path)
    whole = path.read_bytes()
    pages = ogg_pages(path)
    pages[-1].last = False
    stray = OggPage()
    stray.serial, stray.sequence, stray.packets = pages[0].serial + 1, 5, [b"of somebody else"]
    pages.insert(5, stray)
    path.write_bytes(b"".join(page.write() for page in pages) + whole)
    before = path.read_bytes()
    inscribe(look(path, TRIO), records)
    assert path.read_bytes().endswith(whole)
    first = ogg_pages(path)[: len(pages) + 1]
    assert [page.write() for page in first if page.serial == stray.serial] == [stray.write()]
    numbers = [page.sequence for page in first if page.serial != stray.serial]
    assert numbers == [*range(len(pages))]
    assert undo(path, records) is not None
    assert path.read_bytes() == before


def ogg_pages(path: Path) -> list[OggPage]:
    pages = []
    with path.open("rb") as file:
        while file.tell() < path.stat().st_size:
            pages.append(OggPage(file))
    return pages


def test_names_are_made_safe(shelf: Path, tmp_path: Path) -> None:
    path = taken(shelf, "flac", tmp_path)
    change: Change = look(path, ("a\x1b[31m\nb", "c; d", "violin", "violin"))
    assert change.wants == ("a [31m b", "c, d", "violin")
    with pytest.raises(InscribeError, match="none of them empty"):
        look(path, ("\n",))


# what files say


@pytest.mark.parametrize(
    "kind", ["mp3 2.4", "mp3 2.3", "flac", "ogg", "opus", "m4a", "wav", "aiff"]
)
def test_metadata(kind: str, shelf: Path, tmp_path: Path) -> None:
    told = read_metadata(taken(shelf, kind, tmp_path))
    assert told is not None
    assert told["title"] == "Adagio – 琴"
    assert told["artist"].startswith("Dvořák")
    assert "album" not in told


def test_metadata_of_what_says_nothing(shelf: Path, tmp_path: Path) -> None:
    assert read_metadata(taken(shelf, "flac without tags", tmp_path)) == {}
    assert read_metadata(tmp_path / "gone.mp3") is None
    (tmp_path / "a.mp3").write_bytes(b"ID3\x04\x00\x00\x00\x00\x0f\xff" + bytes(50))
    assert read_metadata(tmp_path / "a.mp3") is None
    code = (
        "import sys; sys.modules['mutagen'] = None\n"
        "from timbretree.inscribe import read_metadata\n"
        "assert read_metadata('song.mp3') is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_mutagen_is_used_in_one_place() -> None:
    import timbretree

    root = Path(timbretree.__file__).parent
    users = [
        path.name for path in root.rglob("*.py") if "import mutagen" in path.read_text("utf-8")
    ]
    assert users == ["witness.py"]
