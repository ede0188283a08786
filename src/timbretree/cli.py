"""The command line: the only reader of arguments, printer and exiter."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from timbretree.tags import Tags

app = typer.Typer(
    help="Hear which instruments play in a recording, from the family to the instrument.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How tags are written; the same names as ``timbretree.writers.WRITERS``."""

    text = "text"
    json = "json"
    html = "html"


Files = Annotated[list[Path], typer.Argument(help="Sound files.", show_default=False)]
Model = Annotated[
    Path | None, typer.Option(help="A model file (default: the one that ships with timbretree).")
]
Tree = Annotated[
    str | None,
    typer.Option(
        help="Other families for the same instruments: tone7, audioset9, electronic8, strings6, "
        "hornbostel_sachs, or a json or yaml file."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


@app.command()
def tag(
    files: Files,
    format: Annotated[Format, typer.Option(help="How to write the tags.")] = Format.text,
    model: Model = None,
    taxonomy: Tree = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for one result a file (default: standard output).")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each family was heard through.")
    ] = False,
    force: Force = False,
) -> None:
    """Hear which instruments play in each file.

    Exit code 0: all went well; 1: at least one file failed; 2: it could not be done.
    """
    from timbretree.modelfile import SHIPPED, ModelFileError
    from timbretree.tagger import Tagger
    from timbretree.taxonomy import Taxonomy
    from timbretree.writers import WRITERS

    writer = WRITERS[format.value]
    if format is Format.html and out is None and len(files) > 1:
        _refuse("html of more than one file needs a folder: add --out DIR")
    results = _result_paths(files, out, writer.suffix, force=force)
    try:
        tree = None if taxonomy is None else Taxonomy.load(taxonomy)
        tagger = Tagger(SHIPPED if model is None else model, taxonomy=tree)
    except (ModelFileError, ValueError) as error:
        _refuse(str(error))
    failed = 0
    for number, (file, result) in enumerate(zip(files, results, strict=True)):
        tags = tagger(file)
        failed += tags.status == "failed"
        _report(tags)
        written = writer.write(tags, explain)
        if result is None:
            gap = "\n" if number and format is Format.text else ""
            sys.stdout.write(gap + written)
            sys.stdout.flush()
            continue
        try:
            _write(result, written)
        except OSError as error:
            _refuse(f"{result} can't be written: {error.strerror or error}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def train(
    table: Annotated[
        Path, typer.Argument(help="csv: file, split (if you have one), a column a tag.")
    ],
    run: Annotated[Path, typer.Argument(help="A folder for the run; must not exist yet.")],
    taxonomy: Annotated[str, typer.Option(help="A built-in taxonomy or a file.")] = "tone7",
    backbone: Annotated[str, typer.Option(help="mn04 or cnn14.")] = "mn04",
    head: Annotated[
        str, typer.Option(help="levelwise, topdown, gap, lp, gmp or resatt.")
    ] = "resatt",
    start: Annotated[
        Path | None, typer.Option(help="EfficientAT's mn04_as_mAP_432.pt to start from.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 30,
    warmup: Annotated[int, typer.Option(min=0, help="Epochs of rising learning rate.")] = 5,
    batch: Annotated[int, typer.Option(min=1, help="Clips a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="The highest learning rate.")] = 1e-4,
    trunk_share: Annotated[
        float, typer.Option(min=0, max=1, help="The backbone's share of it; 0 freezes it.")
    ] = 1.0,
    fine_weight: Annotated[float, typer.Option(min=0, max=1, help="lambda of Eq. 2.")] = 0.8,
    frozen_statistics: Annotated[
        bool, typer.Option("--frozen-statistics", help="Keep BatchNorm's statistics.")
    ] = False,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
) -> None:
    """Train a network on a table of labels; the defaults are the paper's."""
    _need_training()
    from timbretree.session import BEST, Plan, Session
    from timbretree.taxonomy import Taxonomy
    from timbretree.train import TrainConfig

    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        _refuse(f"{run} exists already; choose another folder for the run")
    config = TrainConfig(
        epochs=epochs,
        warmup=warmup,
        batch=batch,
        learning_rate=learning_rate,
        trunk_share=trunk_share,
        fine_weight=fine_weight,
        frozen_statistics=frozen_statistics,
        seed=seed,
    )
    try:
        plan = Plan(table, Taxonomy.load(taxonomy), backbone, head, start, train=config)
        session = Session(plan, run)
    except ValueError as error:  # of the table, the taxonomy, the start: each says what to mend
        _refuse(str(error))
    for file, code in session.failures.items():
        _say(f"{file}: left out, {code}")
    if session.random_tags:
        _say(f"no pretrained classifier row for {', '.join(session.random_tags)}")
    _say(f"{len(session.train)} clips to learn from, {len(session.valid)} to judge by")
    for epoch in session.epochs(device=device):
        _say(
            f"epoch {epoch.number}/{epochs}: loss {epoch.train_loss:.4f}, valid tags "
            f"{epoch.valid_fine:.4f}, valid groups {epoch.valid_coarse:.4f}, {epoch.seconds:.0f} s"
        )
    print(run / BEST)
    raise typer.Exit(1 if session.failures else 0)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that `train` made.")],
    model: Annotated[Path, typer.Argument(help="The model file to write, ending in .onnx.")],
    name: Annotated[str | None, typer.Option(help="Its name (default: the file's).")] = None,
    licence: Annotated[str, typer.Option(help="The licence of the weights.")] = "unknown",
    provenance: Annotated[
        Path | None, typer.Option(help="A text file: how it was made, from what.")
    ] = None,
    force: Force = False,
) -> None:
    """Make a model file of a checkpoint, and prove that both say the same."""
    _need_training()
    from timbretree.checkpoint import Checkpoint, CheckpointError
    from timbretree.export import ExportError
    from timbretree.export import export as write_model

    if model.exists() and not force:
        _refuse(f"{model} exists already; add --force to overwrite it")
    try:
        difference = write_model(
            Checkpoint.load(checkpoint),
            model,
            name=name or model.stem,
            licence=licence,
            provenance="" if provenance is None else provenance.read_text("utf-8"),
        )
    except (CheckpointError, ExportError, OSError) as error:
        _refuse(str(error))
    _say(f"ONNX Runtime and torch agree within {difference:.1e}")
    print(model)


@app.command()
def info(
    model: Annotated[Path | None, typer.Argument(help="A model file.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Say what a model file says of itself (default: the one that ships with timbretree)."""
    from timbretree.modelfile import SHIPPED, ModelFileError, read_info
    from timbretree.writers import card

    try:
        found = read_info(SHIPPED if model is None else model)
    except ModelFileError as error:
        _refuse(str(error))
    print(found.to_json()) if json else sys.stdout.write(card.write(found))


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Hear which instruments play in a recording, from the family to the instrument."""
    if version:
        from timbretree import __version__

        print(__version__)
        raise typer.Exit()


def main() -> None:
    """Run the command line."""
    # one thread for linear algebra is over twice as fast here; must be said before numpy is loaded
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app()


def _result_paths(
    files: list[Path], out: Path | None, suffix: str, *, force: bool
) -> list[Path | None]:
    """Where each result goes: below ``out`` as the files lie below the folder they share."""
    if out is None:
        return [None] * len(files)
    absolute = [Path(os.path.abspath(file)) for file in files]
    shared = Path(os.path.commonpath([file.parent for file in absolute]))
    results = [out / (str(file.relative_to(shared)) + suffix) for file in absolute]
    there = [result for result in results if result.exists()]
    if there and not force:
        _refuse(f"{there[0]} exists already; add --force to overwrite it")
    return list(results)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(path.name + ".part")
    half_written.write_text(text, "utf-8", errors="surrogateescape")
    os.replace(half_written, path)
    _say(str(path))


def _report(tags: "Tags") -> None:
    if tags.reason is not None:
        _say(f"{tags.file}: {tags.status}, {tags.reason}: {tags.message}")


def _need_training() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        _refuse("training and export need more than tagging: pip install 'timbretree[train]'")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _refuse(text: str) -> NoReturn:
    _say(f"timbretree: {text}")
    raise typer.Exit(2)
