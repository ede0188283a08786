"""A queue in which clients take turns, so that a folder of one keeps no single file waiting."""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """First in, first out for each client; the clients one after the other."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def of(self, client: str) -> int:
        """How many of a client's wait."""
        return len(self._lines.get(client, ()))

    def push(self, client: str, item: Item) -> None:
        """Put an item behind the others of its client."""
        self._lines.setdefault(client, deque()).append(item)

    def pop(self) -> Item:
        """Take the next item; its client is the last to be served again. Raises IndexError."""
        if not self._lines:
            raise IndexError("the queue is empty")
        client, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[client] = line
        return item

    def remove(self, client: str, item: Item) -> None:
        """Take an item out, wherever it stands. Raises ValueError where it does not."""
        line = self._lines.get(client, deque())
        line.remove(item)
        if not line:
            self._lines.pop(client, None)

    def places(self) -> dict[Item, int]:
        """The place of each item: 1 is next."""
        lines, order = [deque(line) for line in self._lines.values()], []
        while lines:
            order += [line.popleft() for line in lines]
            lines = [line for line in lines if line]
        return {item: place for place, item in enumerate(order, 1)}
