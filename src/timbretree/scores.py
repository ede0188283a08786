"""How good a set of predictions is: every measure we report, of tags and of groups, in one record.

Only observed cells count. A tag without both a present and an absent label can't be scored; it is
listed by name and left out of every mean.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from timbretree.labels import Labels, Prediction
from timbretree.metrics import (
    Bools,
    Floats,
    average_precision,
    calibration_error,
    f1_both,
    f1_present,
    hierarchical_f,
    macro,
    per_tag,
    roc_auc,
    violations,
)
from timbretree.taxonomy import Taxonomy


class Thresholds(NamedTuple):
    """From which probability on a tag or a group is claimed."""

    tags: tuple[float, ...]
    """One for each of the F tags."""
    groups: tuple[float, ...]
    """One for each of the C groups."""


@dataclass(frozen=True)
class TagScores:
    """The measures of one tag or one group; None where it can't be scored."""

    present: int
    """Clips in which it is known to play."""
    absent: int
    """Clips in which it is known not to play."""
    roc_auc: float | None
    pr_auc: float | None
    """Average precision."""
    f1_both: float | None
    """The mean of the F1 of *present* and the F1 of *absent*."""
    f1_present: float | None
    """The F1 of *present* alone."""
    calibration_error: float | None


@dataclass(frozen=True)
class LevelScores:
    """The macro averages of one level, tags or groups, over what can be scored."""

    roc_auc: float | None
    pr_auc: float | None
    f1_both: float | None
    f1_present: float | None
    calibration_error: float | None
    """Expected calibration error over all observed cells of the level together (not a mean)."""
    unscored: tuple[str, ...]
    """Names without a present or without an absent label."""
    by_name: dict[str, TagScores]


@dataclass(frozen=True)
class Scores:
    """All measures of a prediction against labels."""

    clips: int
    fine: LevelScores
    coarse: LevelScores
    hierarchical_precision: float | None
    hierarchical_recall: float | None
    hierarchical_f1: float | None
    violations: float | None
    """Share of (clip, parent-child pair) in which the child is claimed and its parent is not."""
    violations_probability: float | None
    """Share of (clip, parent-child pair) in which the child is more probable than its parent."""

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain data for JSON, in which None is what can't be scored."""
        data = asdict(self)
        for level in (data["fine"], data["coarse"]):
            level["unscored"] = list(level["unscored"])
        return data

    @classmethod
    def from_dict(cls, data: Any) -> "Scores":
        """Read what ``to_dict`` made. Raises ValueError where an entry is missing or unknown."""
        entries = _entries(cls, data)
        fine, coarse = _read_level(entries["fine"]), _read_level(entries["coarse"])
        return cls(**entries | {"fine": fine, "coarse": coarse})


def score(
    prediction: Prediction,
    fine: Labels,
    coarse: Labels,
    *,
    taxonomy: Taxonomy,
    thresholds: Thresholds,
) -> Scores:
    """Measure everything we report of what a network said of N clips.

    ``prediction`` holds numpy arrays (N, F) and (N, C), the labels bool arrays of the same shapes.
    A tag or a group is claimed where its probability is at its threshold or above. Cells that
    nobody observed count for violations alone, which need no labels. Raises ValueError for another
    shape, another number of thresholds, and for what is no probability.
    """
    tags = _told("tags", taxonomy.tags, prediction.fine, fine, thresholds.tags)
    groups = _told("groups", taxonomy.groups, prediction.coarse, coarse, thresholds.groups)
    if len(tags.said) != len(groups.said):
        raise ValueError(
            "a prediction of tags and of groups is of the same clips; "
            f"got {len(tags.said)} clips and {len(groups.said)}"
        )
    nodes = _Told(
        (*tags.names, *groups.names),
        *(np.hstack(pair) for pair in zip(tags[1:], groups[1:], strict=True)),
    )  # (N, F + C)
    overlap = hierarchical_f(nodes.claimed, nodes.target, nodes.mask, above=_above(taxonomy))
    child, parent = taxonomy.edges.T
    return Scores(
        clips=len(nodes.said),
        fine=_level(tags),
        coarse=_level(groups),
        hierarchical_precision=_known(overlap.precision),
        hierarchical_recall=_known(overlap.recall),
        hierarchical_f1=_known(overlap.f1),
        violations=_known(violations(nodes.claimed[:, child], nodes.claimed[:, parent])),
        violations_probability=_known(violations(nodes.said[:, child], nodes.said[:, parent])),
    )


class _Told(NamedTuple):
    """What a network said of K nodes, and what people did; arrays (N, K)."""

    names: tuple[str, ...]
    said: Floats
    claimed: Bools
    target: Bools
    mask: Bools


def _told(
    kind: str, names: tuple[str, ...], said: Any, labels: Labels, thresholds: tuple[float, ...]
) -> _Told:
    said, target, mask = np.asarray(said), *map(np.asarray, labels)
    if not said.shape == target.shape == mask.shape or said.shape[1:] != (len(names),):
        raise ValueError(
            f"the prediction of {kind} and their labels (target, mask) have shape "
            f"(clips, {len(names)}), as the taxonomy has {len(names)} {kind}; "
            f"got {said.shape} and {target.shape}, {mask.shape}"
        )
    if not target.dtype == mask.dtype == bool:
        raise ValueError(
            f"the labels of {kind} are bool, present or not and observed or not; "
            f"got {target.dtype} and {mask.dtype}"
        )
    if len(thresholds) != len(names):
        raise ValueError(f"{len(names)} {kind} need a threshold each; got {len(thresholds)}")
    if len(strange := np.argwhere(~((said >= 0) & (said <= 1)))):
        row, column = strange[0]
        raise ValueError(
            f"clip {row}, {names[column]}: {said[row, column]} is no probability; scores need "
            "numbers from 0 to 1 (are they logits, or has training diverged?)"
        )
    # compared in float64: a threshold may lie halfway between two neighbours in float32
    return _Told(names, said, said >= np.asarray(thresholds, np.float64), target, mask)


def _level(told: _Told) -> LevelScores:
    names, said, claimed, target, mask = told
    columns = {
        "roc_auc": per_tag(roc_auc, said, target, mask),
        "pr_auc": per_tag(average_precision, said, target, mask),
        "f1_both": per_tag(f1_both, claimed, target, mask),
        "f1_present": per_tag(f1_present, claimed, target, mask),
        "calibration_error": per_tag(calibration_error, said, target, mask),
    }
    present, absent = (target & mask).sum(axis=0), (~target & mask).sum(axis=0)
    by_name = {
        name: TagScores(
            int(present[place]),
            int(absent[place]),
            **{measure: _known(values[place]) for measure, values in columns.items()},
        )
        for place, name in enumerate(names)
    }
    means = {measure: _known(macro(values)) for measure, values in columns.items()}
    means["calibration_error"] = _known(calibration_error(said[mask], target[mask]))
    unscored = tuple(name for name, each in by_name.items() if not (each.present and each.absent))
    return LevelScores(**means, unscored=unscored, by_name=by_name)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _above(taxonomy: Taxonomy) -> Bools:
    """(F + C, F + C): True where node j is node i itself or lies above it."""
    itself = np.eye(len(taxonomy.tags), dtype=bool)
    nothing = np.zeros_like(taxonomy.members.T)
    return np.block([[itself, taxonomy.members], [nothing, taxonomy.ancestors]])


def _read_level(data: Any) -> LevelScores:
    entries = _entries(LevelScores, data)
    by_name = {
        name: TagScores(**_entries(TagScores, each)) for name, each in entries["by_name"].items()
    }
    return LevelScores(**entries | {"unscored": tuple(entries["unscored"]), "by_name": by_name})


def _entries(kind: type, data: Any) -> dict[str, Any]:
    names = [each.name for each in fields(kind)]
    if not isinstance(data, dict):
        raise ValueError(f"{kind.__name__} is a table of {', '.join(names)}; got {data!r}")
    if wrong := [name for name in (*names, *data) if (name in names) != (name in data)]:
        state = "missing" if wrong[0] in names else "unknown"
        raise ValueError(
            f"{kind.__name__}: entry {wrong[0]!r} is {state}; was it made by another "
            "version of timbretree?"
        )
    return data
