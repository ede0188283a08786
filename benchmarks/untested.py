"""Which lines no test runs, floor by floor and room by room.

    make coverage

runs all tests under coverage.py, in the processes that they start, too, and then this. The floors
are those of tests/test_house.py. What was found is written into untested.json and
docs/coverage.md. Lines that an ``os.kill`` ends are lost to the measurement: a process that is
killed can't write down what it ran.
"""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import installing_page

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "build" / "coverage" / "report.json"
sys.path.insert(0, str(ROOT / "tests"))
from test_house import FLOORS, SOURCE  # noqa: E402


def count(report: dict) -> dict:
    """Statements and missed ones of each room, and the missed lines of each function."""
    floors: dict = {floor: {} for floor in FLOORS}
    lines: dict = {floor: {} for floor in FLOORS}
    for name, file in sorted(report["files"].items()):
        path = (ROOT / name).relative_to(SOURCE)
        room = path.parts[0].removesuffix(".py")
        floor = next(floor for floor, rooms in FLOORS.items() if room in rooms)
        cell = floors[floor].setdefault(room, {"statements": 0, "missed": 0})
        cell["statements"] += file["summary"]["num_statements"]
        cell["missed"] += file["summary"]["missing_lines"]
        missed = {
            function: spans(part["missing_lines"])
            for function, part in file["functions"].items()
            if part["missing_lines"]
        }
        if missed:
            lines[floor][path.as_posix()] = missed
    return {"floors": floors, "lines": lines}


def spans(lines: list[int]) -> str:
    """Lines as people write them: 3, 5–7."""
    cuts = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(lines)) if b > a + 1), len(lines)]
    runs = [lines[a:b] for a, b in pairwise(cuts)]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def main() -> None:
    """Read the report, count, write."""
    found = count(json.loads(REPORT.read_text("utf-8")))
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    told = f"{sys.argv[1] if sys.argv[1:] else 'All tests'}; commit {head.stdout.strip()}."
    found = {"told": told, **found}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    installing_page.fill()


if __name__ == "__main__":
    main()
