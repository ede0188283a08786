"""How fast ``timbretree render`` is on one core, and whether its memory stays the same.

    python benchmarks/rendered/speed.py [--clips 50 200] [--samples DIR] [--json FILE] [--page]

Renders as many clips as each number says through the command, in one process, on the SoundFonts
that are installed; a first run reads the scores into the cache, and is not counted. Seconds are of
the processor, so that a machine with other work to do says about the same.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from page import put, table


def render(clips: int, options: list[str]) -> tuple[float, float]:
    """Seconds of processor time, and the most memory in MB, of one run of the command."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["render", f"{folder}/set", "--clips", str(clips), "--jobs", "1", *options]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = (
            "import resource, sys, timbretree.cli as cli\n"
            "try:\n    cli.main()\nfinally:\n"
            "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, *words], check=True, text=True,
                              stdout=subprocess.PIPE)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Read the arguments, render, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    options = ["--samples", str(asked.samples)] if asked.samples else []
    render(max(asked.clips), options)  # reads the scores
    found = [(clips, *render(clips, options)) for clips in sorted(asked.clips)]
    rows = [[f"{clips:,}", f"{spent:.0f}", f"{clips / spent:.2f}", f"{memory:,.0f}"]
            for clips, spent, memory in found]  # fmt: skip
    text = table(["clips", "processor seconds", "clips a second and core", "memory, MB"], rows)
    print(text)
    if asked.page:
        put("speed", text)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
