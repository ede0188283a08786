"""An array that is filled row by row: whole, half, or killed on the way, never wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timbretree.rowfile import RowFile


def opened(folder: Path, rows: int = 6, identity: str = "a") -> RowFile:
    return RowFile(folder / "x.npy", (rows, 2), np.float32, identity=identity)


def put(store: RowFile, rows: list[int], note: str | None = None) -> None:
    array = store.array
    array[rows] = np.array(rows)[:, None]
    array.flush()
    store.mark(rows, [note] * len(rows))


def test_from_empty_to_finished(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.todo == [0, 1, 2, 3, 4, 5]
    put(store, [4, 1])
    put(store, [0, 2, 3, 5], "late")
    assert not (tmp_path / "x.npy").exists()
    assert store.finish().array[:, 1].tolist() == [0, 1, 2, 3, 4, 5]
    again = opened(tmp_path)
    assert (again.finished, again.todo) == (True, [])
    assert again.notes == {0: "late", 2: "late", 3: "late", 5: "late"}
    assert again.array[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.npy"]


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 400))
def test_what_was_marked_is_kept_and_the_rest_is_missing(
    tmp_path_factory: pytest.TempPathFactory, marked: list[bool], cut: int
) -> None:
    """Also where a kill cut the journal off anywhere behind its first line."""
    folder = tmp_path_factory.mktemp("rows")
    store = opened(folder, len(marked))
    for row, done in enumerate(marked):
        if done:
            put(store, [row], f"note {row}")
    journal = folder / "x.npy.journal"
    content = journal.read_bytes()
    head = content.index(b"\n") + 1
    journal.write_bytes(content[: max(head, len(content) - cut)])
    left = journal.read_bytes()[head:].count(b"\n")
    wanted = [row for row, done in enumerate(marked) if done][:left]
    for _ in range(2):  # the second time without the line that was cut off
        again = opened(folder, len(marked))
        assert sorted(set(range(len(marked))) - set(again.todo)) == wanted
        assert again.notes == {row: f"note {row}" for row in wanted}
        assert again.array[wanted, 0].tolist() == wanted
    put(again, again.todo)
    assert opened(folder, len(marked)).todo == []


@pytest.mark.parametrize("finished", [True, False])
def test_another_identity_is_made_anew(tmp_path: Path, finished: bool) -> None:
    store = opened(tmp_path)
    put(store, store.todo if finished else [1], "old")
    if finished:
        store.finish()
    other = opened(tmp_path, identity="b")
    assert (other.todo, other.notes) == ([0, 1, 2, 3, 4, 5], {})
    assert not other.array.any()
    if finished:  # the old one is there until the new one is whole
        assert opened(tmp_path).finished
    put(other, other.todo)
    other.finish()
    assert opened(tmp_path, identity="b").finished
    assert opened(tmp_path, rows=5, identity="b").todo == [0, 1, 2, 3, 4]


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        opened(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_killed_in_the_middle_loses_only_the_row_in_hand(tmp_path: Path) -> None:
    code = (
        "import sys, time, numpy, pathlib\n"
        "from timbretree.rowfile import RowFile\n"
        "store = RowFile(pathlib.Path(sys.argv[1]), (500, 2), numpy.float32, identity='a')\n"
        "array = store.array\n"
        "for row in store.todo:\n"
        "    array[row] = row\n"
        "    store.mark([row], [None])\n"
        "    print(row, flush=True)\n"
        "    time.sleep(0.002)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.npy")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) == 40:
            break
    time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    store = opened(tmp_path, 500)
    first = store.todo[0]
    assert 40 < first < 500
    assert store.todo == list(range(first, 500))
    assert store.array[:first, 0].tolist() == list(range(first))


def test_two_processes_do_not_fill_one_file(tmp_path: Path) -> None:
    code = (
        "import sys, time, numpy, pathlib\n"
        "from timbretree.rowfile import RowFile\n"
        "store = RowFile(pathlib.Path(sys.argv[1]), (6, 2), numpy.float32, identity='b')\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.npy")], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(OSError, match=r"another process is making .*x\.npy; wait for it"):
            opened(tmp_path)
        child.kill()
    assert opened(tmp_path).todo == [0, 1, 2, 3, 4, 5]  # a killed one holds nothing
