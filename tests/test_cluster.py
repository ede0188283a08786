"""Tagging as a Ray Data job: the same answers as here, and nothing lost with a worker."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest
import soundfile

from timbretree import cluster
from timbretree.batch import Crew, HowToTag
from timbretree.batch.how import ClusterError
from timbretree.cluster import Cluster
from timbretree.tags import Tags
from timbretree.writers import as_json


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, logging_level="ERROR",
             log_to_driver=False, object_store_memory=100_000_000)  # fmt: skip
    yield
    ray.shutdown()


def clips(folder: Path, count: int, seconds: float = 1.0) -> list[Path]:
    """Tones, each of its own pitch."""
    paths = []
    for number in range(count):
        path = folder / f"{number:03d}.wav"
        time = np.arange(round(seconds * 16_000)) / 16_000
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 37 * number) * time), 16_000)
        paths.append(path)
    return paths


def lines(heard: Iterator[Tags]) -> list[str]:
    return sorted(as_json.write(tags, True) for tags in heard)


def test_it_says_what_a_crew_here_says_of_good_and_bad_files(ray: None, tmp_path: Path) -> None:
    paths = clips(tmp_path, 9)
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff odd\n.wav"))
    paths[0].rename(strange)
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no music")
    paths[:1] = [strange, broken, tmp_path / "missing.wav"]
    how = HowToTag(taxonomy="hornbostel_sachs")
    with Crew(how, jobs=1) as crew:
        here = lines(crew.tag(paths))
    with Cluster(how) as there:
        found = lines(there.tag(paths))
        assert there.heard == pytest.approx(9.0)
    assert found == here
    assert len(found) == len(paths)


def test_an_actor_that_is_killed_loses_no_file(ray: None, tmp_path: Path) -> None:
    paths = clips(tmp_path, 40, seconds=20.0)
    killed: list[int] = []

    def kill() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not killed:
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    # the crew's process below an actor shows that the actor is at work
                    if "MapWorker" in process.name() and process.children():
                        time.sleep(1.0)
                        process.kill()
                        killed.append(process.pid)
                        return
            time.sleep(0.05)

    killer = Thread(target=kill)
    killer.start()
    with Cluster(jobs=2) as there:
        heard = list(there.tag(paths))
    killer.join()
    assert killed
    assert sorted(tags.file for tags in heard) == sorted(map(str, paths))
    assert all(tags.status == "ok" for tags in heard)


def test_nothing_to_do_is_done(ray: None) -> None:
    with Cluster() as there:
        assert list(there.tag([])) == []


def test_a_relative_name_comes_back_as_it_was_given(
    ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips(tmp_path, 2)
    monkeypatch.chdir(tmp_path)
    with Cluster() as there:
        assert {tags.file for tags in there.tag([Path("000.wav"), Path("001.wav")])} == {
            "000.wav", "001.wav",
        }  # fmt: skip


def test_the_machines_write_parquet_that_holds_every_file(ray: None, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    paths = clips(tmp_path, 5)
    with Cluster() as there:
        there.write(paths, tmp_path / "heard")
        there.write(paths, tmp_path / "heard")
    table = parquet.read_table(tmp_path / "heard")
    files = table["file"].to_pylist()
    assert set(files) == set(map(str, paths))
    assert len(files) == 5 * 27, "a row for each of 20 instruments and 7 families, once"


def test_once_it_is_to_finish_no_more_comes(ray: None, tmp_path: Path) -> None:
    with Cluster() as there:
        heard = there.tag(clips(tmp_path, 5))
        next(heard)
        there.finish()
        assert list(heard) == []


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:9", "no Ray cluster answers at 127.0.0.1:9"),
        ("somewhere", "expected a cluster's address as HOST:PORT"),
        ("ray://127.0.0.1:9", "no Ray cluster answers"),
    ],
)
def test_where_no_cluster_is_it_says_so_at_once(address: str, says: str) -> None:
    with pytest.raises(ClusterError, match=says):
        cluster._knock(address)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"timbretree\[cluster\]"):
        Cluster().__enter__()


def test_the_command_writes_what_it_writes_without_a_cluster(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    clips(music, 3)
    (music / "broken.mp3").write_bytes(b"no music")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "timbretree", "tag", "music", *words],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    there = run("--out", "there.jsonl", "--engine", "ray", "--jobs", "1")
    assert there.returncode == 1, there.stderr
    assert run("--out", "here.jsonl", "--jobs", "1").returncode == 1
    found = sorted((tmp_path / "there.jsonl").read_text().splitlines())
    assert found == sorted((tmp_path / "here.jsonl").read_text().splitlines())
    assert len(found) == 4
    assert "4 done before" in run("--out", "there.jsonl", "--engine", "ray").stderr
    for words, says in (
        (("--engine", "ray"), "add --out"),
        (("--out", "x.jsonl", "--address", "a:1"), "add --engine ray"),
        (("--out", "x.jsonl", "--engine", "ray", "--address", "127.0.0.1:9"), "no Ray cluster"),
    ):
        refused = run(*words)
        assert refused.returncode == 2
        assert says in refused.stderr
