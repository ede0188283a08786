"""panns_inference as its README uses it, with random weights of the right shape.

    python panns.py WEIGHTS FILE ...

Nothing is downloaded: WEIGHTS is made where it is missing, and a made-up list of labels stands
where the package would fetch one. Weights do not change the speed. One thread, as for the others.
"""

import os
import sys
from pathlib import Path


def prepare(home: Path) -> None:
    """A home directory with the labels that the package looks for."""
    labels = home / "panns_data" / "class_labels_indices.csv"
    labels.parent.mkdir(parents=True, exist_ok=True)
    if not labels.exists():
        rows = [f'{index},/m/{index},"class {index}"' for index in range(527)]
        labels.write_text("\n".join(["index,mid,display_name", *rows]) + "\n", "utf-8")
    os.environ["HOME"] = str(home)
    os.environ["OMP_NUM_THREADS"] = "1"


def make_weights(path: Path) -> None:
    """Random weights."""
    import torch
    from panns_inference.models import Cnn14

    torch.manual_seed(0)
    network = Cnn14(
        sample_rate=32_000, window_size=1024, hop_size=320, mel_bins=64, fmin=50, fmax=14_000,
        classes_num=527,
    )  # fmt: skip
    new = path.with_suffix(".part")
    torch.save({"model": network.state_dict()}, new)
    new.rename(path)


def main() -> None:
    """Tag the files named."""
    weights = Path(sys.argv[1])
    prepare(weights.parent / "home")
    import librosa
    import torch
    from panns_inference import AudioTagging

    torch.set_num_threads(1)
    if not weights.exists():
        make_weights(weights)
    tagging = AudioTagging(checkpoint_path=str(weights), device="cpu")
    for path in sys.argv[2:]:
        audio, _ = librosa.load(path, sr=32_000, mono=True)
        clipwise, _ = tagging.inference(audio[None, :])
        print(path, clipwise.shape)


main()
