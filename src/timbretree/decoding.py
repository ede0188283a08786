"""A data set's audio, decoded once: short clips of one length, as 16-bit samples in one file."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbretree.audio import AudioError, Recording
from timbretree.rowfile import RowFile
from timbretree.workers import as_done

CLIP = 10.0
"""Seconds of the clips of a data set, as OpenMIC has them."""
Progress = Callable[[int, int], None]
"""Called now and then with how much is done and how much there is."""

CHUNK = 32
"""Clips that a process decodes before it reports."""


def decode_clips(
    files: Sequence[Path],
    cache: Path,
    *,
    rate: int,
    seconds: float,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int16], dict[str, str]]:
    """Decode every clip once into ``cache``, an .npy file of int16 (N, T), and map it.

    Longer clips are cut after ``seconds``, shorter ones end in silence. A file that can't be used
    as far as that leaves a row of silence and its reason code in the second answer, file -> code.
    A cache of the same unchanged files is used again; after a kill, decoding goes on where it was.
    Several processes decode side by side, one a core.
    """
    shape = (len(files), round(rate * seconds))
    store = RowFile(cache, shape, np.int16, identity=audio_identity(files, rate))
    todo = [store.todo[first : first + CHUNK] for first in range(0, len(store.todo), CHUNK)]
    done = len(files) - len(store.todo)
    for rows, codes in _decode(todo, files, store.part, rate):
        store.mark(rows, codes)
        done += len(rows)
        if progress:
            progress(done, len(files))
    store.finish()
    failures = {str(files[row]): code for row, code in sorted(store.notes.items())}
    return store.array, failures


def decode(
    files: Sequence[Path], *, rate: int, length: int
) -> tuple[NDArray[np.float32], list[str | None]]:
    """The same into memory, for a few clips: (N, ``length``) float32, and a code or None for
    each."""
    samples = np.zeros((len(files), length), np.float32)
    codes: list[str | None] = [None] * len(files)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = [pool.submit(_beginning, file, rate, length) for file in files]
        for row, each in enumerate(starts):
            try:
                start = each.result()
            except AudioError as error:
                codes[row] = error.code
            else:
                samples[row, : len(start)] = start
    return samples, codes


Decoded = tuple[list[int], list[str | None]]


def _decode(
    todo: list[list[int]], files: Sequence[Path], part: Path, rate: int
) -> Iterator[Decoded]:
    """Decode chunk by chunk, and yield the rows and the codes of each."""
    jobs = [(part, rows, [files[row] for row in rows], rate) for rows in todo]
    if len(jobs) < 4:  # starting processes would take longer
        yield from (_decode_rows(*job) for job in jobs)
        return
    yield from as_done(_decode_rows, jobs)


def _decode_rows(part: Path, rows: list[int], files: list[Path], rate: int) -> Decoded:
    samples = np.load(part, mmap_mode="r+")
    codes: list[str | None] = []
    for row, file in zip(rows, files, strict=True):
        try:
            start = _beginning(file, rate, samples.shape[1])
        except AudioError as error:
            start = np.zeros(0, np.float32)
            codes.append(error.code)
        else:
            codes.append(None)
        samples[row, : len(start)] = np.round(np.clip(start, -1.0, 32767 / 32768) * 32768)
        samples[row, len(start) :] = 0
    samples.flush()
    return rows, codes


def _beginning(file: Path, rate: int, length: int) -> NDArray[np.float32]:
    blocks, have = [], 0
    with Recording(file, rate=rate) as recording:
        for block in recording:
            blocks.append(block)
            have += len(block)
            if have >= length:
                break
        if recording.reason is not None:  # half a clip may lack what its labels say
            raise AudioError(recording.reason)
    return np.concatenate(blocks)[:length]


def audio_identity(files: Sequence[Path], rate: int) -> str:
    """A hash that changes with the rate and with each file, its size and its time."""
    digest = hashlib.sha256(f"{rate}\n".encode())
    for file in files:
        name = str(file).encode(errors="surrogateescape")
        digest.update(name + f" {size_and_time(file)}\n".encode())
    return digest.hexdigest()


def size_and_time(file: Path) -> tuple[int, int] | None:
    """The bytes of a file and when it was written, in ns; None where there is none to be read."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
