"""The transform: scipy's own numbers, without importing scipy; and with it where it must."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from timbretree import fourier


@pytest.fixture(autouse=True)
def fresh() -> None:
    fourier.transform.cache_clear()
    yield
    fourier.transform.cache_clear()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [4, 256, 800, 1024])
def test_it_is_scipys(kind: type, size: int) -> None:
    frames = np.random.default_rng(0).normal(0, 1, (67, size)).astype(kind)
    spectrum = fourier.transform()(frames)
    wanted = scipy.fft.rfft(frames, axis=1)
    assert spectrum.dtype == wanted.dtype
    np.testing.assert_array_equal(spectrum, wanted)


@pytest.mark.parametrize("strange", ["none", "no kernel", "no module"])
def test_where_scipy_is_built_otherwise_it_is_asked_itself(
    strange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "pypocketfft.so"
    other.write_bytes(b"no library")
    found = {"none": [], "no kernel": [Path(fourier.__file__)], "no module": [other]}[strange]
    monkeypatch.setattr(fourier, "_kernels", lambda: found)
    assert fourier.transform() is scipy.fft.rfft


def test_scipy_is_not_imported_for_it_and_can_be_after_it() -> None:
    code = (
        "import sys, numpy\n"
        "from timbretree.fourier import transform\n"
        "frames = numpy.ones((3, 8))\n"
        "spectrum = transform()(frames)\n"
        "assert not [name for name in sys.modules if name.startswith('scipy')], 'scipy is there'\n"
        "import scipy.fft\n"
        "assert (scipy.fft.rfft(frames) == transform()(frames)).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
