"""Questions read: from the letters that people type to the tree of what they ask."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from timbretree.library.query import (
    CODES,
    STATUSES,
    TEXTS,
    Anything,
    Both,
    Either,
    Heard,
    Measured,
    Not,
    Query,
    QueryError,
    Says,
)
from timbretree.library.words import Vocabulary, near
from timbretree.tags import plain

UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
DEEPEST = 50
"""Brackets and nots within each other."""
MOST = 200
"""Words, brackets and signs of a question."""
LONGEST = 2000
"""Letters of a question."""


@dataclass(frozen=True)
class Token:
    """A piece of a question, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


TOKENS = re.compile(
    r"""\s+
    |(?P<field>[^\W\d_]+):\s*
    |(?P<quoted>"[^"]*"|“[^”]*”)
    |(?P<sign>>=|<=|≥|≤|>|<)
    |(?P<number>\d+(?:\.\d+)?|\.\d+)
    |(?P<mark>[()?%])
    |(?P<word>[^\s()?%<>≥≤"“”:]+)""",
    re.VERBOSE,
)
VALUE = re.compile(r'"[^"]*"|“[^”]*”|[^\s()]+')
SIGNS = {"≥": ">=", "≤": "<="}


def parse(text: str, names: Vocabulary) -> Query:
    """Read a question. Raises QueryError."""
    if len(text) > LONGEST:
        raise QueryError(f"a question has at most {LONGEST} letters", text[:40], 0, 40)
    return _Reader(text, names).whole()


def tokens(text: str) -> Iterator[Token]:
    """The pieces of a question. Raises QueryError for a quote without its end."""
    place = 0
    while place < len(text):
        found = TOKENS.match(text, place)
        if found is None:
            what = "this quote has no end" if text[place] in '"“' else "this means nothing here"
            raise QueryError(what, text, place, place + 1)
        start, place = place, found.end()
        if found.lastgroup == "field":
            value = VALUE.match(text, place)
            if value is None:
                raise QueryError("a text must follow the colon", text, start, place)
            place = value.end()
            yield Token("says", text[start:place], start, place)
        elif found.lastgroup is not None:
            yield Token(found.lastgroup, found.group(), start, place)


class _Reader:
    """Reads a question from left to right: or binds less than and, and less than not."""

    def __init__(self, text: str, names: Vocabulary) -> None:
        self.text, self.names = text, names
        self.tokens = [*tokens(text)]
        if len(self.tokens) > MOST:
            last = self.tokens[MOST]
            raise QueryError(f"a question has at most {MOST} words", text, last.start, last.end)
        self.place = 0
        self.depth = 0

    def whole(self) -> Query:
        if not self.tokens:
            return Anything()
        query = self.either()
        if self.place < len(self.tokens):
            self.fail("this bracket closes nothing", self.tokens[self.place])
        return query

    def either(self) -> Query:
        query = self.both()
        while self.accept("word", "or"):
            query = Either(query, self.both())
        return query

    def both(self) -> Query:
        query = self.negated()
        while (token := self.ahead()) and token.text != ")" and not _is(token, "word", "or"):
            self.accept("word", "and")
            query = Both(query, self.negated())
        return query

    def negated(self) -> Query:
        self.depth += 1
        token = self.ahead()
        if token and self.depth > DEEPEST:
            self.fail(f"brackets and nots go at most {DEEPEST} deep", token)
        if self.accept("word", "not"):
            inner = self.negated()
            query = inner.of if isinstance(inner, Not) else Not(inner)
        else:
            query = self.one()
        self.depth -= 1
        return query

    def one(self) -> Query:
        token = self.ahead()
        if token is None or _is(token, "word", "and") or _is(token, "word", "or"):
            self.fail("something to look for must stand here", token)
        if token.text == "(":
            self.place += 1
            query = self.either()
            if not self.accept("mark", ")"):
                self.fail("this bracket is not closed", token)
            return query
        if token.kind == "says":
            self.place += 1
            return self.says(token)
        if token.kind in ("word", "quoted", "number"):
            name = self.name(token)
            unsure = self.accept("mark", "?")
            sign = self.ahead()
            if sign and sign.kind == "sign":
                return self.measured(name, unsure)
            return Heard(name, unsure)
        return self.fail("the name of an instrument or a family must stand here", token)

    def name(self, first: Token) -> str:
        """The longest name that begins here, in one word or in several."""
        if first.kind == "quoted":
            self.place += 1
            return self.known(first.text[1:-1], first)
        words = []
        for token in self.tokens[self.place : self.place + self.names.longest]:
            if token.kind not in ("word", "number"):
                break
            words.append(token.text)
        for count in range(len(words), 0, -1):
            if found := self.names.find(" ".join(words[:count])):
                self.place += count
                return found
        return self.known(first.text, first)

    def known(self, text: str, token: Token) -> str:
        name = self.names.find(text)
        if name is None:
            meant = [plain(each) for each in self.names.near(text)]
            hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
            self.fail(f"there is no instrument and no family {_quoted(text)}{hint}", token)
        return name

    def measured(self, name: str, unsure: bool) -> Query:
        sign = self.take()
        number = self.ahead()
        if number is None or number.kind != "number":
            self.fail("a number must follow: 0.8, 80% or 20 s", number or sign)
        self.place += 1
        bound, unit = float(number.text), self.ahead()
        signed = SIGNS.get(sign.text, sign.text)
        if unit and unit.kind == "word" and unit.text.lower() in UNITS:
            self.place += 1
            seconds = bound * UNITS[unit.text.lower()]
            return Measured(name, "seconds", signed, seconds, unsure)
        if self.accept("mark", "%"):
            bound /= 100
        if not bound <= 1:
            self.fail("a probability is at most 1, or 100%; for a time, add s, min or h", number)
        return Measured(name, "probability", signed, bound, unsure)

    def says(self, token: Token) -> Query:
        field, value = (part.strip() for part in token.text.split(":", 1))
        text = value[1:-1] if value[0] in '"“' else value
        if field.lower() not in (*TEXTS, *CODES):
            meant = near(field, (*TEXTS, *CODES)) or (*TEXTS, *CODES)
            self.fail(f"there is no field {_quoted(field)}; did you mean {' or '.join(meant)}?",
                      Token("field", field, token.start, token.start + len(field)))  # fmt: skip
        if field.lower() == "status" and text.lower() not in STATUSES:
            self.fail(f"a status is {', '.join(STATUSES[:-1])} or {STATUSES[-1]}", token)
        return Says(field.lower(), text)

    def ahead(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self) -> Token:
        self.place += 1
        return self.tokens[self.place - 1]

    def accept(self, kind: str, text: str) -> bool:
        token = self.ahead()
        found = token is not None and _is(token, kind, text)
        self.place += found
        return found

    def fail(self, message: str, token: Token | None) -> NoReturn:
        start, end = (token.start, token.end) if token else (len(self.text), len(self.text) + 1)
        raise QueryError(message, self.text, start, end)


def _is(token: Token, kind: str, text: str) -> bool:
    return token.kind == kind and token.text.lower() == text


def _quoted(text: str) -> str:
    return "‘" + text + "’"
