"""Install the wheel in clean environments and try what each extra is for.

    pip install uv
    python benchmarks/install_matrix.py                                    # all of it
    python benchmarks/install_matrix.py --extras base serve --versions oldest
    python benchmarks/install_matrix.py --python python3.13 --versions newest --extras base serve

For each extra, none of them (base) and all of them, with three sets of versions: ``oldest``, where
everything that pyproject.toml names has the lowest version that it allows and uv chooses the rest;
``tested``, those of constraints.txt; ``newest``, chosen by uv, but for torch. All of it is of what
is committed. An environment is made, checked, tried with install_smokes.py, and removed. What was
found is written into install_matrix.json after each, beside what is there of others, and into
docs/installing.md; what another Python found stands beside that of this one. It needs the network,
what ``make test`` installs, and to render FluidSynth's library (on Debian: libfluidsynth3).
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

import installing_page
from install_smokes import EXAMPLE, WANTED

HERE = Path(__file__).parent
ROOT = HERE.parent
FOUND = HERE / "install_matrix.json"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = [name for name in PROJECT["optional-dependencies"] if name != "dev"]
NAME = re.compile(r"[\w-]+")
HOW = {
    "oldest": ["--resolution", "lowest-direct"],
    "tested": ["--constraints", "constraints.txt"],
    "newest": [],
}
"""How each set of versions is asked for."""
TORCH = "torch.txt"
"""Pins torch to the build that is installed here: others bring gigabytes of CUDA along."""


def named(extras: list[str]) -> list[str]:
    """The packages that pyproject.toml names for some extras."""
    more = [each for extra in extras for each in PROJECT["optional-dependencies"][extra]]
    return list(dict.fromkeys(NAME.match(each)[0] for each in [*PROJECT["dependencies"], *more]))


def export(folder: Path) -> Path:
    """What is committed, and its wheel in ``dist``."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", folder]
    subprocess.run(words, check=True, capture_output=True)
    (folder / TORCH).write_text(f"torch=={version('torch')}", "utf-8")
    return folder


def attempt(
    source: Path, extras: list[str], versions: str, folder: Path, base: str = sys.executable
) -> dict:
    """One environment of a Python: how large it is, and whether it works."""
    python = folder / "environment" / "bin" / "python"
    subprocess.run([base, "-m", "venv", "--without-pip", folder / "environment"], check=True)
    uv = ["uv", "pip", "--quiet"]
    wanted = [word for extra in extras for word in ("--extra", extra)]
    trials = extras if len(extras) == 1 else ["base", *extras]
    steps = {
        "install": [*uv, "install", "--python", python, "-r", "pyproject.toml", *wanted,
                    "--constraints", TORCH, *HOW[versions]],
        "install the wheel": [*uv, "install", "--python", python, "--no-deps",
                              *(source / "dist").glob("*.whl")],
        "check": [*uv, "check", "--python", python],
        "trial": [python, "benchmarks/install_smokes.py", folder, *trials],
    }  # fmt: skip
    trouble = None
    for step, words in steps.items():
        done = subprocess.run(
            words, cwd=source, capture_output=True, text=True, check=False, env=clean(folder)
        )
        if done.returncode:
            said = (done.stdout + done.stderr).replace(f"{folder}", "")
            print(said, file=sys.stderr)
            trouble = f"{step}: {said.strip().splitlines()[-1][:300]}"
            break
    size = sum(path.stat().st_size for path in python.parents[1].rglob("*") if path.is_file())
    return {
        "trouble": trouble,
        "megabytes": round(size / 1e6),
        "packages": installed(python, extras),
    }


def clean(folder: Path) -> dict[str, str]:
    """An environment in which nothing of this one is found, and nothing at home is written to."""
    gone = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "TIMBRETREE_TOKEN"}
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    return {**kept, "XDG_DATA_HOME": str(folder / "data")}


def installed(python: Path, extras: list[str]) -> dict[str, str]:
    """The versions of what pyproject.toml names."""
    words = ["uv", "pip", "--quiet", "list", "--python", python, "--format", "json"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    there = {each["name"]: each["version"] for each in json.loads(told or "[]")}
    return {name: there[name] for name in named(extras) if name in there}


def main() -> None:
    """Read the arguments, try, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extras", nargs="+", choices=["base", *EXTRAS, "all"])
    parser.add_argument("--versions", nargs="+", choices=HOW, default=[*HOW])
    parser.add_argument("--work", type=Path, help="A folder for the environments.")
    parser.add_argument("--python", default=sys.executable, help="Another Python.")
    asked = parser.parse_args()
    found = json.loads(FOUND.read_text("utf-8")) if FOUND.exists() else {"results": {}}
    results = found["results"]
    if asked.python == sys.executable:
        found["python"] = f"Python {platform.python_version()} on {platform.system()}"
    else:
        words = [asked.python, "-c", "import platform; print(platform.python_version())"]
        other = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        results = found.setdefault("others", {}).setdefault(other, {})
    with tempfile.TemporaryDirectory(dir=asked.work) as work:
        source = export(Path(work) / "source")
        wanted = Path(work) / WANTED
        command = [sys.executable, "-m", "timbretree", "tag", EXAMPLE, "--format", "json"]
        here = {**os.environ, "PYTHONPATH": str(source / "src")}
        wanted.write_bytes(subprocess.run(command, stdout=-1, check=True, env=here).stdout)
        for name in asked.extras or ["base", *EXTRAS, "all"]:
            for versions in asked.versions:
                extras = EXTRAS if name == "all" else [] if name == "base" else [name]
                with tempfile.TemporaryDirectory(dir=work) as folder:
                    shutil.copy(wanted, folder)
                    result = attempt(source, extras, versions, Path(folder), asked.python)
                print(name, versions, json.dumps(result), file=sys.stderr, flush=True)
                results.setdefault(name, {})[versions] = result
                FOUND.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    installing_page.fill()


if __name__ == "__main__":
    main()
