"""How long a short clip should be made before the network hears it: validation notes, one by one.

    python benchmarks/short_clips.py NOTES

NOTES is the folder that ``models/mixes.py`` reads; only validation notes are used, cut to 0.2, 1
and 3 seconds and followed by silence up to each length. Prints, for each, how often the right tag
comes first and how many wrong tags are claimed as present.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from timbretree.audio import load
from timbretree.melspec import log_mel
from timbretree.tagger import Tagger

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from mixes import read_notes


def main() -> None:
    """Read the argument, hear, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notes", type=Path)
    notes = read_notes(parser.parse_args().notes)["valid"]
    tagger = Tagger()
    rate, tags = tagger.info.melspec.rate, tagger.taxonomy.tags
    thresholds = np.array(tagger.info.tag_thresholds)
    clips = [(load(note.path, rate=rate).samples, tags.index(note.tag)) for note in notes]
    print("| clip | made | top-1 | found | wrong tags claimed a clip |\n|---|---|---|---|---|")
    for seconds in (0.2, 1.0, 3.0):
        for made in (1.0, 3.0, 10.0):
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
            row = f"{np.mean(first):.2f} | {np.mean(found):.2f} | {np.mean(wrong):.2f}"
            print(f"| {seconds} s | {made:.0f} s | {row} |")


if __name__ == "__main__":
    main()
