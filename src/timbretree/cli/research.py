"""Verbs for those who study tagging: evaluate a model, reproduce the paper, list the methods."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from timbretree.cli.progress import bar, clock
from timbretree.cli.score_table import score_table
from timbretree.cli.talk import Force, interruptible, need_training, refuse, say, say_failures

if TYPE_CHECKING:
    from timbretree.experiment.lab import Lab
    from timbretree.experiment.ledger import Cell


Frozen = Annotated[
    bool, typer.Option("--frozen", help="Leave the trunk as it is: hours become minutes.")
]
Methods = Annotated[
    str,
    typer.Option(
        autocompletion=offer("all", "paper", *METHOD_NAMES),
        help="all, paper, or names with commas: see `timbretree methods`.",
    ),
]
JustPlan = Annotated[
    bool, typer.Option("--plan", help="Say what would be run and how long, and stop.")
]


def methods() -> None:
    """List the methods: the rows of the paper's Table 1, ours, and those of other packages."""
    from timbretree.methods import METHODS

    width = max(map(len, METHODS))
    for name, method in METHODS.items():
        package = METHODS.package(name)
        whose = f" ({package})" if package else ""
        print(f"{name:{width}} {method.figure:10} {method.title}{whose}")
    for fault in METHODS.faults:
        say(fault)


def evaluate(
    model: Annotated[Path, typer.Argument(help="A checkpoint (.safetensors) or model file.")],
    data: Data,
    split: Annotated[
        str,
        typer.Option(
            autocompletion=offer("test", "valid", "train"),
            help="Which clips: test, valid or train.",
        ),
    ] = "test",
    audio: Audio = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for scores.json and the reliability plot.")
    ] = None,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Score a checkpoint or a model file on a data set: tags, groups, and both together.

    Exit code 0: all went well; 1: scored, but some clips could not be used; 2: it could not be
    done.
    """
    need_training()
    check(device, "no")
    if split not in ("train", "valid", "test"):
        refuse(f"--split is test, valid or train, got {split!r}")
    if out is not None:
        _see_that_scores_fit(out, force=force)
    import json

    from timbretree.datasets import read_dataset
    from timbretree.evaluate import evaluate as judge
    from timbretree.evaluate import open_listener
    from timbretree.figures import reliability_plot, save
    from timbretree.files import write_whole
    from timbretree.train import accelerator

    try:
        listener = open_listener(model, device=accelerator(device).device)
        with bar("hearing") as progress:
            annotations = read_dataset(data, listener.taxonomy, audio=audio).part(split)
            if not len(annotations):
                refuse(f"{data}: no clip is in the split {split!r}; choose another with --split")
            found = judge(listener, annotations, progress=progress.update)
        say_failures(found.failures)
        print(score_table(found.scores))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            record = {"model": str(model), "data": str(data), "split": split,
                      "failures": found.failures, "scores": found.scores.to_dict()}  # fmt: skip
            write_whole(out / "scores.json", json.dumps(record, indent=1) + "\n")
            title = f"{model.name} on {data.name}, {split}"
            plot = reliability_plot(found.prediction, found.fine, found.coarse, title=title)
            for path in save(plot, out / "reliability"):
                say(str(path))
    except (ValueError, OSError) as error:  # of the data, the tree, the model
        refuse(str(error))
    raise typer.Exit(1 if found.failures else 0)


def _see_that_scores_fit(out: Path, *, force: bool) -> None:
    """Refuse a place that can't be written to before an hour of listening."""
    if os.path.lexists(out) and not out.is_dir():
        refuse(f"{out} is no folder; choose another")
    if (out / "scores.json").exists() and not force:
        refuse(f"{out / 'scores.json'} exists already; add --force to overwrite it")


def reproduce(
    data: Data,
    out: Annotated[Path, typer.Argument(help="A folder for all that comes of it.")],
    backbone: Backbone = "cnn14",
    frozen: Frozen = False,
    methods: Methods = "all",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method and lambda.")] = 8,
    lambdas: Annotated[
        str, typer.Option(help="Values of lambda of Eq. 2, with commas.")
    ] = ".70,.75,.80,.85,.90",
    start: Start = "auto",
    epochs: Epochs = 30,
    learning_rate: LearningRate = 1e-4,
    taxonomy: Tree = "tone7",
    audio: Audio = None,
    artist: Artist = None,
    split_seed: SplitSeed = 0,
    plan: JustPlan = False,
    device: Device = "auto",
    precision: Precision = "no",
) -> None:
    """Reproduce the paper: all methods, lambdas and seeds; its Table 1, Fig. 3 and Fig. 4.

    Broken off at any moment, the same command goes on and repeats no finished run. Exit code 0: all
    went well; 1: done, but some clips could not be used; 2: it could not be done; 130: Ctrl-C.
    """
    need_training()
    check(device, precision)
    check_name(out)
    from timbretree.experiment.lab import Lab, LabPlan
    from timbretree.experiment.ledger import grid
    from timbretree.experiment.report import write_report
    from timbretree.train import TrainConfig, accelerator

    cells = grid(_named(methods), _numbers(lambdas), seeds)
    where = accelerator(device, precision)
    if where.num_processes > 1:
        refuse("reproduce runs in one process; start it without a launcher")
    try:
        source = make_source(data, taxonomy, audio, artist, split_seed)
        config = TrainConfig(epochs=epochs, learning_rate=learning_rate)
        asked = LabPlan(source, backbone, find_start(backbone, start), frozen, config)
        with interruptible("finished runs are kept: the same command goes on"):
            with bar("preparing clips") as progress:
                lab = Lab(asked, out, where=where, progress=progress.update)
            say_failures(lab.material.failures)
            left = [cell for cell in cells if cell not in lab.ledger]
            at_a_time = _announce(lab, cells, left)
            if plan:
                raise typer.Exit()
            _follow(lab, left, at_a_time)
            for path in write_report(out / "report", lab.study()):
                print(path)
    except (ValueError, OSError) as error:  # of the data, the tree, the start, the ledger
        refuse(str(error))
    raise typer.Exit(1 if lab.material.failures else 0)


def _named(methods: str) -> list[str]:
    from timbretree.methods import METHODS, PAPER

    if methods in ("all", "paper"):
        return list(METHODS if methods == "all" else PAPER)
    names = list(dict.fromkeys(name.strip() for name in methods.split(",")))
    for name in names:
        pick_method(name)
    return names


def _numbers(lambdas: str) -> list[float]:
    try:
        found = sorted({float(each) for each in lambdas.split(",")})
    except ValueError:
        refuse(f"--lambdas are numbers with commas, as in .70,.80, got {lambdas!r}")
    if not all(0 < each <= 1 for each in found):
        refuse(f"--lambdas are above 0 and at most 1, got {lambdas!r}")
    return found


def _announce(lab: "Lab", cells: list["Cell"], left: list["Cell"]) -> int:
    """Say what will be run and how long it takes; the answer is how many runs go at a time."""
    from timbretree.experiment.shift import side_by_side

    names = list(dict.fromkeys(cell.method for cell in cells))
    weights = sorted({cell.fine_weight for cell in cells})
    say(
        f"{_counted(len(cells), 'run')}: {_counted(len(names), 'method')} ({', '.join(names)}), "
        f"{_counted(len({cell.seed for cell in cells}), 'seed')}, "
        f"lambda {', '.join(f'{w:g}' for w in weights)}"
    )
    say(f"each: {lab.plan.train.epochs} epochs of {lab.steps} steps")
    if not left:
        say("all of them are done")
        return 1
    one = lab.time_run()
    at_a_time = side_by_side(lab, one * len(left))
    say(
        f"{len(cells) - len(left)} are done, {len(left)} to go: about {clock(one)} each, "
        f"{at_a_time} at a time, {clock(one * len(left) / at_a_time)} in all"
    )
    return at_a_time


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _follow(lab: "Lab", left: list["Cell"], at_a_time: int) -> None:
    """Run what is left, and say what comes of it."""
    from timbretree.experiment.shift import run_cells

    steps, done = lab.plan.train.epochs * lab.steps, 0
    with bar("runs") as progress:

        def on_step(_: int) -> None:
            nonlocal done
            done += 1
            progress.update(done, len(left) * steps)

        records = run_cells(lab, left, at_a_time=at_a_time, on_step=on_step)
        for number, record in enumerate(records, 1):
            done = number * steps
            progress.update(done, len(left) * steps)
            say(
                f"{number}/{len(left)} {record.cell.method}, lambda {record.cell.fine_weight:g}, "
                f"seed {record.cell.seed}: valid tags {record.valid_fine:.4f}, "
                f"epoch {record.epoch}, {clock(record.seconds)}"
            )
