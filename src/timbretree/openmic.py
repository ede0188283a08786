"""OpenMIC-2018 (Humphrey, Durand, McFee, ISMIR 2018): the only room that knows its file names."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from timbretree.annotations import AnnotationError, Annotations
from timbretree.labels import Labels
from timbretree.npz import read_arrays, read_strings
from timbretree.rows import Row, guess, read_column, read_rows

LABELS = "openmic-2018-aggregated-labels.csv"
METADATA = "openmic-2018-metadata.csv"
ARTIST = "artist_id"
"""The column of the metadata that says who made a clip."""
ARRAYS = "openmic-2018.npz"
CHECKSUMS = "checksums-audio-md5.csv"
"""A list of the clips' md5, which people may put beside the data; the archive has none."""
TAGS = "class-map.json"
PARTITIONS = {"train": "partitions/split01_train.csv", "test": "partitions/split01_test.csv"}
KEY = re.compile("[0-9]{6}_[0-9]+")
"""The name of a clip: track, and where the clip starts in it."""
TEST_SHA256 = "aa438f94207166b8a0dcec072ac89e5f413c591a913a00f8084a7a4c4808ccf7"
"""Of the 5,085 keys of the official test split, sorted, a line each."""


def is_openmic(folder: str | Path) -> bool:
    """Whether a folder is OpenMIC-2018, or what is left of it."""
    return any((Path(folder) / name).is_file() for name in (LABELS, *PARTITIONS.values()))


def is_official(annotations: Annotations) -> bool:
    """Whether the test clips are those that everybody scores on, and not of a data set of the same
    form."""
    keys = sorted(file.stem for file in annotations.part("test").files)
    return hashlib.sha256("".join(f"{key}\n" for key in keys).encode()).hexdigest() == TEST_SHA256


def read_openmic(folder: str | Path) -> Annotations:
    """Read the official folder of OpenMIC-2018; clips come in the order of their keys.

    A tag is present where its relevance is above 0.5, absent below, and unknown at 0.5 and where
    nobody was asked. ``train`` and ``test`` are the official partitions; the artists come from the
    metadata, if that is there. Whether there is audio is not looked at.

    Where two rows speak of the same key and instrument, the later counts, as it did when OpenMIC's
    authors made ``openmic-2018.npz`` from the rows. If that file is there, it must say the same as
    the rows; if not, two rows that differ are an error. Raises AnnotationError with file, row and
    column.
    """
    folder = Path(folder)
    tags = _read_tags(folder / TAGS)
    splits = _read_partitions(folder)
    keys = sorted(splits)
    confirmed = (folder / ARRAYS).exists()
    labels = _read_labels(folder / LABELS, keys, tags, confirmed)
    if confirmed:
        _compare(folder / ARRAYS, keys, tags, labels)
    artists = _read_artists(folder / METADATA, keys) if (folder / METADATA).exists() else None
    files = tuple(audio_path(folder, key) for key in keys)
    return Annotations(tags, files, labels, tuple(splits[key] for key in keys), artists)


def audio_path(folder: str | Path, key: str) -> Path:
    """Where the audio of a clip belongs."""
    return Path(folder) / "audio" / key[:3] / f"{key}.ogg"


def read_key(row: Row, column: str) -> str:
    """The name of a clip, from a cell. Raises AnnotationError for text in another form."""
    key = row.text(column)
    if not KEY.fullmatch(key):
        raise row.error(column, f": expected a key such as 000046_3840, got {key!r}")
    return key


def absent_clips(folder: str | Path) -> list[str]:
    """The keys of the partitions that have no audio file."""
    found = read_openmic(folder)
    return [file.stem for file in found.files if not file.is_file()]


def changed_clips(folder: str | Path, checksums: str | Path) -> list[str]:
    """The keys of clips that are missing, or not what they were when the checksums were made.

    ``checksums`` is a csv file with the key in a column without a name, and ``md5``.
    """
    changed = []
    for row in read_rows(Path(checksums), "", "md5"):
        key, md5 = read_key(row, ""), row.text("md5").lower()
        if not re.fullmatch("[0-9a-f]{32}", md5):
            raise row.error("md5", f": expected 32 hexadecimal digits, got {md5!r}")
        if _md5(audio_path(folder, key)) != md5:
            changed.append(key)
    return changed


def _read_tags(path: Path) -> tuple[str, ...]:
    try:
        places = json.loads(path.read_bytes())
    except OSError as error:
        raise AnnotationError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise AnnotationError(f"{path}: expected JSON, got something else ({error})") from error
    columns = list(places.values()) if isinstance(places, dict) else [None]
    if not all(type(column) is int for column in columns) or set(columns) != {*range(len(columns))}:
        raise AnnotationError(f"{path}: expected every instrument with its column, counted from 0")
    return tuple(sorted(places, key=places.__getitem__))


def _read_partitions(folder: Path) -> dict[str, str]:
    """The split of each key."""
    found: dict[str, tuple[str, Row]] = {}
    for split, name in PARTITIONS.items():
        for row in read_column(folder / name, "key"):
            key = read_key(row, "key")
            _, first = found.setdefault(key, (split, row))
            if first is not row:
                raise row.error("key", f": {key} is in row {first.line} of {first.path} already")
    return {key: split for key, (split, _) in found.items()}


def _read_labels(path: Path, keys: list[str], tags: tuple[str, ...], confirmed: bool) -> Labels:
    number = {key: place for place, key in enumerate(keys)}
    cells = np.zeros((2, len(keys), len(tags)), dtype=bool)
    rows: dict[tuple[str, str], tuple[float, Row]] = {}
    for row in read_rows(path, "sample_key", "instrument", "relevance"):
        key, tag = read_key(row, "sample_key"), row.text("instrument")
        relevance = row.number("relevance", least=0, most=1)
        if key not in number:
            raise row.error("sample_key", f": {key} is in no partition")
        if tag not in tags:
            raise row.error("instrument", f": {tag!r} is not in {TAGS}{guess(tag, tags)}")
        before, first = rows.setdefault((key, tag), (relevance, row))
        if _label(before) != _label(relevance) and not confirmed:
            raise row.error(
                "relevance", f": {relevance} for {key} and {tag}, but row {first.line} says "
                f"{before}; put {ARRAYS} beside it to confirm that the later counts",
            )  # fmt: skip
        cells[:, number[key], tags.index(tag)] = _label(relevance)
    return Labels(*cells)


def _label(relevance: Any) -> tuple[Any, Any]:
    """Target and mask."""
    return relevance > 0.5, relevance != 0.5


def _compare(path: Path, keys: list[str], tags: tuple[str, ...], labels: Labels) -> None:
    """Make sure that the .npz file says what the csv files say."""
    theirs = read_strings(path, "sample_key", KEY)
    relevance, asked = read_arrays(path, "Y_true", "Y_mask")
    if strangers := sorted(set(theirs) ^ set(keys)):
        where = "is in no partition" if strangers[0] in theirs else "is not in it"
        raise AnnotationError(f"{path}: sample_key {strangers[0]} {where}")
    shape = len(keys), len(tags)
    if not (relevance.shape == asked.shape == shape == (len(theirs), len(tags))):
        raise AnnotationError(
            f"{path}: expected a row a clip and a column a tag, {shape}, got {len(theirs)} keys "
            f"and Y_true, Y_mask of the shapes {relevance.shape}, {asked.shape}"
        )
    order = np.argsort(theirs)
    target, told = _label(relevance[order])
    told &= asked[order].astype(bool)
    if len(differ := np.argwhere((told != labels.mask) | (told & (target != labels.target)))):
        cell = tuple(differ[0])
        raise AnnotationError(
            f"{path}: {keys[cell[0]]} and {tags[cell[1]]} are {_word(target[cell], told[cell])} "
            f"by Y_true and Y_mask, but {_word(labels.target[cell], labels.mask[cell])} by {LABELS}"
        )


def _word(target: bool, told: bool) -> str:
    return ("present" if target else "absent") if told else "not labelled"


def _read_artists(path: Path, keys: list[str]) -> tuple[str, ...]:
    artists: dict[str, str] = {}
    for row in read_rows(path, "sample_key", ARTIST):
        key, artist = read_key(row, "sample_key"), row.text(ARTIST)
        if artists.setdefault(key, artist) != artist:
            raise row.error(ARTIST, f": {artist} for {key}, but a row above says another")
    if missing := [key for key in keys if key not in artists]:
        raise AnnotationError(
            f"{path}: there is no row for {missing[0]}; "
            "complete the file, or take it away to go without artists"
        )
    return tuple(artists[key] for key in keys)


def _md5(path: Path) -> str | None:
    """None where there is no such file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
