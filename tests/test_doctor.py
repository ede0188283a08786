"""What is installed and whether it works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from timbretree import doctor
from timbretree.doctor import EXTRAS, examine

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "timbretree", "doctor", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_all_is_well_here() -> None:
    found = {each.name: each for each in examine()}
    assert all(each.works for each in found.values())
    assert "20 instruments; it hears on CPU" in found["model"].found
    assert "CPU" in found["providers"].found
    assert {"WAV", "FLAC", "MP3", "Opus"} <= set(found["codecs"].found.split(" (")[0].split(", "))


def test_it_knows_every_extra_of_the_package() -> None:
    import tomllib

    extras = set(tomllib.loads(PROJECT.read_text("utf-8"))["project"]["optional-dependencies"])
    assert extras - {"dev", "all", "docs"} == set(EXTRAS)


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "av" else real(name))
    found = {each.name: each for each in examine()}["extra formats"]
    assert found.works
    assert found.mend == "pip install 'timbretree[formats]'"


def test_a_model_that_is_no_good_is_an_illness(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"none")
    told = run("--model", str(bad))
    assert told.returncode == 1
    assert "! model" in told.stdout
    assert "bad.onnx is no model file" in told.stdout


def test_a_library_that_can_not_be_loaded_is_an_illness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    found = {each.name: each for each in examine()}
    assert not found["codecs"].works


def test_the_command() -> None:
    told = run()
    assert (told.returncode, told.stderr) == (0, "")
    found = json.loads(run("--json").stdout)
    assert [each["name"] for each in found[:2]] == ["timbretree", "Python"]
    assert len(told.stdout.splitlines()) == len(found)
