"""The verb that says whether all is well with what is installed."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def doctor(
    model: Annotated[
        Path | None, typer.Option(help="Another model file to look at.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what is installed and whether it works: versions, model, codecs, extras.

    Exit code 0: tagging works; 1: it does not.
    """
    from dataclasses import asdict
    from json import dumps

    from timbretree.doctor import examine
    from timbretree.modelfile import SHIPPED

    findings = list(examine(SHIPPED if model is None else model))
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
