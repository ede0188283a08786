"""The page of speed shows what the benchmarks found; and the music they measure with."""

import sys
from pathlib import Path

import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import music
import speed_page


def test_the_page_is_filled_from_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = speed_page.PAGE.read_text("utf-8")
    copy = tmp_path / "speed.md"
    copy.write_text(written, "utf-8")
    monkeypatch.setattr(speed_page, "PAGE", copy)
    speed_page.fill()
    assert copy.read_text("utf-8") == written, "run python benchmarks/speed_page.py"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no marks <!-- goals -->"):
        speed_page.put("# Speed", "goals", "")


def test_songs_are_joined_into_a_long_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music, "SECONDS", 2)
    monkeypatch.setattr(music, "DIFFERENT", 1)
    songs = music.songs(tmp_path / "songs", 2)
    assert songs[0].read_bytes() == songs[1].read_bytes()
    joined = soundfile.info(music.long(tmp_path / "long.mp3", songs * 2))
    assert joined.duration == pytest.approx(8, abs=0.5)
    assert (joined.samplerate, joined.channels) == (44_100, 2)
