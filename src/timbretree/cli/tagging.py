"""Verbs for those who own music: tag files, and ask a model file about itself."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbretree.cli.talk import Force, printable, refuse, say, write

if TYPE_CHECKING:
    from timbretree.tags import Tags


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
        refuse("html of more than one file needs a folder: add --out DIR")
    results = _result_paths(files, out, writer.suffix, force=force)
    try:
        tree = None if taxonomy is None else Taxonomy.load(taxonomy)
        tagger = Tagger(SHIPPED if model is None else model, taxonomy=tree)
    except (ModelFileError, ValueError) as error:
        refuse(str(error))
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
            write(result, written)
        except OSError as error:
            refuse(f"{result} can't be written: {error.strerror or error}")
    raise typer.Exit(1 if failed else 0)


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
        refuse(f"{there[0]} exists already; add --force to overwrite it")
    return list(results)


def _report(tags: "Tags") -> None:
    if tags.reason is not None:
        say(f"{printable(tags.file)}: {tags.status}, {tags.reason}: {tags.message}")
