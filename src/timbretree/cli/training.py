"""Verbs for those who train: train, and export to a model file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from timbretree.cli.offering import METHOD_NAMES, offer
from timbretree.cli.options import (
    Artist,
    Audio,
    Backbone,
    Data,
    Device,
    Epochs,
    LearningRate,
    Precision,
    SplitSeed,
    Start,
    Tree,
    check,
    check_name,
    find_start,
    make_source,
    pick_method,
)
from timbretree.cli.progress import bar
from timbretree.cli.talk import (
    Force,
    interruptible,
    need_training,
    number,
    refuse,
    say,
    say_failures,
)

if TYPE_CHECKING:
    from accelerate import Accelerator

    from timbretree.annotations import Annotations
    from timbretree.checkpoint import Checkpoint
    from timbretree.session import Plan, Session


Method = Annotated[
    str,
    typer.Option(
        autocompletion=offer(*METHOD_NAMES),
        help="A row of the paper's Table 1 or one of ours: `timbretree methods` lists them.",
    ),
]
Frozen = Annotated[
    bool,
    typer.Option("--frozen", help="Train the head alone, on what the trunk makes of each clip "
                 "once: seconds instead of hours."),
]  # fmt: skip
Warmup = Annotated[int, typer.Option(min=0, help="Epochs of rising learning rate.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Clips a step, on all devices together.")]
TrunkShare = Annotated[
    float,
    typer.Option(min=0, max=1, callback=number, help="The backbone's share of the learning rate."),
]
FineWeight = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        callback=number,
        help="lambda of Eq. 2: what the tags count beside the groups.",
    ),
]
Statistics = Annotated[
    bool, typer.Option("--frozen-statistics", help="Keep BatchNorm's statistics.")
]
Seed = Annotated[
    int,
    typer.Option(min=0, max=2**32 - 1, help="Decides the first weights and the order of clips."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with a run of the same plan that broke off.")
]
Cache = Annotated[
    Path | None, typer.Option(help="A folder for decoded audio, to be shared between runs.")
]

Int8 = Annotated[
    Path | None,
    typer.Option(
        metavar="DATA",
        help="Round it to 8 bits (for cnn14: under a third of the size, three times as fast): a "
        "csv of labels or an OpenMIC folder, whose training clips set the ranges and whose "
        "validation clips judge. Refused where it hears worse.",
    ),
]


def train(
    data: Data,
    run: Annotated[Path, typer.Argument(help="A folder for the run, new or empty.")],
    taxonomy: Tree = "tone7",
    audio: Audio = None,
    artist: Artist = None,
    split_seed: SplitSeed = 0,
    backbone: Backbone = "mn04",
    method: Method = "resatt",
    start: Start = "auto",
    frozen: Frozen = False,
    epochs: Epochs = 30,
    warmup: Warmup = 5,
    batch: BatchSize = 16,
    learning_rate: LearningRate = 1e-4,
    trunk_share: TrunkShare = 1.0,
    fine_weight: FineWeight = 0.8,
    frozen_statistics: Statistics = False,
    seed: Seed = 0,
    resume: Resume = False,
    cache: Cache = None,
    device: Device = "auto",
    precision: Precision = "no",
) -> None:
    """Train a network on a data set by the paper's recipe (its backbone is cnn14).

    Exit code 0: all went well; 1: trained, but some clips could not be used; 2: it could not be
    done; 130: Ctrl-C. Several GPUs: accelerate launch --multi_gpu -m timbretree train ...
    """
    need_training()
    check(device, precision)
    check_name(run)
    chosen = pick_method(method)
    from timbretree.session import Plan
    from timbretree.train import TrainConfig, accelerator

    if not resume and run.exists() and (not run.is_dir() or any(run.iterdir())):
        refuse(f"{run} exists already; go on with it (--resume), or choose another folder")
    config = TrainConfig(
        epochs, warmup, batch, learning_rate, trunk_share,
        objective=chosen.objective(fine_weight),
        frozen_statistics=frozen_statistics, seed=seed,
    )  # fmt: skip
    kept = "whole epochs and decoded clips are kept: the same command with --resume goes on"
    try:
        source = make_source(data, taxonomy, audio, artist, split_seed)
        plan = Plan(source, backbone, method, find_start(backbone, start), frozen, config)
        with interruptible(kept):
            _train(plan, run, accelerator(device, precision), cache)
    except (ValueError, OSError) as error:  # each says what to mend
        refuse(str(error))


def _train(plan: "Plan", run: Path, where: "Accelerator", cache: Path | None) -> NoReturn:
    from timbretree.session import BEST, Session

    with bar("preparing clips") as progress:
        session = Session(plan, run, where=where, cache=cache, progress=progress.update)
    if where.is_main_process:
        _introduce(session)
    _follow(session, plan.train.epochs)
    if where.is_main_process:
        print(run / BEST)
    raise typer.Exit(1 if session.failures else 0)


def _introduce(session: "Session") -> None:
    say_failures(session.failures)
    if session.fresh.tags:
        say(f"no pretrained classifier row for {', '.join(session.fresh.tags)}")
    if session.fresh.families:
        say("the layer of the families starts afresh: the start's is of another method or tree")
    say(f"{len(session.train)} clips to learn from, {len(session.valid)} to judge by")
    if session.learner.epochs:
        say(f"going on after epoch {len(session.learner.epochs)}")


def _follow(session: "Session", epochs: int) -> None:
    before = len(session.learner.epochs)
    with bar("training") as progress:
        whole = (epochs - before) * session.steps

        def on_step(step: int) -> None:
            done = (len(session.learner.epochs) - before) * session.steps + step
            progress.update(done, whole)

        for epoch in session.epochs(on_step=on_step):
            if session.where.is_main_process:
                say(
                    f"epoch {epoch.number}/{epochs}: loss {epoch.train_loss:.4f}, valid tags "
                    f"{epoch.valid_fine:.4f}, valid groups {epoch.valid_coarse:.4f}, "
                    f"{epoch.seconds:.0f} s"
                )


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that `train` made.")],
    model: Annotated[Path, typer.Argument(help="The model file to write, ending in .onnx.")],
    name: Annotated[str | None, typer.Option(help="Its name (default: the file's).")] = None,
    licence: Annotated[str, typer.Option(help="The licence of the weights.")] = "unknown",
    provenance: Annotated[
        Path | None, typer.Option(help="A text file: how it was made, from what.")
    ] = None,
    int8: Int8 = None,
    audio: Audio = None,
    force: Force = False,
) -> None:
    """Make a model file of a checkpoint, and prove that both say the same.

    Exit code 0: all went well; 1: written in int8, but some clips could not be used; 2: it could
    not be done.
    """
    need_training()
    if os.path.lexists(model) and not force:
        refuse(f"{model} exists already; add --force to overwrite it")
    if model.suffix != ".onnx":
        refuse(f"a model file ends in .onnx, got {model}")
    if not model.parent.is_dir():
        refuse(f"{model.parent} is no folder; make it, or choose another place")
    from tempfile import TemporaryDirectory

    from timbretree.checkpoint import Checkpoint
    from timbretree.export import export as write_model

    try:
        made_of = "" if provenance is None else provenance.read_text("utf-8")
    except UnicodeDecodeError as error:
        refuse(f"{provenance} is no text in UTF-8: {error}")
    except OSError as error:
        refuse(str(error))
    try:
        trained = Checkpoint.load(checkpoint)
        clips = None if int8 is None else _labelled(int8, audio, checkpoint, trained)
        with TemporaryDirectory() as folder:
            target = model if clips is None else Path(folder) / "float32.onnx"
            difference = write_model(
                trained,
                target,
                name=name or model.stem,
                licence=licence,
                provenance=made_of,
            )
            say(f"ONNX Runtime and torch agree within {difference:.1e}")
            failures = {} if clips is None else _round(target, model, clips)
    except (ValueError, OSError) as error:  # each says what to mend
        refuse(str(error))
    print(model)
    raise typer.Exit(1 if failures else 0)


def _labelled(data: Path, audio: Path | None, path: Path, trained: "Checkpoint") -> "Annotations":
    """The data set, with the validation clips that the run beside it held out where it names
    none."""
    from timbretree.annotations import read_split
    from timbretree.material import Source

    annotations = Source(data, trained.taxonomy, audio).read("train")
    split = path.with_name("split.json")
    if "valid" in annotations.splits or not split.exists():
        return annotations
    return read_split(split, annotations)


def _round(source: Path, model: Path, clips: "Annotations") -> dict[str, str]:
    """Write it in int8, and give back which clips could not be used."""
    from timbretree.quantise import quantise

    with bar("rounding to int8") as progress:
        cost = quantise(source, model, clips, progress=progress.update)
    say_failures(cost.failures)
    say(
        f"int8 takes macro mAP of the tags from {cost.map_before:.4f} to {cost.map_after:.4f} on "
        f"the validation clips and changes {cost.changed:.1%} of present and absent"
    )
    return cost.failures
