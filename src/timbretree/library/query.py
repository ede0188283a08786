"""The language of questions, such as *clarinet and not drums*: what can be asked, as a tree."""

from dataclasses import dataclass

HELP = """\
clarinet                     it plays, for certain
clarinet?                    it plays, or may play (unsure)
mallet percussion            families, and names of two words, too
clarinet and not drums       and, or, not and ( ); a space means and
clarinet > 80%               how probable it is: > >= < <=, also as 0.8
clarinet > 20 s              how long it plays: s, min or h
artist:bach album:"a b"      texts: artist, title, album, path
status:failed                ok, partial or failed; reason:truncated\
"""
"""All of the language, for a help screen."""

TEXTS = ("artist", "title", "album", "path")
"""What a text is looked for in."""
CODES = ("status", "reason")
"""What has one of few values."""
STATUSES = ("ok", "partial", "failed")


class QueryError(ValueError):
    """A question that can't be read: what is wrong, where, and what may have been meant."""

    def __init__(self, message: str, query: str, start: int, end: int) -> None:
        super().__init__(message)
        self.query = query
        self.start, self.end = start, end
        """The letters that the message is about: query[start:end]."""

    def pointed(self) -> str:
        """The message below the question, with carets under the letters that it is about."""
        shown = "".join(each if each.isprintable() else " " for each in self.query)
        carets = "^" * max(1, self.end - self.start)
        return f"{self}\n  {shown}\n  {' ' * self.start}{carets}"


@dataclass(frozen=True)
class Heard:
    """An instrument or a family that plays; that may play, where ``unsure``."""

    name: str
    unsure: bool = False


@dataclass(frozen=True)
class Measured:
    """How probable a name is, from 0 to 1, or how many seconds it plays, against a bound."""

    name: str
    what: str
    """probability or seconds."""
    sign: str
    """>, >=, < or <=."""
    bound: float
    unsure: bool = False
    """Whether the seconds in which it may play count."""


@dataclass(frozen=True)
class Says:
    """A field of the file: a text that holds another one, or a code that is the same."""

    field: str
    text: str


@dataclass(frozen=True)
class Not:
    """What must not be so."""

    of: "Query"


@dataclass(frozen=True)
class Both:
    """Two that must be so."""

    left: "Query"
    right: "Query"


@dataclass(frozen=True)
class Either:
    """Two of which one must be so, or both."""

    left: "Query"
    right: "Query"


@dataclass(frozen=True)
class Anything:
    """The empty question, which all answer."""


Query = Heard | Measured | Says | Not | Both | Either | Anything
