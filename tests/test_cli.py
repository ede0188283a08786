"""The real command, as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "ode_to_joy.ogg"
COMMAND = [sys.executable, "-c", "from timbretree.cli import main; main()"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_tag_as_text() -> None:
    done = run("tag", EXAMPLE, "--explain")
    assert done.returncode == 0
    assert "piano" in done.stdout
    assert "was heard through" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_json_has_every_promised_key() -> None:
    found = json.loads(run("tag", EXAMPLE, "--format", "json").stdout)
    assert list(found)[:4] == ["file", "status", "reason", "message"]
    assert {"seconds", "model", "tags", "groups", "windows", "notes"} <= set(found)
    assert set(found["tags"][0]) == {"tag", "probability", "present", "unsure"}
    assert set(found["groups"][0]) == {"group", "probability", "present", "unsure", "attention"}
    assert set(found["windows"][0]) == {"start", "end", "tags", "groups"}
    assert sum(found["groups"][0]["attention"].values()) == pytest.approx(1, abs=0.01)
    assert len(found["tags"]) == 20


def test_good_and_bad_files_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.mp3", rng.normal(0, 0.1, 44_100 * 3), 44_100)
    soundfile.write(tmp_path / "b.flac", rng.normal(0, 0.1, (48_000 * 12, 2)), 48_000)
    soundfile.write(tmp_path / "short.wav", rng.normal(0, 0.1, 3_200), 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    (tmp_path / "text.mp3").write_text("hello")
    names = ["a.mp3", "b.flac", "short.wav", "silent.wav", "text.mp3", "nowhere.wav"]
    done = run("tag", "--format", "json", *(tmp_path / name for name in names))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("ok", None),
        ("ok", None),
        ("ok", None),
        ("ok", "silent"),
        ("failed", "not_audio"),
        ("failed", "missing"),
    ]
    assert "text.mp3: failed, not_audio" in done.stderr
    assert "6 files, 2 failed (not_audio 1, missing 1); 16 s of sound in" in done.stderr


def test_what_lies_in_a_folder_is_never_overwritten_unasked(tmp_path: Path) -> None:
    first, second = tmp_path / "x" / "a.wav", tmp_path / "y" / "a.wav"
    for path in (first, second):
        path.parent.mkdir()
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 32_000), 32_000)
    out = tmp_path / "out"
    again = ("tag", first, second, "--format", "html", "--out", out)
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    refused = run(*again)
    assert (refused.returncode, os.listdir(out)) == (2, ["mine.txt"])
    assert "--force" in refused.stderr
    (out / "mine.txt").unlink()
    assert run(*again).returncode == 0
    pages = [out / "x" / "a.wav.html", out / "y" / "a.wav.html"]
    assert sorted(path for path in out.rglob("*.*") if path.is_file()) == [
        out / "timbretree.journal",
        *pages,
    ]
    pages[0].write_text("mine")
    assert run(*again).returncode == 0  # all is done
    assert pages[0].read_text() == "mine"
    pages[1].unlink()
    assert "1 done before" in run(*again).stderr
    assert run(*again, "--force").returncode == 0
    assert all("</html>" in page.read_text() for page in pages)


@pytest.mark.parametrize(
    "head",
    [
        EXAMPLE.read_bytes(),
        b"ID3\3\0\0",
        b"\xff\xfb\x90d",
        b"fLaC\0\0\0\x22",
        b"RIFF\x24\n\0\0WAVEfmt ",
        b"\0\0\0\x20ftypM4A ",
    ],
)
def test_a_recording_where_a_list_is_expected_is_told_apart(head: bytes) -> None:
    done = subprocess.run([*COMMAND, "tag", "-"], input=head, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"expected a list of names, got a recording" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "nowhere.onnx"], "nowhere.onnx: No such file"),
        (["--taxonomy", "nonsense"], "no built-in taxonomy is called 'nonsense'"),
        (["--format", "html", "nowhere.wav"], "needs a folder"),
        (["--format", "parquet"], "add --out FILE.parquet"),
        (["--out", "x.csv", "--format", "json"], "expected a csv file at x.csv"),
        (["--out", "x.html", "--format", "html"], "for html, name a folder"),
        (["--out", "x.txt"], "ends as a file"),
        (["--out", "x.MP3"], "ends as a file"),
        (["--shard", "17/16"], "up to 16/16, got 17/16"),
        (["--hop", "9"], "expected a hop from"),
        (["--from", "nowhere"], "nowhere: No such file"),
        (["--out", EXAMPLE / "below"], "can't be written: Not a directory"),
    ],
)
def test_what_can_not_be_done_is_said_before_anything_is(arguments: list[str], said: str) -> None:
    done = run("tag", EXAMPLE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_info_and_version() -> None:
    assert "mallet percussion" in run("info").stdout
    assert json.loads(run("info", "--json").stdout)["schema"] == 2
    assert run("info", EXAMPLE).returncode == 2
    assert run("--version").stdout.strip()


def test_train_export_tag(tmp_path: Path) -> None:
    """The whole of both flows on a toy: two instruments that differ in pitch."""
    rng = np.random.default_rng(0)
    rows = ["file,split,low,high"]
    for number in range(12):
        high = number % 2
        time = np.arange(16_000) / 16_000
        wave = 0.3 * np.sin(2 * np.pi * (150, 3_000)[high] * time) + rng.normal(0, 0.01, 16_000)
        soundfile.write(tmp_path / f"{number}.wav", wave, 16_000)
        rows.append(f"{number}.wav,{'valid' if number > 7 else 'train'},{1 - high},{high}")
    (tmp_path / "table.csv").write_text("\n".join([*rows, "gone.wav,train,1,0"]))
    (tmp_path / "tree.json").write_text('{"name": "toy", "groups": {"all": ["low", "high"]}}')
    trained = run(
        "train", tmp_path / "table.csv", tmp_path / "run", "--taxonomy", tmp_path / "tree.json",
        "--epochs", 1, "--warmup", 0, "--batch", 4, "--method", "topdown",
        "--start", "none", "--device", "cpu",
    )  # fmt: skip
    assert trained.returncode == 1, trained.stderr  # one clip is missing, which is said
    assert "gone.wav: left out, missing" in trained.stderr
    checkpoint = trained.stdout.strip()
    exported = run("export", checkpoint, tmp_path / "toy.onnx", "--licence", "MIT")
    assert exported.returncode == 0, exported.stderr
    assert run("export", checkpoint, tmp_path / "toy.onnx").returncode == 2
    tagged = run("tag", "--model", tmp_path / "toy.onnx", "--format", "json", tmp_path / "0.wav")
    assert [each["tag"] for each in json.loads(tagged.stdout)["tags"]] == ["low", "high"]
    assert json.loads(run("info", tmp_path / "toy.onnx", "--json").stdout)["head"] == "topdown"
    again = run("train", tmp_path / "table.csv", tmp_path / "run", "--start", "none")
    assert (again.returncode, again.stdout) == (2, "")
    assert f"{tmp_path / 'run'} exists already" in again.stderr
