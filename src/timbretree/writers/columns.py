"""Text in columns of a terminal, where a letter may be 0, 1 or 2 columns wide."""

import unicodedata
from collections.abc import Iterator

COLUMNS = 80


def width(text: str) -> int:
    """How many columns a text takes in a terminal."""
    return sum(map(_letter_width, text))


def clip(text: str, columns: int) -> str:
    """At most so many columns, with … where something was left out."""
    if width(text) <= columns:
        return text
    return _head(text, columns - 1) + "…"


def pad(text: str, columns: int) -> str:
    """Clipped or filled up to exactly so many columns."""
    text = clip(text, columns)
    return text + " " * (columns - width(text))


def wrap(text: str, *, first: str = "", rest: str = "") -> list[str]:
    """Lines of at most 80 columns, broken between words, or inside a word too long for a line.

    ``first`` stands before the first line and ``rest`` before the others.
    """
    lines, line = [], first
    begun = False  # whether the line holds a word already
    for word in text.split(" "):
        if begun and width(line) + 1 + width(word) > COLUMNS:
            lines.append(line)
            line, begun = rest, False
        line += (" " if begun else "") + word
        begun = True
        *full, line = _broken(line, rest)
        lines += full
    return [*lines, line]


def _broken(line: str, rest: str) -> Iterator[str]:
    while width(line) > COLUMNS:
        head = _head(line, COLUMNS)
        yield head
        line = rest + line[len(head) :]
    yield line


def _head(text: str, columns: int) -> str:
    taken = 0
    for place, letter in enumerate(text):
        taken += _letter_width(letter)
        if taken > columns:
            return text[:place]
    return text


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Cf", "Me", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
