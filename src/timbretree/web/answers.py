"""What was heard, packed for keeping: a line of JSON, compressed; and unpacked again when asked."""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable

from timbretree.tags import Tags
from timbretree.writers import as_json

UNPACKED = 4
"""Answers that are held unpacked: whoever looks at a recording asks for many of its moments."""


def pack(tags: Tags) -> bytes:
    """All of the Tags in few bytes."""
    return zlib.compress(as_json.write(tags, True).encode("utf-8"), 6)


def unpack(packed: bytes) -> Tags:
    """The Tags again."""
    return as_json.read(zlib.decompress(packed).decode("utf-8"))


class Unpacked:
    """The answers that were asked for last; safe to use from several threads."""

    def __init__(self, most: int = UNPACKED) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, Tags] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Tags]) -> Tags:
        """The Tags of a key, made where they are not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            self._held[key] = made
            while len(self._held) > self.most:
                self._held.popitem(last=False)
        return made

    def forget(self, key: Hashable) -> None:
        """Hold it no longer."""
        with self._lock:
            self._held.pop(key, None)
