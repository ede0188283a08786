"""Which likeness finds the same instrument: notes in a folder for each, each note asked for its
five likest.

    python benchmarks/likeness.py FOLDER [--most 24]

Each folder below FOLDER is an instrument; what a file is called before its first hyphen is where it
came from. Counted is how many of five are of the same instrument: among all notes, and among those
of other sources, where the room and the player can't help. Writes likeness.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from timbretree import Tagger
from timbretree.library.similar import FEW, of


def read(folder: Path, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of some notes of each instrument the profiles, the embeddings, the names and the sources."""
    tagger, chance = Tagger(), np.random.default_rng(0)
    found = []
    for instrument in sorted(each for each in folder.iterdir() if each.is_dir()):
        files = sorted(instrument.iterdir())
        for place in chance.permutation(len(files))[:most]:
            tags = tagger(files[place])
            if tags.embedding is None:
                continue
            sound = of(tags)
            profile = np.frombuffer(sound.profile, np.uint8).astype(float)
            embedding = np.frombuffer(sound.embedding or b"", np.int8).astype(float)
            source = files[place].name.split("-")[0]
            found.append((profile, embedding, instrument.name, source))
    return tuple(np.array(column) for column in zip(*found, strict=True))


def cosines(vectors: np.ndarray, *, centred: bool) -> np.ndarray:
    """(N, N): how alike each two are."""
    whole = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    if centred:
        whole = whole - whole.mean(axis=0) * len(whole) / (len(whole) + FEW)
        whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    return whole @ whole.T


def right(alike: np.ndarray, names: np.ndarray, allowed: np.ndarray) -> float:
    """The share of the five likest that are of the same instrument."""
    likest = np.argsort(-np.where(allowed, alike, -np.inf), axis=1)[:, :5]
    return round(float((names[likest] == names[:, None]).mean()), 3)


def main() -> None:
    """Listen, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=24)
    asked = parser.parse_args()
    profiles, embeddings, names, sources = read(asked.folder, asked.most)
    others = ~np.eye(len(names), dtype=bool)
    elsewhere = sources[:, None] != sources[None]
    figures: dict[str, object] = {"notes": len(names)}
    for centred in (False, True):
        by_profile, by_sound = (cosines(each, centred=centred) for each in (profiles, embeddings))
        ways = {"profile": by_profile, "embedding": by_sound, "both": by_profile + by_sound}
        for way, alike in ways.items():
            figures[f"{way}{', without the mean' if centred else ''}"] = {
                "among all": right(alike, names, others),
                "among other sources": right(alike, names, elsewhere),
            }
    text = json.dumps(figures, indent=1)
    print(text)
    Path(__file__).with_name("likeness.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
