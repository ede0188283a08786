"""The plugin for beets in examples/, through beets' own command and a library of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
PLUGINS = ROOT / "examples" / "beets" / "beetsplug"
CONFIG = """\
directory: {home}/music
library: {home}/library.db
pluginpath: {plugins}
plugins: instruments
import: {{copy: yes, write: no, autotag: no}}
"""
SHOWN = "$title|$instruments|$instrument_families"


class Beets:
    """A home of beets: configuration, library and music."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configure()

    def configure(self, **options: object) -> None:
        text = CONFIG.format(home=self.home, plugins=PLUGINS)
        if options:
            text += "instruments:\n"
        text += "".join(f"    {name}: {value}\n" for name, value in options.items())
        (self.home / "config.yaml").write_text(text, "utf-8")

    def __call__(self, *words: object, end: int = 0) -> tuple[str, str]:
        """Run beet; what it printed and what it logged."""
        done = subprocess.run(
            [sys.executable, "-m", "beets", *map(str, words)],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "BEETSDIR": str(self.home), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == end, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def shown(self, *query: str) -> dict[str, tuple[str, str]]:
        """Title to instruments and families of what a query finds."""
        rows = [line.split("|") for line in self("ls", "-f", SHOWN, *query)[0].splitlines()]
        return {title: (instruments, families) for title, instruments, families in rows}


@pytest.fixture
def beets(tmp_path: Path) -> Beets:
    """A home, and beside it music: a tune, a second of nothing, and a file of which only the head
    is there."""
    music = tmp_path / "new"
    music.mkdir()
    shutil.copy(ROOT / "examples" / "ode_to_joy.ogg", music / "tune.ogg")
    for name, wave in (("rest", np.zeros(44_100)), ("torn", np.full(44_100, 0.1))):
        with soundfile.SoundFile(music / f"{name}.flac", "w", 44_100, 1) as file:
            file.title = name
            file.write(wave)
    torn = (music / "torn.flac").read_bytes()
    (music / "torn.flac").write_bytes(torn[: torn.index(b"\xff\xf8")])  # up to the first frame
    return Beets(tmp_path)


def test_an_import_and_what_comes_after(beets: Beets) -> None:
    _, log = beets("import", "-q", beets.home / "new")
    assert "torn.flac: " in log
    assert "tune.ogg" not in log
    found = beets.shown()
    assert set(found) == {"", "rest", "torn"}  # the tune has no title
    instruments, families = (each.split("; ") for each in found[""])
    assert {"piano", "violin", "trumpet"} <= set(instruments)
    assert {"keyboard", "bowed strings"} <= set(families)
    assert found["rest"] == ("", "")
    assert set(beets.shown("instruments:trumpet")) == {""}
    assert set(beets.shown("instrument_families:strings", "instruments:violin")) == {""}
    assert beets.shown("instruments:banjo") == {}

    # what has been heard is not heard again; what could not be is
    told, log = beets("instruments")
    assert told == ""
    assert "torn.flac: " in log
    # pretending tells, and keeps what was there
    beets.configure(threshold=0.0)
    told, _ = beets("instruments", "-f", "-p", "title::^$")
    assert len(told.split("; ")) == 20
    assert beets.shown() == found
    told, _ = beets("instruments", "-f", "title::^$")
    assert set(beets.shown("instruments:banjo")) == {""}
    assert beets.shown("title:rest") == {"rest": ("", "")}


def test_nothing_is_heard_on_import_unless_wanted(beets: Beets) -> None:
    (beets.home / "new" / "torn.flac").unlink()
    beets.configure(auto=False)
    beets("import", "-q", beets.home / "new")
    assert beets.shown("instruments:piano") == {}
    beets.configure(auto=False, model=beets.home / "none.onnx")
    _, log = beets("instruments", end=1)
    assert "none.onnx: No such file" in log
    beets.configure(auto=False)
    told, _ = beets("instruments", "title:rest")
    assert told.endswith("rest: -\n")
    assert beets.shown("instruments:piano") == {}


def test_one_tagger_hears_all_of_a_session(beets: Beets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEETSDIR", str(beets.home))
    monkeypatch.syspath_prepend(PLUGINS.parent)
    from beetsplug import instruments

    opened = []
    monkeypatch.setattr(instruments, "Tagger", lambda path: opened.append(path) or len)
    plugin = instruments.InstrumentsPlugin()
    assert opened == []
    assert plugin.tagger is plugin.tagger
    assert opened == [instruments.SHIPPED]
