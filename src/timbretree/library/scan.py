"""Scanning folders into a library: what is new or changed is tagged, the rest is left alone.

Each track is one transaction. A scan that was killed has lost the files in hand, and goes on where
it was when it is run again.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from timbretree.batch.how import HowToTag
from timbretree.batch.inputs import Asked
from timbretree.files import alone
from timbretree.library import store
from timbretree.library.binding import Binding
from timbretree.library.catalogue import Catalogue, File, Summary
from timbretree.library.store import LibraryError
from timbretree.tags import Tags

EVERY = 100
"""Files seen between two words on how many there are."""


class Workers(Protocol):
    """Who tags: ``timbretree.batch.Crew``."""

    def tag(self, paths: Iterable[Path]) -> Iterator[Tags]:
        """Tag files, in the order in which they are done."""


class Scan:
    """One scan: look first, then tag what is to be tagged.

    >>> with scanning("music.db", how) as scan:
    ...     for count in scan.look(["/music"]):
    ...         print(count, "files seen")
    ...     with Crew(how) as crew:
    ...         for tags in scan.tag(crew):
    ...             print(tags.file, tags.status)
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.todo: list[tuple[File, bytes | None]] = []
        """What is to be tagged, with its digest where that is known already."""

    @property
    def summary(self) -> Summary:
        """What was found and done up to now."""
        return self._catalogue.summary

    def look(self, roots: Sequence[str | Path], *, retry: bool = False) -> Iterator[int]:
        """Walk through folders and files, and find what to tag; yields how many were seen.

        Marks what is gone, and what is back; finds what was moved or copied. A root that is not
        there, or holds no sound any more where the library knows some, may be on a disk that is
        unplugged: nothing below it is marked, and ``Summary.trouble`` says so. ``retry`` tries
        files again that failed for a reason that may have gone.
        """
        seen: set[bytes] = set()
        fresh: list[File] = []
        for root in roots:
            dark: list[bytes] = []
            found = 0
            for file in self._walk(os.path.abspath(root), dark):
                found += 1
                if file.path in seen:
                    continue
                seen.add(file.path)
                if not self._catalogue.knows(file, retry=retry):
                    fresh.append(file)
                if len(seen) % EVERY == 0:
                    yield len(seen)
            self._mark(os.path.abspath(root), seen, dark, found)
        for file in fresh:
            self._take(file)
            yield len(seen)
        yield len(seen)

    def tag(self, crew: Workers) -> Iterator[Tags]:
        """Tag what ``look`` found, and put each file down as it is done."""
        waiting: dict[str, tuple[File, bytes | None]] = {}

        def paths() -> Iterator[Path]:
            for file, known in self.todo:
                digest = known or file.digest()  # the worker then finds its bytes in memory
                if digest is None or not self._catalogue.adopt(file, digest):
                    waiting[file.name] = file, digest
                    yield Path(file.name)

        for tags in crew.tag(paths()):
            file, digest = waiting.pop(tags.file)
            self._catalogue.put(file, digest, tags)
            yield tags

    def _walk(self, root: str, dark: list[bytes]) -> Iterator[File]:
        """The sound files below a root; ``dark`` gathers the places that could not be seen."""
        for found in Asked((root,)):
            path = os.path.abspath(found.path)
            try:
                if found.reason is not None:
                    raise OSError(found.message)
                status = os.stat(path)
            except OSError as error:
                dark.append(os.fsencode(path))
                if os.path.lexists(root):
                    self.summary.trouble.append(f"{path}: {error.strerror or error}")
                continue
            yield File(os.fsencode(path), status.st_size, status.st_mtime_ns)

    def _mark(self, root: str, seen: set[bytes], dark: list[bytes], found: int) -> None:
        """Mark what is gone below a root, if that can be told."""
        place = os.fsencode(root)
        known = self._catalogue.below(place)
        gone = [
            number
            for number, path in known
            if path not in seen
            and not any(path == each or path.startswith(os.path.join(each, b"")) for each in dark)
        ]
        if os.path.lexists(root) and (found or not gone):
            self._catalogue.lose(gone)
            return
        what = "holds no sound file" if os.path.lexists(root) else "is not there"
        left = (
            f"; the library knows {len(known)} below it and leaves them as they are, "
            "for a disk may be unplugged"
        )
        self.summary.trouble.append(f"{root} {what}{left if known else ''}")

    def _take(self, file: File) -> None:
        """Tag a file later, unless its bytes are known: it was moved, copied or only touched."""
        digest = file.digest() if self._catalogue.may_know(file) else None
        if digest is None or not self._catalogue.adopt(file, digest):
            self.todo.append((file, digest))


def how_of(path: str | Path) -> HowToTag:
    """How a library was heard; how one is that is still to be made, where there is none.

    Raises LibraryError.
    """
    if not Path(path).exists():
        return HowToTag()
    readers = store.Readers(Path(path))
    try:
        with readers.lent() as db:
            return store.binding_of(db, Path(path)).how
    finally:
        readers.close()


@contextmanager
def scanning(path: str | Path, how: HowToTag, *, rescan: bool = False) -> Iterator[Scan]:
    """Open a library to scan into it, a new one where there is none.

    ``rescan`` is for a library of another model, taxonomy or hop: what was heard with that is
    forgotten, the files are not, and all are to be tagged again. Raises LibraryError where it was
    not asked for, BusyError where another process scans into it, and ModelFileError.
    """
    path = Path(path)
    binding = Binding.of(how)
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        if not path.exists():
            store.create(path, binding)
        with store.to_write(path) as db:
            difference = store.binding_of(db, path).differs(binding)
            if difference is not None and not rescan:
                raise LibraryError(
                    f"{path} was heard with {difference}; add --rescan to tag all of it again, "
                    "or name another --library"
                )
            if difference is not None:
                db.execute("BEGIN IMMEDIATE")
                store.bind(db, binding)
                db.execute("COMMIT")
            yield Scan(Catalogue(db, binding))
