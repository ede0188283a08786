"""What was heard, written down: as text for the terminal, as JSON, or as a page to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbretree.tags import Tags


@dataclass(frozen=True)
class Writer:
    """One way to write down what was heard in one recording."""

    suffix: str
    """How its files end, with the dot."""
    write: Callable[[Tags, bool], str]
    """From Tags, and whether to explain them (why was each family heard?), to a text that ends in
    a line break and can always be encoded as UTF-8, whatever the file's name."""


# each writer is imported when it first writes: the command line reads this table for --help alone


def _text(tags: Tags, explain: bool) -> str:
    from timbretree.writers.as_text import write

    return write(tags, explain)


def _json(tags: Tags, explain: bool) -> str:
    from timbretree.writers.as_json import write

    return write(tags, explain)


def _html(tags: Tags, explain: bool) -> str:
    from timbretree.writers.as_html import write

    return write(tags, explain)


WRITERS: dict[str, Writer] = {
    "text": Writer(".txt", _text),
    "json": Writer(".json", _json),
    "html": Writer(".html", _html),
}
