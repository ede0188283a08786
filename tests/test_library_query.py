"""The language of questions: what it means, what it refuses, and that SQL and plain logic agree."""

import inspect
import sqlite3
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timbretree.cli.collection import find
from timbretree.library import HELP, SORTS, QueryError
from timbretree.library.compiling import Compiler, asked_for, asks_status, narrowed
from timbretree.library.query import (
    Anything,
    Both,
    Either,
    Heard,
    Measured,
    Not,
    Query,
    Says,
)
from timbretree.library.reading import parse
from timbretree.library.words import Vocabulary, folded
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy.load("tone7")
NAMES = Vocabulary(TREE)
CLARINET, DRUMS, MALLETS = Heard("clarinet"), Heard("drums"), Heard("mallet_percussion")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", Anything()),
        ("  ", Anything()),
        ("clarinet", CLARINET),
        ("Clarinets", CLARINET),
        ("CLARINET?", Heard("clarinet", unsure=True)),
        ("mallet percussion", MALLETS),
        ("mallet_percussion", MALLETS),
        ("mallet-percussion", MALLETS),
        ('"mallet percussion"', MALLETS),
        ("drum", DRUMS),
        ("bowed strings", Heard("bowed_strings")),
        ("not drums", Not(DRUMS)),
        ("not not drums", DRUMS),
        ("clarinet and not drums", Both(CLARINET, Not(DRUMS))),
        ("clarinet drums", Both(CLARINET, DRUMS)),
        ("clarinet or drums and mallet percussion", Either(CLARINET, Both(DRUMS, MALLETS))),
        ("(clarinet or drums) mallet percussion", Both(Either(CLARINET, DRUMS), MALLETS)),
        ("clarinet > 80%", Measured("clarinet", "probability", ">", 0.8)),
        ("clarinet>=.8", Measured("clarinet", "probability", ">=", 0.8)),
        ("clarinet ≥ 1", Measured("clarinet", "probability", ">=", 1.0)),
        ("clarinet < 20 s", Measured("clarinet", "seconds", "<", 20.0)),
        ("clarinet? > 2min", Measured("clarinet", "seconds", ">", 120.0, unsure=True)),
        ("artist:bach", Says("artist", "bach")),
        ('Artist: "J. S. Bach" drums', Both(Says("artist", "J. S. Bach"), DRUMS)),
        ("title:“a b”", Says("title", "a b")),
        ('path:"/music/a(b)"', Says("path", "/music/a(b)")),
        ("status:failed", Says("status", "failed")),
    ],
)  # fmt: skip
def test_what_is_meant(text: str, means: Query) -> None:
    assert parse(text, NAMES) == means


@pytest.mark.parametrize(
    ("text", "pointed", "said"),
    [
        ("clarinte and drums", "clarinte", "did you mean clarinet?"),
        ("drums and bowed", "bowed", "did you mean bowed strings?"),
        ("drums xylophone", "xylophone", "no instrument and no family ‘xylophone’"),
        ("piano (drums", "(", "not closed"),
        ("piano) drums", ")", "closes nothing"),
        ("piano > 8", "8", "at most 1"),
        ("piano > 80 drums", "80", "at most 1"),
        ("piano >", ">", "a number must follow"),
        ("piano > drums", "drums", "a number must follow"),
        ("piano or", "", "must stand here"),
        ("not", "", "must stand here"),
        ("or piano", "or", "must stand here"),
        ("artis:bach", "artis", "did you mean artist?"),
        ("artist:", "artist:", "a text must follow"),
        ("status:good", "status:good", "ok, partial or failed"),
        ('piano "drums', '"', "no end"),
        ("piano : drums", ":", "means nothing"),
        ("> 5", ">", "name of an instrument"),
        ("(" * 60 + "piano", "(", "at most 50 deep"),
        ("not " * 60 + "piano", "not", "at most 50 deep"),
        ("piano " * 250, "piano", "at most 200 words"),
        ("p" * 3000, "p" * 40, "at most 2000 letters"),
    ],
)
def test_errors_point_at_the_word(text: str, pointed: str, said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("?", r"\?")) as raised:
        parse(text, NAMES)
    error = raised.value
    assert error.query[error.start : error.end] == pointed
    _, query, carets = error.pointed().split("\n")
    assert query[carets.index("^") :].startswith(pointed)
    assert len(carets.split("^")) - 1 == max(1, len(pointed))


@given(st.text(max_size=60) | st.text("clarinetdums()?><\"': andorot", max_size=60))
@example("\x00")
@example("e\u0301:x")
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    wrong: QueryError | None = None
    try:
        parse(text, NAMES)
    except QueryError as error:
        wrong = error
    if wrong is not None:
        assert 0 <= wrong.start < wrong.end <= len(wrong.query) + 1
        assert wrong.pointed().count("\n") == 2


def test_the_help_screen_is_the_language() -> None:
    assert HELP in inspect.getdoc(find)
    assert HELP in (Path(__file__).parents[1] / "docs" / "library.md").read_text("utf-8")
    for line in HELP.splitlines():
        parse(line[:29].strip(), NAMES)


def test_names_with_odd_letters_are_found_in_quotes() -> None:
    names = Vocabulary(Taxonomy("odd", ("and", "808 drums", "Flûte à bec"), {
        "r&b": ("and", "808 drums"), "x (y)": ("Flûte à bec",)}))  # fmt: skip
    for text, name in [('"and"', "and"), ("808 drums", "808 drums"), ("r&b", "r&b"),
                       ("flute a bec", "Flûte à bec"), ('"x (y)"', "x (y)")]:  # fmt: skip
        assert parse(text, names) == Heard(name)


# the same in plain Python: what a question means for one track

Track = dict[str, Any]


def is_so(query: Query, track: Track, compiler: Compiler, wanted: bool = True) -> bool:
    match query:
        case Anything():
            return True
        case Heard(name):
            loose = query.unsure or (compiler.unsure and wanted)
            verdict, _, plays, may = track["heard"][name]
            lasts = (plays + may * loose) / 1000 >= compiler.min_seconds or not wanted
            return verdict >= (1 if loose else 2) and lasts
        case Measured(name):
            _, probability, plays, may = track["heard"][name]
            value = (
                probability / 10_000
                if query.what == "probability"
                else (plays + may * query.unsure) / 1000
            )
            bound = query.bound
            return {">": value > bound, ">=": value >= bound, "<": value < bound,
                    "<=": value <= bound}[query.sign]  # fmt: skip
        case Says(field, text):
            has = folded(track[field] or "")
            return folded(text) in has if field not in ("status", "reason") else folded(text) == has
        case Not(of):
            return not is_so(of, track, compiler, not wanted)
        case Both(left, right):
            return all(is_so(each, track, compiler, wanted) for each in (left, right))
        case Either(left, right):
            return any(is_so(each, track, compiler, wanted) for each in (left, right))


def rank(query: Query, track: Track, sort: str, compiler: Compiler) -> float | None:
    match query:
        case Heard(name) | Measured(name):
            _, probability, plays, may = track["heard"][name]
            return probability if sort == "probability" else plays + may * (
                query.unsure or compiler.unsure
            )  # fmt: skip
        case Both(left, right) | Either(left, right):
            sides = [(each, rank(each, track, sort, compiler)) for each in (left, right)]
            known = [(each, value) for each, value in sides if value is not None]
            if isinstance(query, Either):
                known = [(each, value if is_so(each, track, compiler) else 0)
                         for each, value in known]  # fmt: skip
            values = [value for _, value in known]
            return (min if isinstance(query, Both) else max)(values) if values else None
        case _:
            return None


LETTERS = st.text(string.ascii_letters + "éÉß%_'\" \udcff", max_size=3)
SOME = ("clarinet", "drums", "woodwind")
leaves = (
    st.builds(Heard, st.sampled_from(SOME), st.booleans())
    | st.builds(Measured, st.sampled_from(SOME), st.just("probability"),
                st.sampled_from([">", ">=", "<", "<="]), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    | st.builds(Measured, st.sampled_from(SOME), st.just("seconds"),
                st.sampled_from([">", ">=", "<", "<="]), st.sampled_from([0.0, 2.5, 60.0]),
                st.booleans())
    | st.builds(Says, st.sampled_from(["artist", "title", "path"]), LETTERS)
    | st.builds(Says, st.just("status"), st.sampled_from(["ok", "partial"]))
)  # fmt: skip
queries = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner) | st.builds(Both, inner, inner) | st.builds(Either, inner, inner)
    ),
    max_leaves=6,
)
tracks = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["ok", "partial"]),
        "artist": st.none() | LETTERS,
        "title": st.none() | LETTERS,
        "path": LETTERS,
        "heard": st.fixed_dictionaries(
            {
                name: st.tuples(
                    st.integers(0, 2),
                    st.sampled_from([0, 2500, 5000, 5001, 10_000]),
                    st.sampled_from([0, 2500, 60_000]),
                    st.sampled_from([0, 2500]),
                )
                for name in SOME
            }
        ),
    }
)


@pytest.fixture(scope="module")
def table() -> sqlite3.Connection:
    """Two tables with the columns that compiled questions speak of."""
    db = sqlite3.connect(":memory:")
    columns = [f"{kind}{NAMES.places[name]}" for name in SOME for kind in "vpsu"]
    db.execute("CREATE TABLE t (number, status, artist_key, title_key, path_key)")
    db.execute(f"CREATE TABLE h (track, {', '.join(columns)})")
    return db


def fill(db: sqlite3.Connection, found: list[Track]) -> None:
    for name in "th":
        db.execute(f"DELETE FROM {name}")
    for number, track in enumerate(found):
        keys = [folded(track[field] or "") for field in ("artist", "title", "path")]
        db.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", (number, track["status"], *keys))
        row = [cell for name in SOME for cell in track["heard"][name]]
        db.execute(f"INSERT INTO h VALUES (?{', ?' * len(row)})", (number, *row))


@given(queries, st.lists(tracks, min_size=1, max_size=5), st.booleans(), st.sampled_from([0, 2.5]))
def test_sql_and_plain_logic_agree(
    table: sqlite3.Connection, query: Query, found: list[Track], unsure: bool, least: float
) -> None:
    fill(table, found)
    compiler = Compiler(NAMES, least, unsure)
    so = compiler.condition(query)
    answers = table.execute(
        f"SELECT number FROM t JOIN h ON number = track WHERE {so.text} ORDER BY 1", so.bound
    )
    wanted = [number for number, track in enumerate(found) if is_so(query, track, compiler)]
    assert [row[0] for row in answers] == wanted


@given(
    queries, st.lists(tracks, min_size=1, max_size=5), st.booleans(), st.sampled_from(SORTS[1:3])
)
def test_the_number_to_sort_by_agrees(
    table: sqlite3.Connection, query: Query, found: list[Track], unsure: bool, sort: str
) -> None:
    fill(table, found)
    compiler = Compiler(NAMES, unsure=unsure)
    value = compiler.rank(query, sort)
    if value is None:
        assert rank(query, found[0], sort, compiler) is None
        assert not asked_for(query)
        return
    told = table.execute(
        f"SELECT {value.text} FROM t JOIN h ON number = track ORDER BY number", value.bound
    )
    assert [row[0] for row in told] == [rank(query, track, sort, compiler) for track in found]


@given(queries)
def test_nothing_typed_gets_into_the_sql(query: Query) -> None:
    so = Compiler(NAMES).condition(query)
    assert set(so.text) <= set(string.ascii_letters + string.digits + " ().,_<>=+?'")
    assert so.text.count("?") == len(so.bound)
    assert so.text.replace("''", "").count("'") == 0


def test_what_is_asked_for() -> None:
    query = parse("clarinet and (drums? or not piano) and flute < 5 s and clarinet?", NAMES)
    assert asked_for(query) == {"clarinet": True, "drums": True, "flute": False}
    assert asks_status(parse("piano or not status:failed", NAMES))
    assert not asks_status(parse("artist:status", NAMES))
    assert narrowed(Anything(), ["woodwind"]) == Heard("woodwind")
    assert narrowed(DRUMS, ["woodwind"]) == Both(DRUMS, Heard("woodwind"))


@pytest.mark.parametrize(
    "make", [str, str.upper, lambda text: text.replace(" ", "-"), lambda text: text + "?"]
)
def test_every_name_is_found(make: Callable[[str], str]) -> None:
    for name in NAMES.names:
        query = parse(make(name.replace("_", " ")), NAMES)
        assert isinstance(query, Heard)
        assert query.name == name
    assert NAMES.find("basses") == "bass"
