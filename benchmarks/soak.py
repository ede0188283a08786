"""A soak: many small files, some of them broken, killed again and again, gone on with each time.

    python benchmarks/soak.py [--files 20000] [--kills 10] [--jobs N] [--json benchmarks/soak.json]

Makes the files (each different; wav, flac, ogg, mp3 of 0.5 to 1 s; one in a hundred broken in one
of ten ways), tags them with ``timbretree tag FOLDER --out soak.jsonl``, ends that with kill -9 at
random moments, and runs it again until it is done. Then it sees that every file is told once, the
broken ones with their reasons, that a straight run says the same of a sample, and that no process
is left over. Exit code 1 where any of that is not so.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import soundfile

COMMAND = Path(sys.executable).with_name("timbretree")
KINDS = ("wav", "flac", "ogg", "mp3")
BROKEN = {
    "empty": ("empty",),
    "text": ("not_audio",),
    "zeros": ("not_audio",),
    "garbage": ("not_audio",),
    "half of a flac": ("truncated", "corrupt"),
    "half of a wav": ("truncated",),
    "a flac with a hole": ("corrupt", "truncated"),
    "not finite": ("not_finite",),
    "a moment": ("too_short",),
    "a low rate": ("bad_rate",),
}
"""Ways to be broken, and the reasons that are right for each."""
RATE = 22_050
SAMPLE = 300


def clip(seed: int) -> np.ndarray:
    """Half a second to a second of some chord in some noise, (T,)."""
    rng = np.random.default_rng(seed)
    moment = np.arange(round(RATE * rng.uniform(0.5, 1.0))) / RATE
    pitch, level = rng.uniform(80, 2000, (4, 1)), rng.uniform(0.02, 0.2, 4)
    return level @ np.sin(2 * np.pi * pitch * moment) + rng.normal(0, 0.01, len(moment))


def make(path: Path, seed: int, broken: str | None) -> None:
    """Write one file."""
    waveform = clip(seed)
    if broken is None:
        soundfile.write(path, waveform, RATE)
    elif broken == "not finite":
        waveform[1000:1100] = np.nan
        soundfile.write(path, waveform, RATE, format="WAV", subtype="FLOAT")
    elif broken == "a moment":
        soundfile.write(path, waveform[:500], RATE, format="WAV")
    elif broken == "a low rate":
        soundfile.write(path, waveform, 500, format="WAV")
    else:
        noise = np.random.default_rng(seed).bytes(4000)
        if broken in ("empty", "text", "zeros", "garbage"):
            whole = {"empty": b"", "text": b"no music at all\n" * 9, "zeros": bytes(4000)}
            path.write_bytes(whole.get(broken, b"\1" + noise))
            return
        with tempfile.NamedTemporaryFile(suffix=".wav" if "wav" in broken else ".flac") as file:
            soundfile.write(file.name, waveform, RATE)
            data = Path(file.name).read_bytes()
        half = len(data) // 2
        hole = data[:half] + noise[:2000] + data[half + 2000 :]
        path.write_bytes(hole if "hole" in broken else data[:half])


def make_all(folder: Path, count: int) -> dict[str, str | None]:
    """The files, by path, and how each is broken, or None."""
    ways = list(BROKEN)
    made: dict[str, str | None] = {}
    for number in range(count):
        broken = ways[number // 100 % len(ways)] if number % 100 == 37 else None
        path = folder / f"{number // 200:03}" / f"{number:05}.{KINDS[number % 4]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, number, broken)
        made[str(path)] = broken
    return made


class Run:
    """One run of the command, watched."""

    def __init__(self, arguments: list[str], journal: Path) -> None:
        self.journal = journal
        self.child = subprocess.Popen(
            [COMMAND, "tag", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        self.peak: Counter[str] = Counter()

    def until(self, lines: int | None) -> None:
        """Wait for so many lines in the journal, or for its end."""
        me = psutil.Process(self.child.pid)
        while self.child.poll() is None and (lines is None or written(self.journal) < lines):
            time.sleep(0.05)
            try:
                sizes = [each.memory_info().rss for each in (me, *me.children())]
            except psutil.NoSuchProcess:
                continue
            self.peak["parent"] = max(self.peak["parent"], sizes[0])
            self.peak["worker"] = max([self.peak["worker"], *sizes[1:]])

    def kill(self) -> list[psutil.Process]:
        """kill -9; the workers that don't end by themselves come back."""
        workers = psutil.Process(self.child.pid).children()
        self.child.kill()
        self.child.communicate()
        return psutil.wait_procs(workers, timeout=30)[1]


def written(journal: Path) -> int:
    """How many recordings a journal tells of."""
    return journal.read_bytes().count(b'"path"') if journal.exists() else 0


def soak(folder: Path, made: dict[str, str | None], asked: argparse.Namespace) -> dict[str, object]:
    """Tag, kill, go on; what happened comes back."""
    out, journal = folder / "soak.jsonl", folder / "soak.jsonl.journal"
    arguments = [str(folder / "music"), "--out", str(out)]
    arguments += ["--jobs", str(asked.jobs)] if asked.jobs else []
    chance = random.Random(asked.seed)
    moments = sorted(chance.sample(range(1, len(made)), asked.kills))
    began, left_over, peak, at = time.monotonic(), 0, Counter[str](), []
    for lines in [*moments, None]:
        before = written(journal)
        run = Run(arguments, journal)
        run.until(lines)
        if lines is not None:
            left_over += len(run.kill())
            at.append(written(journal))
        else:
            said = run.child.communicate()[1].decode().splitlines()
        peak |= run.peak
    skipped = int(said[-1].split("; ")[-1].split(" done before")[0].replace(",", ""))
    print(said[-1], file=sys.stderr)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "exit_code": run.child.returncode,
        "killed_at": at,
        "processes_left_over": left_over,
        "written_before_the_last_run": before,
        "skipped_by_the_last_run": skipped,
        "peak_mb": {name: round(size / 1e6) for name, size in peak.items()},
    }


def verify(folder: Path, made: dict[str, str | None]) -> dict[str, object]:
    """What is wrong with the results."""
    lines = (folder / "soak.jsonl").read_text("utf-8").splitlines()
    rows = {json.loads(line)["file"]: json.loads(line) for line in lines}
    reasons: Counter[str] = Counter()
    wrong = []
    for path, broken in made.items():
        row = rows.get(path, {"status": "lost", "reason": None})
        reasons[str(row["reason"])] += broken is not None
        if broken is None:
            right = row["status"] == "ok"
        else:
            right = row["status"] in ("failed", "partial") and row["reason"] in BROKEN[broken]
        if not right:
            wrong.append([path, broken, row["status"], row["reason"]])
    errors = [json.loads(line) for line in (folder / "soak.jsonl.errors.jsonl").open()]
    return {
        "rows": len(lines),
        "lost": len(made.keys() - rows.keys()),
        "doubled": len(lines) - len(rows),
        "told_wrong": wrong[:20],
        "broken_by_reason": dict(reasons.most_common()),
        "errors_told": len(errors),
        "errors_right": {each["path"] for each in errors}
        == {path for path, row in rows.items() if row["status"] != "ok"},
        "sample_differs": differs(folder, made, dict(zip(rows, lines, strict=False))),
    }


def differs(folder: Path, made: dict[str, str | None], lines: dict[str, str]) -> int:
    """How many of a sample are told otherwise by a straight run of one worker."""
    sample = random.Random(1).sample(sorted(made), min(SAMPLE, len(made)))
    (folder / "sample").write_text("\n".join(sample))
    straight = folder / "straight.jsonl"
    subprocess.run(
        [COMMAND, "tag", "--from", folder / "sample", "--jobs", "1", "--out", straight],
        stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    told = {json.loads(line)["file"]: line for line in straight.read_text("utf-8").splitlines()}
    return sum(told.get(path) != lines.get(path) for path in sample)


def main() -> None:
    """Read the arguments, soak, verify, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="where the result goes, too")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=asked.folder)).resolve()
    try:
        made = make_all(folder / "music", asked.files)
        found = {
            "files": len(made),
            "broken": sum(broken is not None for broken in made.values()),
            "kills": asked.kills,
            **soak(folder, made, asked),
            **verify(folder, made),
        }
    finally:
        shutil.rmtree(folder)
    text = json.dumps(found, indent=2) + "\n"
    if asked.json:
        asked.json.write_text(text)
    print(text, end="")
    sound = not (found["lost"] or found["doubled"] or found["told_wrong"])
    same = not found["sample_differs"] and found["errors_right"]
    clean = not found["processes_left_over"] and found["rows"] == found["files"]
    sys.exit(not (sound and same and clean))


if __name__ == "__main__":
    main()
