"""The command line: the only reader of arguments, printer and exiter."""

import os
from typing import Annotated

import typer

from timbretree.cli.collection import find, scan, stats
from timbretree.cli.data import fetch
from timbretree.cli.health import doctor
from timbretree.cli.inscribing import inscribe
from timbretree.cli.rendering import render
from timbretree.cli.research import evaluate, methods, reproduce
from timbretree.cli.serving import serve
from timbretree.cli.sharing import pull, push
from timbretree.cli.tagging import Tag, info, tag
from timbretree.cli.training import export, train

VERBS = (
    tag,
    info,
    scan,
    find,
    stats,
    inscribe,
    serve,
    fetch,
    train,
    export,
    evaluate,
    reproduce,
    methods,
    render,
    push,
    pull,
    doctor,
)
SHORT = {
    "info": "Say what a model file says of itself.",
    "scan": "Tag a collection into a library, or what is new in it.",
    "find": "Find tracks by what plays in them, and where.",
    "stats": "Count the instruments of a collection.",
    "inscribe": "Write the instruments into the files themselves.",
    "serve": "Serve a page to look at recordings, and to search a library.",
    "fetch": "Download OpenMIC-2018 or AudioSet weights.",
    "train": "Train a network on a data set.",
    "export": "Make a model file of a checkpoint.",
    "evaluate": "Score a checkpoint or a model file on a data set.",
    "reproduce": "Reproduce the paper: all methods, lambdas and seeds.",
    "render": "Render a data set of music whose whole truth is known.",
    "push": "Put a model file on the Hugging Face Hub.",
    "pull": "Fetch a model file from the Hugging Face Hub.",
    "doctor": "Say what is installed and whether it works.",
    "methods": "List the methods: the rows of Table 1, and ours.",
}
"""What the list of verbs says of those whose first sentence it would cut off."""


def main() -> None:
    """Run the command line."""
    # one thread for linear algebra is over twice as fast here; must be said before numpy is loaded
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app = typer.Typer(
        help=root.__doc__,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(root)
    for verb in VERBS:
        app.command(short_help=SHORT.get(verb.__name__), cls=Tag if verb is tag else None)(verb)
    app()


def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Hear which instruments play in a recording, from the family to the instrument."""
    if version:
        from timbretree import __version__

        print(__version__)
        raise typer.Exit()
