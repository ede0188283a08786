"""The journal: whatever is cut off, torn or lost, what it says is true of the rows."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbretree.batch.journal import Entry, Journal, JournalError
from timbretree.batch.known import Known, Stamp
from timbretree.batch.tail import FullError, Tail

PLAN = {"model": "toy", "hop": None}


def entry(name: str, size: int = 1, status: str = "ok") -> Entry:
    return Entry(f"/music/{name}", size, 1_700_000_000_123_456_789, status, None, None, 1.5)


@contextmanager
def opened(
    folder: Path, plan: dict[str, object] = PLAN, head: bytes = b"head\n"
) -> Iterator[Journal]:
    with Journal(folder / "r.journal", plan, folder / "r", head) as journal:
        yield journal


def told(journal: Journal) -> dict[str, bytes]:
    return {each.path.removeprefix("/music/"): journal.text(each) for each in journal.entries()}


def fill(folder: Path, names: str, *, sync: bool = False) -> None:
    with opened(folder) as journal:
        for name in names:
            journal.add(entry(name), f"row of {name}\n".encode())
        if sync:
            journal.sync()


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    fill(tmp_path, "abc")
    fill(tmp_path, "de", sync=True)
    with opened(tmp_path) as journal:
        assert told(journal) == {name: f"row of {name}\n".encode() for name in "abcde"}
        number = journal.known.last("/music/b")
        assert number == 1
        stamp = Stamp(1, 1_700_000_000_123_456_789)
        assert journal.known.is_same(number, stamp)
        assert not journal.known.is_same(number, stamp._replace(size=2))
        assert not journal.known.is_same(number, stamp._replace(mtime_ns=5))
        assert journal.known.last("/music/z") is None
    assert (tmp_path / "r").read_bytes().startswith(b"head\nrow of a\n")


@settings(max_examples=150)
@given(lost=st.integers(0, 900), rows_lost=st.integers(0, 40), junk=st.binary(max_size=20))
def test_a_torn_end_costs_the_last_recordings_only(
    tmp_path_factory: pytest.TempPathFactory, lost: int, rows_lost: int, junk: bytes
) -> None:
    """Any number of bytes gone from the ends of both files, and anything in their place: what is
    told afterwards has its rows, and what was synced is told."""
    folder = tmp_path_factory.mktemp("torn")
    fill(folder, "ab", sync=True)
    sure = [(folder / name).stat().st_size for name in ("r.journal", "r")]
    fill(folder, "cdef")
    for name, least, gone in zip(("r.journal", "r"), sure, (lost, rows_lost), strict=True):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: max(least, len(data) - gone)] + junk)
    with opened(folder) as journal:
        rows = told(journal)
        assert list(rows) == list("abcdef")[: len(rows)]
        assert len(rows) >= 2
        assert all(row == f"row of {name}\n".encode() for name, row in rows.items())
        journal.add(entry("new"), b"row of new\n")
        assert (folder / "r").read_bytes() == b"head\n" + b"".join(told(journal).values())


def test_zeros_after_a_power_cut_are_no_rows(tmp_path: Path) -> None:
    fill(tmp_path, "a", sync=True)
    fill(tmp_path, "b")
    rows = tmp_path / "r"
    rows.write_bytes(rows.read_bytes().replace(b"row of b\n", b"\0" * 9))
    with opened(tmp_path) as journal:
        assert list(told(journal)) == ["a"]


def test_recordings_tagged_again_are_left_once(tmp_path: Path) -> None:
    fill(tmp_path, "abc")
    with opened(tmp_path) as journal:
        journal.add(entry("b", size=2), b"new row of b\n")
        journal.tidy()
        expected = {"a": b"row of a\n", "c": b"row of c\n", "b": b"new row of b\n"}
        assert told(journal) == expected
        journal.add(entry("d"), b"row of d\n")
    with opened(tmp_path) as journal:
        assert told(journal) == expected | {"d": b"row of d\n"}
    assert (tmp_path / "r").read_bytes() == b"head\n" + b"".join(
        told(journal_of(tmp_path)).values()
    )
    assert sorted(os.listdir(tmp_path)) == ["r", "r.journal"]


def journal_of(folder: Path) -> Journal:
    return Journal(folder / "r.journal", PLAN, folder / "r", b"head\n")


@pytest.mark.parametrize("stage", range(6))
def test_a_kill_while_tidying_loses_nothing(
    tmp_path: Path, stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any of the steps that replace the two files, or between them."""
    fill(tmp_path, "abc")
    steps = 0

    def step(function: str) -> None:
        real = getattr(os, function)

        def killed(*arguments: object) -> object:
            nonlocal steps
            steps += 1
            if steps > stage:
                raise KeyboardInterrupt
            return real(*arguments)

        monkeypatch.setattr(os, function, killed)

    with opened(tmp_path) as journal:
        journal.add(entry("a", size=2), b"new row of a\n")
        step("fsync")
        step("replace")
        try:
            journal.tidy()
        except KeyboardInterrupt:
            assert steps == stage + 1
        monkeypatch.undo()
    with opened(tmp_path) as journal:
        assert told(journal) == {"b": b"row of b\n", "c": b"row of c\n", "a": b"new row of a\n"}
        assert sorted(os.listdir(tmp_path)) == ["r", "r.journal"]
        journal.tidy()
        assert (tmp_path / "r").read_bytes() == b"head\nrow of b\nrow of c\nnew row of a\n"


def test_another_plan_is_refused_except_for_a_journal_of_nothing(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with opened(tmp_path, {"model": "other"}, b"other\n") as journal:
        journal.add(entry("a"), b"row\n")
    with pytest.raises(JournalError, match=r"with model other, now asked for is toy; .*--force"):
        fill(tmp_path, "b")
    assert (tmp_path / "r").read_bytes() == b"other\nrow\n"


def test_rows_that_somebody_shortened_are_not_gone_on_with(tmp_path: Path) -> None:
    fill(tmp_path, "abc", sync=True)
    (tmp_path / "r").write_bytes(b"head\n")
    with pytest.raises(JournalError, match=r"shorter than r\.journal says"):
        fill(tmp_path, "d")


def test_what_is_no_journal_is_begun_anew_only_where_it_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "r.journal").write_bytes(b"\0\0\0")
    (tmp_path / "r").write_bytes(b"rest of a kill")
    fill(tmp_path, "a")
    assert (tmp_path / "r").read_bytes() == b"head\nrow of a\n"


@pytest.mark.parametrize("first", [b'{"timbretree": 2, "plan": {}}', b"\0" * 60, b"[1, 2]", b""])
def test_a_journal_that_can_not_be_read_costs_no_row(tmp_path: Path, first: bytes) -> None:
    fill(tmp_path, "abc", sync=True)
    journal, rows = tmp_path / "r.journal", tmp_path / "r"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([first + b"\n", *lines[1:]]))
    before = journal.read_bytes(), rows.read_bytes()
    with pytest.raises(JournalError, match="damaged, or was written by another timbretree"):
        fill(tmp_path, "d")
    assert (journal.read_bytes(), rows.read_bytes()) == before
    journal.write_bytes(b"".join(lines))
    fill(tmp_path, "d")
    with opened(tmp_path) as journal_again:
        assert [*told(journal_again)] == [*"abcd"]


def test_a_line_that_is_no_recording_ends_what_is_known(tmp_path: Path) -> None:
    fill(tmp_path, "ab")
    with (tmp_path / "r.journal").open("ab") as file:
        file.write(b'{"other": 1}\n')
    fill(tmp_path, "c")
    with opened(tmp_path) as journal:
        assert [*told(journal)] == [*"abc"]


class Narrow:
    """A disk with so many bytes left."""

    def __init__(self, file: object, room: int) -> None:
        self._file, self.room = file, room

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        part = min(len(data), self.room)
        self.room -= part
        if not part:
            raise OSError(28, "No space left on device")
        return self._file.write(data[:part])  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(("file", "room"), [("_rows", 5), ("_lines", 40)])
def test_a_full_disk_leaves_whole_pieces(tmp_path: Path, file: str, room: int) -> None:
    fill(tmp_path, "a")
    before = {name: (tmp_path / name).read_bytes() for name in ("r", "r.journal")}
    with opened(tmp_path) as journal:
        tail: Tail = getattr(journal, file)
        tail._file = Narrow(tail._file, room)  # type: ignore[assignment]
        with pytest.raises(FullError, match="No space left"):
            journal.add(entry("b"), b"row of b\n")
        tail._file.room = 10**6  # type: ignore[attr-defined]
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
        journal.add(entry("b"), b"row of b\n")
        assert told(journal) == {"a": b"row of a\n", "b": b"row of b\n"}


def test_what_a_disk_does_not_keep_is_told() -> None:
    tail = Tail(Path(os.devnull))  # nothing that is written there can be kept
    with pytest.raises(FullError, match="can't be written"):
        tail.sync()
    tail.close()


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = "line\nbreak \udcff \u2028 ü"
    fill(tmp_path, "a")
    with opened(tmp_path) as journal:
        journal.add(entry(name), b"row\n")
    with opened(tmp_path) as journal:
        assert list(told(journal)) == ["a", name]
        assert journal.known.last(f"/music/{name}") == 1
    lines = (tmp_path / "r.journal").read_bytes().splitlines()
    assert [json.loads(line).get("path") for line in lines][1:] == ["/music/a", f"/music/{name}"]


def test_a_million_recordings_are_known_in_few_bytes() -> None:
    known = Known()
    for number in range(20_000):
        known.add(f"/{number % 15_000}", Stamp(number, 0), failed=False)
    known.sort()
    assert known.doubles
    assert known.last("/3") == 15_003
    assert known.last("/14999") == 14_999
    assert known.last("/15000") is None
