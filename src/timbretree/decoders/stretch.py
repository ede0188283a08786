"""What a decoder gives: stretches of decoded sound, and whether something was wrong."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

BLOCK = 1 << 16
"""Decoded values (frames times channels) held at a time: 256 KiB of float32."""


class Stretch(NamedTuple):
    """Some decoded sound: ``samples`` (T, channels) float32, to be used before the next is asked
    for, and its ``rate`` in Hz. The rate and the channels may change from one to the next."""

    samples: Samples
    rate: int


class Decoder(Protocol):
    """A sound file that is read once, from its beginning."""

    rate: int
    """Of the first stretch, in Hz."""
    channels: int
    """Of the first stretch."""
    reason: str | None
    """After the last stretch: why not all of the file could be decoded, or None."""

    def __iter__(self) -> Iterator[Stretch]: ...

    def close(self) -> None:
        """Close the file."""
