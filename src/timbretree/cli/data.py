"""The verb that brings data and weights: fetch."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from timbretree.cli.offering import RESOURCE_NAMES, offer
from timbretree.cli.progress import bar
from timbretree.cli.talk import interruptible, need_training, refuse, say


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=offer(*RESOURCE_NAMES), help="openmic, cnn14-16k or mn04-as."
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Where to put it (default: the weights where `train` finds them, "
            "data into this folder).",
            show_default=False,
        ),
    ] = None,
    mirror: Annotated[
        list[str] | None, typer.Option(help="An address to try first; may be given several times.")
    ] = None,
) -> None:
    """Download OpenMIC-2018 or AudioSet weights, checked; what broke off goes on."""
    need_training()
    from dataclasses import replace

    from timbretree.fetch import (
        RESOURCES,
        FetchError,
        Patience,
        cost,
        download,
        unpack,
        weights_folder,
    )

    if name not in RESOURCES:
        refuse(f"{name!r} can't be fetched; choose from {', '.join(RESOURCES)}")
    resource = replace(RESOURCES[name], urls=(*(mirror or ()), *RESOURCES[name].urls))
    if folder is None:
        folder = Path() if resource.top else weights_folder()
    if resource.top and (folder / resource.top).exists():
        _verify(folder / resource.top)
    try:
        say(str(cost(resource, folder)))
        with interruptible("what has arrived is kept: the same command goes on"):
            with bar(f"fetching {name}") as progress:
                found = download(
                    resource, folder, progress=progress.update, patience=Patience(told=say)
                )
            if resource.top:
                with bar("unpacking") as progress:
                    found = unpack(found, folder, top=resource.top, progress=progress.update)
    except FetchError as error:
        refuse(str(error))
    print(found)


def _verify(folder: Path) -> NoReturn:
    """Say whether a data set that is there already is whole."""
    from timbretree.annotations import AnnotationError
    from timbretree.openmic import CHECKSUMS, absent_clips, changed_clips

    try:
        if (folder / CHECKSUMS).exists():
            wrong, how = changed_clips(folder, folder / CHECKSUMS), "are missing or changed"
        else:
            wrong, how = absent_clips(folder), "are missing"
    except AnnotationError as error:
        refuse(f"{folder} is there already, but it is damaged: {error}; move it away first")
    if wrong:
        say(f"{len(wrong)} clips {how} in {folder}: {', '.join(wrong[:10])} ...")
        say("move it away and fetch it again, or use it as it is: they will be left out")
    else:
        say(f"{folder} is there already, and whole")
    print(folder)
    raise typer.Exit(1 if wrong else 0)
