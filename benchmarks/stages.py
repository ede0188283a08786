"""Where the time of tagging goes, stage by stage, after each step towards a faster one.

    python benchmarks/stages.py [--work build/benchmarks] [--runs 5]

Takes the source of each step from git's history (``STEPS``; the last is the working tree) and lets
each tag the same three MP3s in turn, in a process of its own, again and again. A stage's time is
CPU time, the least of all runs, for ten seconds of music; what imports and opening the model cost
is told apart. Writes stages.json, and the table into docs/speed.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
STEPS = (
    ("as it was: mel in float64 by scipy.fft", "b1a5879"),
    ("mel in float32, in blocks, without importing scipy.fft", "035d031"),
    ("no seeking between blocks; libsndfile reads by itself", "d6bc3b1"),
    ("the network once over each stretch, not once a window", "0ede5d4"),
    ("and over no moment twice; less imported: now", ""),
)
STAGES = ("decode", "mono and resample", "mel", "network", "rest")
SONGS = 3


class Stopwatch:
    """CPU time by stage; what one stage calls of another counts for the other alone."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(STAGES, 0.0)
        self._stages = ["rest"]
        self._since = time.process_time()

    def _lap(self) -> None:
        now = time.process_time()
        self.spent[self._stages[-1]] += now - self._since
        self._since = now

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        def run(*args: Any, **options: Any) -> Any:
            self._lap()
            self._stages.append(stage)
            try:
                return call(*args, **options)
            finally:
                self._lap()
                self._stages.pop()

        return run

    def drawn(self, stage: str, iterate: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
        """The same iterator, timed whenever something is drawn from it."""

        def run(*args: Any) -> Iterator[Any]:
            draw = self.timed(stage, iterate(*args).__next__)
            while True:
                try:
                    yield draw()
                except StopIteration:
                    return

        return run


def watch(watch: Stopwatch) -> None:
    """Time the doors between the stages, wherever a version of timbretree has them."""
    import onnxruntime
    import soundfile

    import timbretree.melspec
    from timbretree.audio import Recording

    for name in ("read", "buffer_read", "buffer_read_into"):
        call = watch.timed("decode", getattr(soundfile.SoundFile, name))
        setattr(soundfile.SoundFile, name, call)
    Recording.__iter__ = watch.drawn("mono and resample", Recording.__iter__)  # type: ignore[method-assign]
    session = onnxruntime.InferenceSession
    session.run = watch.timed("network", session.run)
    plain = timbretree.melspec.log_mel
    for name, module in list(sys.modules.items()):
        if name.startswith("timbretree") and getattr(module, "log_mel", None) is plain:
            module.log_mel = watch.timed("mel", plain)  # type: ignore[attr-defined]


def child(songs: list[str]) -> None:
    """Tag in this process, and print the seconds of each stage as JSON."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from timbretree.tagger import Tagger

    tagger = Tagger()
    started = time.process_time()
    stopwatch = Stopwatch()
    watch(stopwatch)
    tagger(songs[0])  # the first one warms up
    stopwatch.spent = dict.fromkeys(STAGES, 0.0)
    for song in songs:
        assert tagger(song).status == "ok", song
    stopwatch.timed("rest", int)()
    print(json.dumps(stopwatch.spent | {"start": started}))


def source(revision: str, work: Path) -> Path:
    """The ``src`` folder of a revision."""
    if not revision:
        return ROOT / "src"
    folder = work / "revisions" / revision
    if not folder.exists():
        new = folder.with_suffix(".part")
        new.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", revision, "src"], check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", new], input=archive.stdout, check=True)
        new.rename(folder)
    return folder / "src"


def main() -> None:
    """Read the arguments, measure all steps in turn, write."""
    import music
    import speed_page

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    songs = music.songs(asked.work.resolve() / "songs", SONGS)
    least: dict[str, dict[str, float]] = {}
    for run in range(asked.runs):
        for label, revision in STEPS:
            environment = os.environ | {"PYTHONPATH": str(source(revision, asked.work.resolve()))}
            command = [sys.executable, Path(__file__), "--child", *songs]
            found = subprocess.run(command, env=environment, check=True, capture_output=True)
            spent = json.loads(found.stdout)
            kept = least.setdefault(label, spent)
            kept |= {stage: min(kept[stage], spent[stage]) for stage in spent}
            print(f"run {run + 1} of {asked.runs}: {label}", file=sys.stderr)
    tens = SONGS * music.SECONDS / 10
    figures = {
        label: {stage: round(1000 * spent[stage] / tens, 2) for stage in STAGES}
        | {"start": round(1000 * spent["start"])}
        for label, spent in least.items()
    }
    (HERE / "stages.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    speed_page.fill()
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    child(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main()
