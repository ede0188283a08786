"""Processes side by side: all is done, or broken off at once where the block is left in trouble."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from timbretree.workers import as_done, process_pool

LONG = 20.0
"""Seconds that nobody waits for, if what waits is broken off."""


def work(path: Path) -> int:
    path.touch()
    return os.getpid()


def wait_long(path: Path) -> None:
    path.touch()
    time.sleep(LONG)


def test_all_is_done_by_other_processes(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(9)]
    with process_pool() as pool:
        found = set(pool.map(work, paths))
    assert os.getpid() not in found
    assert all(path.exists() for path in paths)


def interrupt_in_the_middle(paths: list[Path]) -> None:
    with process_pool() as pool:
        for path in paths:
            pool.submit(wait_long, path)
        while not paths[0].exists():
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_an_exception_breaks_off_what_runs_and_what_waits(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(40)]
    with pytest.raises(KeyboardInterrupt):
        interrupt_in_the_middle(paths)
    assert not paths[-1].exists()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(OSError, match="ended from outside"), process_pool() as pool:
        pool.submit(die).result()


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_workers import wait_long
from timbretree.workers import as_done, process_pool
if __name__ == "__main__":
    with process_pool() as pool:
        pool.submit(wait_long, Path({path!r})).result()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(tmp_path: Path, how: int) -> None:
    """Whatever ends it; and where a terminal sends Ctrl-C to all, only that one speaks of it."""
    script, path = tmp_path / "script.py", tmp_path / "busy"
    script.write_text(CHILD.format(here=str(Path(__file__).parent), path=str(path)))
    with subprocess.Popen(
        [sys.executable, script], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        while not path.exists():
            time.sleep(0.01)
        if how == signal.SIGINT:
            os.killpg(child.pid, how)
        else:
            child.send_signal(how)
        assert child.stderr is not None
        said = child.stderr.read()  # until the last of them has ended
    assert said.count("Traceback") == (how == signal.SIGINT)


def test_all_answers_come_and_few_calls_wait() -> None:
    asked: list[int] = []

    def calls() -> Iterator[tuple[int, int]]:
        for number in range(40):
            asked.append(number)
            yield number, 2

    answers = as_done(pow, calls(), jobs=2)
    found = [next(answers)]
    assert len(asked) == 4  # two at work, two waiting
    found += answers
    assert sorted(found) == [number**2 for number in range(40)]


def test_what_a_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(as_done(divmod, ((1, 1), (1, 0), (1, 1)), jobs=1))
