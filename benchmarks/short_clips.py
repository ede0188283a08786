"""How long a short clip should be made before the network hears it: held-out notes, one by one.

    python benchmarks/short_clips.py FOLDER ... --held SOURCE ... [--out FILE.json]

FOLDERs hold recorded notes, with a manifest.csv; the sources are those that the model was not
taught on. Notes are cut to 0.2, 1 and 3 seconds and followed by silence up to each length. Tells,
for each, how often the right tag comes first, how often it is called present, and how many wrong
tags are.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import soundfile

from timbretree.melspec import log_mel
from timbretree.tagger import Tagger


def held_notes(folders: list[Path], sources: set[str]) -> list[tuple[Path, str]]:
    """The files of some sources, with their tags."""
    found = []
    for folder in folders:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["source"] in sources]
        found += [(folder / row["file"], row["tag"]) for row in rows]
    return found


def main() -> None:
    """Read the arguments, hear, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--held", nargs="+", required=True)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    tagger = Tagger()
    rate, tags = tagger.info.melspec.rate, tagger.taxonomy.tags
    thresholds = np.array(tagger.info.tag_thresholds)
    notes = held_notes(asked.folders, set(asked.held))
    clips = []
    for path, tag in notes:
        samples, found_rate = soundfile.read(path, dtype="float32")
        assert (found_rate, samples.ndim) == (rate, 1), f"{path}: expected {rate} Hz mono"
        clips.append((samples, tags.index(tag)))
    told = {}
    for seconds in (0.2, 1.0, 3.0):
        for made in (1.0, 3.0, 5.0):
            if made < seconds:
                continue
            first, found, wrong = [], [], []
            for samples, right in clips:
                cut = samples[: int(seconds * rate)]
                padded = np.pad(cut, (0, int(made * rate) - len(cut)))
                fine = tagger.model.run(log_mel(padded, tagger.info.melspec)[None]).fine[0]
                claimed = fine >= thresholds
                first.append(fine.argmax() == right)
                found.append(claimed[right])
                wrong.append(claimed.sum() - claimed[right])
            told[f"{seconds:g} s made {made:g} s"] = (
                f"first {np.mean(first):.2f}, present {np.mean(found):.2f}, "
                f"wrong ones present {np.mean(wrong):.2f}"
            )
    print(json.dumps(told, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
