"""A crew of real worker processes: whatever one dies of costs the file in its hand, no other."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from timbretree.batch import Crew, CrewError, CrewLimits, HowToTag
from timbretree.batch.hand import resident
from timbretree.cores import cores
from timbretree.tagger import Tagger

EXAMPLE = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"
HOUR = 3600


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five hours of sound that take no time to write and a while to hear."""
    path = tmp_path_factory.mktemp("long") / "hours.wav"
    second = (np.random.default_rng(0).normal(0, 0.1, 8000) * 2**15).astype(np.int16)
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(5 * 60):
            file.write(np.tile(second, 60))
    return path


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 8000), 8000)
    return path


def workers(crew: Crew) -> list[psutil.Process]:
    """The processes of a crew; other tests' crews have some, too."""
    return [psutil.Process(hand._process.pid) for hand in crew._hands.values()]


class Begun:
    """Called with the progress of a file: waits until it is being heard."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._event = threading.Event()

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(60)


@pytest.fixture(scope="module")
def one() -> Iterator[Crew]:
    with Crew(jobs=1) as crew:
        yield crew


def test_a_crew_says_what_a_tagger_says(one: Crew, tmp_path: Path) -> None:
    odd = tmp_path / "odd \udcff\n.ogg"
    odd.write_bytes(EXAMPLE.read_bytes())
    wanted = Tagger()(EXAMPLE)
    here = list(one.tag([EXAMPLE, odd, tmp_path / "gone.wav"]))
    assert [tags.file for tags in here] == [str(EXAMPLE), str(odd), str(tmp_path / "gone.wav")]
    for tags in here[:2]:
        assert (tags.status, tags.seconds, tags.notes) == ("ok", wanted.seconds, wanted.notes)
        assert tags.taxonomy == wanted.taxonomy
        assert [score.probability for score in tags.tags] == pytest.approx(
            [score.probability for score in wanted.tags], abs=1e-6
        )
        assert len(tags.windows) == len(wanted.windows)
    assert (here[2].status, here[2].reason) == ("failed", "missing")


@pytest.mark.parametrize(
    ("how", "name"),
    [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV"), (40, "signal 40")],
)
def test_a_worker_that_crashes_costs_one_file(
    one: Crew, hours: Path, short: Path, how: int, name: str
) -> None:
    begun = Begun()
    lost = one.submit(hours, begun)
    after = one.submit(short)
    begun.wait()
    (worker,) = workers(one)
    worker.send_signal(how)
    tags = lost.result(60)
    assert (tags.file, tags.status, tags.reason) == (str(hours), "failed", "crashed")
    assert f"killed by {name}" in str(tags.message)
    assert after.result(60).status == "ok"
    assert [each.pid for each in workers(one)] != [worker.pid]


def test_a_worker_that_hangs_is_replaced(hours: Path, short: Path) -> None:
    with Crew(jobs=1, limits=CrewLimits(quiet_seconds=1)) as crew:
        begun = Begun()
        lost = crew.submit(hours, begun)
        begun.wait()
        workers(crew)[0].suspend()
        tags = lost.result(60)
        assert (tags.status, tags.reason) == ("failed", "timed_out")
        assert crew.submit(short).result(60).status == "ok"


@pytest.mark.skipif(not resident(os.getpid()), reason="memory is watched on Linux")
def test_a_file_that_takes_too_much_memory_costs_itself(hours: Path, short: Path) -> None:
    with Crew(jobs=1, limits=CrewLimits(memory_mb=1)) as crew:
        tags = crew.submit(hours).result(60)
    assert (tags.status, tags.reason) == ("failed", "out_of_memory")
    with Crew(jobs=1, limits=CrewLimits(memory_mb=0)) as crew:
        assert crew.submit(short).result(60).status == "ok"


def test_a_process_that_has_ended_holds_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert resident(child.pid) > 0
        child.communicate()
    assert resident(child.pid) == 0


def test_a_worker_lost_between_two_files_costs_none(one: Crew, short: Path) -> None:
    assert one.submit(short).result(60).status == "ok"
    (worker,) = workers(one)
    worker.kill()
    assert one.submit(short).result(60).status == "ok"


def test_progress_is_told_and_added_up(one: Crew, hours: Path) -> None:
    before, begun = one.heard, Begun()
    lost = one.submit(hours, begun)
    begun.wait()
    assert one.heard > before
    workers(one)[0].kill()
    lost.result(60)
    assert begun.seconds == sorted(begun.seconds)


def test_one_that_listens_badly_does_no_harm(one: Crew, hours: Path, short: Path) -> None:
    def stumble(seconds: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        one.submit(hours, stumble).result(60)
    assert one.submit(short).result(60).status == "ok"


def test_few_files_are_asked_for_at_a_time(one: Crew, short: Path) -> None:
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield short

    answers = one.tag(endless())
    for _ in range(5):
        assert next(answers).status == "ok"
    assert asked <= 5 + 2
    answers.close()  # type: ignore[attr-defined]


def test_answers_in_order_though_one_takes_long(tmp_path: Path, short: Path) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, np.random.default_rng(0).normal(0, 0.1, 8000 * 600), 8000)
    paths = [long, short, tmp_path / "gone", short, long, short]
    with Crew(jobs=2) as crew:
        assert [tags.file for tags in crew.tag_in_order(paths)] == [str(path) for path in paths]
        assert list(crew.tag_in_order([])) == []


def test_finishing_leaves_what_is_in_hand_to_be_finished(short: Path) -> None:
    with Crew(jobs=2) as crew:
        answers = crew.tag(short for _ in range(1000))
        next(answers)
        crew.finish()
        assert all(tags.status == "ok" for tags in answers)
        assert crew.submit(short).cancelled()


def test_whoever_leaves_ends_all(hours: Path) -> None:
    with Crew(jobs=2) as crew:
        begun = Begun(), Begun()
        lost = [crew.submit(hours, each) for each in (*begun, None)]
        for each in begun:  # two in hand, one waits
            each.wait()
        mine = workers(crew)
    assert psutil.wait_procs(mine, timeout=0)[1] == []
    for each in lost[:2]:
        with pytest.raises(CrewError, match="dismissed"):
            each.result(1)
    assert lost[2].cancelled()
    with pytest.raises(CrewError, match="dismissed"):
        crew.submit(hours).result(1)


def test_a_model_that_is_none_is_told(short: Path, tmp_path: Path) -> None:
    with Crew(HowToTag(tmp_path / "gone.onnx"), jobs=2) as crew:
        with pytest.raises(CrewError, match=r"gone\.onnx: No such file"):
            list(crew.tag([short, short]))
        with pytest.raises(CrewError):
            crew.submit(short).result(60)


def test_workers_that_can_not_start_are_not_tried_for_ever(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the library is gone >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with Crew(jobs=1) as crew, pytest.raises(CrewError, match=r"exit code 7.*the library is gone"):
        crew.submit(short).result(60)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with Crew(jobs=1) as crew, pytest.raises(CrewError, match="can't be started"):
        crew.submit(short).result(60)


CHILD = """
import sys
from pathlib import Path
from timbretree.batch import Crew
with Crew(jobs=2) as crew:  # on purpose without asking whether this is the main module
    for _ in crew.tag([Path(sys.argv[1])] * 3):
        pass
    crew.submit(Path(sys.argv[2]), lambda seconds: print("heard", flush=True))
    crew.submit(Path(sys.argv[2])).result()
"""


@pytest.mark.parametrize("state", ["at work", "suspended"])
def test_workers_end_when_who_started_them_is_killed(
    tmp_path: Path, hours: Path, short: Path, state: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(CHILD)
    with subprocess.Popen(
        [sys.executable, script, short, hours], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "heard\n"
        orphans = psutil.Process(child.pid).children()
        assert len(orphans) == 2
        if state == "suspended":
            orphans[0].suspend()
        child.kill()
        if state == "suspended":
            orphans[0].resume()
        assert psutil.wait_procs(orphans, timeout=60)[1] == []


def test_a_folder_of_music_is_no_place_to_import_from(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with Crew(jobs=1) as crew:
        assert crew.submit(short).result(60).status == "ok"


def test_cores_are_those_this_process_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from timbretree import cores as room

    assert 1 <= cores() <= (os.cpu_count() or 1)
    for told, wanted in (("150000 100000\n", 2), ("max 100000\n", 1_000_000), ("", 1_000_000)):
        (tmp_path / "cpu.max").write_text(told)
        assert room._given(tmp_path / "cpu.max") == wanted
    assert room._given(tmp_path / "nowhere") == 1_000_000


@pytest.mark.parametrize("wrong", [{"quiet_seconds": -1}, {"memory_mb": -1}])
def test_limits_are_none_or_more(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="limits of 0"):
        CrewLimits(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one worker"):
        Crew(jobs=0)
