"""A table of results, and how it is written as Markdown, LaTeX and csv."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Value = str | int | float | None
"""What a csv cell holds; None is written as nothing."""


class Entry(NamedTuple):
    """What stands in one cell."""

    text: str
    best: bool = False
    """Set in bold."""
    after: str = ""
    """Follows the text in plain type."""
    beside: str = ""
    """A figure to compare with, in brackets."""


class Column(NamedTuple):
    """The head of one column."""

    title: str
    above: str = ""
    """What neighbouring columns have in common."""


@dataclass(frozen=True)
class Table:
    """A table as it is read: the first column names the rows, the others are numbers."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    """How to read it, one sentence each."""
    breaks: tuple[int, ...] = ()
    """Rows above which a line is drawn."""

    def spans(self) -> list[tuple[str, int]]:
        """What stands above the heads, with how many columns it spans."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.above:
                spans[-1] = (column.above, spans[-1][1] + 1)
            else:
                spans.append((column.above, 1))
        return spans


LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "λ": r"$\lambda$",
    "\u00a0": "~",
}
"""Letters that LaTeX reads as commands, or that its fonts lack."""

LATEX_TABLE = r"""% needs \usepackage{{booktabs}}
\begin{{table*}}
\centering
\scriptsize
\setlength{{\tabcolsep}}{{2.5pt}}
\caption{{{title}. {notes}}}
\begin{{tabular}}{{@{{}}{columns}@{{}}}}
\toprule
{heads}
\midrule
{rows}
\bottomrule
\end{{tabular}}
\end{{table*}}
"""


def markdown(table: Table) -> str:
    """The table as Markdown with its title and notes."""
    heads = [f"{column.above} {column.title}".strip() for column in table.columns]
    lines = [
        f"**{_plain(table.title)}**",
        "",
        _line(map(_plain, heads)),
        _line(["---", *["---:"] * (len(heads) - 1)]),
        *(_line(map(_marked, row)) for row in table.rows),
        "",
        *(f"- {_plain(note)}" for note in table.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def latex(table: Table) -> str:
    """The table as LaTeX with booktabs, to be read in with \\input; the same words as Markdown."""
    heads = [" & ".join(_escaped(column.title) for column in table.columns) + r" \\"]
    if any(column.above for column in table.columns):
        heads[:0] = _spanning(table)
    rows = [" & ".join(map(_typeset, row)) + r" \\" for row in table.rows]
    for place in sorted(table.breaks, reverse=True):
        rows.insert(place, r"\midrule")
    return LATEX_TABLE.format(
        title=_escaped(table.title),
        notes=" ".join(map(_escaped, table.notes)),
        columns="l" * len(table.columns),  # so that means align with and without a bracket
        heads="\n".join(heads),
        rows="\n".join(rows),
    )


def csv_text(rows: Sequence[Mapping[str, Value]]) -> str:
    """Rows of named values as csv, with a first line of names. Numbers are written in full."""
    names = dict.fromkeys(name for row in rows for name in row)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text of which Markdown makes no marks."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|~" else letter for letter in text)


def _marked(entry: Entry) -> str:
    text = _plain(entry.text)
    beside = f"({_plain(entry.beside)})" if entry.beside else ""
    parts = (f"**{text}**" if entry.best else text, _plain(entry.after), beside)
    return " ".join(filter(None, parts))


def _escaped(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)


def _typeset(entry: Entry) -> str:
    text = _escaped(entry.text)
    beside = rf"{{\tiny ({_escaped(entry.beside)})}}" if entry.beside else ""
    parts = (rf"\textbf{{{text}}}" if entry.best else text, _escaped(entry.after), beside)
    return " ".join(filter(None, parts))


def _spanning(table: Table) -> list[str]:
    cells, rules, first = [], [], 1
    for above, count in table.spans():
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{_escaped(above)}}}")
        if above:
            rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    return [" & ".join(cells) + r" \\", " ".join(rules)]
