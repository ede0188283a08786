"""Gather audio without instruments, and music that nobody labelled, as 32 kHz mono FLAC files.

    python models/gather/others.py OUT [--packages FOLDER]

OUT/others gets speech, noise, applause, nature and effects (``others.csv``: recordings out of
published packages; ``voices.csv``: synthesizers; noise is computed by ``noises.py``), OUT/music
the tracks of ``music.csv``; each gets a manifest.csv. Dev files come from packages, voices and
kinds of noise that train never has; music is split by whole tracks.
Needs apt-get, espeak-ng, flite and festival with the voices that voices.csv names.
"""

import argparse
import csv
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from noises import MADE
from packages import fetch

RATE, PIECE, TRACK = 32_000, 60, 180
"""Samples a second, and the longest piece and the longest track in seconds."""
GAP, SHORTEST_PIECE, SHORTEST_TRACK = 0.2, 3, 45
"""Seconds between joined recordings, of the shortest piece and of the shortest track."""
SILENT = 1e-3
"""The peak under which a recording says nothing."""
OTHERS = ("file", "kind", "source", "licence", "attribution", "seconds", "split")
MUSIC = ("file", "source", "track", "licence", "attribution", "sound", "seconds", "split")
SYNTHESIZERS: Mapping[str, Sequence[str]] = {
    "espeak-ng": ("espeak-ng", "-v", "{voice}", "-f", "{text}", "-w", "{wave}"),
    "flite": ("flite", "-voice", "{voice}", "-f", "{text}", "-o", "{wave}"),
    "festival": ("text2wave", "-eval", "({voice})", "-o", "{wave}", "{text}"),
}
"""The command of each synthesizer; names in braces are filled in."""


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a table that lies beside this file."""
    with open(Path(__file__).with_name(name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def find(row: Mapping[str, str], packages: Path) -> Iterator[tuple[str, Path | io.BytesIO]]:
    """The path in its package, and the audio, of each file that a row names, in order of path.

    A glob with "!" looks into a zip file: archive!members.
    """
    root = fetch("debian", row["package"], packages)
    outer, _, inner = row["glob"].partition("!")
    without = re.compile(row["without"] or "(?!)")
    paths = sorted(path for path in root.glob(outer) if path.is_file() and not path.is_symlink())
    if not paths:
        raise SystemExit(f"{row['package']}: expected files at {outer}, but it has none there")
    for path in paths:
        if not inner and not without.search(path.name):
            yield str(path.relative_to(root)), path
        elif inner:
            with zipfile.ZipFile(path) as archive:
                for member in sorted(archive.namelist()):
                    if Path(member).match(inner) and not without.search(Path(member).name):
                        yield member, io.BytesIO(archive.read(member))


def decode(audio: Path | io.BytesIO) -> np.ndarray:
    """A recording as mono at 32 kHz with its peak at 0.7, [samples]; empty where it is silent."""
    waveform, rate = soundfile.read(audio, dtype="float32", always_2d=True)
    mono: np.ndarray = soxr.resample(waveform.mean(axis=1), rate, RATE)
    peak = float(np.abs(mono).max(initial=0))
    return mono * np.float32(0.7 / peak) if peak > SILENT else mono[:0]


def say(row: Mapping[str, str], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """A voice that reads its row's text and lists of numbers, one text at a time, for ever."""
    while True:
        numbers = ", ".join(str(n) for n in rng.integers(10, 10 ** rng.integers(2, 6, 12)))
        with tempfile.TemporaryDirectory() as folder:
            text, wave = Path(folder, "text"), Path(folder, "wave")
            # Festival reads Latin-1.
            coding = "latin-1" if row["program"] == "festival" else "utf-8"
            text.write_text(f"{row['text']} {numbers}.\n", encoding=coding)
            names = {"voice": row["voice"], "text": text, "wave": wave}
            command = [word.format(**names) for word in SYNTHESIZERS[row["program"]]]
            subprocess.run(command, check=True, capture_output=True)
            yield decode(wave)


def pieces(recordings: Iterator[np.ndarray], minutes: float) -> Iterator[np.ndarray]:
    """Recordings joined with short gaps and cut to pieces of a minute, up to so many minutes."""
    joined, left = np.zeros(0, np.float32), int(minutes * 60 * RATE)
    gap = np.zeros(int(GAP * RATE), np.float32)
    for recording in recordings:
        joined = np.concatenate([joined, recording, gap]) if len(recording) else joined
        while len(joined) >= min(PIECE * RATE, left):
            piece, joined = np.split(joined, [min(PIECE * RATE, left)])
            left -= len(piece)
            yield piece
            if left < SHORTEST_PIECE * RATE:
                return
    if len(joined) >= SHORTEST_PIECE * RATE:
        yield joined


def gather_others(out: Path, packages: Path) -> list[dict[str, object]]:
    """Write the pieces of others.csv, voices.csv and the computed noises; the manifest's rows."""
    rows: list[dict[str, object]] = []

    def write(recordings: Iterator[np.ndarray], minutes: float, about: dict[str, str]) -> None:
        folder = out / about["kind"]
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", about["source"].lower())
        start = len(list(folder.glob(f"{name}_*.flac")))
        for number, piece in enumerate(pieces(recordings, minutes), start):
            file = f"{about['kind']}/{name}_{number:02}.flac"
            soundfile.write(out / file, piece, RATE, "PCM_16")
            rows.append({"file": file, **about, "seconds": round(len(piece) / RATE, 2)})

    columns = ("kind", "source", "licence", "attribution", "split")
    for row in read_table("others.csv"):
        found = list(find(row, packages))
        # In a drawn order, so that a row cut short has heard from all its folders.
        order = np.random.default_rng(0).permutation(len(found))
        about = {**row, "source": row["package"]}
        recordings = (decode(found[place][1]) for place in order)
        write(recordings, float(row["minutes"]), {name: about[name] for name in columns})
    for number, row in enumerate(read_table("voices.csv")):
        about = {"kind": "speech", "source": f"{row['program']} {row['voice']}"}
        about |= {"licence": "output of a free program", "attribution": "", "split": row["split"]}
        write(say(row, np.random.default_rng(number)), float(row["minutes"]), about)
    for number, (name, (split, minutes, make)) in enumerate(MADE.items()):
        rng = np.random.default_rng(number)
        made = (make(PIECE * RATE, rng) for _ in range(minutes))
        about = {"kind": "noise", "source": f"made {name}", "split": split}
        write(made, minutes, about | {"licence": "CC0-1.0", "attribution": ""})
    return rows


def gather_music(out: Path, packages: Path) -> list[dict[str, object]]:
    """Write up to three minutes of each track of music.csv; the manifest's rows."""
    rows: list[dict[str, object]] = []
    for row in read_table("music.csv"):
        number = 0
        found = list(find(row, packages))
        for path, audio in found[:: -(-len(found) // int(row["most"]))]:
            track = decode(audio)
            if len(track) < SHORTEST_TRACK * RATE:
                continue
            # A fade-in says nothing yet: start where a tenth of a second is at last loud.
            loud = np.abs(track[: len(track) // 2]) > 0.05
            track = track[int(loud.argmax()) :][: TRACK * RATE]
            number += 1
            name = re.sub(r"\W+", "-", Path(path).stem)
            if name == "song":
                name = re.sub(r"\W+", "-", Path(path).parent.name)
            file = f"{row['package']}_{name}.flac"
            soundfile.write(out / file, track, RATE, "PCM_16")
            about = {name: row[name] for name in ("licence", "attribution", "sound")}
            about |= {"source": row["package"], "track": path, "file": file}
            # By its place in its package, so that one more package moves no other's tracks.
            split = "dev" if number % 7 == 3 else "train"
            rows.append({**about, "seconds": round(len(track) / RATE, 2), "split": split})
    return rows


def main() -> None:
    """Read the arguments and gather."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, help="keeps what was fetched; OUT/packages")
    asked = parser.parse_args()
    packages = asked.packages or asked.out / "packages"
    for gather, columns in ((gather_others, OTHERS), (gather_music, MUSIC)):
        name = gather.__name__.removeprefix("gather_")
        folder = asked.out / name
        if (folder / "manifest.csv").exists():
            sys.exit(f"{folder} holds a manifest.csv already; name another folder or remove it")
        folder.mkdir(parents=True, exist_ok=True)
        rows = gather(folder, packages)
        with open(folder / "manifest.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        print(f"{name}: {len(rows)} files", file=sys.stderr)


if __name__ == "__main__":
    main()
