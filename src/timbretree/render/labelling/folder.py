"""Writes OpenMIC-2018's files, for clips that come from elsewhere."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbretree.files import write_whole
from timbretree.openmic import ARRAYS, ARTIST, LABELS, METADATA, PARTITIONS, TAGS
from timbretree.render.labelling.labeller import Observed
from timbretree.render.labelling.listeners import Answers
from timbretree.render.labelling.truth import TRUTH, Truth

RESPONSES = "openmic-2018-individual-responses.csv"
APART = 7
"""From one number of a track to the next, so that a folder of audio holds about 140 clips; in
OpenMIC, about 130."""
COLUMNS = (
    "track_id", "album_id", "album_title", "album_url", "artist_id", "artist_name", "artist_url",
    "artist_website", "license_image_file", "license_image_file_large", "license_parent_id",
    "license_title", "license_url", "tags", "track_bit_rate", "track_comments", "track_composer",
    "track_copyright_c", "track_copyright_p", "track_date_created", "track_date_recorded",
    "track_disc_number", "track_duration", "track_explicit", "track_explicit_notes",
    "track_favorites", "track_file", "track_genres", "track_image_file", "track_information",
    "track_instrumental", "track_interest", "track_language_code", "track_listens",
    "track_lyricist", "track_number", "track_publisher", "track_title", "track_url", "sample_key",
    "start_time",
)  # fmt: skip
"""Of OpenMIC's metadata."""


@dataclass(frozen=True)
class Track:
    """What the metadata say of a clip."""

    title: str
    artist: str
    """Who made it, or whatever must not be torn apart: it becomes the artist."""
    composer: str = ""
    genres: tuple[str, ...] = ()


def make_keys(clips: int) -> tuple[str, ...]:
    """Names for clips, sorted, in OpenMIC's form: track, and where the clip starts in it.

    A clip of a number has the same name whatever their count. Raises ValueError for more than there
    are names of six digits.
    """
    if not 0 <= clips * APART <= 999_999:
        raise ValueError(f"there are names for 0 to {999_999 // APART} clips, got {clips}")
    return tuple(f"{(clip + 1) * APART:06d}_0" for clip in range(clips))


def write_folder(
    folder: str | Path,
    truth: Truth,
    splits: tuple[str, ...],
    observed: Observed,
    tracks: tuple[Track, ...],
) -> None:
    """Write all of OpenMIC's files but the audio, and truth.csv: N clips, each with its ``splits``
    (train or test) and its track.

    ``read_openmic`` reads them. ``openmic-2018.npz`` has Y_true, Y_mask and sample_key, but no X:
    that is VGGish's features, which are not made here; sample_key is text, so that numpy reads it
    without unpickling. There are no individual responses where nobody was asked. The same arguments
    give the same bytes. Raises ValueError where the numbers of clips or tags differ, for another
    split, and for a track without an artist; and OSError.
    """
    _check(truth, splits, observed, tracks)
    folder = Path(folder)
    (folder / "partitions").mkdir(parents=True, exist_ok=True)
    places = {tag: column for column, tag in enumerate(truth.tags)}
    write_whole(folder / TAGS, json.dumps(places) + "\n")
    truth.write(folder / TRUTH)
    _write_csv(folder / METADATA, COLUMNS, _metadata(truth.keys, tracks))
    if observed.answers is not None:
        _write_responses(folder / RESPONSES, truth, observed.answers)
    else:
        (folder / RESPONSES).unlink(missing_ok=True)  # of another labelling
    _write_labels(folder, truth, observed)
    for split, name in PARTITIONS.items():
        keys = (key for key, mine in zip(truth.keys, splits, strict=True) if mine == split)
        write_whole(folder / name, "".join(f"{key}\n" for key in keys))


def _check(
    truth: Truth, splits: tuple[str, ...], observed: Observed, tracks: tuple[Track, ...]
) -> None:
    shape = len(truth.keys), len(truth.tags)
    if not (observed.relevance.shape == shape and len(splits) == len(tracks) == len(truth.keys)):
        raise ValueError(
            f"there are {shape[0]} clips and {shape[1]} tags, but labels of the shape "
            f"{observed.relevance.shape}, {len(splits)} splits and {len(tracks)} tracks"
        )
    if unknown := sorted({*splits} - {*PARTITIONS}):
        raise ValueError(f"expected clips in {' or '.join(PARTITIONS)}, got {unknown[0]!r}")
    for key, track in zip(truth.keys, tracks, strict=True):
        if not track.artist.strip():
            raise ValueError(f"the track of {key} has no artist; name one, if only a number")


def _write_labels(folder: Path, truth: Truth, observed: Observed) -> None:
    """A row for each cell that somebody was asked about, and arrays that say the same."""
    relevance, mask = observed.relevance, observed.labels.mask
    rows = (
        (
            truth.keys[clip], truth.tags[tag],
            float(relevance[clip, tag]), int(observed.responses[clip, tag]),
        )
        for clip, tag in np.argwhere(np.isfinite(relevance)).tolist()
    )  # fmt: skip
    _write_csv(folder / LABELS, ("sample_key", "instrument", "relevance", "num_responses"), rows)
    arrays = {
        "Y_true": np.where(mask, relevance, 0.5),
        "Y_mask": mask,
        "sample_key": np.array(truth.keys, dtype=np.str_),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that the bytes stay the same
            member.create_system, member.compress_type = 3, zipfile.ZIP_DEFLATED
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    write_whole(folder / ARRAYS, content.getvalue())


def _write_responses(path: Path, truth: Truth, answers: Answers) -> None:
    """A row for each answer."""
    header = ("sample_key", "worker_id", "worker_trust", "channel", "instrument", "response")
    cells = np.argwhere(answers.given)
    workers = answers.worker[answers.given].tolist()  # in the same order
    yes = answers.yes[answers.given].tolist()
    rows = (
        (truth.keys[clip], f"{worker:08x}", float(answers.trust[worker]), "0000",
         truth.tags[tag], float(said))
        for (clip, tag, _), worker, said in zip(cells.tolist(), workers, yes, strict=True)
    )  # fmt: skip
    _write_csv(path, header, rows)


def _metadata(keys: tuple[str, ...], tracks: tuple[Track, ...]) -> Iterable[list[object]]:
    artists = {name: n for n, name in enumerate(sorted({t.artist for t in tracks}), start=1)}
    for key, track in zip(keys, tracks, strict=True):
        number, start = key.split("_")
        row = dict.fromkeys(COLUMNS, "") | {
            "track_id": str(int(number)),
            ARTIST: str(artists[track.artist]),
            "artist_name": track.artist,
            "track_composer": track.composer,
            "track_genres": str([{"genre_title": genre} for genre in track.genres]),
            "track_title": track.title,
            "sample_key": key,
            "start_time": str(int(start) / 1000),
        }
        yield [row[name] for name in COLUMNS]


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_whole(path, text.getvalue())
