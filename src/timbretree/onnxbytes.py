"""Read metadata and weights straight from the bytes of an .onnx file.

ONNX Runtime shows neither before it has built a session, and never shows weights; the onnx package
would, at the price of a larger install and a slower start for every user. An .onnx file is one
protocol-buffer message, of which a few fields matter here (numbers from onnx.proto, format IR 3 and
later).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# ModelProto
_GRAPH, _METADATA = 7, 14
# GraphProto
_INITIALIZER = 5
# TensorProto
_DATA_TYPE, _FLOAT_DATA, _NAME, _RAW_DATA, _LOCATION = 2, 4, 8, 9, 14
_FLOATS: dict[int, np.dtype[np.floating]] = {
    1: np.dtype("<f4"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
_EXTERNAL = 1

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


class MalformedError(ValueError):
    """Bytes that are not an ONNX model."""


class OnnxBytes:
    """The bytes of an .onnx file, and what can be read off them without running anything."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def metadata(self) -> dict[str, str]:
        """The model's metadata entries."""
        entries = {}
        for entry in _all(memoryview(self.data), _METADATA):
            fields = dict(_fields(entry))
            key, value = fields.get(1, b""), fields.get(2, b"")
            if isinstance(key, int) or isinstance(value, int):
                raise MalformedError("a metadata entry is not text")
            entries[_text(key)] = _text(value)
        return entries

    def weights(self) -> Iterator[tuple[str, NDArray[np.floating]]]:
        """The name and the values of each floating-point tensor that the graph brings along."""
        for graph in _all(memoryview(self.data), _GRAPH):
            for tensor in _all(graph, _INITIALIZER):
                yield from _floats(tensor)


def _floats(tensor: memoryview) -> Iterator[tuple[str, NDArray[np.floating]]]:
    fields = dict(_fields(tensor))
    if fields.get(_LOCATION) == _EXTERNAL:
        raise MalformedError("its weights lie in another file")
    kind = fields.get(_DATA_TYPE)
    values = fields.get(_RAW_DATA, fields.get(_FLOAT_DATA, b""))
    name = fields.get(_NAME, b"")
    if isinstance(values, int) or isinstance(name, int):
        raise MalformedError("a tensor's name or values are a number")
    if isinstance(kind, int) and kind in _FLOATS:
        if len(values) % _FLOATS[kind].itemsize:
            raise MalformedError("a tensor's values are cut off")
        yield _text(name), np.frombuffer(values, _FLOATS[kind])


def _all(message: memoryview, number: int) -> Iterator[memoryview]:
    for found, value in _fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field of a protocol-buffer message: its number, and an integer or its bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(message, position)
        elif wire in (_EIGHT, _FOUR):
            size = 8 if wire == _EIGHT else 4
        else:
            raise MalformedError("it is not an ONNX file")
        if position + size > len(message):
            raise MalformedError("it is not an ONNX file, or it is cut off")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if position >= len(message):
            raise MalformedError("it is not an ONNX file, or it is cut off")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise MalformedError("it is not an ONNX file")


def _text(value: bytes | memoryview) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a name in it is not text") from error
