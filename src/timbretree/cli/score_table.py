"""Scores for the terminal: what `evaluate` prints."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timbretree.scores import LevelScores, Scores

MEASURES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "f1_both": "F1 both",
    "f1_present": "F1 pres",
    "calibration_error": "ECE",
}


def score_table(scores: "Scores") -> str:
    """Both levels with their means, each tag and group, and the measures of the tree; percent."""
    names = [*scores.fine.by_name, *scores.coarse.by_name]
    width = max(map(len, [*names, "mean of groups"]))
    head = " ".join(f"{title:>7}" for title in MEASURES.values())
    lines = [f"{'percent':{width}} {head} {'present':>8} {'absent':>7}"]
    for kind, level in (("tags", scores.fine), ("groups", scores.coarse)):
        lines += ["", _row(f"mean of {kind}", width, level), *_by_name(level, width)]
        if level.unscored:
            lines.append(f"not scored, for want of present or absent: {', '.join(level.unscored)}")
    tree = {
        "hierarchical precision": scores.hierarchical_precision,
        "hierarchical recall": scores.hierarchical_recall,
        "hierarchical F1": scores.hierarchical_f1,
        "claimed without the parent being claimed": scores.violations,
        "more probable than the parent": scores.violations_probability,
    }
    lines += ["", *(f"{name}: {_percent(value)}" for name, value in tree.items())]
    return "\n".join([*lines, f"clips: {scores.clips}"])


def _by_name(level: "LevelScores", width: int) -> list[str]:
    return [
        f"{_row(name, width, each)} {each.present:>8} {each.absent:>7}"
        for name, each in level.by_name.items()
    ]


def _row(name: str, width: int, values: object) -> str:
    return f"{name:{width}} " + " ".join(
        f"{_percent(getattr(values, measure)):>7}" for measure in MEASURES
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
