"""Table 1 of Zhong et al., ICASSP 2023, as printed there."""

COLUMNS = (
    "fine.roc_auc",
    "fine.pr_auc",
    "fine.f1_both",
    "coarse.roc_auc",
    "coarse.pr_auc",
    "coarse.f1_both",
)
"""What the six numbers measure, as paths in ``timbretree.scores.Scores``. Which F1 the paper means
is not stated; the mean of the F1 of present and absent fits other published rows."""

TABLE_1 = {
    "flat": (91.7, 85.6, 83.3, 92.4, 89.6, 84.4),
    "levelwise": (91.9, 85.8, 83.7, 93.0, 90.4, 85.2),
    "topdown": (91.9, 85.4, 83.6, 93.0, 90.4, 85.3),
    "gap": (91.7, 85.6, 83.2, 91.7, 87.6, 84.6),
    "lp": (91.8, 85.8, 83.6, 75.3, 70.9, 67.6),
    "gmp": (91.9, 85.9, 83.6, 93.1, 90.7, 85.4),
    "resatt": (92.0, 86.0, 83.7, 93.1, 90.7, 85.5),
}
"""Method -> the six numbers in percent, means over eight seeds."""
PASST_S = 84.3
"""The paper's row for PaSST-S, of another paper: the PR-AUC of the tags alone, in percent."""
