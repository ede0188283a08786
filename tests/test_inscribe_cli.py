"""timbretree inscribe: a trial run first, then for good, and back, through the real command."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile

from tagged import make

EXAMPLE = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"
COMMAND = [sys.executable, "-m", "timbretree", "inscribe"]
HEARD = "piano; violin; drums; cymbals"


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder / "ode.ogg")
    return folder


def run(
    folder: Path, *options: object, code: int = 0, before: str = ""
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "OMP_NUM_THREADS": "1"}
    command = COMMAND
    if before:
        start = f"import sys; {before}; sys.argv[0] = 'timbretree'; from timbretree.cli import main"
        command = [sys.executable, "-c", f"{start}; main()", "inscribe"]
    done = subprocess.run(
        [*command, *map(str, options)], cwd=folder, env=environment, text=True, capture_output=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def results(folder: Path, **rows: object) -> Path:
    """A file of results as ``timbretree tag`` writes it."""
    path = folder / "results.jsonl"
    lines = []
    for file, names in rows.items():
        failed = names is None
        line = {"file": f"music/{file.replace('_', '.')}", "status": "failed" if failed else "ok"}
        line |= {"reason": "corrupt" if failed else None, "message": "it broke" if failed else None}
        line["tags"] = [
            {"tag": tag, "probability": 0.9, "present": True, "unsure": False}
            for tag in names or ()  # type: ignore[attr-defined]
        ]
        lines.append(json.dumps(line) + "\n")
    path.write_text("".join(lines))
    return path


def test_a_trial_run_then_for_good_then_back(music: Path, tmp_path: Path) -> None:
    song = music / "ode.ogg"
    before = song.read_bytes()
    trial = run(tmp_path, "music")
    assert trial.stdout.startswith("music/ode.ogg: would say ")
    assert trial.stdout.endswith("; now: nothing\n")
    assert "nothing was changed: add --write to do it" in trial.stderr
    assert song.read_bytes() == before
    assert not (tmp_path / "state").exists()

    done = run(tmp_path, "music", "--write")
    assert "1 file: 1 written" in done.stderr
    heard = mutagen.File(song)["instruments"]
    assert {"piano", "violin", "trumpet", "drums"} <= set(heard)
    after = song.read_bytes()
    again = run(tmp_path, song, "--write")
    assert again.stdout == f"{song}: says {'; '.join(heard)} already\n"
    assert song.read_bytes() == after

    back = run(tmp_path, "music", "--undo")
    assert back.stdout == "music/ode.ogg: as it was; it says nothing\n"
    assert song.read_bytes() == before
    assert run(tmp_path, "music", "--undo").stdout == "music/ode.ogg: nothing to undo\n"


def test_from_an_earlier_batch_nothing_is_heard_again(music: Path, tmp_path: Path) -> None:
    shutil.move(make("mp3 2.4", tmp_path), music / "a.mp3")
    shutil.move(make("flac", tmp_path), music / "b.flac")
    found = results(tmp_path, a_mp3=["piano"], b_flac=None, c_ogg=["flute"])
    found.write_text(found.read_text() + results(tmp_path, a_mp3=["mallet_percussion"]).read_text())
    bad = (music / "b.flac").read_bytes()
    # without anything to hear with
    no_model = "sys.modules['onnxruntime'] = None"
    done = run(tmp_path, "--from", "results.jsonl", "--write", code=1, before=no_model)
    assert done.stdout == "music/a.mp3: says mallet percussion; before: nothing\n", (
        "the last counts"
    )
    found = results(tmp_path, a_mp3=["piano"], b_flac=None, c_ogg=["flute"])
    done = run(tmp_path, "--from", "results.jsonl", "--write", code=1, before=no_model)
    assert done.stdout == "music/a.mp3: says piano; before: mallet percussion\n"
    assert "music/b.flac: failed: corrupt: it broke" in done.stderr
    assert "music/c.ogg: failed: there is no such file" in done.stderr
    assert (music / "b.flac").read_bytes() == bad, "what could not be heard is never written"
    done = run(tmp_path, "music/a.mp3", "music/ode.ogg", "--from", "results.jsonl", code=1)
    assert done.stdout == "music/a.mp3: says piano already\n"
    assert "music/ode.ogg: failed: there is no line of it in results.jsonl" in done.stderr


def test_what_somebody_else_wrote_is_left_alone(music: Path, tmp_path: Path) -> None:
    song = music / "ode.ogg"
    file = mutagen.File(song)
    file["INSTRUMENTS"] = ["Bösendorfer\x1b[31m"]
    file.save()
    before = song.read_bytes()
    results(tmp_path, ode_ogg=["piano"])
    done = run(tmp_path, "--from", "results.jsonl", "--write")
    assert "left alone: it says Bösendorfer\\x1b[31m, which timbretree did not write" in done.stdout
    assert song.read_bytes() == before
    run(tmp_path, "--from", "results.jsonl", "--write", "--force")
    assert mutagen.File(song)["instruments"] == ["piano"]
    run(tmp_path, song, "--undo")
    assert song.read_bytes() == before


def test_bad_files_stop_nothing(music: Path, tmp_path: Path) -> None:
    (music / "bad.mp3").write_bytes(b"no sound at all " * 200)
    shutil.move(make("mp3 without tags", tmp_path), music / "new\nline.mp3")
    done = run(tmp_path, "music", code=1)
    assert "music/bad.mp3: failed: not_audio" in done.stderr
    assert "music/new\\nline.mp3: " in done.stdout
    assert "music/ode.ogg: would say" in done.stdout


def test_what_is_no_file_fails_alone(music: Path, tmp_path: Path) -> None:
    names = ("nowhere-*.ogg", "music", "https://radio.example/live")
    trial = run(tmp_path, *names, code=1)
    assert trial.stdout.startswith("music/ode.ogg: would say ")
    assert "nowhere-*.ogg: failed: missing: " in trial.stderr
    assert "radio.example/live: failed: missing: this is an address" in trial.stderr
    assert "3 files: 1 to be written, 2 failed; nothing was changed" in trial.stderr
    undone = run(tmp_path, *names, "music/gone.ogg", "--undo", code=1)
    assert undone.stdout == "music/ode.ogg: nothing to undo\n"
    assert "nowhere-*.ogg: failed: " in undone.stderr
    assert "music/gone.ogg: failed: it can't be read: " in undone.stderr
    (tmp_path / "empty").mkdir()
    assert "no sound file was found in empty" in run(tmp_path, "empty", code=2).stderr


def test_undone_in_part_where_something_else_has_changed(music: Path, tmp_path: Path) -> None:
    song = music / "ode.ogg"
    results(tmp_path, ode_ogg=["piano"])
    run(tmp_path, "--from", "results.jsonl", "--write")
    file = mutagen.File(song)
    file["title"] = ["Ode"]
    file.save()
    done = run(tmp_path, "music", "--undo")
    assert done.stdout == (
        "music/ode.ogg: says nothing again; what else was changed since then stays\n"
    )
    file = mutagen.File(song)
    assert (file["title"], file.get("instruments")) == (["Ode"], None)


def test_ctrl_c_leaves_each_file_as_it_was_or_as_it_is_to_be(music: Path, tmp_path: Path) -> None:
    long = music / "pause.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 8000 * 60)
    with soundfile.SoundFile(long, "w", 8000, 1) as file:
        for _ in range(120):
            file.write(noise)
    before = long.stat().st_mtime_ns
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    with subprocess.Popen(
        [*COMMAND, "music", "--write", "--jobs", "1"],
        cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline().startswith("music/ode.ogg: says ")
        child.send_signal(signal.SIGINT)
        said = child.communicate()
    assert (child.returncode, *said) == (130, "", "ended at once\n")
    assert long.stat().st_mtime_ns == before
    assert mutagen.File(music / "ode.ogg")["instruments"]
    assert sorted(each.name for each in music.iterdir()) == ["ode.ogg", "pause.wav"]


def test_what_can_not_be_done_is_refused(music: Path, tmp_path: Path) -> None:
    assert "expected files or folders" in run(tmp_path, code=2).stderr
    assert (
        "--undo goes with files alone" in run(tmp_path, "music", "--undo", "--write", code=2).stderr
    )
    nameless = '{"file": "", "status": "ok", "tags": []}'
    for line in ('{"a": 1}', nameless, "[]", '{"file": '):
        (tmp_path / "no.jsonl").write_text(f"\n{line}\n")
        refused = run(tmp_path, "--from", "no.jsonl", code=2)
        assert "no.jsonl, line 2: this is no line that timbretree wrote" in refused.stderr
    assert "No such file" in run(tmp_path, "--from", "gone.jsonl", code=2).stderr
    without = run(tmp_path, "music", "--write", code=2, before="sys.modules['mutagen'] = None")
    assert "pip install 'timbretree[tags]'" in without.stderr
    assert run(tmp_path, "music", before="sys.modules['mutagen'] = None").stdout, (
        "a trial needs none"
    )
