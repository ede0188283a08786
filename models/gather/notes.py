"""Gather instrument notes and SoundFonts from published packages, as notes.csv names them.

    python models/gather/notes.py OUT [--packages FOLDER] [--without NOTES]

OUT/sounds gets a folder a tag of 32 kHz mono ogg files of at most 6 s, and manifest.csv (file, tag,
source, licence, attribution, seconds); OUT/fonts gets the SoundFonts and LICENCES.txt. --packages
is where the packages are fetched to, and kept (by default OUT/packages). Notes that NOTES, another
such folder, has too are left out. A row of notes.csv is a folder of a package, or a file that packs
several sounds; patterns of names in it, between "|"; and the one tag of all these, or "font".
"""

import argparse
import csv
import re
import shutil
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from containers import sounds
from numpy.typing import NDArray
from packages import fetch
from scipy.fft import irfft, rfft

RATE, LONGEST = 32_000, 6.0
SHORTEST = 0.25
"""Seconds; a shorter note says little, but a stroke of a drum may be SHORTEST_HIT."""
SHORTEST_HIT = 0.08
HITS = {"cymbals", "drums", "mallet_percussion"}
FADE, FADE_CUT = 0.02, 0.25
FRAME = RATE // 100
SILENT = 10 ** (-50 / 20)
"""A frame at the ends that is this much softer than the loudest is cut off."""
LOUD, SOFT = 0.89, 0.1
"""Peaks between which the level is kept."""
MOST = 80
"""Notes of one tag and source."""
CLIPPED = 4
"""Samples in a row at the very peak from which on a note is taken for clipped."""
ALIKE = 0.93
"""Correlation of the first second from which on two notes are one."""
FIELDS = ("file", "tag", "source", "licence", "attribution", "seconds")


class Row(NamedTuple):
    """A line of notes.csv: where sounds are, and what is known of them."""

    kind: str
    package: str
    folder: str
    files: str
    tag: str
    source: str
    licence: str
    attribution: str


class Note(NamedTuple):
    """A finished note, not yet written."""

    name: str
    row: Row
    audio: NDArray[np.float32]


def main() -> None:
    """Make OUT as the module says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, help="keeps what was fetched; OUT/packages")
    parser.add_argument("--without", type=Path)
    args = parser.parse_args()
    packages = args.packages or args.out / "packages"
    with Path(__file__).with_name("notes.csv").open(encoding="utf-8", newline="") as file:
        rows = [Row(**line) for line in csv.DictReader(file)]
    _fonts([row for row in rows if row.tag == "font"], packages, args.out / "fonts")
    known = _Known(args.without)
    notes = _notes([row for row in rows if row.tag != "font"], packages)
    _write(_chosen(note for note in notes if known.new(note)), args.out / "sounds")


def _fonts(rows: list[Row], packages: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows:
        for path in _files(row, packages):
            shutil.copyfile(path, out / path.name)
            lines.append(
                f"{path.name}: {row.licence}. {row.attribution} ({row.kind} {row.package})"
            )
    (out / "LICENCES.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _files(row: Row, packages: Path) -> list[Path]:
    """The files of a row that lie in a folder, or the one file that is its folder."""
    place = fetch(row.kind, row.package, packages) / row.folder
    if place.is_file():
        return [place]
    found = [path for pattern in row.files.split("|") for path in sorted(place.glob(pattern))]
    if not found:
        raise FileNotFoundError(f"{place}: nothing is called {row.files}; mend notes.csv")
    return found


def _notes(rows: list[Row], packages: Path) -> Iterator[Note]:
    for row in rows:
        shortest = SHORTEST_HIT if row.tag in HITS else SHORTEST
        for path in _files(row, packages):
            packed = path.name == Path(row.folder).name
            for name, audio, rate in sounds(path):
                wanted = not packed or any(fnmatchcase(name, one) for one in row.files.split("|"))
                if not wanted or _clipped(audio):
                    continue
                done = _finish(audio.mean(axis=1), rate)
                if len(done) >= shortest * RATE:
                    full = f"{row.source}-{Path(row.folder).stem}-{name}"
                    yield Note(re.sub(r"[^A-Za-z0-9]+", "_", full), row, done)


def _clipped(audio: NDArray[np.float32]) -> bool:
    peak = np.abs(audio).max(initial=0)
    if peak < 0.99 or len(audio) < CLIPPED:
        return False
    flat = np.abs(audio) >= 0.999 * peak
    runs = np.lib.stride_tricks.sliding_window_view(flat, CLIPPED, axis=0)
    return bool(runs.all(axis=-1).any())


def _finish(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Resample, take off DC and silent ends, cut and fade, and mend a level out of bounds."""
    audio = soxr.resample(audio - audio.mean(), rate, RATE).astype(np.float32)
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    level = np.sqrt((frames**2).mean(axis=1))
    if not level.any():
        return audio[:0]
    heard = np.flatnonzero(level >= level.max() * SILENT)
    audio = audio[heard[0] * FRAME : (heard[-1] + 1) * FRAME]
    longest = int(LONGEST * RATE)
    fade = FADE_CUT if len(audio) > longest else FADE
    audio = audio[:longest].copy()
    ramp = np.linspace(1, 0, int(fade * RATE), dtype=np.float32)[-len(audio) :]
    audio[len(audio) - len(ramp) :] *= ramp
    peak = float(np.abs(audio).max())
    return audio * np.float32(np.clip(peak, SOFT, LOUD) / peak)


class _Known:
    """What there is already, to tell copies by."""

    def __init__(self, folder: Path | None) -> None:
        self.heads: dict[str, list[NDArray[np.complex64]]] = {}
        for path in sorted(folder.glob("*/*.ogg")) if folder else []:
            audio = soundfile.read(path, dtype="float32")[0]
            self.heads.setdefault(path.parent.name, []).append(_head(audio))

    def new(self, note: Note) -> bool:
        """Whether it is the first of its kind; it is known from now on."""
        heads = self.heads.setdefault(note.row.tag, [])
        head = _head(note.audio)
        twin = any(np.abs(irfft(head * other.conj())).max() > ALIKE for other in heads)
        heads.append(head)
        return not twin


def _head(audio: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The spectrum of the first second, scaled to a power of 1."""
    audio = audio[:RATE]
    spectrum: NDArray[np.complex64] = rfft(audio / np.sqrt((audio**2).sum()), 2 * RATE)
    return spectrum


def _chosen(notes: Iterable[Note]) -> Iterator[Note]:
    """At most MOST notes of each tag and source, evenly out of all in their order."""
    groups: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        groups.setdefault((note.row.tag, note.row.source), []).append(note)
    for group in groups.values():
        step = max(1.0, len(group) / MOST)
        yield from (group[int(number * step)] for number in range(min(MOST, len(group))))


def _write(notes: Iterable[Note], out: Path) -> None:
    lines = []
    for note in notes:
        file = f"{note.row.tag}/{note.name}.ogg"
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(out / file, note.audio, RATE, format="OGG", subtype="VORBIS")
        about = (note.row.tag, note.row.source, note.row.licence, note.row.attribution)
        lines.append((file, *about, f"{len(note.audio) / RATE:.3f}"))
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as manifest:
        writer = csv.writer(manifest, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(sorted(lines))


if __name__ == "__main__":
    main()
