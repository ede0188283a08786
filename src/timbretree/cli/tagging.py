"""Verbs for those who own music: tag files, and ask a model file about itself."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from timbretree.cli.offering import TAXONOMY_NAMES, offer
from timbretree.cli.talk import Force, number, refuse


class Engine(StrEnum):
    """Where the work is done."""

    here = "here"
    ray = "ray"


class Tag(TyperCommand):
    """``tag``, whose help ends with the formats of other packages, looked up for that alone."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the end of the help."""
        from timbretree.writers import WRITERS

        packages = {name: WRITERS.package(name) for name in WRITERS}
        added = [f"Format {name}: of {package}." for name, package in packages.items() if package]
        for line in [*added, *WRITERS.faults]:
            formatter.write_paragraph()
            formatter.write_text(line)


def _formats() -> list[str]:
    from timbretree.writers import WRITERS

    return list(WRITERS)


def _format(name: str | None) -> str | None:
    from timbretree.plugins import PluginError
    from timbretree.writers import WRITERS

    try:
        if name is not None:
            WRITERS.pick(name)
    except PluginError as error:
        raise typer.BadParameter(str(error)) from error
    return name


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Sound files, folders, globs, playlists (m3u, pls), or - for a list on standard "
        "input: one name a line, or each followed by a NUL.",
        show_default=False,
    ),
]
Model = Annotated[
    Path | None, typer.Option(help="A model file (default: the one that ships with timbretree).")
]
Tree = Annotated[
    str | None,
    typer.Option(
        autocompletion=offer(*TAXONOMY_NAMES),
        help="Other families for the same instruments: tone7, audioset9, electronic8, strings6, "
        "hornbostel_sachs, or a json or yaml file.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Where results go: a .jsonl, .csv or .parquet file for all, or a folder for one "
        "file each (default: standard output). Run the same again to go on where it ended."
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(callback=number, help="Seconds from one moment of the timeline to the next."),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Worker processes (default: one a core).")
]
Where = Annotated[
    Engine, typer.Option(help="Worker processes here, or a Ray job; that needs --out.")
]
Address = Annotated[
    str | None,
    typer.Option(help="A Ray cluster's HOST:PORT, or auto (default: Ray on this machine)."),
]


def tag(
    inputs: Inputs = None,
    listed: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A list of files, folders and playlists, as on - above."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            callback=_format, autocompletion=_formats, show_default="text",
            help="How to write the tags: text, json, jsonl, csv, parquet, jams, audacity, "
            "sonic-visualiser, html, or as another package can.",
        ),
    ] = None,
    model: Model = None,
    taxonomy: Tree = None,
    hop: Hop = None,
    out: Out = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each family was heard through.")
    ] = False,
    jobs: Jobs = None,
    shard: Annotated[
        str | None, typer.Option(help="Only a part of the files: 3/16 is the third of sixteen.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="With --out: try again what failed before.")
    ] = False,
    patience: Annotated[
        float,
        typer.Option(
            min=0, callback=number,
            help="Give up a file of which nothing was heard for so many seconds; 0 for never.",
        ),
    ] = 60.0,
    memory: Annotated[
        int, typer.Option(min=0, help="Give up a file that takes more MB; 0 for no limit.")
    ] = 1500,
    engine: Where = Engine.here,
    address: Address = None,
    force: Force = False,
) -> None:  # fmt: skip
    """Hear which instruments play in each recording.

    Exit code 0: all went well; 1: at least one file failed; 2: it could not be done; 130: Ctrl-C,
    after the files in hand were finished.
    """
    from timbretree.cli.jobs import Order, run

    if engine is Engine.ray and out is None:
        refuse("--engine ray needs a place for its results: add --out")
    if address and engine is Engine.here:
        refuse("--address is a Ray cluster's: add --engine ray")
    raise typer.Exit(
        run(
            Order(
                names=[name for name in inputs or [] if name != "-"],
                lists=[Path("-")] * ("-" in (inputs or [])) + (listed or []),
                format=format, model=model, taxonomy=taxonomy, hop=hop, out=out,
                explain=explain, jobs=jobs,
                shard=shard, retry=retry, patience=patience, memory=memory, force=force,
                ray=engine is Engine.ray, address=address,
            )
        )
    )  # fmt: skip


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
        refuse(str(error))
    print(found.to_json()) if json else sys.stdout.write(card.write(found))
