"""How long the command takes from nothing: ``--help``, and one ten-second clip.

    python benchmarks/cold.py CLIP [--runs 9]

Runs ``timbretree`` of this Python's environment, each time as a new process, and prints the median
wall time and the peak memory.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("timbretree")


def measure(arguments: list[str], runs: int) -> float:
    """The median wall time in seconds, after one run that does not count."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run([COMMAND, *arguments], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("--runs", type=int, default=9)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {asked.runs} runs")
    print(f"timbretree --help: {measure(['--help'], asked.runs):.2f} s")
    print(f"timbretree tag CLIP: {measure(['tag', asked.clip], asked.runs):.2f} s", end=", ")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
