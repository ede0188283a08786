"""A dry run at OpenMIC's full size: 20,000 synthetic clips, and how long the paper would take.

    python benchmarks/full_size.py FOLDER [--device cpu|auto] [--precision no|bf16|fp16]
        [--json FILE]

FOLDER needs about 20 GB and may be deleted afterwards. The clips are noise, the labels of OpenMIC's
density (10.4 % of cells observed, 43 % of those present; 12,677 clips to learn from, 2,238 to
choose by, 5,085 to score). Measured: decoding ogg into the cache, opening the cache, reading
batches from it, memory, and clips a second of each kind of training; from these, the hours that
Table 1 (seven methods, five lambdas, eight seeds, 30 epochs) takes; and the share of the device's
measured rate of matrix products that CNN14's training reaches.
"""

import argparse
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile
import torch

from timbretree.data import ClipSet, shuffled
from timbretree.decoding import decode_clips
from timbretree.experiment.ledger import grid
from timbretree.heads import HEADS
from timbretree.labels import Labels
from timbretree.methods import PAPER
from timbretree.model import build
from timbretree.taxonomy import Taxonomy
from timbretree.train import Learner, TrainConfig, accelerator, validation_losses

TREE = Taxonomy.load("tone7")
CLIPS, TRAIN, VALID, TEST = 20_000, 12_677, 2_238, 5_085
EPOCHS, BATCH, SECONDS = 30, 16, 10
CNN14_OPERATIONS = 2 * 20.0e9
"""Of one clip forwards: 20.0 billion multiply-adds, of which each is two operations."""
RUNS = len(grid(PAPER, [0.70, 0.75, 0.80, 0.85, 0.90], 8))


def memory() -> float:
    """What this process holds in memory now, in MB, without the pages of mapped files, which the
    system takes back when it needs them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def labels() -> Labels:
    """OpenMIC's density, the same for each tag."""
    noise = np.random.default_rng(0)
    mask = noise.random((CLIPS, len(TREE.tags))) < 0.104
    return Labels(noise.random(mask.shape) < 0.43, mask)


def fill_cache(path: Path, rate: int) -> None:
    """Write 20,000 clips of noise, each another one, unless they are there."""
    shape = (CLIPS, rate * SECONDS)
    if path.exists() and np.load(path, mmap_mode="r").shape == shape:
        return
    samples = np.lib.format.open_memmap(path, "w+", np.int16, shape)
    noise = np.random.default_rng(0).normal(0, 3000, shape[1] + 40_000).astype(np.int16)
    for row in range(CLIPS):
        samples[row] = noise[2 * row : 2 * row + shape[1]]
    samples.flush()


def time_decoding(folder: Path, rate: int, clips: int = 256) -> float:
    """Clips a second from ogg, 44.1 kHz stereo, into the cache, all cores."""
    source = folder / "ogg"
    source.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    time_ = np.arange(44_100 * SECONDS)[:, None] / 44_100
    files = []
    for number in range(clips):
        path = source / f"{number}.ogg"
        files.append(path)
        if number < 8 and not path.exists():  # music-like: tones over noise
            tones = np.sin(2 * np.pi * noise.uniform(80, 4000, 12) * time_).mean(axis=1)
            stereo = tones[:, None] + noise.normal(0, 0.02, (len(time_), 2))
            soundfile.write(path, stereo, 44_100)
        elif not path.exists():
            shutil.copy(source / f"{number % 8}.ogg", path)
    cache = folder / "decoded.npy"
    for old in (cache, cache.with_suffix(".json")):
        old.unlink(missing_ok=True)
    began = time.perf_counter()
    decode_clips(files, cache, rate=rate, seconds=SECONDS)
    return clips / (time.perf_counter() - began)


def rate_of(step: Callable[[], int], seconds: float, *, device: torch.device) -> float:
    """Clips a second of a step that says how many clips it took; the first ones do not count."""
    for _ in range(3):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    clips, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        clips += step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clips / (time.perf_counter() - began)


def time_reading(clips: ClipSet) -> float:
    """Clips a second in batches from the cache, in random order."""
    order = cycle(shuffled(TRAIN, seed=1)[: TRAIN // BATCH * BATCH].reshape(-1, BATCH))
    step = lambda: len(clips.batch(next(order)).inputs)  # noqa: E731
    return rate_of(step, 2.0, device=torch.device("cpu"))


def time_training(clips: ClipSet, learner: Learner, seconds: float) -> tuple[float, float]:
    """Clips a second in training and in validation."""
    device = learner.where.device
    order = shuffled(TRAIN, seed=0)
    plan = [order[first : first + BATCH] for first in range(0, TRAIN, BATCH)]
    workers = 2 if device.type == "cuda" and clips.inputs.dtype == np.int16 else 0
    batches = clips.load(plan * EPOCHS, device=device, workers=workers)
    learner.net.train()

    def step() -> int:
        batch = next(batches)
        learner.step(batch)
        return len(batch.inputs)

    learning = rate_of(step, seconds, device=device)
    some = clips.take(np.arange(32 if clips.inputs.dtype == np.int16 else 2048))

    def judge() -> int:
        validation_losses(learner.net, some, where=learner.where)
        return len(some)

    return learning, rate_of(judge, seconds / 3, device=device)


def matrix_rate(device: torch.device, kind: torch.dtype) -> float:
    """Operations a second of a large matrix product on this device."""
    size = 8192 if device.type == "cuda" else 2048
    one, two = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))

    def step() -> int:
        torch.mm(one, two)
        return 1

    return rate_of(step, 3.0, device=device) * 2 * size**3


def hours(learning: float, judging: float) -> dict[str, float]:
    """Of one run and of Table 1, from clips a second."""
    run = EPOCHS * (TRAIN / learning + VALID / judging) + (VALID + TEST) / judging
    return {"one_run_hours": run / 3600, "table_1_hours": RUNS * run / 3600}


def measure(folder: Path, device: str, precision: str, seconds: float) -> dict[str, object]:
    """All figures."""
    where = accelerator(device, precision)
    found: dict[str, object] = {
        "machine": f"{os.cpu_count()} cores, {where.device}, torch {torch.__version__}, "
        f"Python {platform.python_version()}, precision {precision}",
        "runs_of_table_1": RUNS,
    }
    if where.device.type == "cuda":
        found["device"] = torch.cuda.get_device_name()
    fine = labels()
    for backbone, rate in (("cnn14", 16_000), ("mn04", 32_000)):
        row: dict[str, object] = {"decode_clips_per_s": time_decoding(folder, rate)}
        cache = folder / f"audio-{rate}.npy"
        fill_cache(cache, rate)
        row["cache_gb"] = cache.stat().st_size / 1e9
        before, began = memory(), time.perf_counter()
        samples = np.load(cache, mmap_mode="r")
        clips = ClipSet(samples, np.arange(TRAIN), *(
            Labels(each.target[:TRAIN], each.mask[:TRAIN]) for each in (fine, TREE.lift(fine))
        ))  # fmt: skip
        row["open_cache_s"] = time.perf_counter() - began
        row["read_clips_per_s"] = time_reading(clips)
        net = build(backbone, "resatt", TREE)
        config = TrainConfig(batch=BATCH)
        learner = Learner(net, TREE, config, steps=TRAIN // BATCH + 1, where=where)
        learning, judging = time_training(clips, learner, seconds)
        row |= {"train_clips_per_s": learning, "valid_clips_per_s": judging}
        row |= hours(learning, judging) | {"memory_mb": memory(), "memory_before_mb": before}
        if backbone == "cnn14":
            kind = torch.bfloat16 if precision == "bf16" else torch.float32
            peak = matrix_rate(where.device, kind)
            row["matrix_teraflops"] = peak / 1e12
            row["share_of_matrix_rate"] = learning * 3 * CNN14_OPERATIONS / peak
        found[backbone] = row
        del learner, net
        found[f"{backbone} frozen"] = time_frozen(fine, backbone, judging, where=where)
    return found


def time_frozen(fine: Labels, backbone: str, judging: float, *, where: object) -> dict[str, float]:
    """The head alone: embeddings once (at the speed of validation), then 512 or 2048 numbers."""
    width = 2048 if backbone == "cnn14" else 512
    inputs = np.random.default_rng(0).random((CLIPS, width), np.float32)
    coarse = TREE.lift(fine)
    clips = ClipSet(inputs, np.arange(TRAIN), *(
        Labels(each.target[:TRAIN], each.mask[:TRAIN]) for each in (fine, coarse)
    ))  # fmt: skip
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as training a head does
    learner = Learner(HEADS["resatt"](width, TREE), TREE, TrainConfig(batch=BATCH),
                      steps=TRAIN // BATCH + 1, where=where)  # type: ignore[arg-type]  # fmt: skip
    learning, valid = time_training(clips, learner, 5.0)
    torch.set_num_threads(threads)
    once = CLIPS / judging / 3600
    timed = hours(learning, valid)
    at_a_time = (os.cpu_count() or 1) if learner.where.device.type == "cpu" else 1
    return {
        "embed_once_hours": once,
        "train_clips_per_s": learning,
        "one_run_s": 3600 * timed["one_run_hours"],
        "table_1_hours": once + timed["table_1_hours"] / at_a_time,
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="no")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each training")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    found = measure(asked.folder, asked.device, asked.precision, asked.seconds)
    text = json.dumps(found, indent=1, default=float)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
