"""Sound files changed at random: a seed gives the same until a kind of file is added."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from bad_audio import FORMATS, GOOD, good

NAMES = (*GOOD, *FORMATS)


def mutated(seed: int) -> tuple[str, bytes]:
    """The kind of file a seed begins with, and what it makes of it."""
    random = np.random.default_rng(seed)
    name = NAMES[seed % len(NAMES)]
    content = bytearray(good(name))
    for _ in range(random.integers(1, 5)):
        MUTATIONS[random.integers(len(MUTATIONS))](random, content)
        if not content:
            break
    return name, bytes(content)


def _part(random: Generator, content: bytearray) -> slice:
    """Some part of a file, small more often than large."""
    start = int(random.integers(len(content)))
    return slice(start, start + int(len(content) ** random.random()))


def _flip(random: Generator, content: bytearray) -> None:
    for _ in range(int(200 ** random.random())):
        content[random.integers(len(content))] ^= 1 << random.integers(8)


def _cut(random: Generator, content: bytearray) -> None:
    del content[random.integers(len(content)) :]


def _empty(random: Generator, content: bytearray) -> None:
    part = _part(random, content)
    content[part] = bytes(len(content[part]))


def _noise(random: Generator, content: bytearray) -> None:
    part = _part(random, content)
    content[part] = random.bytes(len(content[part]))


def _leave_out(random: Generator, content: bytearray) -> None:
    del content[_part(random, content)]


def _repeat(random: Generator, content: bytearray) -> None:
    place = int(random.integers(len(content)))
    content[place:place] = content[_part(random, content)]


def _splice(random: Generator, content: bytearray) -> None:
    """Half of one file, half of another."""
    other = good(NAMES[random.integers(len(NAMES))])
    content[random.integers(len(content)) :] = other[random.integers(len(other)) :]


def _byte_of_head(random: Generator, content: bytearray) -> None:
    for _ in range(int(20 ** random.random())):
        content[random.integers(min(len(content), 300))] = random.integers(256)


def _number_of_head(random: Generator, content: bytearray) -> None:
    """A number as no reasonable file has it, anywhere in the first 400 bytes."""
    width = int(random.choice([1, 2, 4, 8]))
    first = int(random.choice([0x00, 0xFF, 0x7F, 0x80]))
    place = int(random.integers(min(len(content), 400)))
    value = bytes([first]) + (b"\x00" if random.random() < 0.5 else b"\xff") * (width - 1)
    content[place : place + width] = value if random.random() < 0.5 else value[::-1]


def _number_of_index(random: Generator, content: bytearray) -> None:
    """The same near the end, where an MP4 has its index."""
    place = max(0, len(content) - 1 - int(random.integers(3000)))
    content[place : place + 4] = random.bytes(4) if random.random() < 0.5 else b"\xff" * 4


MUTATIONS: list[Callable[[Generator, bytearray], None]] = [
    _flip,
    _cut,
    _empty,
    _noise,
    _leave_out,
    _repeat,
    _splice,
    _byte_of_head,
    _number_of_head,
    _number_of_index,
]
