"""Reads written music by music21: what sounds, and where the bars are."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from timbretree.render.music import Notes

BARS = 200
"""A long score is read in stretches of so many bars."""
VELOCITY = 80
CARRIED = ("divisions", "time", "staves", "transpose")
"""What a bar of MusicXML says that holds for all that follow."""
SILENT = {"Harmony", "Unpitched", "PercussionChord"}
MARKS = re.compile(r'"[^"]*"|\{[^}]*\}|!(?:[A-Z]|[a-z]{2})[a-zA-Z.:]*!|![f\d]!|[!`$]|%.*|y')
"""In ABC's lines of notes: chord symbols, fingerings, grace notes, dynamics, spaces, comments."""
NEAR = 1e-3
"""Beats; thirds of a beat are rounded in some files."""


def read(path: Path, *, number: int) -> tuple[tuple[Notes, ...], float]:
    """Read one piece: its voices, as ``Piece`` has them, and the beats a bar.

    ``number`` says which tune of an ABC file it is, or which stretch of ``BARS`` bars of MusicXML,
    from 1. Tied notes are joined, grace notes and chord symbols are left out, repeats are played
    once, transposing instruments sound. A piece is its longest stretch in one metre whose bars
    follow each other without a gap; bars begin at multiples of ``bar``, so an upbeat begins after
    0. Raises OSError, and whatever music21 raises where a score is not what it takes.
    """
    kind, text = _text(path, number)
    with _quiet():
        from music21 import converter

        score: Any = converter.parseData(text, format=kind)
        parts = [part for part in (score.parts or [score]) if not _is_percussion(part)]
        for part in parts:
            part.toSoundingPitch(inPlace=True)
        start, end, origin, bar = _stretch(parts[0])
        rows = [_rows(part) for part in parts]
    return tuple(_notes(part, start, end, origin) for part in rows), bar


@contextmanager
def _quiet() -> Iterator[None]:
    """music21 prints what it wonders about."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _text(path: Path, number: int) -> tuple[str, str]:
    """What music21 calls the format, and the part of the file that is the piece."""
    if path.suffix == ".abc":
        return "abc", _tune(path.read_text("utf-8", errors="replace"), number)
    if path.suffix == ".krn":
        return "humdrum", path.read_text("utf-8", errors="replace")
    return "musicxml", _bars(_xml(path), number)


def _tune(text: str, number: int) -> str:
    """One tune of an ABC file, without chord symbols, fingerings and grace notes."""
    tunes = re.split(r"^(?=X: *\d)", text, flags=re.MULTILINE)[1:]
    tune = next(tune for tune in tunes if int(re.findall(r"\d+", tune)[0]) == number)
    lines = []
    for line in tune.rstrip().splitlines():
        if re.match("[A-Zmrs+] *:", line):
            if line[0] in "XTMLKV":
                lines.append(line)
        elif not line.startswith(("%", "w:", "W:", "I:")):
            lines.append(MARKS.sub("", line))
    return "\n".join(lines) + "\n"


def _xml(path: Path) -> ElementTree.Element:
    if path.suffix != ".mxl":
        return ElementTree.fromstring(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        root = next(node for node in container.iter() if node.tag.endswith("rootfile"))
        return ElementTree.fromstring(archive.read(root.attrib["full-path"]))


def _bars(root: ElementTree.Element, number: int) -> str:
    """A stretch of the bars of MusicXML; all others would take music21 minutes."""
    for part in root.findall("part"):
        carried: dict[str, ElementTree.Element] = {}
        bars = part.findall("measure")
        for bar in bars[: BARS * (number - 1)]:
            for attributes in bar.findall("attributes"):
                carried.update((node.tag, node) for node in attributes if node.tag in CARRIED)
            part.remove(bar)
        for bar in bars[BARS * number :]:
            part.remove(bar)
        first = ElementTree.Element("attributes")
        first.extend(carried[tag] for tag in CARRIED if tag in carried)
        part.findall("measure")[0].insert(0, first)
    return ElementTree.tostring(root, encoding="unicode")


def _is_percussion(part: Any) -> bool:
    return any(clef.sign == "percussion" for clef in part.recurse().getElementsByClass("Clef"))


def _stretch(part: Any) -> tuple[float, float, float, float]:
    """The longest stretch of even bars: its start and its end, where its bars are counted from, and
    the beats a bar."""
    starts, bars, bar = [], [], 4.0
    for measure in part.getElementsByClass("Measure"):
        if measure.timeSignature:
            bar = float(measure.timeSignature.barDuration.quarterLength)
        starts.append(float(measure.offset))
        bars.append(bar)
    if not starts:
        return 0.0, float(part.highestTime), 0.0, bar
    grids = [(bar, round(start % bar, 2) % bar) for start, bar in zip(starts, bars, strict=True)]
    for before, here in zip(grids, range(1, len(grids) - 1), strict=False):
        if before == grids[here + 1]:  # a bar that a repeat sign cuts in two
            grids[here] = before
    runs = [list(run) for _, run in groupby(range(len(grids)), key=grids.__getitem__)]
    edges = [*starts, float(part.highestTime)]
    run = max(runs, key=lambda run: edges[run[-1] + 1] - edges[run[0]])
    first, bar = run[0], bars[run[0]]
    end = edges[run[-1] + 1]
    if first and bars[first - 1] == bar and 0 < edges[first] - edges[first - 1] < bar - NEAR:
        return edges[first - 1], end, edges[first] - bar, bar  # with the upbeat
    return edges[first], end, edges[first], bar


def _rows(part: Any) -> list[list[float]]:
    """Onset, length and pitch of each note, ties joined."""
    rows: list[list[float]] = []
    held: dict[int, list[float]] = {}
    for element in part.flatten().notes:
        length = float(element.quarterLength)
        if not length or SILENT & set(element.classes):
            continue
        onset = float(element.offset)
        for note in element.notes if element.isChord else (element,):
            pitch = note.pitch.midi
            before = held.get(pitch)
            tie = note.tie.type if note.tie else ""
            if (
                tie in ("stop", "continue")
                and before is not None
                and abs(before[0] + before[1] - onset) < NEAR
            ):
                before[1] = onset + length - before[0]
            else:
                held[pitch] = [onset, length, pitch]
                rows.append(held[pitch])
    return rows


def _notes(rows: list[list[float]], start: float, end: float, origin: float) -> Notes:
    """Those that begin from ``start`` to ``end``, of two that are the same the longer one."""
    kept: dict[tuple[float, int], float] = {}
    for onset, length, pitch in rows:
        if start - NEAR < onset < end - NEAR:
            place = (round(onset - origin, 4), int(pitch))
            kept[place] = max(kept.get(place, 0.0), round(min(length, end - onset), 4))
    return Notes.of([(onset, length, pitch, VELOCITY) for (onset, pitch), length in kept.items()])
