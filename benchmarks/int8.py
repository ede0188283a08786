"""What int8 costs and gives: CNN14 and mn04, in float32 and in int8, side by side.

    python benchmarks/int8.py SOUNDS [--cnn14 CNN14.onnx] [--mn04 MN04.onnx] [--clips 60]

SOUNDS is a folder of audio, which is joined in random order and cut into clips of ten seconds; the
first half sets the ranges, the second half is heard. Without CNN14.onnx, CNN14 has random weights
and the statistics of BatchNorm that four clips give, which is enough for times but says little of
how well a trained one stands it. Without MN04.onnx, mn04 is the shipped model. Each clip is heard
by both files in turn, on one thread; the ratio is the median of the pairs'. Prints a table in
Markdown.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from timbretree.checkpoint import Checkpoint
from timbretree.export import export
from timbretree.melspec import MelSpec, log_mel
from timbretree.model import build
from timbretree.modelfile import SHIPPED, ModelFile
from timbretree.quantise import convert
from timbretree.taxonomy import Taxonomy

SECONDS = 10
TREE = Taxonomy.load("tone7")


def read_clips(folder: Path, spec: MelSpec, number: int) -> np.ndarray:
    """Spectrograms (number, frames, mels) of all sounds joined in an order that is always the
    same."""
    files = sorted(each for each in folder.rglob("*") if each.suffix in (".ogg", ".wav", ".flac"))
    needed, parts, have = number * SECONDS * spec.rate, [], 0
    for place in np.random.default_rng(0).permutation(len(files)):
        samples, rate = soundfile.read(files[place], dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples.mean(axis=1), rate, spec.rate))
        have += len(parts[-1])
        if have >= needed:
            break
    clips = np.concatenate(parts)[:needed].reshape(-1, SECONDS * spec.rate)
    return np.stack([log_mel(clip, spec) for clip in clips])


def random_cnn14(mels: np.ndarray, path: Path) -> None:
    """A model file of CNN14 with random weights, in which every channel is about as loud."""
    torch.manual_seed(0)
    net = build("cnn14", "resatt", TREE).train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean of all that it has seen
    net.backbone.spec_augment.eval()
    with torch.no_grad():
        net.backbone(torch.from_numpy(mels[:4]))
    half = (0.5,) * len(TREE.tags), (0.5,) * len(TREE.groups)
    checkpoint = Checkpoint(net, "cnn14", "resatt", TREE, *half)
    export(checkpoint, path, name="random", licence="none", provenance="random weights")


def logit(probability: np.ndarray) -> np.ndarray:
    """The logits of probabilities in float32."""
    inside = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(inside) - np.log1p(-inside)


def compare(title: str, source: Path, mels: np.ndarray, folder: Path) -> str:
    """A row of the table."""
    rounded = folder / "int8.onnx"
    half = len(mels) // 2
    convert(source, rounded, mels[:half])
    models = ModelFile(source), ModelFile(rounded)
    times, said = np.zeros((len(mels) - half, 2)), []
    for place, mel in enumerate([mels[0], *mels[half:]]):  # the first one warms up
        heard = []
        for column, model in enumerate(models):
            began = time.perf_counter()
            heard.append(model.raw(mel[None]).fine)
            if place:
                times[place - 1, column] = 1000 * (time.perf_counter() - began)
        said.append(heard)
    logits = logit(np.array(said[1:]))  # (clips, 2, 1, F)
    apart = np.abs(logits[:, 0] - logits[:, 1])
    before, after = np.median(times, axis=0)
    size = [each.stat().st_size / 1e6 for each in (source, rounded)]
    return (
        f"| {title} | {before:.1f} | {after:.1f} | {np.median(times[:, 0] / times[:, 1]):.2f} | "
        f"{apart.mean():.3f} | {apart.max():.2f} | {logits[:, 0].std(axis=0).mean():.2f} | "
        f"{size[0]:.1f} | {size[1]:.1f} |"
    )


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--cnn14", type=Path)
    parser.add_argument("--mn04", type=Path, default=SHIPPED)
    parser.add_argument("--clips", type=int, default=60)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| network | ms a clip, float32 | int8 | times as fast | logits apart, mean | largest | "
        "spread of a tag's logits | MB, float32 | int8 |\n" + 9 * "|---" + "|"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for backbone, path in (("cnn14", asked.cnn14), ("mn04", asked.mn04)):
            mels = read_clips(asked.sounds, build(backbone, "gmp", TREE).frontend.spec, asked.clips)
            title = backbone if path else f"{backbone}, random weights"
            if path is None:
                path = folder / "cnn14.onnx"
                random_cnn14(mels, path)
            print(compare(title, path, mels, folder), flush=True)


if __name__ == "__main__":
    main()
