"""What is to be tagged: each file once, in order, however named; shards miss and share none."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbretree.batch.inputs import Asked, Shard


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")


def found(folder: Path, *names: object, lists: tuple[Path, ...] = ()) -> list[str]:
    asked = Asked([str(name) for name in names], lists)
    return [os.path.relpath(each.path, folder) for each in asked]


def test_a_folder_gives_its_sound_files_whatever_the_case_of_their_endings(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP3", "a.flac", "Film.MoV", "cover.jpg", "notes.txt", "noending")
    touch(tmp_path, "disc 2/ä.Ogg", "disc 1/x.wav", "disc 1/deep/y.m4a")
    touch(tmp_path, ".hidden.mp3", "._b.MP3", ".git/z.wav")
    assert found(tmp_path, tmp_path) == [
        *("Film.MoV", "a.flac", "b.MP3"),
        *("disc 1/x.wav", "disc 1/deep/y.m4a", "disc 2/ä.Ogg"),
    ]


def test_files_named_are_taken_whatever_they_are_called(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden", "cover.jpg")
    names = [tmp_path / name for name in (".hidden", "cover.jpg", "nowhere.mp3")]
    assert found(tmp_path, *names) == [".hidden", "cover.jpg", "nowhere.mp3"]


def test_doubles_are_taken_once_in_whatever_way_they_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp3", "a/b/y.mp3", "a/cover.jpg")
    a, x = tmp_path / "a", tmp_path / "a" / "x.mp3"
    odd = tmp_path / "a" / "b" / ".." / "x.mp3"
    (tmp_path / "list.m3u").write_text("a/x.mp3\na/b/y.mp3\na/cover.jpg\n")
    assert found(tmp_path, x, odd, x) == ["a/x.mp3"]
    assert found(tmp_path, x, a, a / "b") == ["a/x.mp3", "a/b/y.mp3"]
    assert found(tmp_path, a / "b", a, x) == ["a/b/y.mp3", "a/x.mp3"]
    assert found(tmp_path, a, tmp_path / "list.m3u") == ["a/x.mp3", "a/b/y.mp3", "a/cover.jpg"]


def test_what_is_named_and_not_there_is_told_even_after_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp3")
    gone = tmp_path / "a" / "gone.mp3"
    assert found(tmp_path, tmp_path / "a", gone, gone) == ["a/x.mp3", "a/gone.mp3"]


def test_links_that_lead_round_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "music/x.mp3", "elsewhere/y.mp3")
    (tmp_path / "music" / "round").symlink_to(tmp_path / "music")
    (tmp_path / "music" / "there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "music")
    (tmp_path / "music" / "self.mp3").symlink_to("self.mp3")
    (tmp_path / "music" / "gone.mp3").symlink_to("nowhere")
    expected = ["gone.mp3", "self.mp3", "x.mp3", "there/y.mp3"]
    assert found(tmp_path / "music", tmp_path / "music") == expected


def test_a_folder_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/x.mp3", "b/y.mp3")
    scan = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("a"):
            raise PermissionError(13, "Permission denied")  # root, who may run this, may read all
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    locked, y = Asked([str(tmp_path)])
    assert (locked.path, locked.reason) == (tmp_path / "a", "unreadable")
    assert (y.key, y.reason) == ("b/y.mp3", None)


def test_globs_are_for_shells_that_leave_them(tmp_path: Path) -> None:
    touch(tmp_path, "a1.mp3", "a2.mp3", "b.mp3", "a.dat", "deep/c.mp3", "deep/cover.jpg", "[x].mp3")
    assert found(tmp_path, tmp_path / "a?.mp3") == ["a1.mp3", "a2.mp3"]
    assert found(tmp_path, tmp_path / "*.dat") == ["a.dat"]
    assert found(tmp_path, tmp_path / "deep" / "**") == ["deep/c.mp3"]
    assert found(tmp_path, tmp_path / "[x].mp3") == ["[x].mp3"]  # there is a file of that name
    (nothing,) = Asked([str(tmp_path / "z*.mp3")])
    assert (nothing.reason, nothing.message) == ("missing", "no file matches this pattern")


def test_playlists_are_read_as_others_write_them(tmp_path: Path) -> None:
    names = ["plain.mp3", "sub/ä.mp3", "sub/back.mp3", "a b.mp3", "latin ü.mp3", "#1.mp3", "z.mp3"]
    touch(tmp_path / "music", *names)
    (tmp_path / "music" / "bytes \udcff.mp3").write_bytes(b"sound")
    playlist = tmp_path / "music" / "list.M3U"
    playlist.write_bytes(
        b"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:1,x\r\nplain.mp3\r\n\r\n"
        + "sub/ä.mp3\r\nsub\\back.mp3\r\na%20b.mp3\r\n./#1.mp3\r\n".encode()
        + "latin ü.mp3\r\n".encode("latin-1")
        + b"bytes \xff.mp3\r\nhttps://radio.example/x.mp3\r\ngone.mp3\r\n"
        + f"file://{tmp_path}/music/z%2Emp3".encode()
    )
    rows = list(Asked([str(playlist)]))
    assert [os.path.relpath(row.path, playlist.parent) for row in rows if row.reason is None] == [
        *("plain.mp3", "sub/ä.mp3", "sub/back.mp3", "a b.mp3", "./#1.mp3"[2:], "latin ü.mp3"),
        *("bytes \udcff.mp3", "gone.mp3", "z.mp3"),
    ]
    (radio,) = [row for row in rows if row.reason is not None]
    assert (str(radio.path), radio.reason) == ("https:/radio.example/x.mp3", "missing")
    assert ".." not in radio.key.split("/")


def test_other_playlists_and_playlists_in_playlists(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp3", "b.mp3", "c.mp3")
    (tmp_path / "one.pls").write_text("[playlist]\nFile1=a.mp3\nTitle1=A\nfile2 = b.mp3\nVersion=2")
    (tmp_path / "two.m3u8").write_bytes("c.mp3\ntwo.m3u8\none.pls\n".encode("utf-16"))
    assert found(tmp_path, tmp_path / "two.m3u8") == ["c.mp3", "a.mp3", "b.mp3"]


def test_a_playlist_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "x.mp3")
    (tmp_path / "list.m3u").symlink_to("/proc/self/mem")  # whose first bytes nobody may read
    broken, x = Asked([str(tmp_path / "list.m3u"), str(tmp_path / "x.mp3")])
    assert (broken.key, broken.reason) == ("list.m3u", "unreadable")
    assert (x.key, x.reason) == ("x.mp3", None)


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\0"])
def test_lists_have_a_name_a_line_or_names_that_end_with_nul(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = "two\nlines.mp3" if mark == "\0" else "[a]*.mp3"
    names = ["a.mp3", odd, "bytes \udcff.mp3", "folder"]
    touch(tmp_path, "a.mp3", odd, "folder/x.mp3")
    (tmp_path / "list").write_bytes(os.fsencode(mark.join(names)))
    assert found(tmp_path, lists=(Path("list"),)) == [*names[:3], "folder/x.mp3"]


def test_a_list_on_its_way_is_read_as_it_comes(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with fifo.open("wb", buffering=0) as writer:
        writer.write(b"a.mp3\nb.mp3\n")
        os.set_blocking(reader, True)
        asked = iter(Asked(lists=[Path(f"/dev/fd/{reader}")]))
        assert [str(next(asked).path) for _ in "ab"] == ["a.mp3", "b.mp3"]
        writer.write(b"c.mp3\n")
        assert str(next(asked).path) == "c.mp3"
    assert list(asked) == []
    os.close(reader)
    assert not Asked(lists=[fifo]).again


def test_keys_tell_where_a_file_lies_below_what_was_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "music/a/x.mp3", "music/b/y.mp3", "other/z.mp3")
    (tmp_path / "music" / "list.m3u").write_text("a/x.mp3\n../other/z.mp3\n")
    music = tmp_path / "music"
    assert [each.key for each in Asked([str(music)])] == ["a/x.mp3", "b/y.mp3"]
    assert [each.key for each in Asked([f"{music}/*/?.mp3"])] == ["a/x.mp3", "b/y.mp3"]
    both = Asked([str(music / "a"), str(tmp_path / "other" / "z.mp3")])
    assert [each.key for each in both] == ["music/a/x.mp3", "other/z.mp3"]
    outside = [each.key for each in Asked([str(music / "list.m3u")])]
    assert outside == ["a/x.mp3", f"_{(tmp_path / 'other/z.mp3').as_posix()}"]


def test_shards_share_nothing_and_miss_nothing_wherever_the_folder_lies(tmp_path: Path) -> None:
    names = [f"{number % 7}/ü {number}.mp3" for number in range(200)]
    touch(tmp_path / "here", *names)
    touch(tmp_path / "some" / "where", *names)
    parts = [
        {each.key for each in Asked([str(tmp_path / "here")], shard=Shard(number, 16))}
        for number in range(1, 17)
    ]
    assert set().union(*parts) == set(names)
    assert sum(map(len, parts)) == len(names)
    assert all(parts)
    there = Asked([str(tmp_path / "some" / "where")], shard=Shard.parse("3/16"))
    assert {each.key for each in there} == parts[2]


@given(st.text(), st.integers(1, 50))
def test_a_key_is_in_one_shard_only(key: str, count: int) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    assert sum(shard.holds(key) for shard in shards) == 1


def test_a_shard_does_not_depend_on_how_a_disk_spells_letters() -> None:
    for number in range(1, 9):
        assert Shard(number, 8).holds("\u00fc.mp3") == Shard(number, 8).holds("u\u0308.mp3")


@pytest.mark.parametrize("text", ["", "3", "0/16", "17/16", "3/0", "a/b", "-1/4", "1/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a shard"):
        Shard.parse(text)
