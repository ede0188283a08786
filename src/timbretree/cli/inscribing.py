"""The verb that writes instruments into sound files: a trial run, for good, and back."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbretree.cli.exits import STOPPED
from timbretree.cli.tagging import Inputs, Jobs, Model, Tree
from timbretree.cli.talk import printable, refuse, say

if TYPE_CHECKING:
    from timbretree.batch.how import HowToTag
    from timbretree.batch.inputs import Asked
    from timbretree.inscribe import Change, Records
    from timbretree.inscribe.results import Heard


def inscribe(
    inputs: Inputs = None,
    write: Annotated[
        bool, typer.Option("--write", help="Do it. Without this it is only said what would be.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put files back as they were before the first --write.")
    ] = False,
    heard_before: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Write what was heard earlier: a .jsonl file of timbretree tag. Of all its files, "
            "where none is named.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what somebody else wrote there, too.")
    ] = False,
    model: Model = None,
    taxonomy: Tree = None,
    jobs: Jobs = None,
) -> None:
    """Write the instruments into the files themselves: the tag INSTRUMENTS.

    A trial run, unless --write is said. Nothing else in a file changes, and --undo gives it back
    to the byte. Exit code 0: all went well; 1: at least one file failed; 2: it could not be done.
    """
    from timbretree.batch.how import CrewError, HowToTag
    from timbretree.batch.inputs import Asked
    from timbretree.inscribe.witness import needs_mutagen
    from timbretree.modelfile import SHIPPED

    if not inputs and (undo or heard_before is None):
        refuse("expected files or folders; see timbretree inscribe --help")
    if undo and (write or heard_before is not None):
        refuse("--undo goes with files alone; it puts them back at once")
    if (write or undo) and needs_mutagen():
        refuse("to write into files takes mutagen: pip install 'timbretree[tags]'")
    names = [name for name in inputs or [] if name != "-"]
    lists = [Path("-")] * ("-" in (inputs or []))
    asked = Asked(names, lists) if inputs else None
    tally = _Tally(write=write)
    try:
        if undo and asked is not None:
            _undo(asked, tally)
        elif heard_before is not None:
            _inscribe(_earlier(heard_before, asked), tally, force=force)
        elif asked is not None:
            how = HowToTag(model or SHIPPED, taxonomy)
            _inscribe(_now(asked, how, jobs), tally, force=force)
    except (CrewError, ValueError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or heard_before or ''}: {error.strerror or error}")
    except KeyboardInterrupt:  # each file is as it was or as it is to be
        say("ended at once")
        raise typer.Exit(STOPPED) from None
    if not tally.counts:
        refuse(f"no sound file was found in {printable(', '.join(inputs or [str(heard_before)]))}")
    say(tally.words(undo=undo))
    raise typer.Exit(1 if tally.counts["failed"] else 0)


class _Tally:
    """What became of the files."""

    def __init__(self, *, write: bool) -> None:
        self.write = write
        self.counts: Counter[str] = Counter()

    def failed(self, path: Path, why: object) -> None:
        self.counts["failed"] += 1
        say(f"{printable(path)}: failed: {why}")

    def told(self, what: str, path: Path, words: str) -> None:
        self.counts[what] += 1
        print(f"{printable(path)}: {words}", flush=True)

    def words(self, *, undo: bool) -> str:
        """The last line."""
        names = {
            "changed": "put back" if undo else "written" if self.write else "to be written",
            "same": "never written" if undo else "as they are to be",
            "kept": "left alone",
            "failed": "failed",
        }
        said = [
            f"{self.counts[what]:,} {name}" for what, name in names.items() if self.counts[what]
        ]
        trial = "; nothing was changed: add --write to do it"
        whole = self.counts.total()
        return f"{whole:,} {'file' if whole == 1 else 'files'}: {', '.join(said)}" + (
            trial if self.counts["changed"] and not (self.write or undo) else ""
        )


def _inscribe(found: Iterator["Heard"], tally: _Tally, *, force: bool) -> None:
    from timbretree.inscribe import InscribeError, Records, look

    records = Records()
    for one in found:
        if one.trouble is not None:
            tally.failed(one.path, one.trouble)
            continue
        try:
            _one(look(one.path, one.wants), records, tally, force=force)
        except InscribeError as error:
            tally.failed(one.path, error)


def _one(change: "Change", records: "Records", tally: _Tally, *, force: bool) -> None:
    from timbretree.inscribe import inscribe, is_ours

    had, wants = _listed(change.had), _listed(change.wants)
    if not change.splices:
        tally.told("same", change.path, f"says {had} already")
    elif change.had and not force and not is_ours(change, records):
        words = f"left alone: it says {had}, which timbretree did not write; --force replaces it"
        tally.told("kept", change.path, words)
    elif tally.write:
        inscribe(change, records)
        tally.told("changed", change.path, f"says {wants}; before: {had}")
    else:
        tally.told("changed", change.path, f"would say {wants}; now: {had}")


def _undo(asked: "Asked", tally: _Tally) -> None:
    from timbretree.inscribe import InscribeError, Records, undo

    records = Records()
    for what in asked:
        if what.reason is not None:
            tally.failed(what.path, what.message)
            continue
        try:
            done = undo(what.path, records)
        except InscribeError as error:
            tally.failed(what.path, error)
            continue
        if done is None:
            tally.told("same", what.path, "nothing to undo")
        elif done.exact:
            tally.told("changed", what.path, f"as it was; it says {_listed(done.says)}")
        else:
            words = f"says {_listed(done.says)} again; what else was changed since then stays"
            tally.told("changed", what.path, words)


def _earlier(results: Path, asked: "Asked | None") -> Iterator["Heard"]:
    """What was heard earlier of the files that are asked for."""
    from timbretree.inscribe.results import Heard, read

    found = read(results)
    if asked is None:
        yield from found
        return
    known = {one.path.resolve(): one for one in found}
    for what in asked:
        one = known.get(what.path.resolve())
        if one is None:
            yield Heard(what.path, (), what.message or f"there is no line of it in {results}")
        else:
            yield one._replace(path=what.path)


def _now(asked: "Asked", how: "HowToTag", jobs: int | None) -> Iterator["Heard"]:
    """What is heard now."""
    from timbretree.batch.alone import alone_or_crew
    from timbretree.inscribe.results import Heard, heard

    refused: list[Heard] = []

    def paths() -> Iterator[Path]:
        for what in asked:
            if what.reason is None:
                yield what.path
            else:
                refused.append(Heard(what.path, (), f"{what.reason}: {what.message}"))

    with alone_or_crew(asked, how, jobs=jobs) as engine:
        for tags in engine.tag_in_order(paths()):
            yield from refused
            refused.clear()
            yield heard(tags)
    yield from refused


def _listed(names: tuple[str, ...]) -> str:
    return printable("; ".join(names)) if names else "nothing"
