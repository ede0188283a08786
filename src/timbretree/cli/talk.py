"""What all verbs share: how they talk, write and refuse."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from timbretree.cli.exits import STOPPED

Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


def say(text: str) -> None:
    """Talk to the person: on standard error."""
    print(text, file=sys.stderr, flush=True)


def printable(name: object) -> str:
    """A name as it can be shown on one line, whatever is in it."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(name))


def say_failures(failures: dict[str, str]) -> None:
    """Name the clips that were left out, and count them."""
    for file, code in failures.items():
        say(f"{printable(file)}: left out, {code}")
    if failures:
        say(f"left out in all: {len(failures)}")


def refuse(text: str) -> NoReturn:
    """Say why it could not be done at all, and end with exit code 2."""
    say(f"timbretree: {text}")
    raise typer.Exit(2)


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """Where Ctrl-C ends what is done within, say what is kept, and end with ``STOPPED``."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"stopped; {kept}")
        raise typer.Exit(STOPPED) from None


def number(value: float | None) -> float | None:
    """Refuse nan as the value of an option: it is neither below nor above any limit."""
    if value != value:
        raise typer.BadParameter("nan is no number")
    return value


def need_training() -> None:
    """Refuse where torch is missing."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        refuse("training and export need more than tagging: pip install 'timbretree[train]'")
