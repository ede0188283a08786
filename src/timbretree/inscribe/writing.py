"""Changing sound files for good: a checked copy takes the place of the file, all at once."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from timbretree.files import BusyError, alone
from timbretree.inscribe.editing import Change, look, stamp_of
from timbretree.inscribe.records import Record, Records, digest, settle
from timbretree.inscribe.splice import InscribeError, Splice, inverse, spliced
from timbretree.inscribe.witness import compare


class Undone(NamedTuple):
    """What became of a file when it was put back."""

    had: tuple[str, ...]
    """The instruments it said."""
    says: tuple[str, ...]
    """Those it says now."""
    exact: bool
    """Whether it is as it was before to the byte; else something else in it had changed since, and
    only the instruments were put back."""


def inscribe(change: Change, records: Records) -> None:
    """Change a file, so that nothing but its instruments is another, and it can be undone.

    A copy is changed, compared with the file by another reader, turned back as a trial, and only
    then put in its place. Raises InscribeError, with the file as it was.
    """
    if not change.splices:
        return
    path = change.path.resolve()  # where the name is a link, the file itself
    with _copied(path, change.splices, change.stamp) as (copy, before, after):
        compare(path, copy, change.wants)
        with path.open("rb") as file:
            back = inverse([*change.splices], file)
        with copy.open("rb") as file:
            if digest(spliced(back, file)) != before:
                raise InscribeError("it could not be put back as it was, so it is left alone")
        changed_at = path.stat().st_mtime_ns
        place = os.fsdecode(path)
        record = Record(place, before, after, change.had, change.wants, changed_at, tuple(back))
        taken_back = records.taken_back(record)  # then the way back from there is known already
        if not taken_back:
            records.keep(record)
        _put(copy, path)
        with suppress(OSError):  # they lead nowhere any more
            for each in taken_back:
                records.forget(each, path)


def is_ours(change: Change, records: Records) -> bool:
    """Whether the instruments that a file says already were written by us."""
    path = change.path.resolve()
    last = records.last(path)
    if last is not None and last.wrote == change.had:
        return True
    found = records.find(_digest(path), path)  # it may have been moved
    return found is not None and found.wrote == change.had


def undo(path: Path, records: Records) -> Undone | None:
    """Put a file back as it was before the first change; None where nothing of it was changed.

    Raises InscribeError where it must be left alone.
    """
    path = path.resolve()
    chain = records.chain(_digest(path), path)
    for record in chain:
        _replace(path, record)
        records.forget(record, path)
    if chain:
        return Undone(chain[0].wrote, chain[-1].had, exact=True)
    return _undo_in_part(path, records)


def _undo_in_part(path: Path, records: Records) -> Undone | None:
    """Put only the instruments back, where something else was changed since then."""
    last = records.last(path)
    if last is None:
        return None
    if last.before == _digest(path):  # the change itself was never made: a crash, just before it
        records.forget(last, path)
        return None
    chain = [last, *records.chain(last.before, path)]
    change = look(path, chain[-1].had)
    if change.had != last.wrote:
        raise InscribeError("its instruments were changed by something else since then")
    with _copied(path, change.splices, change.stamp) as (copy, _, _):
        compare(path, copy, change.wants)
        _put(copy, path)
    for record in chain:
        records.forget(record, path)
    return Undone(change.had, change.wants, exact=False)


def _replace(path: Path, record: Record) -> None:
    with _copied(path, record.back) as (copy, _, after):
        if after != record.before:
            raise InscribeError("the record of its change does not give what it was before")
        os.utime(copy, ns=(copy.stat().st_atime_ns, record.changed_at))
        _put(copy, path)


@contextmanager
def _copied(
    place: Path, splices: Iterable[Splice], stamp: tuple[int, int] | None = None
) -> Iterator[tuple[Path, str, str]]:
    """A changed copy beside a file, and the digests of the file and of the copy, which has the
    same owner, rights and extended attributes. ``stamp`` is that of the file the splices are for.
    """
    try:
        _refuse(place)
        name = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
        copy = place.with_name(f".timbretree-{name}{place.suffix}")
        with alone(copy):
            try:
                before, after = _write(place, copy, [*splices], stamp)
                yield copy, before, after
            finally:
                copy.unlink(missing_ok=True)
    except BusyError as error:
        raise InscribeError(str(error)) from None
    except OSError as error:
        raise InscribeError(f"it can't be written: {error.strerror or error}") from error


def _write(
    place: Path, copy: Path, splices: list[Splice], stamp: tuple[int, int] | None
) -> tuple[str, str]:
    before, after = hashlib.sha256(), hashlib.sha256()
    with place.open("rb") as file:
        found, known = os.fstat(file.fileno()), stamp or stamp_of(file)
        for block in spliced([], file):
            before.update(block)
        with open(copy, "wb", opener=_private) as target:
            for block in spliced(splices, file):
                after.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        if stamp_of(file) != known:
            raise InscribeError("it was changed by something else just now")
    times = copy.stat()
    if hasattr(os, "chown") and (found.st_uid, found.st_gid) != (times.st_uid, times.st_gid):
        try:
            os.chown(copy, found.st_uid, found.st_gid)
        except PermissionError:
            raise InscribeError("it belongs to somebody else, whose it could not stay") from None
    shutil.copystat(place, copy)  # rights, extended attributes, and times
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that backups see the change
    return before.hexdigest(), after.hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _refuse(place: Path) -> None:
    found = place.stat()
    if not found.st_mode & 0o222 or not os.access(place, os.W_OK):
        raise InscribeError("it is read-only")
    if found.st_nlink > 1:
        raise InscribeError(
            f"it has {found.st_nlink} names (hard links), and would be parted from the others"
        )


def _put(copy: Path, place: Path) -> None:
    os.replace(copy, place)
    with suppress(OSError):  # it is done, whatever the disk says of its folder
        settle(place.parent)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return digest(spliced([], file))
    except OSError as error:
        raise InscribeError(f"it can't be read: {error.strerror or error}") from error
