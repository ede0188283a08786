"""Whole jobs through the real command: killed, gone on with, changed, full disks, Ctrl-C."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from terminal import on_a_terminal
from timbretree.batch.alone import Alone
from timbretree.batch.how import AS_SHIPPED
from timbretree.batch.inputs import Asked
from timbretree.batch.job import Job
from timbretree.batch.shapes import blank, results_at
from timbretree.batch.tail import FullError
from timbretree.files import alone

COMMAND = [sys.executable, "-c", "from timbretree.cli import main; main()", "tag"]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*COMMAND, *map(os.fspath, map(text, arguments))],
        capture_output=True, encoding="utf-8", errors="surrogateescape", check=False, **options,
    )  # fmt: skip


def text(argument: object) -> str:
    return os.fspath(argument) if isinstance(argument, Path) else str(argument)


def sound(path: Path, seconds: float = 0.5, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 0.1, round(8000 * seconds))
    with path.open("wb") as file:  # a name may be no text
        soundfile.write(file, noise, 8000, format="WAV")
    return path


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def names(path: Path) -> list[str]:
    return sorted(Path(str(row["file"])).name for row in lines(path))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Six sounds, and two files that are none."""
    for number in range(6):
        sound(tmp_path / "music" / f"{number % 2}" / f"{number}.WAV", seed=number)
    (tmp_path / "music" / "0" / "bad.mp3").write_text("this is no music")
    (tmp_path / "music" / "empty.ogg").touch()
    return tmp_path / "music"


ALL = ["0.WAV", "1.WAV", "2.WAV", "3.WAV", "4.WAV", "5.WAV", "bad.mp3", "empty.ogg"]


def test_a_folder_into_one_file_then_what_is_new_or_changed(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    first = run(music, "--out", out)
    assert (first.returncode, first.stdout) == (1, "")
    assert "8 files, 2 failed (" in first.stderr
    assert "bad.mp3: failed, not_audio" in first.stderr
    assert names(out) == ALL
    errors = lines(tmp_path / "r.jsonl.errors.jsonl")
    assert {(Path(str(row["path"])).name, row["reason"]) for row in errors} == {
        ("bad.mp3", "not_audio"),
        ("empty.ogg", "empty"),
    }
    assert all(list(row) == ["path", "status", "reason", "message"] for row in errors)

    before = out.read_bytes()
    again = run(music, "--out", out)
    assert again.returncode == 1  # two of them have failed, though before
    assert "0 files; 8 done before, 2 of them failed (--retry)" in again.stderr
    assert out.read_bytes() == before

    sound(music / "1" / "new.wav")
    sound(music / "0" / "0.WAV", seconds=1.0)
    sound(music / "empty.ogg")
    third = run(music, "--out", out)
    assert "3 files; " in third.stderr
    assert "6 done before, 1 of them failed" in third.stderr
    assert names(out) == sorted([*ALL, "new.wav"])
    seconds = {Path(str(row["file"])).name: row["seconds"] for row in lines(out)}
    assert (seconds["0.WAV"], seconds["1.WAV"], seconds["empty.ogg"]) == (1.0, 0.5, 0.5)
    assert len(lines(tmp_path / "r.jsonl.errors.jsonl")) == 1

    assert "1 file, 1 failed" in run(music, "--out", out, "--retry").stderr
    (music / "0" / "bad.mp3").unlink()
    sound(music / "0" / "bad.mp3")
    assert run(music, "--out", out).returncode == 0
    assert not (tmp_path / "r.jsonl.errors.jsonl").exists()
    assert sorted(os.listdir(tmp_path)) == ["music", "r.jsonl", "r.jsonl.journal"]


def test_what_other_plans_made_is_left_alone_unless_forced(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    out.write_text("somebody's own\n")
    refused = run(music, "--out", out)
    assert (refused.returncode, out.read_text()) == (2, "somebody's own\n")
    assert "exists already; add --force" in refused.stderr
    assert run(music / "1", "--out", out, "--force").returncode == 0
    for other in (["--taxonomy", "strings6"], ["--hop", "1"], ["--explain"]):
        refused = run(music / "1", "--out", out, *other)
        assert refused.returncode == 2
        assert "now asked for is" in refused.stderr
    assert run(music / "1", "--out", out, "--taxonomy", "strings6", "--force").returncode == 0
    assert {row["taxonomy"] for row in lines(out)} == {"strings6"}
    assert names(out) == ["1.WAV", "3.WAV", "5.WAV"]


def test_one_table_of_many_files(music: Path, tmp_path: Path) -> None:
    csv, parquet = tmp_path / "r.csv", tmp_path / "r.parquet"
    assert run(music, "--out", csv).returncode == 1
    sound(music / "0" / "0.WAV", seconds=1.0)
    for out in (csv, parquet):
        assert run(music, "--out", out).returncode == 1
    rows = csv.read_text().splitlines()
    assert sum(row.startswith("file,") for row in rows) == 1
    table = Counter(row.split(",")[0] for row in rows[1:])
    pyarrow = pytest.importorskip("pyarrow.parquet")
    assert Counter(pyarrow.read_table(parquet)["file"].to_pylist()) == table
    assert {Path(name).name for name in table} == set(ALL)


def test_each_in_a_file_of_its_own(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    long = sound(music / ("ü" * 125 + ".wav"))
    odd = sound(music / "line\nbreak \udcff.wav")
    assert run(music, "--out", out, "--format", "json").returncode == 1
    kept = {path.relative_to(out) for path in out.rglob("*.json")}
    assert {Path("0/0.WAV.json"), Path("0/bad.mp3.json"), Path(f"{odd.name}.json")} <= kept
    assert len(kept) == 10
    (short,) = [path for path in kept if "ü" in path.name]
    assert short.name.startswith("ü" * 100), "what is too long with what was added is shortened"
    assert json.loads((out / f"{odd.name}.json").read_text())["file"] == str(odd)
    (out / "0" / "0.WAV.json").unlink()
    assert "1 file; " in run(music, "--out", out, "--format", "json").stderr
    assert long.exists()


class Killer:
    """Runs the command until so many recordings are written down, then kills it."""

    def __init__(self, journal: Path, *arguments: object) -> None:
        self.journal, self.arguments = journal, [text(each) for each in arguments]

    def __call__(self, lines: int) -> None:
        with subprocess.Popen([*COMMAND, *self.arguments], stderr=subprocess.DEVNULL) as child:
            until(lambda: child.poll() is not None or self.written() >= lines)
            mine = psutil.Process(child.pid).children() if child.poll() is None else []
            child.kill()
        assert psutil.wait_procs(mine, timeout=60)[1] == []

    def written(self) -> int:
        return self.journal.read_bytes().count(b'"path"') if self.journal.exists() else 0


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("shape", ["r.jsonl", "r.csv", "out"])
def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, shape: str) -> None:
    for number in range(24):
        sound(tmp_path / "music" / f"{number:02}.wav", seed=number)
    out = tmp_path / shape
    arguments = (tmp_path / "music", "--jobs", 2, "--out", out)
    journal = out / "timbretree.journal" if shape == "out" else tmp_path / f"{shape}.journal"
    killed = Killer(journal, *arguments)
    for written in (3, 14):
        killed(written)
        assert killed.written() < 24
    before = killed.written()
    done = run(*arguments)
    assert done.returncode == 0
    # a line whose end was torn by the kill is written again, as is a page that was not yet in place
    repeated = int(done.stderr.split(" file")[0].splitlines()[-1].replace(",", "")) + before - 24
    assert 0 <= repeated <= 1
    if shape == "out":
        found = [path.name.removesuffix(".txt") for path in out.rglob("*.wav.txt")]
        assert sorted(os.listdir(out))[-1] == "timbretree.journal"
    elif shape == "r.csv":
        rows = out.read_text().splitlines()[1:]
        found = list(dict.fromkeys(Path(row.split(",")[0]).name for row in rows))
        assert len({rows.count(row) for row in rows}) == 1
    else:
        found = [Path(str(row["file"])).name for row in lines(out)]
    assert sorted(found) == [f"{number:02}.wav" for number in range(24)]
    if shape == "r.jsonl":
        straight = tmp_path / "straight.jsonl"
        assert run(tmp_path / "music", "--out", straight).returncode == 0
        assert sorted(out.read_text().splitlines()) == sorted(straight.read_text().splitlines())


def test_two_at_one_place_are_refused(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    with alone(tmp_path / "r.jsonl.journal"):
        refused = run(music, "--out", out)
    assert (refused.returncode, out.exists()) == (2, False)
    assert "another process is making" in refused.stderr
    assert run(music, "--out", out).returncode == 1


@pytest.mark.parametrize(("place", "room"), [("r.jsonl", 20_000), ("out", 2_000)])
def test_a_full_disk_stops_it_and_room_lets_it_go_on(tmp_path: Path, place: str, room: int) -> None:
    for number in range(12):
        sound(tmp_path / "music" / f"{number:02}.wav", seed=number)
    out = tmp_path / place

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    def done_in() -> list[str]:
        if out.is_file():
            return names(out)
        return sorted(
            path.name.removesuffix(".txt") for path in out.iterdir() if path.suffix == ".txt"
        )

    unmeasured = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    full = run(
        tmp_path / "music", "--jobs", 2, "--out", out, preexec_fn=narrow, env=unmeasured
    )  # a measurement would write into the full disk, too
    assert full.returncode == 2
    assert "File too large; make room, then run the same again to go on" in full.stderr
    assert "Traceback" not in full.stderr
    kept = len(done_in())
    assert 0 < kept < 12
    done = run(tmp_path / "music", "--jobs", 2, "--out", out)
    assert f"{kept} done before" in done.stderr
    assert done_in() == [f"{number:02}.wav" for number in range(12)]
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("where", ["place", "output"])
def test_ctrl_c_finishes_the_files_in_hand(tmp_path: Path, where: str) -> None:
    """Sent to the whole group, as a terminal does: the workers go on."""
    for number in range(40):
        sound(tmp_path / "music" / f"{number:02}.wav", seconds=15, seed=number)
    out = ["--out", str(tmp_path / "r.jsonl")] if where == "place" else ["--format", "jsonl"]
    with subprocess.Popen(
        [*COMMAND, str(tmp_path / "music"), "--jobs", "2", *out],
        stdout=(tmp_path / "printed").open("w"), stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as child:  # fmt: skip
        written = tmp_path / ("r.jsonl" if where == "place" else "printed")
        until(lambda: written.exists() and written.stat().st_size > 0)
        os.killpg(child.pid, signal.SIGINT)
        assert child.stderr is not None
        said = child.stderr.read()
    assert child.returncode == 130
    assert "finishing the files in hand" in said
    assert "Traceback" not in said
    rows = lines(written)
    assert 0 < len(rows) < 40
    assert {row["status"] for row in rows} == {"ok"}
    if where == "place":
        done = run(tmp_path / "music", *out)
        assert (done.returncode, len(lines(written))) == (0, 40)
        assert f"{len(rows)} done before" in done.stderr


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    for number in range(2):
        sound(tmp_path / "music" / f"{number}.wav", seconds=4000)
    with subprocess.Popen(
        [*COMMAND, str(tmp_path / "music"), "--out", str(tmp_path / "r.csv")],
        stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stderr is not None
        until(lambda: len(psutil.Process(child.pid).children()) == 2)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        assert "finishing" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert "ended at once" in child.stderr.read()
    assert child.returncode == 130


def test_a_crash_in_a_batch_costs_one_file(tmp_path: Path) -> None:
    long = sound(tmp_path / "music" / "long.wav", seconds=4000)
    for number in range(6):
        sound(tmp_path / "music" / f"{number}.wav", seed=number)
    out = tmp_path / "r.jsonl"
    with subprocess.Popen(
        [*COMMAND, str(long), str(tmp_path / "music"), "--jobs", "1", "--out", str(out)],
        stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stderr is not None

        def reads_it() -> bool:
            return any(str(long) in file.path for each in psutil.Process(child.pid).children()
                       for file in each.open_files())  # fmt: skip

        until(reads_it)
        psutil.Process(child.pid).children()[0].send_signal(signal.SIGSEGV)
        said = child.stderr.read()
    assert child.returncode == 1
    assert (
        "long.wav: failed, crashed: the process that read the file crashed (killed by SIGSEGV)"
        in said
    )
    assert Counter(row["reason"] for row in lines(out)) == {"crashed": 1, None: 6}


@pytest.mark.parametrize(
    ("place", "obstacle"),
    [("r.jsonl", "r.jsonl.errors.jsonl"), ("r.parquet", "r.parquet.part")],
)
def test_what_is_in_the_way_at_the_end_costs_no_result(
    music: Path, tmp_path: Path, place: str, obstacle: str
) -> None:
    (tmp_path / obstacle).mkdir(parents=True)
    out = tmp_path / place
    refused = run(music, "--out", out)
    assert refused.returncode == 2
    assert "Is a directory" in refused.stderr
    assert "Traceback" not in refused.stderr
    (tmp_path / obstacle).rmdir()
    done = run(music, "--out", out)
    assert (done.returncode, "0 files; 8 done before, 2 of them failed" in done.stderr) == (1, True)
    assert (tmp_path / obstacle).exists() == obstacle.endswith("errors.jsonl")


def test_several_in_words_are_parted_by_an_empty_line(music: Path) -> None:
    files, where = ("1.WAV", "3.WAV"), music / "1"  # long names would go on in the next line
    one, two = (run(each, cwd=where).stdout for each in files)
    assert one.startswith(f"{files[0]}\n")
    assert run(*files, cwd=where).stdout == f"{one}\n{two}"


@pytest.mark.parametrize("stop", [Job.stop, None])
def test_a_job_that_is_stopped_is_gone_on_with(
    music: Path, tmp_path: Path, stop: Callable[[Job], None] | None
) -> None:
    asked, nothing = Asked([str(music / "1"), "https://radio.example"]), blank(AS_SHIPPED)
    place = tmp_path / "r.jsonl"
    with results_at(place, "jsonl", AS_SHIPPED) as results:
        job, engine = Job(asked, results, nothing), Alone(AS_SHIPPED)
        assert engine.heard == 0
        for tags in job.run(engine):
            stop(job) if stop is not None else engine.finish()
            assert tags.file.endswith("1.WAV")
        assert (job.done, job.skipped, engine.heard) == (1, 0, 0.5)
    assert names(place) == ["1.WAV"]
    with results_at(place, "jsonl", AS_SHIPPED) as results:
        job = Job(asked, results, nothing)
        assert [Path(tags.file).name for tags in job.run(Alone(AS_SHIPPED))] == [
            *("3.WAV", "5.WAV", "radio.example"),
        ]
        assert (job.done, job.skipped) == (4, 1)


def test_a_result_that_has_no_place_stops_a_job(music: Path, tmp_path: Path) -> None:
    place, nothing = tmp_path / "out", blank(AS_SHIPPED)
    place.mkdir()
    asked = Asked([str(music / "0"), str(music / "1")])
    with results_at(place, "text", AS_SHIPPED) as results:
        (place / "1").touch()
        with pytest.raises(
            FullError, match=r"1\.WAV\.txt can't be written: Not a directory|exists"
        ):
            list(Job(asked, results, nothing).run(Alone(AS_SHIPPED)))
    (place / "1").unlink()
    with results_at(place, "text", AS_SHIPPED) as results:
        job = Job(asked, results, nothing)
        list(job.run(Alone(AS_SHIPPED)))
    assert (job.skipped, job.tally.files) == (4, 3)
    assert len([*place.rglob("*.txt")]) == 7


def test_shards_together_are_the_whole(music: Path, tmp_path: Path) -> None:
    found: list[str] = []
    for number in (1, 2, 3):
        out = tmp_path / f"{number}.jsonl"
        assert run(music, "--shard", f"{number}/3", "--out", out, "--jobs", 1).returncode in (0, 1)
        found += names(out)
    assert sorted(found) == ALL
    nothing = run(music / "empty.ogg", "--shard", "1/1000000", "--out", tmp_path / "none.jsonl")
    assert nothing.returncode == 0


def test_lists_and_playlists_to_standard_output_in_their_order(music: Path) -> None:
    listed = ["1/5.WAV", "0/bad.mp3", "nowhere.wav", "0/4.WAV", "1/5.WAV"]
    radio = "https://radio.example"
    (music / "list.m3u8").write_text("\n".join([f"{radio}/talk", *listed, f"{radio}/live"]))
    done = run(music / "list.m3u8", "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = {
        "talk": "missing",
        "5.WAV": None,
        "bad.mp3": "not_audio",
        "nowhere.wav": "missing",
        "4.WAV": None,
        "live": "missing",
    }
    assert [(Path(row["file"]).name, row["reason"]) for row in rows] == [*expected.items()]
    assert "download it first" in rows[-1]["message"]
    out = music / "r.jsonl"
    assert run(music / "list.m3u8", "--out", out).returncode == 1
    assert {Path(row["file"]).name: row["reason"] for row in lines(out)} == expected
    again = run(music / "list.m3u8", "--out", out)
    assert "0 files; 6 done before, 4 of them failed" in again.stderr
    piped = run("-", "--format", "csv", cwd=music, input="\0".join(listed))
    table = [row.split(",")[0] for row in piped.stdout.splitlines()]
    assert list(dict.fromkeys(table)) == ["file", *listed[:4]]
    assert table.count("file") == 1


def test_where_there_is_no_sound_nothing_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").touch()
    for more in ([], ["--out", tmp_path / "r.jsonl"]):
        done = run(tmp_path, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "no sound file was found in" in done.stderr
    assert os.listdir(tmp_path) == ["cover.jpg"]
    assert run().returncode == 2


def test_a_reader_that_has_enough_is_no_trouble(music: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(music), "--format", "jsonl"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert "Traceback" not in child.stderr.read()
    assert child.returncode == 141


def test_the_gauge_on_a_terminal(tmp_path: Path) -> None:
    for number in range(3):
        sound(tmp_path / "music" / f"{number}.wav", seconds=600, seed=number)
    (tmp_path / "music" / "bad.wav").touch()
    drawn = on_a_terminal(
        [*COMMAND, str(tmp_path / "music"), "--jobs", "1", "--out", str(tmp_path / "r.jsonl")]
    )
    assert "of 4 files" in drawn
    assert "x real time" in drawn
    assert "1 failed" in drawn
    assert "4 files, 1 failed (empty 1); 30 min of sound in" in drawn
