"""Numbers, trees and bands as plain data of which the same can be made again."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.bands import Bands
from timbretree.tags import Tags
from timbretree.taxonomy import Taxonomy, TaxonomyError

Array = NDArray[np.float32]


def rounded(value: float) -> float:
    """A probability as people read it: four digits."""
    return round(float(value), 4)


def exact(value: float) -> float:
    """A probability in the fewest digits that give the same float32 again."""
    return float(str(np.float32(value)))


def single(number: float) -> float:
    """The float32 of which ``exact`` made a number, as a float."""
    return float(np.float32(number))


def column(names: tuple[str, ...], values: Any) -> Array:
    """(K,) from numbers by name; those that are left out are 0. Raises ValueError for strangers."""
    if not values.keys() <= set(names):
        raise ValueError(f"{min(values.keys() - set(names))!r} is not in its tree")
    return np.array([values.get(name, 0.0) for name in names], np.float32)


def rest(tags: Tags) -> dict[str, Any]:
    """What a record holds besides what people read: the tree, the bands, the embedding."""
    return {
        "tree": tags.taxonomy.to_dict(),
        "tag_bands": _bands(tags.tag_bands),
        "group_bands": _bands(tags.group_bands),
        "embedding": None if tags.embedding is None else _packed(tags.embedding),
    }


def read_tree(data: Any) -> Taxonomy:
    """The tree of a record; without one, the tree of that name that ships with timbretree."""
    if "record" in data:
        return Taxonomy.from_dict(data["record"]["tree"])
    try:
        return Taxonomy.load(data["taxonomy"])
    except TaxonomyError as error:
        raise ValueError(f"this line was written without --explain, and {error}") from None


def read_bands(data: Any) -> Bands | None:
    """Bands from their plain data."""
    return None if data is None else Bands(*(tuple(map(float, each)) for each in data))


def read_embedding(data: str | None) -> Array | None:
    """An embedding (D,) from its plain data."""
    if data is None:
        return None
    return np.frombuffer(base64.b64decode(data, validate=True), "<f4").astype(np.float32)


def _bands(bands: Bands | None) -> list[list[float]] | None:
    return None if bands is None else [list(map(float, each)) for each in bands]


def _packed(vector: Array) -> str:
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode("ascii")
