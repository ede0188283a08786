"""What is to be tagged: sound files out of folders, globs, playlists and lists, each of them once.

Nothing is collected: a folder is read while its files are tagged, however many there are.
"""

import glob
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from timbretree.batch.playlists import NET, is_playlist, open_list, read_list, read_playlist

ENDINGS = (
    "wav wave bwf rf64 w64 aif aiff aifc au snd caf flac mp3 mp2 mp1 mpga ogg oga opus spx "
    "m4a m4b m4r aac adts ac3 eac3 dts wma wv ape tta mpc tak dsf dff amr awb 3ga mka ra voc "
    "mp4 m4v mov mkv webm avi wmv asf flv mpg mpeg mts m2ts vob 3gp 3g2 ogv ogm rm rmvb"
)
SOUND = frozenset(f".{ending}" for ending in ENDINGS.split())
"""How files end that are taken out of folders, in any case: sound, and videos with sound."""

ON_THE_NET = "this is an address on the net; download it first"
NO_NAME = "no file can be called so"
NO_MATCH = "no file matches this pattern"


class Input(NamedTuple):
    """One recording to be tagged."""

    path: Path
    key: str
    """Where it lies below what was asked for, with ``/``: chooses its shard, places its result."""
    reason: str | None = None
    """A code of ``REASONS`` where it is known that this is no file to be read."""
    message: str | None = None

    @property
    def place(self) -> str:
        """Where the file really lies: the same however it was named and reached."""
        return os.path.join(_real(os.path.dirname(self.path)), self.path.name)


@dataclass(frozen=True)
class Shard:
    """One of so many parts that share no file and together miss none, on whatever machines."""

    number: int
    """From 1 to ``count``."""
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(
                f"expected a shard from 1/{self.count} on, up to {self.count}/{self.count}, "
                f"got {self.number}/{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a shard as people write it: 3/16. Raises ValueError."""
        found = re.fullmatch(r"(\d+)/([1-9]\d*)", text.strip())
        if not found:
            raise ValueError(f"expected a shard such as 3/16, the third of sixteen, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def holds(self, key: str) -> bool:
        """Whether an input with this key is in this shard."""
        same = unicodedata.normalize("NFC", key)  # a Mac's disk spells ü in two letters
        digest = hashlib.blake2b(same.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


@dataclass(frozen=True)
class Asked:
    """What somebody asked to be tagged; iterate over it for each Input, as often as you like.

    ``names`` are files (taken whatever they are called), folders (searched for sound files, hidden
    ones left out), globs and playlists. ``lists`` are files that hold names, one a line or each
    followed by a NUL; ``-`` is standard input. Raises OSError where a list can't be read.
    """

    names: Sequence[str] = ()
    lists: Sequence[Path] = ()
    shard: Shard | None = None
    base: str = field(init=False)
    """The folder that keys are relative to: the nearest that holds all that was asked for."""

    def __post_init__(self) -> None:
        places = [_place(name) for name in self.names] + [os.getcwd()] * bool(self.lists)
        try:
            base = os.path.commonpath(places) if places else os.getcwd()
        except ValueError:  # on two drives of Windows
            base = os.getcwd()
        object.__setattr__(self, "base", base)

    def __iter__(self) -> Iterator[Input]:
        for found in _Search(self.base).all(self):
            if self.shard is None or self.shard.holds(found.key):
                yield found

    @property
    def again(self) -> bool:
        """Whether it can be read more than once: standard input and pipes can't."""
        return all(path.is_file() for path in self.lists)


def is_sound(name: str) -> bool:
    """Whether a file in a folder is taken, by its name: known endings, nothing hidden."""
    return os.path.splitext(name)[1].lower() in SOUND and not name.startswith(".")


class _Search:
    """One walk through all that was asked for, which remembers what it met: each real folder, and
    each file that was named; not those of folders, which can't be met twice."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._walked: set[tuple[int, int]] = set()
        self._named: set[tuple[object, str]] = set()

    def all(self, asked: Asked) -> Iterator[Input]:
        for name in asked.names:
            if glob.has_magic(name) and not os.path.lexists(name):
                yield from self._glob(name)
            else:
                yield from self._one(name)
        for path in asked.lists:
            with open_list(path) as file:
                for name in read_list(file):
                    yield from self._one(name)

    def _one(self, name: str) -> Iterator[Input]:
        path = Path(name)
        if (net := NET.match(name)) or "\0" in name:
            key = f"_/{quote(name, safe='', errors='surrogateescape')}"
            if self._is_new(Path(key)):
                yield Input(path, key, "missing", ON_THE_NET if net else NO_NAME)
        elif os.path.isdir(path):
            yield from self._walk(path)
        elif is_playlist(path) and path.is_file():
            if self._is_new(path):
                yield from self._playlist(path)
        elif self._is_new(path):
            yield self._input(path)

    def _playlist(self, path: Path) -> Iterator[Input]:
        try:
            for name in read_playlist(path):
                yield from self._one(name)
        except OSError as error:
            yield self._unreadable(path, error)

    def _glob(self, pattern: str) -> Iterator[Input]:
        any_kind = bool(os.path.splitext(pattern)[1])  # *.dat wants them, music/** does not
        found = False
        for name in sorted(glob.iglob(pattern, recursive=True)):
            found = True
            if any_kind or os.path.isdir(name) or is_sound(os.path.basename(name)):
                yield from self._one(name)
        if not found:
            path = Path(pattern)
            yield Input(path, _key(path, self.base), "missing", NO_MATCH)

    def _walk(self, root: Path) -> Iterator[Input]:
        folders = [os.fspath(root)]
        while folders:
            folder = folders.pop()
            try:
                identity = _identity(folder)
                if identity in self._walked:  # named twice, or a link that leads round
                    continue
                self._walked.add(identity)
                files, below = _list(folder)
            except OSError as error:
                yield self._unreadable(Path(folder), error)
                continue
            for name in files:
                if (identity, name) not in self._named:
                    yield self._input(Path(folder, name))
            folders += [os.path.join(folder, name) for name in reversed(below)]

    def _is_new(self, path: Path) -> bool:
        """Whether a file that was named has not been met yet, by this or any other way."""
        try:
            folder = _identity(path.parent)
        except OSError:
            me: tuple[object, str] = ("", os.path.abspath(path))
        else:
            if folder in self._walked and is_sound(path.name) and os.path.lexists(path):
                return False
            me = (folder, path.name)
        new = me not in self._named
        self._named.add(me)
        return new

    def _input(self, path: Path) -> Input:
        return Input(path, _key(path, self.base))

    def _unreadable(self, path: Path, error: OSError) -> Input:
        message = f"this can't be read: {error.strerror or error}"
        return Input(path, _key(path, self.base), "unreadable", message)


def _identity(folder: str | Path) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _list(folder: str) -> tuple[list[str], list[str]]:
    """The sound files in a folder, and the folders, each in order."""
    files, below = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_folder(entry):
                below += [entry.name] * (not entry.name.startswith("."))
            elif is_sound(entry.name):
                files.append(entry.name)
    return sorted(files), sorted(below)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; the tagger will say so, if it is called a sound file
        return False


@lru_cache(64)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _key(path: Path, base: str) -> str:
    absolute = os.path.abspath(path)
    try:
        key = Path(absolute).relative_to(base)
    except ValueError:  # a playlist may lead anywhere
        key = Path("_", *Path(absolute).parts[1:])
    return key.as_posix()


def _place(name: str) -> str:
    """The folder in which to look for what a name names."""
    if glob.has_magic(name) and not os.path.lexists(name):
        fixed = Path(re.split(r"[*?[]", name, maxsplit=1)[0] + "_").parent
        return os.path.abspath(fixed)
    absolute = os.path.abspath(name)
    return absolute if os.path.isdir(name) else os.path.dirname(absolute)
