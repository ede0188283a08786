"""A sampler: parts played on recordings of single notes, and kits on recordings of single strokes.

A folder of recordings has a ``manifest.csv`` with the columns file, tag and source.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from timbretree.annotations import AnnotationError
from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.music import RATE, Notes
from timbretree.render.sounds.pitch import measure_pitch, told_pitch
from timbretree.render.sounds.strokes import KEYS, complete, heard_as
from timbretree.rows import Row, guess, read_rows

MANIFEST = "manifest.csv"
HEAD = 1.5
"""Seconds from which a recording's pitch and level are found."""
REACH = 5.0
"""Semitones that a recording is transposed at most."""
OCTAVE = 12
"""Keys that an instrument must reach to be offered."""
CERTAIN, LIKELY = 0.95, 0.55
"""How certain a pitch must be without, and with, a name that tells the same."""
SAME = 0.7
"""Semitones that a recording may be off its name, or off another one of the same pitch."""
LEVEL = 0.1
"""Root mean square of the loudest moment of a note of velocity 127."""
SLOW, PROMPT = 6.0, 6
"""A sound that is after 6 twentieths of a second not within a sixth of its level is no note."""
RELEASE = 0.1
"""Seconds that a note fades for at its end."""
MANY = re.compile(
    "chord|riff|loop|fifth|5th|third|triton|octaves|arp|gliss|slide|trill|em9|torture|groovin|"
    "random|wacky|foghorn|layered|drone|phrase|melod"
)
"""Words in the names of recordings of more than one note, or of one that does not stay."""
REGISTER = re.compile("(low|high)?[a-g]?string|(higher|highmid|lowmid|high|low|mid)(?![a-z])")


class SamplesError(ValueError):
    """A folder of recordings that can't be used; the message names file and fault."""


@dataclass(frozen=True)
class Recording:
    """One note, or one stroke on a drum or cymbal."""

    path: Path
    pitch: float
    """A MIDI key with a fraction; of drums and cymbals 0."""
    kind: str
    """What is struck, of drums and cymbals; of others nothing."""
    level: float
    """Root mean square of its loudest moment."""


@dataclass(frozen=True)
class Instrument:
    """What one part is played on: recordings of one instrument from one source."""

    tag: str
    source: str
    name: str
    recordings: tuple[Recording, ...]
    """By pitch, and those of one pitch from soft to loud."""


def read_instruments(folder: str | Path) -> tuple[Instrument, ...]:
    """The instruments that can be played on the recordings of a folder.

    The pitch of a note is that of its sound; where its name tells another one, or the sound leaves
    it uncertain, it is not used. Raises SamplesError for a manifest or recording that is missing or
    damaged.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise SamplesError(
            f"expected a folder of recordings, but there is no {folder / MANIFEST}; "
            "it names, in the columns file, tag and source, what is in the folder"
        )
    try:
        rows = read_rows(folder / MANIFEST, "file", "tag", "source")
        groups: dict[tuple[str, str, str], list[tuple[Path, float | None]]] = {}
        for row in rows:
            tag, source, path = row.text("tag"), row.text("source"), _path(folder, row)
            if tag not in INSTRUMENTS:
                raise row.error("tag", f": {tag!r} is none of the tags{guess(tag, INSTRUMENTS)}")
            stem = path.stem.removeprefix(f"{source}-")
            if MANY.search(stem.lower()):
                continue
            told = None if tag in KEYS else told_pitch(stem)
            name = "" if tag in KEYS else _name(told[1] if told else REGISTER.sub("", stem.lower()))
            groups.setdefault((tag, source, name), []).append((path, told and told[0]))
    except AnnotationError as error:
        raise SamplesError(str(error)) from error
    found = []
    for (tag, source, name), files in sorted(groups.items()):
        recordings = _strokes(files, source) if tag in KEYS else _notes(files)
        enough = complete(tag, {each.kind for each in recordings}) if tag in KEYS else (
            len(_reached(recordings)) >= OCTAVE
        )  # fmt: skip
        if enough:
            found.append(Instrument(tag, source, name, recordings))
    return tuple(found)


def play_recordings(instrument: Instrument, notes: Notes, *, seconds: float) -> NDArray[np.float32]:
    """Play notes (seconds) on recordings: (2, T) at RATE, the same on both sides.

    A note is the nearest recording, transposed by at most five semitones, and faded out at its end;
    one that is out of reach is moved by octaves. Strokes ring out, but a new stroke on the hi-hat
    ends the one before. Raises SamplesError for a recording that can't be read.
    """
    audio = np.zeros(round(seconds * RATE), dtype=np.float32)
    ends = _ends(instrument.tag, notes)
    for note in range(len(notes)):
        first = max(round(float(notes.onset[note]) * RATE), 0)
        if first >= len(audio):
            continue
        velocity = int(notes.velocity[note])
        recording, steps = _recording(instrument, int(notes.pitch[note]), velocity)
        length = min(float(ends[note] - notes.onset[note]) + RELEASE, seconds)
        sound = _sound(recording, steps, length)[: len(audio) - first]
        gain = (velocity / 127) ** 2 * LEVEL / recording.level  # as SoundFonts are played
        audio[first : first + len(sound)] += np.float32(gain) * sound
    return np.stack([audio, audio])


def read_head(path: Path) -> NDArray[np.float32]:
    """The beginning of a recording (T,), as it is. Raises SamplesError."""
    return _read(path, HEAD)[0]


def _path(folder: Path, row: Row) -> Path:
    path = folder / row.text("file")
    if not path.is_file():
        raise SamplesError(f"{row.path}: row {row.line} names {path}, which is not there")
    return path


def _name(words: str) -> str:
    return " ".join(re.findall("[a-z]+", words))


def _notes(files: list[tuple[Path, float | None]]) -> tuple[Recording, ...]:
    """The notes whose pitch is certain."""
    measured = [(path, told, *_measure(path)) for path, told in files]
    away = [
        round((key - told) / 12)
        for _, told, key, certain, _ in measured
        if told is not None and certain >= CERTAIN
    ]
    octaves = float(np.median(away)) if away else 0.0  # not all makers call middle C C4
    found = []
    for path, told, key, certain, level in measured:
        named = told is not None and abs(key - told - 12 * octaves) < SAME
        if level > 0 and certain >= (CERTAIN if told is None else LIKELY if named else np.inf):
            found.append(Recording(path, key, "", level))
    found.sort(key=lambda each: (round(each.pitch), each.level, str(each.path)))
    return tuple(found)


def _strokes(files: list[tuple[Path, float | None]], source: str) -> tuple[Recording, ...]:
    found = []
    for path, _ in files:
        kind = heard_as(path.stem.removeprefix(f"{source}-"))
        if kind and (level := _measure(path)[2]) > 0:
            found.append(Recording(path, 0.0, kind, level))
    return tuple(sorted(found, key=lambda each: (each.kind, each.level, str(each.path))))


def _measure(path: Path) -> tuple[float, float, float]:
    """Pitch, how certain it is, and level."""
    audio, rate = _read(path, HEAD)
    step = rate // 20
    power = np.add.reduceat(audio.astype(np.float64) ** 2, np.arange(0, len(audio), step)) / step
    level = float(np.sqrt(power.max()))
    if level > SLOW * float(np.sqrt(power[:PROMPT].max())):
        return 0.0, 0.0, level
    return *measure_pitch(audio, rate), level


def _reached(recordings: Iterable[Recording]) -> set[int]:
    """The keys that can be played."""
    return {
        key
        for each in recordings
        for key in range(int(np.ceil(each.pitch - REACH)), int(each.pitch + REACH) + 1)
    }


def _recording(instrument: Instrument, key: int, velocity: int) -> tuple[Recording, float]:
    """The recording that a note is played on, and by how many semitones it is transposed."""
    if instrument.tag in KEYS:
        kinds = KEYS[instrument.tag][key]
        have = {each.kind for each in instrument.recordings}
        kind = next(kind for kind in kinds if kind in have)
        choice = [each for each in instrument.recordings if each.kind == kind]
        return choice[len(choice) * min(velocity, 127) // 128], 0.0
    pitches = np.array([each.pitch for each in instrument.recordings])
    near = {move: float(np.abs(pitches - key - move).min()) for move in _moves()}
    move = next(
        (move for move, far in near.items() if far <= REACH), min(near, key=near.__getitem__)
    )
    pitch = pitches[np.argmin(np.abs(pitches - key - move))]
    choice = [each for each in instrument.recordings if abs(each.pitch - pitch) < SAME]
    recording = choice[len(choice) * min(velocity, 127) // 128]
    return recording, key + move - recording.pitch


def _moves() -> list[int]:
    """Octaves up and down, the nearest first."""
    return [0, *(side * 12 * octaves for octaves in range(1, 8) for side in (1, -1))]


def _ends(tag: str, notes: Notes) -> NDArray[np.float64]:
    """When each note ends."""
    if tag not in KEYS:
        return notes.onset + notes.length
    ends = np.full(len(notes), np.inf)
    hat = np.flatnonzero(np.isin(notes.pitch, (42, 44, 46)))
    ends[hat[:-1]] = notes.onset[hat[1:]]
    return ends


def _sound(recording: Recording, steps: float, length: float) -> NDArray[np.float32]:
    """A recording transposed by semitones, faded out after so many seconds."""
    data, rate = _keep(recording.path)
    pace = rate * 2 ** (steps / 12)
    data = data[: int((length + 0.05) * pace)]
    sound = soxr.resample(data.astype(np.float32) / 32768, pace, RATE, quality="LQ")
    sound = sound[: int(length * RATE)]
    count = min(int(RELEASE * RATE), len(sound))
    if len(data) < length * pace:  # it ends by itself
        count = min(count, RATE // 200)
    sound[len(sound) - count :] *= np.linspace(1, 0, count, dtype=np.float32)
    return np.asarray(sound, dtype=np.float32)


@lru_cache(maxsize=256)
def _keep(path: Path) -> tuple[NDArray[np.int16], int]:
    audio, rate = _read(path, None)
    return (audio.clip(-1, 1) * 32767).round().astype(np.int16), rate


def _read(path: Path, seconds: float | None) -> tuple[NDArray[np.float32], int]:
    """The first seconds of a recording, or all, as one channel."""
    try:
        with soundfile.SoundFile(path) as file:
            frames = -1 if seconds is None else int(seconds * file.samplerate)
            audio = file.read(frames, dtype="float32", always_2d=True).mean(axis=1)
            rate = int(file.samplerate)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SamplesError(f"{path}: {error}") from error
    if not len(audio) or not np.isfinite(audio).all():
        raise SamplesError(f"{path}: it holds no sound")
    return audio, rate
