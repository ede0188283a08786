"""Arrays of an .npz file, strings that numpy pickled included, without ever unpickling."""

import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.annotations import AnnotationError


def read_arrays(path: Path, *names: str) -> list[NDArray[Any]]:
    """Read some arrays of an .npz file and leave the others on the disk.

    Raises AnnotationError for a file that is no .npz, and for an array that is missing or pickled.
    """
    with _explained(path), np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in names]


def read_strings(path: Path, name: str, pattern: re.Pattern[str]) -> list[str]:
    """Read an array (N,) of strings of a known form, each another, from an .npz file.

    numpy pickles strings that it holds as objects, and a pickle can run any program when it is
    loaded. So it is only taken apart, and what fits ``pattern`` in it is the array. Raises
    AnnotationError as ``read_arrays`` does, and where that does not come to N strings.
    """
    with _explained(path), zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(member)]
        shape, _, kind = header(member)
        body = member.read()
        if kind.hasobject:
            words = [word for _, word, _ in pickletools.genops(body)]
        else:
            words = np.frombuffer(body, kind).tolist()
    found = [word for word in words if isinstance(word, str) and pattern.fullmatch(word)]
    if shape != (len(found),):
        raise AnnotationError(
            f"{path}: {name} has the shape {shape}, but there are {len(found)} strings in it that "
            f"look like {pattern.pattern}"
        )
    return found


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what is wrong with a file into an AnnotationError."""
    if not zipfile.is_zipfile(path):
        raise AnnotationError(f"{path}: this is no .npz file")
    try:
        yield
    except KeyError as error:
        raise AnnotationError(f"{path}: {error.args[0]}") from error
    except ValueError as error:
        raise AnnotationError(f"{path}: {error}") from error
    except zipfile.BadZipFile as error:
        raise AnnotationError(f"{path}: {error}") from error
    except zlib.error as error:
        raise AnnotationError(f"{path}: {error}") from error
