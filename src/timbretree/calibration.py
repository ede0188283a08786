"""Probabilities that can be taken at their word: fitted on clips the network was not trained on.

A network trained on one mix of music says 70% too often or too seldom of another. ``Calibration``
puts that right, tag by tag; ``timbretree.bands`` says what the answer to each probability is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.bands import Bands, Bools, Floats, observed_cells
from timbretree.labels import Labels, Prediction
from timbretree.taxonomy import Taxonomy

IMAGINED = 20
"""Cells that hold each map to what the network itself says."""
FLATTEST = 0.1
"""The least ``a`` and ``b``: above 0, so that two different probabilities stay different."""
LEAST, GAP = 1e-12, 1e-7
"""The least probability that is told from 0; and the least distance from 1, as in float32."""


@dataclass(frozen=True)
class Calibration:
    """What is so when a network says p: a map for each of K tags, or of K groups.

    Beta calibration (Kull, Silva Filho and Flach 2017): logit(q) = a ln p - b ln(1 - p) + c, with
    a and b above 0, so that rankings stay. a = b = 1 and c = 0 change nothing, and neither does
    ``Calibration()``, which has no numbers and fits any K. Raises ValueError for numbers that make
    no such map.
    """

    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()
    c: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("a", "b", "c"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        if not len(self.a) == len(self.b) == len(self.c):
            sizes = f"{len(self.a)}, {len(self.b)} and {len(self.c)}"
            raise ValueError(f"a calibration has an a, a b and a c for each tag; got {sizes}")
        if not all(np.isfinite(self.a + self.b + self.c)) or min(self.a + self.b, default=1.0) <= 0:
            raise ValueError("a calibration is made of finite numbers, with a and b above 0")

    @classmethod
    def fit(cls, scores: Floats, labels: Labels, *, weights: Floats | None = None) -> "Calibration":
        """The most likely map for what a network said (N, K) of clips it was not trained on.

        Only observed cells count, each as much as its clip's weight (N,), by default 1. Beside them
        stand 20 imagined cells a column, spread evenly from 0 to 1, in which the network is right
        about itself: a thousand cells decide their map, ten hardly move it. A tag of which it is
        only known that it plays, or only that it does not, keeps what the network says. The order
        of the clips does not matter.
        """
        maps = [_fit(*column) for column in observed_cells(scores, labels, weights)]
        return cls(*zip(*maps, strict=True)) if maps else cls()

    def apply(self, probabilities: Floats) -> NDArray[np.float32]:
        """Probabilities (..., K) put right, in float32."""
        if not self.a:
            return np.asarray(probabilities, np.float32)
        low, high = _logs(probabilities)
        logits = np.array(self.a) * low + np.array(self.b) * high + np.array(self.c)
        return _sigmoid(logits).astype(np.float32)


UNTOUCHED = Calibration()
"""The calibration of a network that has none."""


class Calibrated(NamedTuple):
    """How the probabilities of a network become answers.

    Its fields are those of a checkpoint and of a model file's ModelInfo by the same names, so
    ``dataclasses.replace(checkpoint, **calibrated._asdict())`` calibrates a checkpoint.
    """

    tag_thresholds: tuple[float, ...]
    """(F,): a tag is present from this calibrated probability on."""
    group_thresholds: tuple[float, ...]
    """(C,): the same for groups."""
    tag_absent_below: tuple[float, ...] = ()
    """(F,): a tag is absent below this one, and unsure from here up to its threshold; empty where
    nothing is unsure."""
    group_absent_below: tuple[float, ...] = ()
    """(C,) or empty: the same for groups."""
    tag_calibration: Calibration = UNTOUCHED
    group_calibration: Calibration = UNTOUCHED

    @classmethod
    def of(cls, owner: Any) -> "Calibrated":
        """What a checkpoint or a ModelInfo says of it."""
        return cls(*(getattr(owner, name) for name in cls._fields))

    @property
    def tag_bands(self) -> Bands:
        """Where tags are present, unsure and absent."""
        return Bands(self.tag_thresholds, self.tag_absent_below or self.tag_thresholds)

    @property
    def group_bands(self) -> Bands:
        """Where groups are present, unsure and absent."""
        return Bands(self.group_thresholds, self.group_absent_below or self.group_thresholds)

    def correct(self, said: Prediction) -> Prediction:
        """What a network said of some clips, in numpy, put right; its attention stays as it is."""
        return said._replace(
            fine=self.tag_calibration.apply(said.fine),
            coarse=self.group_calibration.apply(said.coarse),
        )

    def check(self, taxonomy: Taxonomy) -> None:
        """Raise ValueError where the numbers do not fit each other or the taxonomy."""
        _check("tags", taxonomy.tags, self.tag_bands, self.tag_calibration)
        _check("groups", taxonomy.groups, self.group_bands, self.group_calibration)


def calibrate(
    fine_scores: Floats,
    coarse_scores: Floats,
    fine_labels: Labels,
    coarse_labels: Labels,
    weights: Floats | None = None,
) -> Calibrated:
    """Calibrate both levels on clips that the network was not trained on.

    Scores are what the network itself says, (N, F) and (N, C); ``weights`` (N,) is how much each
    clip counts, by default 1. See ``Calibration.fit`` and ``Bands.choose``.
    """
    maps, bands = [], []
    for scores, labels in ((fine_scores, fine_labels), (coarse_scores, coarse_labels)):
        maps.append(Calibration.fit(scores, labels, weights=weights))
        bands.append(Bands.choose(maps[-1].apply(scores), labels, weights=weights))
    tags, groups = bands
    return Calibrated(
        tags.present_from, groups.present_from, tags.absent_below, groups.absent_below, *maps
    )


UNCALIBRATED: dict[str, Any] = {
    "tag_absent_below": (),
    "group_absent_below": (),
    "tag_calibration": UNTOUCHED,
    "group_calibration": UNTOUCHED,
}
"""What a checkpoint or model file from before there was calibration would have said."""


def read_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a checkpoint or model file that a calibration adds, from their JSON.

    Raises KeyError, TypeError and ValueError where they are missing or ill-formed.
    """
    return {
        f"{level}_{entry}": read(record[f"{level}_{entry}"])
        for level in ("tag", "group")
        for entry, read in (
            ("absent_below", lambda numbers: tuple(map(float, numbers))),
            ("calibration", lambda entries: Calibration(**entries)),
        )
    }


def _check(kind: str, names: tuple[str, ...], bands: Bands, calibration: Calibration) -> None:
    for what, numbers in zip(("thresholds", "numbers in absent_below"), bands, strict=True):
        if len(numbers) != len(names):
            raise ValueError(
                f"its taxonomy has {len(names)} {kind} but there are {len(numbers)} {what}"
            )
    for name, high, low in zip(names, *bands, strict=True):
        if not 0 <= high <= 1:
            raise ValueError(f"a threshold of its {kind} is not between 0 and 1")
        if not 0 <= low <= high:
            raise ValueError(
                f"{name} is absent below {low}, which is not between 0 and its threshold, {high}"
            )
    if len(calibration.a) not in (0, len(names)):
        raise ValueError(
            f"its taxonomy has {len(names)} {kind} but {len(calibration.a)} are calibrated"
        )


def _logs(probabilities: Floats) -> tuple[Floats, Floats]:
    """ln p and -ln(1 - p), finite even of 0 and 1."""
    exact = np.asarray(probabilities, np.float64)
    return np.log(np.maximum(exact, LEAST)), -np.log(np.maximum(1 - exact, GAP))


def _sigmoid(logits: Floats) -> Floats:
    stable: Floats = np.exp(-np.logaddexp(0.0, -logits))
    return stable


def _fit(said: Floats, so: Bools, counts: Floats) -> tuple[float, float, float]:
    if not so.any() or so.all():
        return 1.0, 1.0, 0.0
    from scipy.optimize import minimize  # not needed to use a model

    imagined = (np.arange(IMAGINED) + 0.5) / IMAGINED
    features = np.stack([*_logs(np.append(said, imagined)), np.ones(len(said) + IMAGINED)], axis=1)
    target = np.concatenate([so, imagined])
    share = np.concatenate([counts, np.ones(IMAGINED)]) / (counts.sum() + IMAGINED)

    def loss(weights: Floats) -> tuple[float, Floats]:
        """The mean cross-entropy and its gradient."""
        logits = features @ weights
        excess = _sigmoid(logits) - target
        entropy = float(share @ (np.logaddexp(0.0, logits) - target * logits))
        return entropy, features.T @ (share * excess)

    bounds = ((FLATTEST, None), (FLATTEST, None), (None, None))
    strict = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000}
    found = minimize(
        loss, (1.0, 1.0, 0.0), jac=True, method="L-BFGS-B", bounds=bounds, options=strict
    )
    return tuple(found.x.tolist())
