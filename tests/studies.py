"""Made-up studies for the tests of tables, figures and the report: random, but repeatable."""

import numpy as np

from timbretree.experiment.ledger import Cell, Heard, Record, Study
from timbretree.labels import Labels, Prediction
from timbretree.methods import METHODS
from timbretree.scores import LevelScores, Scores, TagScores
from timbretree.taxonomy import Taxonomy

TONE = Taxonomy.load("tone7")
LOOKS = {"gmp", "gap", "resatt"}
"""Heads with an attention map."""


def some_labels(tree: Taxonomy, clips: int, random: np.random.Generator) -> Labels:
    """Each clip has two or three tags observed, about half of them present."""
    mask = random.random((clips, len(tree.tags))) < 2.5 / len(tree.tags)
    return Labels(mask & (random.random(mask.shape) < 0.55), mask)


def level_scores(labels: Labels, names: tuple[str, ...], mean: float, spread: np.ndarray):
    """Scores around ``mean``; names without a present or an absent label have none."""
    by_name, unscored = {}, []
    for column, name in enumerate(names):
        present = int((labels.target & labels.mask)[:, column].sum())
        absent = int(labels.mask[:, column].sum()) - present
        if present and absent:
            roc = float(min(0.999, mean + spread[column]))
            values = [roc, roc - 0.05, roc - 0.08, roc - 0.14, 0.05 + 0.2 * abs(spread[column])]
        else:
            unscored.append(name)
            values = [None] * 5
        by_name[name] = TagScores(present, absent, *values)
    keys = ("roc_auc", "pr_auc", "f1_both", "f1_present")
    means = [_mean([getattr(score, key) for score in by_name.values()]) for key in keys]
    return LevelScores(*means, None if means[0] is None else 0.06, tuple(unscored), by_name)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def some_scores(tree: Taxonomy, fine: Labels, random: np.random.Generator, gain: float) -> Scores:
    coarse = tree.lift(fine)
    levels = [
        level_scores(labels, names, base + gain * weight, random.normal(0, 0.003, len(names)))
        for labels, names, base, weight in (
            (fine, tree.tags, 0.917, 0.3 if gain > -0.1 else 0.0),  # LP fails at the groups alone
            (coarse, tree.groups, 0.924, 1.0),
        )
    ]
    return Scores(len(fine.mask), *levels, 0.81, 0.79, 0.8, 0.02 - gain, 0.03 - gain)


def some_answers(tree: Taxonomy, fine: Labels, random: np.random.Generator, *, look: bool) -> Heard:
    """Probabilities that are mostly right, and an attention mostly on the group's loudest tags."""
    shape = fine.mask.shape
    truth = np.where(fine.mask, fine.target, random.random(shape) < 0.06)
    logit = np.where(truth, 1.8, -2.6) + random.normal(0, 1.3, shape)
    said = (1 / (1 + np.exp(-logit))).astype(np.float32)
    heed = 6 * tree.members * said[:, :, None] + random.normal(0, 1.2, (*shape, len(tree.groups)))
    attention = np.exp(heed)
    attention = (attention / attention.sum(axis=1, keepdims=True)).astype(np.float32)
    coarse = np.einsum("bfc,bf->bc", attention, said).astype(np.float32)
    thresholds = tuple(0.35 + 0.2 * random.random(shape[1]))
    above = tuple(0.3 + 0.2 * random.random(len(tree.groups)))
    return Heard(Prediction(said, coarse, attention if look else None), thresholds, above)


GAINS = {"flat": 0.0, "gap": -0.006, "lp": -0.17, "gmp": 0.007, "resatt": 0.008}
"""How much better than the baseline a made-up method is on the groups."""


def make_study(
    methods: tuple[str, ...] = ("flat", "levelwise", "gmp", "resatt"),
    *,
    seeds: int = 3,
    lambdas: tuple[float, ...] = (0.7, 0.8, 0.9),
    clips: int = 40,
    tree: Taxonomy = TONE,
    openmic: bool = True,
) -> Study:
    """A finished study of so many runs, the same every time."""
    random = np.random.default_rng(7)
    fine = some_labels(tree, clips, random)
    records, heard = [], {}
    for method in methods:
        gain = GAINS.get(method.removesuffix("-kleene"), 0.005)
        for weight in (1.0,) if METHODS[method].flat else lambdas:
            for seed in range(seeds):
                scores = some_scores(tree, fine, random, gain)
                loss = 0.31 + 0.02 * abs(weight - 0.8) + random.normal(0, 0.001)
                cell = Cell(method, weight, seed)
                records.append(Record(cell, loss, loss + 0.02, 14, 900.0, scores))
        look = METHODS[method].head in LOOKS
        heard[method] = some_answers(tree, fine, random, look=look)
    return Study(
        name="OpenMIC-2018",
        openmic=openmic,
        taxonomy=tree,
        records=tuple(records),
        files=tuple(f"{number:03}/{number:06}_{7 * number}.ogg" for number in range(clips)),
        fine=fine,
        coarse=tree.lift(fine),
        heard=heard,
        failures={},
        settings={"Backbone": "Cnn14, from AudioSet", "Epochs": "30"},
    )
