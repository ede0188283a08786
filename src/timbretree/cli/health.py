"""The verb that says whether all is well with what is installed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from timbretree.doctor import Finding

TABLES = {
    "writer": "writers.WRITERS",
    "dataset": "datasets.READERS",
    "head": "heads.HEADS",
    "method": "methods.METHODS",
    "backbone": "backbones.BACKBONES",
}
"""What other packages may add, and where it ends up."""
WITHOUT_TORCH = ("writer", "dataset")


def doctor(
    model: Annotated[
        Path | None, typer.Option(help="Another model file to look at.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what is installed and whether it works: versions, model, codecs, extras, plugins.

    Exit code 0: tagging works; 1: it does not.
    """
    from dataclasses import asdict
    from json import dumps

    from timbretree.doctor import examine
    from timbretree.modelfile import SHIPPED

    findings = [*examine(SHIPPED if model is None else model), *_plugins()]
    if json:
        print(dumps([asdict(each) for each in findings], indent=1))
    else:
        wide = max(len(each.name) for each in findings)
        for each in findings:
            mark = "!" if not each.works else "-" if each.mend else " "
            mend = f"  ({each.mend})" if each.mend else ""
            print(f"{mark} {each.name:<{wide}}  {each.found}{mend}")
    sys.stdout.flush()
    raise typer.Exit(0 if all(each.works for each in findings) else 1)


def _plugins() -> Iterator["Finding"]:
    """What other packages add; a fault of theirs is no illness of ours."""
    from importlib import import_module
    from importlib.util import find_spec

    from timbretree.doctor import Finding
    from timbretree.plugins import plugins

    added: dict[str, list[str]] = {}
    faults: list[str] = []
    for kind, place in TABLES.items():
        found = plugins(kind)
        for each in found:
            added.setdefault(each.package, []).append(f"{kind} {each.name}")
        if found and (kind in WITHOUT_TORCH or find_spec("torch") is not None):
            room, table = place.split(".")
            faults += getattr(import_module(f"timbretree.{room}"), table).faults
    for package, things in sorted(added.items()):
        yield Finding("plugin", f"{package} adds {', '.join(things)}")
    for fault in faults:
        yield Finding("plugin", fault, mend="update or uninstall it")
