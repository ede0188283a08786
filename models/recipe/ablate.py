"""Teach briefly, once for each thing that is left out or done otherwise, and score all of it.

    python models/recipe/ablate.py START DEVELOPMENT BANKS OUT [--minutes 3] [--only NAME ...]

BANKS is a folder with the banks fonts, notes, others and tracks. Minutes are of one core; what is
there is not done again.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
BANKS = ("fonts", "notes", "others", "tracks")
VARIANTS: dict[str, dict[str, object]] = {
    "base": {},
    "base-seed-1": {"seed": 1},
    "no-real-notes": {"recorded": 0.0},
    "no-tracks": {"tracks": 0.0},
    "no-others": {"others": 0.0},
    "no-wear": {"worn": False},
    "interference": {"interference": True},
    "no-gates": {"gated": 0.0},
    "no-coherent": {"coherent": 0.0},
    "no-average": {"average": 0.0},
    "all-blocks": {"frozen_blocks": 0},
    "last-blocks": {"frozen_blocks": 13},
    "same-rates": {"decay": 1.0},
    "statistics": {"frozen_statistics": False},
    "slower": {"trunk_rate": 3e-4},
    "ten-seconds": {"frames": 1000, "batch": 16},
    "resatt": {"head": "resatt"},
    "topdown": {"head": "topdown"},
    "levelwise": {"head": "levelwise"},
    "flat": {"coarse": 0.0},
}
"""What differs from the base."""


def run(name: str, asked: argparse.Namespace) -> str:
    """Teach and score one variant; a line with its scores."""
    out = asked.out / f"{name}.pt"
    banks = [asked.banks / bank for bank in BANKS if (name, bank) != ("no-real-notes", "notes")]
    options = {"minutes": asked.minutes} | VARIANTS[name]
    if not out.exists():
        call = [sys.executable, HERE / "teach.py", asked.start, out, *banks, "--set"]
        call += [f"{key}={json.dumps(value)}" for key, value in options.items()]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
    scored = asked.development / f"{name}.score.json"
    if not scored.exists():
        call = [sys.executable, HERE / "develop.py", "score", asked.development, asked.start, out]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
    found = json.loads(scored.read_text("utf-8"))
    brief = {key: round(value, 1) for key, value in found.items() if isinstance(value, float)}
    return f"{name}: {json.dumps(brief)}"


def main() -> None:
    """Read the arguments and run the variants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("start", "development", "banks", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, help="where to keep all scores, as JSON")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    asked = parser.parse_args()
    with ThreadPoolExecutor(asked.jobs) as pool:
        for line in pool.map(lambda name: run(name, asked), asked.only):
            print(line, flush=True)
    if asked.results:
        names = [asked.start.stem, *(name for name in VARIANTS if name in asked.only)]
        scored = {name: asked.development / f"{name}.score.json" for name in names}
        found = {name: json.loads(path.read_text("utf-8")) for name, path in scored.items()}
        figures = {name: {key: round(value, 2) for key, value in each.items()
                          if isinstance(value, float)} for name, each in found.items()}  # fmt: skip
        asked.results.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
