"""How soon the package is there, and what it weighs.

    python benchmarks/start.py [--runs 21]

The wheel of what is committed is installed with the versions of constraints.txt into an environment
of its own; Python, the import, the command and one clip are each started anew so many times, in
turn, once before that so that all files are in memory. Written into start.json and
docs/installing.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import installing_page
from install_matrix import EXAMPLE, clean, export
from tagging import machine


def took(words: list, folder: Path) -> float:
    """Seconds from the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, env=clean(folder), check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Install, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        source = export(folder / "source")
        subprocess.run(
            [sys.executable, "-m", "build", "--sdist", "--no-isolation", source],
            check=True, capture_output=True,
        )  # fmt: skip
        wheel, sdist = (next((source / "dist").glob(f"*{end}")) for end in (".whl", ".tar.gz"))
        venv.create(folder / "environment", with_pip=True)
        python = folder / "environment" / "bin" / "python"
        pip = [python, "-m", "pip", "install", "-q", "-c", source / "constraints.txt", wheel]
        subprocess.run(pip, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""})
        command = python.with_name("timbretree")
        starts = {
            "`python -c pass`": [python, "-c", "pass"],
            "`import timbretree`": [python, "-c", "import timbretree"],
            "`from timbretree import Tagger`": [python, "-c", "from timbretree import Tagger"],
            "`timbretree --help`": [command, "--help"],
            "`timbretree tag` of the example, 28 s": [command, "tag", EXAMPLE],
        }
        seconds: dict[str, list[float]] = {name: [] for name in starts}
        for _ in range(runs + 1):
            for name, words in starts.items():
                seconds[name].append(took(words, folder))
        model = next((source / "src" / "timbretree" / "models").glob("*.onnx"))
        found = {
            "machine": machine(),
            "runs": runs,
            "seconds": {
                name: {
                    "median": round(statistics.median(each[1:]), 3),
                    "least": round(min(each[1:]), 3),
                }
                for name, each in seconds.items()
            },
            "bytes": {
                "the wheel": wheel.stat().st_size,
                "of that the model": model.stat().st_size,
                "the sdist": sdist.stat().st_size,
            },
        }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    installing_page.fill()


if __name__ == "__main__":
    main()
