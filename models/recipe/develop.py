"""Development data, on which choices are made, and what a network scores on it.

    python models/recipe/develop.py make OUT --notes FOLDER ... --held SOURCE ... --fonts FONT ...
        --others FOLDER --music FOLDER
    python models/recipe/develop.py score OUT START [NETWORK.pt ...]

Ten seconds a clip. ``sequences``: notes of one instrument, of sources that are held out whole;
``mixes``: one to four such lines, at other levels, each in a room, with noise; ``fonts``: rendered
music on fonts that training never played; ``others``: speech, noise, applause, nature and effects
of sources that training never heard; ``music``: real tracks without labels.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.signal
import soundfile
import soxr
import torch
from bank import LENGTH, RATE, SECONDS, TAGS
from numpy.typing import NDArray
from sequences import Note, at_level, read_notes, room, sequence
from stems import SIZED, Sound, draw, music, sounds

from timbretree.checkpoint import load_efficientat, start_from_audioset
from timbretree.labels import Labels
from timbretree.melspec import MN04, log_mel
from timbretree.metrics import average_precision, macro, per_tag
from timbretree.model import InstrumentNet, build
from timbretree.render.scores.corpus import ScoreError
from timbretree.render.sounds.synth import play_preset
from timbretree.render.studio.mixing import Stem as Player
from timbretree.render.studio.mixing import mix
from timbretree.tagger import best_windows
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")
Clip = tuple[NDArray[np.float32], dict[str, bool | None]]
"""Samples at RATE, and what is said of each tag: tags that are not named are absent."""


class Set(NamedTuple):
    """A development set: log-mel (N, frames, bands), and labels (N, F)."""

    mel: NDArray[np.float16]
    labels: Labels
    origin: list[str]


def by_source(notes: list[Note]) -> dict[str, dict[str, list[Note]]]:
    """Tag, then source, then notes."""
    found: dict[str, dict[str, list[Note]]] = {}
    for note in notes:
        found.setdefault(note.tag, {}).setdefault(note.source, []).append(note)
    return found


def line(
    tag: str, sources: dict[str, list[Note]], rng: np.random.Generator
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """A line on one of the sources, those with more notes more often."""
    weights = np.sqrt([len(notes) for notes in sources.values()])
    chosen = list(sources.values())[int(rng.choice(len(sources), p=weights / weights.sum()))]
    audio, unsure = sequence(tag, chosen, rng)
    return at_level(room(audio, rng), float(rng.uniform(-12, 0))), unsure


def sequences(notes: list[Note], rng: np.random.Generator, each: int) -> Iterator[Clip]:
    """So many sequences of each tag that has notes."""
    for tag, sources in sorted(by_source(notes).items()):
        for _ in range(each):
            audio, unsure = line(tag, sources, rng)
            yield finish(audio, rng), {tag: True} | dict.fromkeys(unsure)


def mixes(notes: list[Note], rng: np.random.Generator, count: int) -> Iterator[Clip]:
    """Mixes of one to four instruments that have nothing to do with each other."""
    pool = by_source(notes)
    for number in range(count):
        said: dict[str, bool | None] = {}
        whole = np.zeros(LENGTH, np.float32)
        for tag in rng.permutation(sorted(pool))[: 1 + number % 4].tolist():
            audio, unsure = line(tag, pool[tag], rng)
            whole += audio
            said = dict.fromkeys(unsure) | said | {tag: True}
        yield finish(whole, rng), said


def finish(audio: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Equaliser, some noise, sometimes a dull copy, and a level between -20 and -1 dB."""
    if rng.random() < 0.5:
        numerator, denominator = scipy.signal.butter(1, rng.uniform(100, 6000), fs=RATE)
        audio = audio + rng.uniform(-0.6, 1.0) * scipy.signal.lfilter(numerator, denominator, audio)
    if rng.random() < 0.15:
        audio = scipy.signal.lfilter(
            *scipy.signal.butter(6, rng.uniform(4e3, 14e3), fs=RATE), audio
        )
    if rng.random() < 0.3:
        noise = scipy.signal.lfilter([1.0], [1.0, -rng.uniform(0, 0.99)], rng.normal(size=LENGTH))
        audio = audio + noise / noise.std() * 0.1 * 10 ** (rng.uniform(-50, -15) / 20)
    peak = max(float(np.abs(audio).max()), 1e-6)
    return (audio / peak * 10 ** (rng.uniform(-20, -1) / 20)).astype(np.float32)


def rendered(fonts: list[Path], count: int, seed: int) -> Iterator[Clip]:
    """Music on some fonts, mixed as a band's engineer would; nothing on sized-down guitars."""
    offered: dict[str, list[Sound]] = sounds(tuple(fonts), ())
    offered = {tag: [] if tag in SIZED else found for tag, found in offered.items()}
    playable = [tag for tag in TAGS if offered[tag]]
    number = made = 0
    while made < count:
        rng = np.random.default_rng([seed, number])
        wanted = playable[number % len(playable)]
        number += 1
        try:
            parts = music(wanted, offered, rng)
        except ScoreError:
            continue
        stems = []
        for part in parts:
            sound = draw(offered[part.tag], rng)
            played = play_preset(sound.font, sound.key, part.notes, seconds=SECONDS)
            stems.append(Player(part.tag, part.role, played))
        mixed = mix(stems, rng=rng)
        audio = soxr.resample(mixed.audio.mean(axis=0), 44_100, RATE)[:LENGTH].astype(np.float32)
        audio = np.pad(audio, (0, LENGTH - len(audio)))
        hidden = {part.tag for part in parts} - set(mixed.heard)
        made += 1
        yield audio, dict.fromkeys(mixed.heard, True) | dict.fromkeys(hidden)


def unlabelled(folder: Path, most: int) -> Iterator[tuple[NDArray[np.float32], str]]:
    """The development half of a folder of recordings, in pieces of ten seconds, with their kind."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "dev"]
    for row in rows:
        samples, _ = soundfile.read(folder / row["file"], dtype="float32")
        pieces = range(0, len(samples) - RATE, LENGTH)
        for first in list(pieces)[:most]:
            piece = samples[first : first + LENGTH]
            if np.abs(piece).max() > 1e-3:
                padded = np.pad(piece, (0, LENGTH - len(piece)))
                yield padded, row.get("kind") or row["source"]


def keep(path: Path, clips: Iterator[tuple[NDArray[np.float32], object]]) -> None:
    """Write log-mels and labels."""
    mels, target, mask, origins = [], [], [], []
    for audio, said in clips:
        mels.append(log_mel(audio, MN04).astype(np.float16))
        known = said if isinstance(said, dict) else dict.fromkeys(TAGS)
        target.append([known.get(tag, False) is True for tag in TAGS])
        mask.append([known.get(tag, False) is not None for tag in TAGS])
        origins.append(said if isinstance(said, str) else "")
    np.savez(path, mel=np.stack(mels), target=np.array(target), mask=np.array(mask),
             origin=np.array(origins))  # fmt: skip
    print(f"{path.name}: {len(mels)} clips", flush=True)


def read(path: Path) -> Set:
    """A set that was kept."""
    with np.load(path) as data:
        return Set(data["mel"], Labels(data["target"], data["mask"]), data["origin"].tolist())


WHOLE = (10.0, 10.0)
"""Seconds of a window, and from one to the next: a clip at once."""


Both = tuple[NDArray[np.float32], NDArray[np.float32]]


def hear(net: InstrumentNet, mel: NDArray[np.float16], way: tuple[float, float] = WHOLE) -> Both:
    """(N, F) and (N, C) of probabilities, of windows pooled as the tagger does it."""
    fine, coarse = in_windows(net, mel, way)
    return pooled(fine), pooled(coarse)


@torch.inference_mode()
def in_windows(net: InstrumentNet, mel: NDArray[np.float16], way: tuple[float, float]) -> Both:
    """(W, N, F) and (W, N, C) of probabilities."""
    net.eval().to(memory_format=torch.channels_last)
    frames, hop = (round(100 * seconds) for seconds in way)
    fine, coarse = [], []
    for first in range(0, mel.shape[1] - frames + 1, hop):
        heard = [
            net.listen(torch.from_numpy(some[:, first : first + frames].astype(np.float32)))
            for some in np.array_split(mel, -(-len(mel) // 32))
        ]
        fine.append(np.concatenate([each.fine.numpy() for each in heard]))
        coarse.append(np.concatenate([each.coarse.numpy() for each in heard]))
    return np.stack(fine), np.stack(coarse)


def pooled(said: NDArray[np.float32]) -> NDArray[np.float32]:
    """(W, N, K) to (N, K): the mean over the best windows of each."""
    return np.take_along_axis(said, best_windows(said, overlap=True), axis=0).mean(axis=0)


def figures(
    folder: Path, net: InstrumentNet, way: tuple[float, float] = WHOLE
) -> dict[str, object]:
    """What a network scores on all sets; percent, AP by tag."""
    found: dict[str, object] = {}
    for path in sorted(folder.glob("*.npz")):
        data, name = read(path), path.stem
        fine, coarse = hear(net, data.mel, way)
        if name in ("mixes", "fonts", "sequences"):
            groups = TREE.lift(data.labels)
            each = per_tag(average_precision, fine, *data.labels)
            found[f"{name} fine"] = 100 * macro(each)
            found[f"{name} coarse"] = 100 * macro(per_tag(average_precision, coarse, *groups))
            found[f"{name} by tag"] = {t: 100 * v for t, v in zip(TAGS, each, strict=True)}
        if name == "sequences":
            right = data.labels.target.argmax(axis=1)
            place = (fine > fine[np.arange(len(fine)), right][:, None]).sum(axis=1)
            for most in (1, 3):
                found[f"top-{most}"] = 100 * float((place < most).mean())
            found["top-1 by tag"] = {
                tag: 100 * float((place[right == row] < 1).mean())
                for row, tag in enumerate(TAGS) if (right == row).any()
            }  # fmt: skip
        if name == "others":
            found["alarms a minute"] = 6 * float((fine >= 0.5).sum(axis=1).mean())
            found["alarms by kind"] = {
                kind: 6 * float((fine[np.array(data.origin) == kind] >= 0.5).sum(axis=1).mean())
                for kind in sorted(set(data.origin))
            }
            found["alarms by tag"] = {
                t: 6 * float((fine[:, i] >= 0.5).mean()) for i, t in enumerate(TAGS)
            }
        if name == "music":
            found["music scores"] = fine
    return found


def network(path: Path, start: Path, head: str = "gmp") -> InstrumentNet:
    """A network that was taught; without a file, the start."""
    record = path.with_suffix(".json")
    if record.exists():
        head = json.loads(record.read_text("utf-8"))["teaching"]["head"]
    net = build("mn04", head, TREE)
    start_from_audioset(net, load_efficientat(start), TAGS)
    if path != start:
        net.load_state_dict(torch.load(path, weights_only=True))
    return net


def agreement(said: NDArray[np.float32], start: NDArray[np.float32]) -> float:
    """On real music: mean AP of the tags of which the start is surest (its top 3 % of pieces)."""
    claims = start >= np.quantile(start, 0.97, axis=0)
    return 100 * macro(per_tag(average_precision, said, claims, np.ones_like(claims)))


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "score"))
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", type=Path, nargs="*", metavar="START NETWORK")
    for name in ("notes", "fonts"):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[])
    parser.add_argument("--held", nargs="*", default=[])
    for name in ("others", "music"):
        parser.add_argument(f"--{name}", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.what == "score":
        score(asked.out, asked.networks)
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    notes = [note for folder in asked.notes for note in read_notes(folder)]
    held = [note for note in notes if note.source in asked.held]
    if held:
        keep(asked.out / "sequences.npz", sequences(held, np.random.default_rng(11), 25))
        keep(asked.out / "mixes.npz", mixes(held, np.random.default_rng(12), 600))
    if asked.fonts:
        keep(asked.out / "fonts.npz", rendered(asked.fonts, 500, 13))
    if asked.others:
        keep(asked.out / "others.npz", unlabelled(asked.others, 6))
    if asked.music:
        keep(asked.out / "music.npz", unlabelled(asked.music, 6))


def score(folder: Path, networks: list[Path]) -> None:
    """Print a table with a column for each network, and keep it as json."""
    start = networks[0]
    if not (folder / "start-music.npy").exists():
        np.save(
            folder / "start-music.npy",
            hear(network(start, start), read(folder / "music.npz").mel)[0],
        )
    for path in networks:
        if (folder / f"{path.stem}.score.json").exists():
            continue
        found = figures(folder, network(path, start))
        music = found.pop("music scores")
        found["music as the start"] = agreement(music, np.load(folder / "start-music.npy"))
        brief = {k: round(v, 1) for k, v in found.items() if isinstance(v, float)}
        print(path.stem, json.dumps(brief), flush=True)
        (folder / f"{path.stem}.score.json").write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
