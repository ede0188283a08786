"""Verbs for a collection: scan it into a library, find in it, count it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbretree.cli.exits import PIPE_CLOSED, STOPPED, forget_output
from timbretree.cli.progress import State, bar, gauge
from timbretree.cli.tagging import Hop, Jobs, Model, Tree
from timbretree.cli.talk import number, printable, refuse, say

if TYPE_CHECKING:
    from timbretree.batch.how import HowToTag
    from timbretree.library import Library, Page, Scan, Summary

SHOWN = 50
"""Tracks that the text shows unless --limit says otherwise."""

Place = Annotated[
    Path | None,
    typer.Option(
        "--library",
        envvar="TIMBRETREE_LIBRARY",
        help="The library, one file (default: library.db in your folder for data of programs).",
    ),
]


class Sort(StrEnum):
    """By what answers are sorted; the same names as ``timbretree.library.SORTS``."""

    share = "share"
    seconds = "seconds"
    probability = "probability"
    path = "path"


class Findings(StrEnum):
    """How answers are written; the same names as ``timbretree.library.writing.FINDINGS``."""

    text = "text"
    json = "json"
    csv = "csv"
    m3u = "m3u"


class Numbers(StrEnum):
    """How the numbers of a collection are written."""

    text = "text"
    json = "json"


Question = Annotated[list[str] | None, typer.Argument(help="What to look for.", show_default=False)]
Group = Annotated[list[str] | None, typer.Option(help="A family that must play, too. Repeatable.")]
Least = Annotated[
    float, typer.Option(min=0, callback=number, help="How long each thing asked for must play.")
]
Unsure = Annotated[bool, typer.Option("--unsure", help="What only may play will do.")]
Like = Annotated[
    Path | None, typer.Option(help="Find what is like this file, of the library or any other.")
]
By = Annotated[Sort | None, typer.Option(help="The most comes first.", show_default="share")]
Limit = Annotated[
    int | None, typer.Option(min=0, help="At most so many.", show_default="text 50, else all")
]
Offset = Annotated[int, typer.Option(min=0, help="Leave out so many before.")]
Written = Annotated[Findings, typer.Option(help="How to write what is found.")]


def scan(
    roots: Annotated[
        list[Path], typer.Argument(help="Folders, or sound files.", show_default=False)
    ],
    library: Place = None,
    model: Model = None,
    taxonomy: Tree = None,
    hop: Hop = None,
    jobs: Jobs = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again what crashed, hung or lacked a decoder.")
    ] = False,
    rescan: Annotated[
        bool,
        typer.Option("--rescan", help="Where the model is another one: tag all files anew."),
    ] = False,
) -> None:  # fmt: skip
    """Tag what is new or changed in a collection, into a library that can be asked.

    What is unchanged is not even opened; a file that was moved, renamed or copied is not tagged
    again; one that is gone is marked, and found again when it is back. It may be killed: the next
    scan goes on.

    Exit code 0: all went well; 1: a file failed, or a folder could not be scanned; 2: it could not
    be done; 130: Ctrl-C.
    """
    from dataclasses import replace

    from timbretree.batch.how import CrewError
    from timbretree.library import default_place, how_of, scanning

    place = library or default_place()
    try:
        how = how_of(place)
        how = replace(
            how,
            model=model or how.model,
            taxonomy=how.taxonomy if taxonomy is None else taxonomy,
            hop=how.hop if hop is None else hop,
        )
        with scanning(place, how, rescan=rescan) as running:
            _look(running, roots, retry=retry)
            if running.todo:
                _tag(running, how, jobs)
    except OSError as error:  # another scan; a folder that can't be written
        name = f"{printable(error.filename)}: " if error.filename else ""
        refuse(f"{name}{error.strerror or error}")
    except (CrewError, ValueError) as error:
        refuse(str(error))
    except KeyboardInterrupt:
        say("stopped; run the same again to go on")
        raise typer.Exit(STOPPED) from None
    for trouble in running.summary.trouble:
        say(f"timbretree: {printable(trouble)}")
    say(f"{printable(place)}: {_summed(running.summary)}")
    raise typer.Exit(1 if running.summary.failed or running.summary.trouble else 0)


def find(
    query: Question = None,
    library: Place = None,
    group: Group = None,
    min_seconds: Least = 0.0,
    unsure: Unsure = False,
    like: Like = None,
    sort: By = None,
    limit: Limit = None,
    offset: Offset = 0,
    format: Written = Findings.text,
) -> None:
    """Find tracks by what plays in them, and where.

    Exit code 0: something was found; 1: nothing was; 2: it could not be asked.

    \b
    clarinet                     it plays, for certain
    clarinet?                    it plays, or may play (unsure)
    mallet percussion            families, and names of two words, too
    clarinet and not drums       and, or, not and ( ); a space means and
    clarinet > 80%               how probable it is: > >= < <=, also as 0.8
    clarinet > 20 s              how long it plays: s, min or h
    artist:bach album:"a b"      texts: artist, title, album, path
    status:failed                ok, partial or failed; reason:truncated
    """
    from timbretree.library import Library, LibraryError, QueryError, default_place
    from timbretree.library.writing import FINDINGS, left_out

    if like is not None and (query or group or sort or min_seconds or unsure):
        refuse("--like looks for what is like a file; leave the question and its options out")
    if limit is None and format is Findings.text:
        limit = SHOWN
    try:
        with Library(library or default_place()) as asked:
            if like is not None:
                page = _alike(asked, like, limit, offset)
            else:
                page = asked.search(
                    " ".join(query or ()), groups=group or (), min_seconds=min_seconds,
                    sort=sort and sort.value, limit=limit, offset=offset, unsure=unsure,
                )  # fmt: skip
    except QueryError as error:
        refuse(error.pointed())
    except LibraryError as error:
        refuse(str(error))
    _put(FINDINGS[format.value](page))
    for row in left_out(page) if format is Findings.m3u else ():
        say(f"left out of the playlist, for its name has a line break: {printable(row.track.path)}")
    _say_more(page, offset)
    raise typer.Exit(0 if page.total else 1)


def stats(
    library: Place = None,
    format: Annotated[Numbers, typer.Option(help="How to write the numbers.")] = Numbers.text,
) -> None:
    """Count a collection: its instruments and families, hours, and what could not be heard."""
    from timbretree.library import Library, LibraryError, default_place
    from timbretree.library.writing import stats_as_json, stats_as_text

    try:
        with Library(library or default_place()) as asked:
            counted, tree = asked.stats(), asked.binding.taxonomy
    except LibraryError as error:
        refuse(str(error))
    text = stats_as_text(counted, tree) if format is Numbers.text else stats_as_json(counted)
    _put(text.encode())


def _look(running: "Scan", roots: list[Path], *, retry: bool) -> None:
    with bar("looking") as seen:
        for count in running.look(roots, retry=retry):
            seen.update(count, None)


def _tag(running: "Scan", how: "HowToTag", jobs: int | None) -> None:
    from timbretree.batch.crew import Crew

    whole = len(running.todo)
    with Crew(how, jobs=jobs) as crew:

        def state() -> State:
            done = running.summary
            count = done.tagged + done.moved + done.copies
            return State(min(count, whole), done.tagged, whole, True, crew.heard, done.failed)

        with gauge(state):
            for tags in running.tag(crew):
                if tags.reason is not None:
                    name = printable(tags.file)
                    say(f"{name}: {tags.status}, {tags.reason}: {tags.message}")


def _summed(done: "Summary") -> str:
    """The last line of a scan."""
    counts = {
        "tagged": done.tagged,
        "moved": done.moved,
        "copies": done.copies,
        "back": done.back,
        "gone": done.gone,
        "unchanged": done.unchanged,
    }
    words = [f"{count:,} {what}" for what, count in counts.items() if count]
    if done.failed:
        words.append(f"{done.failed:,} failed")
    return ", ".join(words) or "no sound file"


def _alike(asked: "Library", file: Path, limit: int | None, offset: int) -> "Page":
    """What is like a file, which is tagged now if the library doesn't know it."""
    from timbretree.library import LibraryError
    from timbretree.library.binding import Binding

    known = asked.id_of(file)
    if known is not None and asked.track(known).status in ("ok", "partial"):
        return asked.like(known, limit=limit, offset=offset)
    try:
        difference = asked.binding.differs(Binding.of(asked.binding.how))
        tagger = asked.binding.how.tagger()
    except (OSError, ValueError) as error:
        raise LibraryError(f"what the library was heard with can't be used: {error}") from error
    if difference is not None:
        raise LibraryError(f"the library was heard with {difference}; scan it with --rescan")
    tags = tagger(file)
    if tags.status == "failed":
        raise LibraryError(f"{printable(file)}: {tags.reason}: {tags.message}")
    return asked.like(tags, limit=limit, offset=offset)


def _put(data: bytes) -> None:
    """Write to standard output; who reads there may have read enough, such as head."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        forget_output()
        raise typer.Exit(PIPE_CLOSED) from None


def _say_more(page: "Page", offset: int) -> None:
    shown = len(page.rows)
    if not page.total:
        say("nothing found")
    elif shown == page.total:
        say(f"{page.total:,} found")
    elif not shown:
        say(f"{page.total:,} found, none of them shown")
    else:
        say(f"{offset + 1:,} to {offset + shown:,} of {page.total:,}; see --limit and --offset")
