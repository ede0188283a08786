"""Packages that add something to timbretree, made by hand as pip would leave them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

Entries = Mapping[str, Mapping[str, str]]


def package(site: Path, name: str, entries: Entries, modules: Mapping[str, str]) -> Path:
    """Put a package of version 1.0 into a folder for PYTHONPATH: its modules by name, and its entry
    points by group, such as ``{"timbretree.heads": {"mine": "module:Mine"}}``."""
    about = site / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    lines = []
    for group, things in entries.items():
        lines += [f"[{group}]", *(f"{each} = {place}" for each, place in things.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code, "utf-8")
    return site


def timbretree(
    *words: object, site: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, with the packages of a folder if one is named."""
    path = [] if site is None else [str(site)]
    path += [each for each in [os.environ.get("PYTHONPATH")] if each]
    return subprocess.run(
        [sys.executable, "-m", "timbretree", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
