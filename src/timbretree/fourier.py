"""The Fourier transform of many short frames, quick to run and quick to load.

SciPy's transforms take several frames side by side and are over twice as quick as NumPy's, but to
import ``scipy.fft`` is to import a good part of SciPy: a quarter of a second and 28 MB, of a
command that takes half a second. All that is needed is one compiled module in it, so that alone is
loaded. Should a SciPy keep it elsewhere, ``scipy.fft`` is imported after all: the numbers are the
same.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

KERNELS = (("_pocketfft", "pypocketfft"), ("_duccfft", "pyduccfft"))
"""Where SciPy keeps it: a folder in ``scipy/fft`` and the module in it; the second since 1.18."""

Transform = Callable[[Any], Any]
"""(N, n) of real frames, float32 or float64, to (N, n // 2 + 1), complex of the same precision."""


@lru_cache
def transform() -> Transform:
    """The transform of real frames, each a row."""
    for found in _kernels():
        try:
            transformed = _by_kernel(found)
            transformed(np.zeros((1, 4), np.float32))
        except (ImportError, AttributeError, TypeError, ValueError):
            continue  # a SciPy that is built otherwise
        return transformed
    import scipy.fft

    return scipy.fft.rfft  # type: ignore[no-any-return]


def _kernels() -> list[Path]:
    scipy = find_spec("scipy")  # finds it without importing it
    folders = scipy.submodule_search_locations if scipy else None
    paths = (
        Path(each, "fft", folder, f"{name}{suffix}")
        for each in folders or ()
        for folder, name in KERNELS
        for suffix in EXTENSION_SUFFIXES
    )
    return [path for path in paths if path.is_file()]


def _by_kernel(path: Path) -> Transform:
    spec = spec_from_file_location(path.name.partition(".")[0], path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} can't be loaded")
    kernel = module_from_spec(spec)
    spec.loader.exec_module(kernel)
    # axes, forwards, without scaling, into a new array, in one thread
    return lambda frames: kernel.r2c(frames, (1,), True, 0, None, 1)
