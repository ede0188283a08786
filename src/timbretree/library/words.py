"""The words of a question: names of instruments and families as people write them, and texts."""

import difflib
import unicodedata
from collections.abc import Iterable

from timbretree.taxonomy import Taxonomy


def folded(text: str) -> str:
    """A text as it is compared: small letters, no accents, whatever its Unicode form.

    Undecodable bytes of a file name become question marks.
    """
    whole = text.encode("utf-8", "replace").decode("utf-8")
    apart = unicodedata.normalize("NFKD", whole).casefold()
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def spelled(name: str) -> str:
    """A name as it is compared: besides, spaces for hyphens and underscores."""
    return " ".join(folded(name).replace("_", " ").replace("-", " ").split())


class Vocabulary:
    """The tags and groups of a taxonomy, found by the names that people give them."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.names = (*taxonomy.tags, *taxonomy.groups)
        """Tags first, then groups: the order of all columns of a library."""
        self.places = {name: place for place, name in enumerate(self.names)}
        self._known: dict[str, str] = {}
        for form in (_as_it_is, _plural, _singular):
            for name in self.names:
                self._known.setdefault(form(spelled(name)), name)
        self.longest = max(len(each.split()) for each in self._known)
        """Words in the longest name."""

    def find(self, text: str) -> str | None:
        """The tag or group of that name: *Mallet-Percussion*, *clarinets*; or None."""
        return self._known.get(spelled(text))

    def near(self, text: str) -> list[str]:
        """Names that may have been meant, the likeliest first, at most three."""
        wanted = spelled(text)
        found = difflib.get_close_matches(wanted, self._known, n=6, cutoff=0.6)
        within = [known for known in self._known if len(wanted) > 2 and wanted in known]
        return [*dict.fromkeys(self._known[each] for each in (*found, *within))][:3]


def near(text: str, known: Iterable[str]) -> list[str]:
    """What of some words may have been meant, at most three."""
    return difflib.get_close_matches(folded(text), list(known), n=3, cutoff=0.6)


def _as_it_is(name: str) -> str:
    return name


def _plural(name: str) -> str:
    return name + ("es" if name.endswith(("s", "x", "sh", "ch")) else "s")


def _singular(name: str) -> str:
    return name.removesuffix("s")
