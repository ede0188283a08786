"""Whole data sets through the command: the same whatever happens, and true to their word."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import OPENMIC
from timbretree.openmic import read_openmic
from timbretree.render.clip import Materials
from timbretree.render.dataset import Plan, render
from timbretree.render.labelling.truth import read_truth
from timbretree.render.sounds.synth import SynthError, load_font
from tinyfont import ALL, write_font

CLIPS = 24


def command(out: Path, *options: object) -> list[str]:
    words = ("render", out, "--clips", CLIPS, *options)
    return [sys.executable, "-m", "timbretree", *map(str, words)]


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name two SoundFonts that know nothing of each other."""
    folder = tmp_path_factory.mktemp("fonts")
    paths = [write_font(folder / f"{name}.sf2", ALL) for name in ("one", "two")]
    try:
        load_font(paths[0])
    except SynthError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    return [word for path in paths for word in ("--soundfont", str(path))]


@pytest.fixture(scope="module", autouse=True)
def scores(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scores are read into a cache of the tests' own."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fonts: list[str]) -> Path:
    """A data set that was made in one go, in one process."""
    out = tmp_path_factory.mktemp("whole") / "set"
    done = subprocess.run(
        command(out, *fonts, "--jobs", 1), capture_output=True, text=True,
        env=os.environ | {"CI": "true"},  # pyfluidsynth then prints more
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    assert f"{CLIPS} clips, " in done.stderr
    return out


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def test_it_is_a_data_set_in_openmic_form(whole: Path) -> None:
    found = read_openmic(whole)
    assert found.tags == tuple(OPENMIC)
    assert len(found) == CLIPS
    assert found.splits.count("test") == round(CLIPS * 5085 / 20_000)
    assert found.artists is not None
    observed = found.labels.mask
    assert observed.any(axis=1).all()
    assert 1.5 < observed.sum() / CLIPS < 2.7
    for file in found.files:
        about = soundfile.info(file)
        assert (about.samplerate, about.channels, about.frames) == (44_100, 2, 441_000)
        assert about.format == "OGG"
        wave, _ = soundfile.read(file)
        assert np.abs(wave).max() > 0.01


def test_the_truth_is_told_of_every_clip(whole: Path) -> None:
    found, truth = read_openmic(whole), read_truth(whole / "truth.csv", tuple(OPENMIC))
    assert truth.keys == tuple(file.stem for file in found.files)
    assert ((truth.present.sum(axis=1) >= 1) & (truth.present.sum(axis=1) <= 8)).all()
    target, mask = found.labels
    assert (target == truth.present)[mask].mean() > 0.85  # some labels are meant to be wrong
    records = [json.loads(line) for line in (whole / "clips.jsonl").open(encoding="utf-8")]
    assert [record["key"] for record in records] == list(truth.keys)


def test_train_hears_nothing_that_the_test_does(whole: Path) -> None:
    splits = dict(zip((file.stem for file in read_openmic(whole).files),
                      read_openmic(whole).splits, strict=True))  # fmt: skip
    groups: dict[str, set[str]] = {"train": set(), "test": set()}
    sounds: dict[str, set[str]] = {"train": set(), "test": set()}
    for line in (whole / "clips.jsonl").open(encoding="utf-8"):
        record = json.loads(line)
        groups[splits[record["key"]]].add(record["group"])
    for row in csv.DictReader((whole / "truth.csv").open(encoding="utf-8", newline="")):
        sounds[splits[row["sample_key"]]].add(row["sound"].split()[0])
    assert all(groups.values())
    assert not groups["train"] & groups["test"]
    assert {len(fonts) for fonts in sounds.values()} == {1}
    assert sounds["train"] != sounds["test"]


def test_the_same_in_any_number_of_processes_and_after_a_kill(
    tmp_path: Path, whole: Path, fonts: list[str]
) -> None:
    out = tmp_path / "set"
    child = subprocess.Popen(command(out, *fonts, "--jobs", 2), stderr=subprocess.PIPE)
    while not list(out.glob("unfinished/*.jsonl")):
        assert child.poll() is None, child.stderr and child.stderr.read()
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    made = set(out.rglob("*.ogg"))
    assert not (out / "truth.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in made}
    kept = [json.loads(line)["key"]
            for file in out.glob("unfinished/*.jsonl") for line in file.open()]  # fmt: skip
    subprocess.run(command(out, *fonts, "--jobs", 3), check=True, capture_output=True)
    assert contents(out) == contents(whole)
    assert kept
    for path, time_ns in before.items():
        assert path.stem not in kept or path.stat().st_mtime_ns == time_ns, "made again"
    again = subprocess.run(command(out, *fonts), check=True, capture_output=True)
    assert again.stdout
    assert contents(out) == contents(whole)


def test_a_lost_clip_is_made_again(tmp_path: Path, whole: Path, fonts: list[str]) -> None:
    out = tmp_path / "set"
    subprocess.run(["cp", "-r", str(whole), str(out)], check=True)
    next(out.rglob("*.ogg")).unlink()
    subprocess.run(command(out, *fonts), check=True, capture_output=True)
    assert contents(out) == contents(whole)


def test_a_damaged_record_is_made_again(tmp_path: Path, whole: Path, fonts: list[str]) -> None:
    out = tmp_path / "set"
    subprocess.run(["cp", "-r", str(whole), str(out)], check=True)
    records = (out / "clips.jsonl").read_bytes()
    (out / "clips.jsonl").write_bytes(records[: len(records) // 2] + b"\xff\n7\n{}\n")
    subprocess.run(command(out, *fonts), check=True, capture_output=True)
    assert contents(out) == contents(whole)


def test_other_recordings_are_another_plan(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    plan = Plan(8, Materials((), tmp_path / "notes", tmp_path))
    before = plan.to_dict()
    assert plan.to_dict() == before
    (tmp_path / "notes" / "a.ogg").write_bytes(b"another")
    assert plan.to_dict() != before


def test_other_clips_by_another_seed(tmp_path: Path, whole: Path, fonts: list[str]) -> None:
    refused = subprocess.run(command(whole, *fonts, "--seed", 1), capture_output=True, text=True)
    assert refused.returncode == 2
    assert "its seed is 0, now asked for is 1; choose another folder" in refused.stderr
    subprocess.run(command(tmp_path / "set", *fonts, "--seed", 1), check=True, capture_output=True)
    mine, other = contents(whole), contents(tmp_path / "set")
    assert all(mine[path] != other[path] for path in mine if path.suffix == ".ogg")


def test_all_cells_where_it_is_asked_for(tmp_path: Path, whole: Path, fonts: list[str]) -> None:
    out = tmp_path / "set"
    subprocess.run(command(out, *fonts, "--complete"), check=True, capture_output=True)
    target, mask = read_openmic(out).labels
    assert mask.all()
    assert (target == read_truth(out / "truth.csv", tuple(OPENMIC)).present).all()
    audio = {path: text for path, text in contents(whole).items() if path.suffix == ".ogg"}
    assert audio.items() <= contents(out).items()  # the same music


def test_a_font_without_a_preset_is_told_and_nothing_takes_its_place(
    tmp_path: Path, fonts: list[str]
) -> None:
    some = {key: name for key, name in ALL.items() if name not in ("banjo", "flute")}
    font = write_font(tmp_path / "some.sf2", some)
    out = tmp_path / "set"
    done = subprocess.run(command(out, "--soundfont", font), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "some.sf2 has no preset for banjo, flute" in done.stderr
    assert "violin is not kept apart in train and test" in done.stderr
    assert "nothing plays banjo, flute: no clip has any" in done.stderr
    assert "flute is not kept apart" not in done.stderr
    truth = read_truth(out / "truth.csv", tuple(OPENMIC))
    assert not truth.sounding[:, [OPENMIC.index("banjo"), OPENMIC.index("flute")]].any()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "expected a SoundFont"),
        (b"RIFF", "expected a SoundFont"),
        (b"<html>not found</html>", "SoundFont"),
        (None, "No such"),
    ],
)
def test_a_bad_font_is_refused_before_anything_is_written(
    tmp_path: Path, fonts: list[str], content: bytes | None, reason: str
) -> None:
    bad = tmp_path / "bad.sf2"
    if content is not None:
        bad.write_bytes(content)
    refused = subprocess.run(
        command(tmp_path / "set", *fonts, "--soundfont", bad), capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert f"{bad}" in refused.stderr
    assert reason in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "set").exists()


def test_more_clips_than_names_are_refused_before_anything_is_written(
    tmp_path: Path, fonts: list[str]
) -> None:
    most = 142_857
    plan = Plan(most + 1, Materials((Path(fonts[1]),), None, tmp_path))
    with pytest.raises(ValueError, match=f"names for 0 to {most} clips"):
        render(plan, tmp_path / "set")
    words = command(tmp_path / "set", *fonts, "--clips", most + 1)  # the last number counts
    refused = subprocess.run(words, capture_output=True, text=True)
    assert refused.returncode == 2
    assert f"{most + 1} is not in the range 1<=x<={most}" in refused.stderr
    assert not (tmp_path / "set").exists()


def test_a_file_is_no_folder(tmp_path: Path, fonts: list[str]) -> None:
    (tmp_path / "set").touch()
    refused = subprocess.run(command(tmp_path / "set", *fonts), capture_output=True, text=True)
    assert refused.returncode == 2
    assert f"expected a folder, but {tmp_path / 'set'} is a file" in refused.stderr


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, fonts: list[str]) -> None:
    (tmp_path / "file").touch()
    refused = subprocess.run(
        command(tmp_path / "set", *fonts, "--jobs", 2), capture_output=True, text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "file")},
    )  # fmt: skip
    assert refused.returncode == 2
    assert "can't be kept in" in refused.stderr
    assert "let the environment variable XDG_CACHE_HOME name a folder" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_folder_of_other_things_is_refused(tmp_path: Path, fonts: list[str]) -> None:
    (tmp_path / "thesis.txt").touch()
    refused = subprocess.run(command(tmp_path, *fonts), capture_output=True, text=True)
    assert refused.returncode == 2
    assert "holds other things and no render.json" in refused.stderr


BENCHMARKS = Path(__file__).parents[1] / "benchmarks" / "rendered"


def test_the_scripts_that_measure_methods_run(tmp_path: Path, fonts: list[str]) -> None:
    """The scripts that docs/results.md is made by, on a few clips and a trunk of random weights."""
    data = tmp_path / "set"
    subprocess.run([*command(data, *fonts), "--clips", "72"], check=True, capture_output=True)

    def run(script: str, *options: object) -> str:
        words = [script, data, tmp_path / "runs", "--start", "none", *options]
        done = subprocess.run(
            [sys.executable, *map(str, words)], cwd=BENCHMARKS, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    grid = ["--methods", "flat,gmp,resatt,gmp-kleene", "--seeds", 2, "--lambdas", ".7,.8"]
    assert "14 runs, 14 to go" in run("heard.py", *grid)
    assert "14 runs, 0 to go" in run("heard.py", *grid)
    report = tmp_path / "report.json"
    text = run("method_table.py", "--json", report)
    for name in ("Flat", "GMP", "ResAtt", "GMP, kleene"):
        assert text.count(f"| {name} |") >= 3
    found = json.loads(report.read_text("utf-8"))
    truth = read_truth(data / "truth.csv", tuple(OPENMIC)).present
    observed = read_openmic(data).labels.mask
    assert 0 < sum(found["siblings"]["cells"].values()) <= (truth & ~observed).sum()
    absences, untrue = found["siblings"]["absent"]["observed-any"]
    assert 0 <= untrue <= absences
    assert found["siblings"]["absent"]["kleene"][0] <= absences
    shares = run("label_efficiency.py", "--methods", "flat,gmp", "--seeds", 2, "--shares", ".5,1")
    assert "| method | 50% | 100% |" in shares
    assert "validation loss" in run("learning_rate.py", "--rates", "1e-3")
    assert "attention" in run("attention_cases.py")
