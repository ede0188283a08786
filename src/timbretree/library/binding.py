"""What a library was heard with: one model, one taxonomy and one hop for all its tracks."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.bands import Bands
from timbretree.batch.how import HowToTag
from timbretree.calibration import Calibrated
from timbretree.modelfile import SHIPPED, read_info
from timbretree.taxonomy import BUILT_IN, Taxonomy

ABSENT, UNSURE, PRESENT = 0, 1, 2
"""The three answers, as a library keeps them."""


@dataclass(frozen=True)
class Binding:
    """The model, the taxonomy and the hop of a library, and where present and unsure begin."""

    model: str
    """The model's name."""
    digest: str
    """The SHA-256 of the model file: two models may share a name."""
    taxonomy: Taxonomy
    hop: float
    """Seconds from one window to the next."""
    tag_bands: Bands
    how: HowToTag
    """How to make the Tagger again."""
    group_bands: Bands | None = None
    """None where the families are not the model's own: one plays where an instrument of it does."""

    @classmethod
    def of(cls, how: HowToTag) -> "Binding":
        """What files will be heard with. Raises ModelFileError, OSError and ValueError."""
        how = _lasting(how)
        info = read_info(how.model)
        own = Calibrated.of(info)
        tree = info.taxonomy if how.taxonomy is None else Taxonomy.load(how.taxonomy)
        return cls(
            model=info.name,
            digest=hashlib.sha256(how.model.read_bytes()).hexdigest(),
            taxonomy=tree,
            hop=info.hop if how.hop is None else how.hop,
            tag_bands=own.tag_bands,
            how=how,
            group_bands=own.group_bands if tree.children == info.taxonomy.children else None,
        )

    def answers(self, tags: NDArray[Any], groups: NDArray[Any]) -> NDArray[np.int8]:
        """(W, F) and (W, C) probabilities of windows to (W, F + C) answers: 0, 1 or 2."""
        told = self._read(self.tag_bands, tags)
        if self.group_bands is not None:
            return np.hstack([told, self._read(self.group_bands, groups)])
        below = np.where(self.taxonomy.members, told[:, :, None], ABSENT)  # (W, F, C)
        return np.hstack([told, below.max(axis=1)]).astype(np.int8)

    @staticmethod
    def _read(bands: Bands, probabilities: NDArray[Any]) -> NDArray[np.int8]:
        present, unsure = bands.read(probabilities)
        return np.where(present, PRESENT, np.where(unsure, UNSURE, ABSENT)).astype(np.int8)

    def differs(self, other: "Binding") -> str | None:
        """What of another one is different, in words; None where they are the same."""
        if self.digest != other.digest:
            return (
                f"the model {self.model} ({self.digest[:8]}), now asked for is "
                f"{other.model} ({other.digest[:8]})"
            )
        if self.taxonomy != other.taxonomy:
            return f"the families of {self.taxonomy.name}, now asked for is {other.taxonomy.name}"
        if self.hop != other.hop:
            return f"a window every {self.hop:g} s, now asked for is one every {other.hop:g} s"
        return None

    def to_json(self) -> str:
        """All of it, as JSON."""
        data = {
            "model": self.model,
            "digest": self.digest,
            "taxonomy": self.taxonomy.to_dict(),
            "hop": self.hop,
            "tag_bands": self.tag_bands,
            "group_bands": self.group_bands,
            "how": {
                "model": None if self.how.model == SHIPPED else str(self.how.model),
                "taxonomy": self.how.taxonomy,
                "hop": self.how.hop,
            },
        }
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str) -> "Binding":
        """Read it again. Raises ValueError, KeyError and TypeError where something is wrong."""
        data = json.loads(text)
        groups, how = data["group_bands"], data["how"]
        model = SHIPPED if how["model"] is None else Path(how["model"])
        return cls(
            model=data["model"],
            digest=data["digest"],
            taxonomy=Taxonomy.from_dict(data["taxonomy"]),
            hop=data["hop"],
            tag_bands=_bands(data["tag_bands"]),
            how=HowToTag(model, how["taxonomy"], how["hop"]),
            group_bands=None if groups is None else _bands(groups),
        )


def _lasting(how: HowToTag) -> HowToTag:
    """The same from any folder."""
    tree = how.taxonomy
    if tree is not None and tree not in BUILT_IN:
        tree = os.path.abspath(tree)
    model = how.model if how.model == SHIPPED else Path(os.path.abspath(how.model))
    return replace(how, model=model, taxonomy=tree)


def _bands(data: list[list[float]]) -> Bands:
    present, absent = data
    return Bands(tuple(present), tuple(absent))
