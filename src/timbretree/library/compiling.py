"""Questions as SQL: a condition, and a number to sort by, for a row of tracks t and heard h.

All that people typed is bound as a parameter; columns are chosen by number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from timbretree.library.binding import PRESENT, UNSURE
from timbretree.library.query import (
    CODES,
    TEXTS,
    Anything,
    Both,
    Either,
    Heard,
    Measured,
    Not,
    Query,
    Says,
)
from timbretree.library.records import STEPS
from timbretree.library.words import Vocabulary, folded

SORTS = ("share", "seconds", "probability", "path")
"""By what answers can be sorted: the share of the recording or the seconds in which what was asked
for plays, its probability, or the path of the file."""


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with what is bound to its question marks."""

    text: str
    bound: tuple[object, ...] = ()


@dataclass(frozen=True)
class Compiler:
    """Makes SQL of questions.

    ``min_seconds`` and ``unsure`` are about names that are asked for, not about those that are
    ruled out: each must play so long; each need only perhaps play.
    """

    names: Vocabulary
    min_seconds: float = 0.0
    unsure: bool = False

    def condition(self, query: Query, wanted: bool = True) -> Sql:
        """What must be so of a track. ``wanted`` is False below an odd number of nots."""
        match query:
            case Anything():
                return Sql("1")
            case Heard(name):
                return self._heard(query, self.names.places[name], wanted)
            case Measured():
                return self._measured(query)
            case Says(field, text) if field in TEXTS:
                return Sql(f"instr(t.{field}_key, ?) > 0", (folded(text),))
            case Says(field, text):
                assert field in CODES
                return Sql(f"ifnull(t.{field}, '') = ?", (folded(text),))
            case Not(of):
                inner = self.condition(of, not wanted)
                return Sql(f"NOT ({inner.text})", inner.bound)
            case Both(left, right) | Either(left, right):
                word = "AND" if isinstance(query, Both) else "OR"
                one, two = self.condition(left, wanted), self.condition(right, wanted)
                return Sql(f"({one.text} {word} {two.text})", one.bound + two.bound)

    def rank(self, query: Query, sort: str) -> Sql | None:
        """The number to sort by, or None where no name is asked for.

        Of what must all be, the least; of what may be one or the other, the most.
        """
        match query:
            case Heard(name, unsure):
                return self._column(sort, self.names.places[name], unsure or self.unsure)
            case Measured(name):
                return self._column(sort, self.names.places[name], query.unsure or self.unsure)
            case Both(left, right):
                return self._of_two("min", self.rank(left, sort), self.rank(right, sort))
            case Either(left, right):
                sides = [self._where_so(each, sort) for each in (left, right)]
                return self._of_two("max", sides[0], sides[1])
            case _:
                return None

    def order(self, query: Query, sort: str) -> Sql | None:
        """The number to sort by as people read it: a share and a probability up to 1, seconds."""
        rank = self.rank(query, sort)
        if rank is None:
            return None
        scale = {"share": "max(h.whole, 1)", "seconds": "1000", "probability": f"{STEPS}"}[sort]
        return Sql(f"({rank.text}) * 1.0 / {scale}", rank.bound)

    def _heard(self, query: Heard, k: int, wanted: bool) -> Sql:
        loose = query.unsure or (self.unsure and wanted)
        text = f"h.v{k} >= {UNSURE}" if loose else f"h.v{k} = {PRESENT}"
        if not (wanted and self.min_seconds):
            return Sql(text)
        time = f"h.s{k} + h.u{k}" if loose else f"h.s{k}"
        return Sql(f"({text} AND {time} >= ?)", (self.min_seconds * 1000,))

    def _measured(self, query: Measured) -> Sql:
        k = self.names.places[query.name]
        if query.what == "probability":
            return Sql(f"h.p{k} {query.sign} ?", (round(query.bound * STEPS, 6),))
        time = f"h.s{k} + h.u{k}" if query.unsure else f"h.s{k}"
        return Sql(f"{time} {query.sign} ?", (round(query.bound * 1000, 6),))

    def _column(self, sort: str, k: int, unsure: bool) -> Sql:
        if sort == "probability":
            return Sql(f"h.p{k}")
        return Sql(f"h.s{k} + h.u{k}" if unsure else f"h.s{k}")

    def _where_so(self, query: Query, sort: str) -> Sql | None:
        value = self.rank(query, sort)
        if value is None:
            return None
        so = self.condition(query)
        return Sql(f"CASE WHEN {so.text} THEN {value.text} ELSE 0 END", so.bound + value.bound)

    def _of_two(self, which: str, one: Sql | None, two: Sql | None) -> Sql | None:
        if one is None or two is None:
            return one or two
        return Sql(f"{which}({one.text}, {two.text})", one.bound + two.bound)


def asked_for(query: Query, unsure: bool = False) -> dict[str, bool]:
    """The names that a question asks for, not those it rules out, each once and in its order: and
    whether what may be them counts, too."""
    match query:
        case Heard(name) | Measured(name):
            return {name: query.unsure or unsure}
        case Both(left, right) | Either(left, right):
            found = asked_for(left, unsure)
            for name, loose in asked_for(right, unsure).items():
                found[name] = found.get(name, False) or loose
            return found
        case _:
            return {}


def narrowed(query: Query, groups: Sequence[str]) -> Query:
    """A question, and all of some groups besides."""
    for group in groups:
        query = Heard(group) if isinstance(query, Anything) else Both(query, Heard(group))
    return query


def fields(query: Query) -> set[str]:
    """The fields of the file that a question speaks of."""
    match query:
        case Says(field):
            return {field}
        case Not(of):
            return fields(of)
        case Both(left, right) | Either(left, right):
            return fields(left) | fields(right)
        case _:
            return set()


def asks_texts(query: Query) -> bool:
    """Whether a question speaks of more than what is heard."""
    return bool(fields(query))


def asks_status(query: Query) -> bool:
    """Whether a question speaks of status or reason: else files that failed are no answer."""
    return not fields(query).isdisjoint(CODES)
