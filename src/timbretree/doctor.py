"""What is installed and whether it works: versions, the model, providers, codecs, extras."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from timbretree.modelfile import SHIPPED, ModelFileError

EXTRAS = {
    "formats": ("av",),
    "parquet": ("pyarrow",),
    "tags": ("mutagen",),
    "serve": ("fastapi", "uvicorn"),
    "cluster": ("ray",),
    "hub": ("huggingface-hub",),
    "render": ("music21", "pyfluidsynth"),
    "train": ("torch", "scikit-learn", "onnx"),
}
"""The packages by which it is seen whether an extra is installed."""
BASE = ("numpy", "scipy", "soundfile", "soxr", "onnxruntime")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    found: str
    works: bool = True
    mend: str | None = None
    """What to do, where something is amiss or missing."""


def examine(model: str | Path = SHIPPED) -> Iterator[Finding]:
    """Look at everything that tagging needs, and at what the extras would add.

    ``works`` is false of what tagging can't do without; an extra that is missing only has a
    ``mend``.
    """
    yield Finding("timbretree", _version("timbretree") or "not installed")
    yield Finding("Python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield Finding("cores", str(os.cpu_count()))
    for name in BASE:
        yield _looked_at(name, lambda name=name: _version(name) or "?")  # type: ignore[misc]
    yield _looked_at("codecs", _codecs)
    yield _looked_at("providers", _providers)
    yield _model(model)
    for extra, packages in EXTRAS.items():
        yield _extra(extra, packages)


def _looked_at(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, look())
    except (ImportError, OSError) as error:  # OSError: a library of the system is missing
        words = " ".join(str(error).split())
        return Finding(name, words, False, "pip install --force-reinstall timbretree")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _codecs() -> str:
    import soundfile

    known = soundfile.available_formats()
    names = [name for name in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF") if name in known]
    if "OPUS" in soundfile.available_subtypes("OGG"):
        names.insert(3, "Opus")
    return f"{', '.join(names)} (libsndfile {soundfile.__libsndfile_version__})"


def _providers() -> str:
    import onnxruntime

    return ", ".join(
        each.removesuffix("ExecutionProvider") for each in onnxruntime.get_available_providers()
    )


def _model(path: str | Path) -> Finding:
    from timbretree.audio import Clip
    from timbretree.tagger import Tagger

    try:
        tagger = Tagger(path)
        second = np.sin(np.arange(32_000) * 0.05).astype(np.float32)
        tags = tagger(Clip(second * np.float32(0.1), 32_000))
    except (ModelFileError, OSError, ImportError) as error:
        return Finding("model", str(error), False, "pip install --force-reinstall timbretree")
    runtime = tagger.model.runtime
    note = "" if runtime.note is None else f"; {runtime.note}"
    where = f"it hears on {runtime.provider}{note}"
    return Finding("model", f"{tags.model}, {len(tags.tags)} instruments; {where}")


def _extra(extra: str, packages: tuple[str, ...]) -> Finding:
    found = {package: _version(package) for package in packages}
    missing = [package for package, there in found.items() if there is None]
    name = f"extra {extra}"
    if missing:
        return Finding(
            name, f"without {', '.join(missing)}", mend=f"pip install 'timbretree[{extra}]'"
        )
    return Finding(name, ", ".join(f"{package} {there}" for package, there in found.items()))
