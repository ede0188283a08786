"""How fast tagging is, and how much memory it takes, beside others: whole processes, in turn.

    python benchmarks/tagging.py [--work build/benchmarks] [--runs 3] [--without-panns]

Run it in an environment with timbretree and nothing else to do. It makes its own music
(``music.py``), and an environment of its own for panns_inference, which it installs from PyPI. Each
contender is a command in ``contenders/`` or ``timbretree`` itself, one thread each. Measured of
each process and its children: CPU time, wall time, and the peak memory of the largest of them. The
figures are medians of all runs; ratios are medians of the ratios within each run. Writes
tagging.json, and the tables into docs/speed.md.

panns_inference is slow and holds a whole file at once, so of the songs it hears one and three; from
the difference follow twenty songs and the memory for an hour.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import music
import speed_page

HERE = Path(__file__).parent
ROOT = HERE.parent
CONTENDERS = HERE / "contenders"
TAG = [str(Path(sys.executable).with_name("timbretree")), "tag"]
FLOOR = [sys.executable, str(CONTENDERS / "floor.py")]
PLAIN = [sys.executable, str(CONTENDERS / "plain.py")]
PLAIN += [str(ROOT / "src" / "timbretree" / "models" / "shipped.onnx")]
PANNS = "panns_inference"
BARE, BARE_TWICE = "decode and resample", "decode and resample, two at once"
ONE, TWO, DENSE = "timbretree --jobs 1", "timbretree --jobs 2", "timbretree --jobs 1 --hop 1"
SONGS, CLIPS = 20, 40


@dataclass(frozen=True)
class Cost:
    """What a process and its children took."""

    cpu: float
    """Seconds."""
    wall: float
    """Seconds."""
    peak: float
    """MB (of 2^20 bytes) of the largest process among them."""


Costs = dict[str, list[Cost]]


def run(command: list[str], work: Path) -> Cost:
    """Run a command to its end; raises RuntimeError where it fails."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(work / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as an installed program has it
    with (work / "errors.txt").open("w+b") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=environment, cwd=work
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            told = errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(
                f"{' '.join(command[:6])} ... ended with {process.returncode}:\n{told}"
            )
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def contend(contenders: dict[str, list[str]], runs: int, work: Path) -> Costs:
    """Let each take its turn, again and again."""
    costs: Costs = {name: [] for name in contenders}
    for turn in range(runs):
        for name, command in contenders.items():
            costs[name].append(run(command, work))
            found = costs[name][-1]
            say(
                f"run {turn + 1} of {runs}, {name}: {found.cpu:.2f} s CPU, "
                f"{found.wall:.2f} s, {found.peak:.0f} MB"
            )
    return costs


def install_panns(work: Path) -> list[str]:
    """The command that runs panns_inference, installed where it is missing."""
    home = work / "panns"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        say("installing panns_inference")
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", CONTENDERS / "panns.txt"], check=True)
        (home / "ready").touch()
    return [str(python), str(CONTENDERS / "panns.py"), str(home / "random.pth")]


def measure(work: Path, runs: int, *, panns: bool) -> dict[str, Costs]:
    """All workloads."""
    # in a process of its own: what this one ever held would count as its children's peak
    with ProcessPoolExecutor(1) as apart:
        songs = apart.submit(music.songs, work / "songs", SONGS).result()
        clips = apart.submit(music.clips, work / "clips", CLIPS).result()
        hour = apart.submit(music.long, work / "hour.mp3", songs).result()
        nine_minutes = apart.submit(music.long, work / "nine.mp3", songs[:3]).result()
        ten_hours = apart.submit(music.long, work / "ten_hours.mp3", songs * 10).result()
    other = install_panns(work) if panns else []
    if other:
        run([*other, str(clips[0])], work)  # makes its weights

    def command(base: list[str], files: list[Path]) -> list[str]:
        return [*base, *map(str, files)]

    def all_on(files: list[Path]) -> dict[str, list[str]]:
        bases = {BARE: FLOOR, "plain pipeline": PLAIN}
        bases |= {"timbretree": TAG} if len(files) == 1 else {ONE: [*TAG, "--jobs", "1"]}
        return {name: command(base, files) for name, base in bases.items()}

    found = {}
    say("cold start")
    cold = all_on(clips[:1]) | {"timbretree --help": [TAG[0], "--help"]}
    cold |= {PANNS: command(other, clips[:1])} if other else {}
    found["cold"] = contend(cold, max(runs, 5), work)
    say("40 clips of 10 s")
    short = all_on(clips) | ({PANNS: command(other, clips)} if other else {})
    found["clips"] = contend(short, runs, work)
    say("20 songs of 3 min")
    many = all_on(songs)
    many[DENSE] = command([*TAG, "--jobs", "1", "--hop", "1"], songs)
    many[TWO] = command([*TAG, "--jobs", "2"], songs)
    first, second = (shlex.join(command(FLOOR, songs[number::2])) for number in (0, 1))
    many[BARE_TWICE] = ["sh", "-c", f"{first} & {second} && wait $!"]
    few = {f"{number} songs": command(other, songs[:number]) for number in (1, 3)} if other else {}
    found["songs"] = contend(many | few, runs, work)
    if other:
        found["panns"] = {name: found["songs"].pop(name) for name in few}
        found["songs"][PANNS] = [*map(twenty, *found["panns"].values())]
        found["panns"] |= contend({"9 minutes": command(other, [nine_minutes])}, 1, work)
    say("one hour")
    found["hour"] = contend(all_on([hour]), runs, work)
    say("ten hours")
    found["ten hours"] = contend({"timbretree": command(TAG, [ten_hours])}, 1, work)
    return found


def twenty(one: Cost, three: Cost) -> Cost:
    """What twenty songs would take, from one and three."""
    cpu = one.cpu + (SONGS - 1) * (three.cpu - one.cpu) / 2
    wall = one.wall + (SONGS - 1) * (three.wall - one.wall) / 2
    return Cost(cpu, wall, three.peak)


def middle(costs: list[Cost]) -> dict[str, float]:
    """Medians of all runs."""
    rows = [asdict(cost) for cost in costs]
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


def ratio(costs: Costs, over: str, under: str, what: str = "cpu") -> float:
    """The median of the ratios within each run."""
    pairs = zip(costs[over], costs[under], strict=True)
    ratios = [getattr(first, what) / getattr(second, what) for first, second in pairs]
    return round(statistics.median(ratios), 2)


def goals(found: dict[str, Costs]) -> list[dict[str, Any]]:
    """What was asked for, what was measured, and whether it is enough."""
    songs, ours = found["songs"], "timbretree"
    peak = {name: max(each.peak for each in found[name][ours]) for name in ("hour", "ten hours")}
    rows: list[tuple[str, str, float, float]] = [
        ("20 songs, CPU beside decode and resample alone", "at most",
         ratio(songs, ONE, BARE), 1.7),
        ("20 songs, wall time of one worker beside that of two", "at least",
         ratio(songs, ONE, TWO, "wall"), 1.8),
        ("20 songs, --hop 1: CPU beside the default", "at most",
         ratio(songs, DENSE, ONE), 1.5),
        ("one hour: peak memory, MB", "at most", round(peak["hour"], 1), 150),
        ("ten hours: peak memory, MB", "at most", round(peak["ten hours"], 1), 160),
        ("cold start of a 10 s clip, s", "at most", middle(found["cold"][ours])["wall"], 0.8),
        ("--help, s", "at most", middle(found["cold"]["timbretree --help"])["wall"], 0.3),
    ]  # fmt: skip
    if PANNS in songs:
        rows.append(("20 songs, CPU of panns_inference beside ours", "at least",
                     ratio(songs, PANNS, ONE), 25))  # fmt: skip
    return [
        {
            "goal": what,
            "measured": measured,
            "asked": f"{bound} {limit:g}",
            "reached": measured <= limit if bound == "at most" else measured >= limit,
        }
        for what, bound, measured, limit in rows
    ]


def machine() -> str:
    """What it ran on, without its name."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text("utf-8").splitlines() if "model name" in line]
        model = names[0].split(":")[1].strip() if names else model
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def say(text: str) -> None:
    """Talk to the person."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without-panns", action="store_true")
    asked = parser.parse_args()
    work = asked.work.resolve()
    found = measure(work, asked.runs, panns=not asked.without_panns)
    figures = {
        "machine": machine(),
        "runs": asked.runs,
        "goals": goals(found),
        "two cores": ratio(found["songs"], BARE, BARE_TWICE, "wall"),
        "costs": {
            load: {name: middle(costs) for name, costs in each.items()}
            for load, each in found.items()
        },
    }
    (HERE / "tagging.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    speed_page.fill()
    print(json.dumps(figures["goals"], indent=1))


if __name__ == "__main__":
    main()
