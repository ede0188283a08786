"""What a mel in float32 costs in truth: against one in float64, on real audio.

    python benchmarks/precision.py AUDIO ... [--out benchmarks/precision.json]

AUDIO are sound files or folders of them. Each window of the shipped model is heard twice, through
``melspec.log_mel`` and through the torch front end, whose Fourier transform is in float64. Tells
how far the two mels are apart, how far the probabilities, and how many of the three answers
(present, unsure, absent) come out otherwise. Needs the train extra.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from timbretree.audio import AudioError, load
from timbretree.calibration import Calibrated
from timbretree.frontend import LogMel
from timbretree.melspec import log_mel
from timbretree.modelfile import SHIPPED, ModelFile


def sound_files(asked: list[Path]) -> list[Path]:
    """The files named, and all files in the folders named."""
    found: list[Path] = []
    for path in asked:
        found += sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path]
    return found


def windows(samples: np.ndarray, size: int, step: int) -> list[np.ndarray]:
    """Windows of so many samples that together hold all of them: the last one ends where they do;
    of fewer, one short window."""
    last = max(0, len(samples) - size)
    return [samples[first : first + size] for first in (*range(0, last, step), last)]


def answers(calibrated: Calibrated, heard: tuple[np.ndarray, ...]) -> np.ndarray:
    """(2, F + C): present, unsure."""
    fine = calibrated.tag_bands.read(heard[0][0])
    coarse = calibrated.group_bands.read(heard[1][0])
    return np.concatenate([fine, coarse], axis=1)


def main() -> None:
    """Read the arguments, hear twice, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    model = ModelFile(SHIPPED)
    spec, calibrated = model.info.melspec, Calibrated.of(model.info)
    exact = LogMel(spec)
    size, step = round(model.info.seconds * spec.rate), round(model.info.hop * spec.rate)
    mels, apart, changed, cells, files = [], [], 0, 0, 0
    for path in sound_files(asked.audio):
        try:
            heard = windows(load(path, rate=spec.rate).samples, size, step)
        except AudioError:
            continue
        files += 1
        for samples in heard:
            samples = np.pad(samples, (0, max(0, 3 * spec.rate - len(samples))))
            quick = log_mel(samples, spec)
            with torch.inference_mode():
                slow = exact(torch.from_numpy(samples)[None])[0].numpy()
            said = [model.run(mel[None]) for mel in (quick, slow)]
            mels.append(np.abs(quick - slow).ravel()[:: 1 + len(heard) // 20])
            apart.append(max(np.abs(said[0][k] - said[1][k]).max() for k in (0, 1)))
            told = [answers(calibrated, each) for each in said]
            changed += int((told[0] != told[1]).any(axis=0).sum())
            cells += told[0].shape[1]
    differences = np.concatenate(mels)
    figures = {
        "files": files,
        "windows": len(apart),
        "mel: largest difference": float(f"{differences.max():.1e}"),
        "mel: 99.9 % differ by less than": float(f"{np.quantile(differences, 0.999):.1e}"),
        "probability: largest difference": float(f"{max(apart):.1e}"),
        "answers compared": cells,
        "answers that differ": changed,
    }
    print(json.dumps(figures, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
