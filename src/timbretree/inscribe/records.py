"""What was changed in which file, so that it can be undone: kept in a folder of the user's."""

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from timbretree.files import own_folder
from timbretree.inscribe.splice import InscribeError, Splice


@dataclass(frozen=True)
class Record:
    """One change: the file before and after it, told by their digests, and the way back."""

    path: str
    before: str
    after: str
    """The sha256 of the whole file, before and after."""
    had: tuple[str, ...]
    wrote: tuple[str, ...]
    changed_at: int
    """When the file had been changed last before, in nanoseconds since 1970."""
    back: tuple[Splice, ...]
    """What makes the file before of the file after."""


class Records:
    """A folder of records, found by what a file holds now, or by where it lies."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = own_folder("STATE") / "inscribed" if folder is None else folder

    def keep(self, record: Record) -> None:
        """Write a record so that it survives a crash at once. Raises InscribeError."""
        data = record.__dict__ | {"back": [_as_data(each) for each in record.back]}
        try:
            _write(self._of(record), json.dumps(data))
            _write(self._at(record.path), record.after)
        except OSError as error:
            raise InscribeError(
                f"what would undo it can't be written to {self.folder}: {error.strerror or error}"
            ) from error

    def find(self, digest: str, path: Path) -> Record | None:
        """The record of the change that made a file with this digest: of the file that lies here,
        or else of another one, which may be this one before it was moved.
        """
        folder = self.folder / "by-content" / digest[:3]
        found = [] if not folder.is_dir() else sorted(folder.glob(f"{digest}.*.json"))
        mine = folder / f"{digest}.{_hashed(os.fsdecode(path))}.json"
        return _read(mine if mine in found else found[0]) if found else None

    def chain(self, digest: str, path: Path) -> list[Record]:
        """The records that lead from a file with this digest back to what it was at first."""
        found: list[Record] = []
        seen, here = {digest}, os.fsdecode(path)
        while (record := self.find(digest, path)) is not None and record not in found:
            digest = record.before
            if digest in seen and record.path != here:  # what was done to other files goes round
                while found and found[-1].path != here:
                    found.pop()
                break
            found.append(record)
            seen.add(digest)
        return found

    def taken_back(self, record: Record) -> list[Record]:
        """The earlier changes of a file that one takes back, where it makes of the file, to the
        byte, what it was before them; the last one first."""
        found = []
        for each in self.chain(record.before, Path(record.path)):
            if _of_another(each, record.path):
                break
            found.append(each)
            if each.before == record.after:
                return found
        return []

    def last(self, path: Path) -> Record | None:
        """The record of the last change of the file that lay here."""
        try:
            return self.find(self._at(os.fsdecode(path)).read_text("ascii"), path)
        except FileNotFoundError:
            return None

    def forget(self, record: Record, path: Path) -> None:
        """Throw a record away whose change was undone in the file that lies here.

        That of another file that is still where it was stays: the two were equal.
        """
        if _of_another(record, os.fsdecode(path)):
            return
        self._of(record).unlink(missing_ok=True)
        earlier = self.find(record.before, Path(record.path))
        if earlier is None or earlier.path != record.path:
            self._at(record.path).unlink(missing_ok=True)
        else:
            _write(self._at(record.path), earlier.after)

    def _of(self, record: Record) -> Path:
        name = f"{record.after}.{_hashed(record.path)}.json"
        return self.folder / "by-content" / record.after[:3] / name

    def _at(self, path: str) -> Path:
        return self.folder / "by-path" / _hashed(path)[:3] / _hashed(path)


def _of_another(record: Record, path: str) -> bool:
    """Whether a change is of another file than the one that lies here, which was not moved here."""
    return record.path != path and os.path.lexists(record.path)


def digest(blocks: Iterable[bytes]) -> str:
    """The sha256 of a file in blocks."""
    whole = hashlib.sha256()
    for block in blocks:
        whole.update(block)
    return whole.hexdigest()


def settle(folder: Path) -> None:
    """Have the disk keep what was put into a folder, where systems can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _hashed(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def _read(file: Path) -> Record:
    try:
        data = json.loads(file.read_text("ascii"))
        back = tuple(
            Splice(start, end, base64.b64decode(new)) for start, end, new in data.pop("back")
        )
        data |= {"had": tuple(data["had"]), "wrote": tuple(data["wrote"]), "back": back}
        return Record(**data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InscribeError(f"the record {file} is damaged: {error}") from None


def _as_data(splice: Splice) -> tuple[int, int, str]:
    return splice.start, splice.end, base64.b64encode(splice.new).decode("ascii")


def _write(path: Path, text: str) -> None:
    """Only for the user's eyes: it holds what stood in their files."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + f".{os.getpid()}.part")
    with part.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    settle(path.parent)
