"""Options that several verbs of training and research share, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbretree.cli.offering import BACKBONE_NAMES, TAXONOMY_NAMES, offer
from timbretree.cli.talk import number, printable, refuse

if TYPE_CHECKING:
    from timbretree.material import Source
    from timbretree.methods import Method

Data = Annotated[
    Path,
    typer.Argument(
        help="A csv of labels (file, split if you have one, a column a tag; or file, tag, label), "
        "or an OpenMIC-2018 folder."
    ),
]
Tree = Annotated[
    str,
    typer.Option(
        autocompletion=offer(*TAXONOMY_NAMES),
        help="The families: tone7, audioset9, electronic8, strings6, hornbostel_sachs, or a json "
        "or yaml file.",
    ),
]
Audio = Annotated[
    Path | None, typer.Option(help="The folder that the csv's files are in (default: its own).")
]
Artist = Annotated[
    str | None,
    typer.Option(
        help="Hold out by artist: the column that names them (OpenMIC's: artist_id).",
    ),
]
SplitSeed = Annotated[
    int,
    typer.Option(
        min=0, max=2**32 - 1, help="Decides which clips are held out, where the data names none."
    ),
]
Start = Annotated[
    str,
    typer.Option(
        autocompletion=offer("auto", "shipped", "none"),
        help="What to start from: auto (the AudioSet weights that `timbretree fetch` brought), "
        "shipped (the model that comes with timbretree), a file (.onnx, or AudioSet weights), "
        "none.",
    ),
]
Backbone = Annotated[
    str, typer.Option(autocompletion=offer(*BACKBONE_NAMES), help="cnn14 (the paper's) or mn04.")
]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the training clips.")]
LearningRate = Annotated[
    float, typer.Option(min=0, max=1, callback=number, help="The highest learning rate.")
]
Device = Annotated[
    str,
    typer.Option(
        autocompletion=offer("auto", "cpu"), help="auto (a GPU where there is one) or cpu."
    ),
]
Precision = Annotated[
    str,
    typer.Option(autocompletion=offer("no", "bf16", "fp16"), help="no (float32), bf16 or fp16."),
]

WEIGHTS = {"mn04": "mn04-as", "cnn14": "cnn14-16k"}
"""What each backbone starts from, as ``timbretree fetch`` calls it."""


def find_start(backbone: str, start: str) -> Path | None:
    """The weights to start from, or None for random ones; refuses where they are missing.

    Raises PluginError where there is no such backbone.
    """
    from timbretree.fetch import find_weights
    from timbretree.modelfile import SHIPPED

    if start == "none":
        return None
    if start == "shipped":
        return SHIPPED
    if start != "auto":
        return Path(start)
    name = WEIGHTS.get(backbone)
    if name is None:
        from timbretree.backbones import BACKBONES

        BACKBONES.pick(backbone)
        refuse(
            f"there are no weights to start {backbone} from; name a model file with --start, or "
            "--start none for random ones"
        )
    found = find_weights(name)
    if found is None:
        refuse(
            f"the weights to start {backbone} from are not here; get them with "
            f"`timbretree fetch {name}`, name a file with --start, or --start none for random ones"
        )
    return found


def pick_method(name: str) -> "Method":
    """The method of that name; refuses where there is none."""
    from timbretree.methods import METHODS
    from timbretree.plugins import PluginError

    try:
        return METHODS.pick(name)
    except PluginError as error:
        refuse(str(error))


def make_source(
    data: Path, taxonomy: str, audio: Path | None, artist: str | None, split_seed: int
) -> "Source":
    """The data set as it was asked for. Raises TaxonomyError."""
    from timbretree.material import Source
    from timbretree.taxonomy import Taxonomy

    return Source(data, Taxonomy.load(taxonomy), audio, artist, split_seed)


def check(device: str, precision: str) -> None:
    """Refuse what is no device and no precision."""
    if device not in ("auto", "cpu"):
        refuse(f"--device is auto or cpu, got {device!r}")
    if precision not in ("no", "bf16", "fp16"):
        refuse(f"--precision is no, bf16 or fp16, got {precision!r}")


def check_name(folder: Path) -> None:
    """Refuse a folder for networks whose name is no text: safetensors can't open a file in it."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        refuse(f"{printable(folder)}: expected a folder whose name is UTF-8; choose another")
