"""What sounds in rendered clips: all of it, for how long and how loud."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbretree.files import write_whole
from timbretree.openmic import read_key
from timbretree.rows import Row, guess, read_rows

TRUTH = "truth.csv"
"""Its name in the folder of a data set."""
SECONDS = 1.0
"""What sounds for less than a tenth of a clip is a stray note: OpenMIC's people, who heard a clip
once or twice and were asked about several instruments, could not be held to it."""
FLOOR = -30.0
"""In dB against the mix. Parts of a mix are mostly 3 to 20 dB below it; at 30 dB below, the others
cover all but a stray partial."""
COLUMNS = ("sample_key", "instrument", "seconds", "loudness_db", "present", "sound")


@dataclass(frozen=True, eq=False)
class Truth:
    """What sounds in N clips, for all of K tags.

    Raises ValueError for arrays of another shape than (N, K), keys that come twice, and seconds or
    loudness that are no numbers.
    """

    keys: tuple[str, ...]
    tags: tuple[str, ...]
    seconds: NDArray[np.float64]
    """(N, K): for how long each sounds, the pauses not counted; of drums, their frames of sound."""
    loudness: NDArray[np.float64]
    """(N, K): in dB against the mix; -inf where it is silent."""
    sounds: NDArray[np.object_] | None = None
    """(N, K): the presets or samples that play it, as text; None = not known."""

    def __post_init__(self) -> None:
        shape = len(self.keys), len(self.tags)
        arrays = [self.seconds, self.loudness, *([] if self.sounds is None else [self.sounds])]
        if any(array.shape != shape for array in arrays):
            raise ValueError(
                f"expected a row a clip and a column a tag, {shape}, got arrays of the shapes "
                f"{', '.join(str(array.shape) for array in arrays)}"
            )
        if len(set(self.keys)) < len(self.keys):
            raise ValueError("a key comes twice; each clip needs its own")
        if not (np.isfinite(self.seconds).all() and (self.seconds >= 0).all()):
            raise ValueError("seconds of sound are 0 or more, and finite")
        if not (self.loudness < np.inf).all():  # not a number isn't either
            raise ValueError("loudness is a number of dB, or -inf where nothing sounds")

    @property
    def sounding(self) -> NDArray[np.bool_]:
        """(N, K): where there is any sound, be it short or faint."""
        return (self.seconds > 0) & (self.loudness > -np.inf)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N, K): where it sounds for SECONDS or more, and louder than FLOOR."""
        return (self.seconds >= SECONDS) & (self.loudness > FLOOR)

    def write(self, path: str | Path) -> None:
        """Write truth.csv: a row for every tag that sounds in a clip, present or not.

        A clip without any has one row with nothing but its key. Raises OSError.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        sounding, present = self.sounding, self.present
        for clip, key in enumerate(self.keys):
            for tag in np.flatnonzero(sounding[clip]):
                cell = clip, tag
                sound = "" if self.sounds is None else self.sounds[cell]
                seconds, loudness = float(self.seconds[cell]), float(self.loudness[cell])
                writer.writerow((key, self.tags[tag], seconds, loudness, int(present[cell]), sound))
            if not sounding[clip].any():
                writer.writerow((key, *[""] * (len(COLUMNS) - 1)))
        write_whole(Path(path), text.getvalue())


def read_truth(path: str | Path, tags: tuple[str, ...]) -> Truth:
    """Read truth.csv; clips come in the order of their keys, as ``read_openmic`` has them.

    ``tags`` are the columns wanted, among them all that the file names. Raises AnnotationError with
    row and column for what can't be understood, for a clip and tag that come twice, and where
    ``present`` is not what seconds and loudness say.
    """
    rows = read_rows(Path(path), *COLUMNS)
    keys = tuple(sorted({read_key(row, "sample_key") for row in rows}))
    clips = {key: place for place, key in enumerate(keys)}
    shape = len(keys), len(tags)
    seconds, loudness = np.zeros(shape), np.full(shape, -np.inf)
    sounds = np.full(shape, "", dtype=object)
    said: dict[tuple[int, int], tuple[Row, bool]] = {}
    for row in rows:
        if not any(row.cells[name] for name in COLUMNS[1:]):
            continue  # a silent clip
        cell = clips[read_key(row, "sample_key")], _tag(row, tags)
        if cell in said:
            raise row.error("instrument", f": row {said[cell][0].line} is of this clip and tag too")
        seconds[cell], loudness[cell] = row.number("seconds"), row.number("loudness_db")
        if seconds[cell] <= 0:
            raise row.error("seconds", f": expected more than 0, got {row.text('seconds')}")
        sounds[cell] = (row.cells["sound"] or "").strip()
        said[cell] = row, _flag(row)
    truth = Truth(keys, tags, seconds, loudness, sounds)
    present = truth.present
    for cell, (row, flag) in said.items():
        if flag != present[cell]:
            raise row.error(
                "present", f": {int(flag)}, but present means {SECONDS} seconds or more, louder "
                f"than {FLOOR} dB; write the file anew"
            )  # fmt: skip
    return truth


def _tag(row: Row, tags: tuple[str, ...]) -> int:
    tag = row.text("instrument")
    if tag not in tags:
        raise row.error("instrument", f": {tag!r} is none of the tags{guess(tag, tags)}")
    return tags.index(tag)


def _flag(row: Row) -> bool:
    text = row.text("present")
    if text not in ("0", "1"):
        raise row.error("present", f": expected 1 or 0, got {text!r}")
    return text == "1"
