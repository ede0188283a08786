"""What is in a SoundFont, read from its directory: presets, and the samples they are made of."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
"""Where Debian and others put SoundFonts."""
ALIKE = 0.15
"""Two fonts are of one family if so much of the smaller one's sample names are in the other.

It lies between those of Debian's fonts that are known to come from one another (the least alike are
MuseScore_General and FluidR3_GM) and strangers, which share names such as "applause".
"""
NOBODYS = frozenset(
    ["sine", "sinewave", "square", "squarewave", "saw", "sawtooth", "triangle", "pulse", "noise",
     "whitenoise", "pinknoise", "rom", "silence", "silent", "empty", "blank", "dummy", "click"]
)  # fmt: skip
"""Names of samples that every maker of fonts uses."""
CHUNKS = frozenset([b"LIST", b"smpl", b"sm24"])
SAMPLE, INSTRUMENT = 53, 41
"""Which "generators" of a zone name its sample and its instrument; SoundFont 2.04, section 8.1."""


class SoundFontError(ValueError):
    """A file that is no SoundFont, or not a whole one; the message names the file and the fault."""


@dataclass(frozen=True, eq=False)
class SoundFont:
    """What a SoundFont offers."""

    path: Path
    name: str
    """As its maker called it; the file's name, if the maker did not."""
    presets: Mapping[tuple[int, int], str]
    """The names of the presets by bank and program."""
    samples: frozenset[str]
    """Small letters and digits of all sample names."""
    made_of: Mapping[tuple[int, int], frozenset[str]] = field(default_factory=dict)
    """Which samples each preset plays."""


def read_soundfont(path: str | Path) -> SoundFont:
    """Read what is in a SoundFont (.sf2, .sf3) without reading its sound.

    Raises SoundFontError for a file that is missing, cut off, empty, or something else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            info, data = _find(file, path)
    except IsADirectoryError as error:
        raise SoundFontError(
            f"expected a SoundFont, but {path} is a folder; name one file"
        ) from error
    except OSError as error:
        raise SoundFontError(f"{path}: {error.strerror or error}") from error
    names = {key: body for key, body in _inside(info, path) if key == b"INAM"}
    parts = dict(_inside(data, path))
    try:
        presets, samples, made_of = _read(parts)
    except KeyError as error:
        raise SoundFontError(f"{path}: it has no chunk {error}; the file is damaged") from error
    except (ValueError, IndexError) as error:
        raise SoundFontError(f"{path}: the file is damaged ({error})") from error
    if not presets or not samples:
        raise SoundFontError(f"{path}: it is empty, {len(presets)} presets, {len(samples)} samples")
    return SoundFont(path, _text(names.get(b"INAM", b"")) or path.stem, presets, samples, made_of)


def families(fonts: Iterable[SoundFont]) -> list[tuple[SoundFont, ...]]:
    """Put the fonts together that are made of the same recordings, also by way of a third.

    They and those in them come in the order of their file names, in whatever order they were given.
    """
    parts: list[tuple[SoundFont, ...]] = []
    for font in in_order(fonts):
        near = [part for part in parts if any(_alike(font, other) for other in part)]
        joined = in_order([*(other for part in near for other in part), font])
        parts = [part for part in parts if part not in near] + [tuple(joined)]
    return sorted(parts, key=lambda part: _place(part[0]))


def in_order(fonts: Iterable[SoundFont]) -> list[SoundFont]:
    """By file name, so that nothing depends on the order in which they were named."""
    return sorted(fonts, key=_place)


def installed() -> list[Path]:
    """The SoundFonts in the standard folders of this computer, each once, by name."""
    return find(FOLDERS)


def find(folders: Sequence[str | Path]) -> list[Path]:
    """The SoundFonts in folders, each once under its own name, however many links lead to it."""
    found = {
        path.resolve()
        for folder in folders
        for path in Path(folder).glob("*")
        if path.suffix.lower() in (".sf2", ".sf3") and path.is_file()
    }
    return sorted(found, key=lambda path: (path.name, str(path)))


def _place(font: SoundFont) -> tuple[str, str]:
    return font.path.name, str(font.path)


def _alike(one: SoundFont, other: SoundFont) -> bool:
    mine, theirs = one.samples - NOBODYS, other.samples - NOBODYS
    return len(mine & theirs) > ALIKE * min(len(mine), len(theirs))


def _find(file: BinaryIO, path: Path) -> tuple[bytes, bytes]:
    """The lists INFO and pdta; the samples between them are passed over."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise SoundFontError(f"{path}: expected a SoundFont (RIFF, sfbk), got {head[:12]!r}")
    size = file.seek(0, 2)
    if (told := struct.unpack("<I", head[4:8])[0] + 8) > size + 1:
        raise SoundFontError(f"{path}: cut off, {size:,} bytes of {told:,}; fetch it again")
    lists = {}
    place = 12
    while place + 12 <= size:
        file.seek(place)
        name, length, kind = struct.unpack("<4sI4s", file.read(12))
        if place + 8 + length > size:
            raise SoundFontError(f"{path}: cut off in {kind!r}; fetch it again")
        if name == b"LIST" and kind in (b"INFO", b"pdta"):
            lists[kind] = file.read(length - 4)
        place += 8 + length
        if length % 2:  # to be padded, but what writes .sf3 files does not
            file.seek(place)
            place += file.read(4) not in CHUNKS
    if b"pdta" not in lists:
        raise SoundFontError(f"{path}: it has no directory (pdta); the file is damaged")
    return lists.get(b"INFO", b""), lists[b"pdta"]


def _inside(body: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(body):
        name, length = struct.unpack_from("<4sI", body, place)
        if place + 8 + length > len(body):
            raise SoundFontError(f"{path}: cut off in {name!r}; the file is damaged")
        yield name, body[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _read(
    parts: dict[bytes, bytes],
) -> tuple[dict[tuple[int, int], str], frozenset[str], dict[tuple[int, int], frozenset[str]]]:
    """Names of presets, names of samples, and which preset is made of which."""
    heads = _table(parts[b"phdr"], "S20,<u2,<u2,<u2,V12")
    bodies = _table(parts[b"inst"], "S20,<u2")
    samples = [_plain(row[0]) for row in _table(parts[b"shdr"], "S20,V26")[:-1]]
    by_preset = _named(heads["f3"], parts[b"pbag"], parts[b"pgen"], INSTRUMENT)
    by_body = _named(bodies["f1"], parts[b"ibag"], parts[b"igen"], SAMPLE)
    presets, made_of = {}, {}
    for row, used in zip(heads[:-1], by_preset, strict=True):
        key = int(row["f2"]), int(row["f1"])
        presets[key] = _text(row["f0"])
        numbers = {number for body in used for number in by_body[body]}
        made_of[key] = frozenset(samples[number] for number in numbers) - NOBODYS
    return presets, frozenset(samples), made_of


def _named(first: NDArray[Any], bags: bytes, generators: bytes, which: int) -> list[set[int]]:
    """What the zones of each preset, or each instrument, name by one generator.

    ``first`` says with which zone each begins, ``bags`` with which generator each zone begins.
    """
    begin = _table(bags, "<u2,<u2")["f0"]
    table = _table(generators, "<u2,<u2")
    found = []
    for here, after in pairwise(first):
        rows = table[begin[here] : begin[after]]
        found.append(set(rows["f1"][rows["f0"] == which].tolist()))
    return found


def _table(body: bytes, form: str) -> NDArray[Any]:
    return np.frombuffer(body, np.dtype(form))


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("latin-1").strip()


def _plain(name: bytes) -> str:
    return "".join(letter for letter in _text(name).lower() if letter.isalnum())
