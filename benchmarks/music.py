"""Music to measure with, always the same: made of the example, so that nothing need be fetched.

``songs`` are MP3s of three minutes (192 kbit/s, 44.1 kHz, stereo), ``clips`` are of ten seconds,
``long`` is a file of any number of songs. What is there already is not made again.
"""

import shutil
from pathlib import Path

import numpy as np
import soundfile
import soxr

EXAMPLE = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"
RATE, SECONDS, DIFFERENT = 44_100, 180, 5
"""Of the songs, so many differ; the others are copies."""


def songs(folder: Path, number: int) -> list[Path]:
    """Some MP3s of three minutes."""
    made = [folder / f"song{index:02}.mp3" for index in range(number)]
    folder.mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(made):
        if path.exists():
            continue
        new = path.with_suffix(".part")
        if index >= DIFFERENT:
            shutil.copyfile(made[index % DIFFERENT], new)
        else:
            _encode(new, _perform(index))
        new.rename(path)
    return made


def clips(folder: Path, number: int) -> list[Path]:
    """Some Ogg files of ten seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / f"clip{index:02}.ogg" for index in range(number)]
    if not all(path.exists() for path in made):
        song = _perform(0)
        for index, path in enumerate(made):
            begin = (4 * index % (SECONDS - 10)) * RATE
            # libsndfile writes long blocks of Ogg only in parts
            with soundfile.SoundFile(path, "w", RATE, 2, "VORBIS") as file:
                for second in range(10):
                    file.write(song[begin + second * RATE :][:RATE])
    return made


def long(path: Path, songs: list[Path]) -> Path:
    """One MP3 of the frames of some songs, without the headers that tell the length of each."""
    if not path.exists():
        new = path.with_suffix(".part")
        with new.open("wb") as file:
            for song in songs:
                file.write(_frames(song.read_bytes()))
        new.rename(path)
    return path


def _perform(number: int) -> np.ndarray:
    """(T, 2): the example over and over, each time higher or lower, louder or softer, in noise."""
    theme, rate = soundfile.read(EXAMPLE, dtype="float32", always_2d=True)
    chance = np.random.default_rng(number)
    played, length = [], 0
    while length < SECONDS * RATE:
        turned = soxr.resample(theme, rate, RATE * chance.uniform(0.85, 1.2))
        turned = turned * chance.uniform(0.3, 1.0) + chance.normal(0, 1e-3, turned.shape)
        played.append(turned)
        length += len(turned)
    song = np.concatenate(played)[: SECONDS * RATE]
    return np.clip(np.broadcast_to(song, (len(song), 2)), -1, 1).astype(np.float32)


def _encode(path: Path, song: np.ndarray) -> None:
    soundfile.write(
        path, song, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.4
    )  # 192 kbit/s


def _frames(data: bytes) -> bytes:
    """An MP3 without its first frame, which is LAME's: it tells how long the file is."""
    padding = data[2] >> 1 & 1
    size = 144 * 192_000 // RATE + padding
    if data[:2] != b"\xff\xfb" or data[size : size + 2] != b"\xff\xfb":
        raise ValueError("expected an MP3 of 192 kbit/s at 44.1 kHz without tags")
    return data[size:]
