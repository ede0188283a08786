"""The record of all measures: against scikit-learn, tag by tag, and against counting."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from conftest import trees
from timbretree.labels import Labels, Prediction
from timbretree.scores import LevelScores, Scores, TagScores, Thresholds, score
from timbretree.taxonomy import Taxonomy

TREE = Taxonomy("winds", ("flute", "oboe", "tuba"), {"w": ("flute", "oboe"), "b": ("tuba",)})
HALF = Thresholds((0.5, 0.5, 0.5), (0.5, 0.5))
MEASURES = ("roc_auc", "pr_auc", "f1_both", "f1_present", "calibration_error")


class Case(NamedTuple):
    """What ``score`` needs."""

    tree: Taxonomy
    prediction: Prediction
    fine: Labels
    coarse: Labels
    thresholds: Thresholds

    def scores(self) -> Scores:
        return score(
            self.prediction,
            self.fine,
            self.coarse,
            taxonomy=self.tree,
            thresholds=self.thresholds,
        )

    def levels(self, scores: Scores) -> list[tuple[LevelScores, np.ndarray, Labels, tuple, tuple]]:
        return [
            (scores.fine, self.prediction.fine, self.fine, self.tree.tags, self.thresholds.tags),
            (
                scores.coarse,
                self.prediction.coarse,
                self.coarse,
                self.tree.groups,
                self.thresholds.groups,
            ),
        ]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some clips of any tree, few or most cells observed, scores with and without ties."""
    tree = draw(trees())
    clips = draw(st.integers(1, 12))
    noise = np.random.default_rng(draw(st.integers(0, 9999)))
    tags, groups = len(tree.tags), len(tree.groups)
    steps = draw(st.sampled_from([4, 1000]))
    fine, coarse = (
        (noise.integers(0, steps + 1, (clips, width)) / steps).astype(np.float32)
        for width in (tags, groups)
    )
    labels = Labels(
        noise.random((clips, tags)) < draw(st.sampled_from([0.2, 0.5])),
        noise.random((clips, tags)) < draw(st.sampled_from([0.2, 0.7, 1.0])),
    )
    thresholds = Thresholds(tuple(noise.random(tags)), tuple(noise.integers(0, 5, groups) / 4))
    lifted = tree.lift(labels, draw(st.sampled_from(["observed-any", "kleene"])))
    return Case(tree, Prediction(fine, coarse), labels, lifted, thresholds)


def by_hand(said: np.ndarray, claimed: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """The measures of one tag over its observed cells, by scikit-learn."""
    both = f1_score(target, claimed, labels=[False, True], average="macro", zero_division=0)
    return {
        "roc_auc": roc_auc_score(target, said),
        "pr_auc": average_precision_score(target, said),
        "f1_both": both,
        "f1_present": f1_score(target, claimed, zero_division=0),
        "calibration_error": calibration(said, target),
    }


def calibration(said: np.ndarray, target: np.ndarray) -> float:
    places = [min(place for place in range(15) if p < (place + 1) / 15 or place == 14)
              for p in said.tolist()]  # fmt: skip
    return sum(
        abs(sum(p - t for p, t, at in zip(said.tolist(), target.tolist(), places, strict=True)
                if at == place))
        for place in range(15)
    ) / len(said)  # fmt: skip


@settings(max_examples=150)
@given(cases())
def test_each_tag_and_their_means_are_those_of_scikit_learn(case: Case) -> None:
    scores = case.scores()
    assert scores.clips == len(case.prediction.fine)
    for level, said, labels, names, thresholds in case.levels(scores):
        assert tuple(level.by_name) == names
        wanted, unscored = [], []
        for column, name in enumerate(names):
            heard = labels.mask[:, column]
            exact, target = said[heard, column].astype(float), labels.target[heard, column]
            told = level.by_name[name]
            assert (told.present, told.absent) == (target.sum(), (~target).sum())
            if target.any() and not target.all():
                wanted.append(by_hand(exact, exact >= thresholds[column], target))
                for measure in MEASURES:
                    assert getattr(told, measure) == pytest.approx(wanted[-1][measure], abs=1e-9)
            else:
                unscored.append(name)
                assert all(getattr(told, measure) is None for measure in MEASURES)
        assert level.unscored == tuple(unscored)
        for measure in MEASURES[:-1]:
            mean = np.mean([each[measure] for each in wanted]) if wanted else None
            assert getattr(level, measure) == (mean and pytest.approx(mean, abs=1e-9))
        heard = said[labels.mask].astype(float)
        error = calibration(heard, labels.target[labels.mask]) if len(heard) else None
        assert level.calibration_error == (error and pytest.approx(error, abs=1e-9))


@settings(max_examples=150)
@given(cases())
def test_the_tree_is_counted_node_by_node(case: Case) -> None:
    tree, scores = case.tree, case.scores()
    hits = said = there = alone = louder = pairs = 0
    for clip in range(scores.clips):
        loud, claimed, heard, present = {}, set(), set(), set()
        for _, probability, labels, names, thresholds in case.levels(scores):
            for column, name in enumerate(names):
                loud[name] = float(probability[clip, column])
                claimed |= {name} if loud[name] >= thresholds[column] else set()
                heard |= {name} if labels.mask[clip, column] else set()
                present |= {name} if labels.target[clip, column] else set()
        for child, parent in tree.parents.items():
            pairs += 1
            alone += child in claimed and parent not in claimed
            louder += loud[child] > loud[parent]
        ours, theirs = (
            {node for name in told & heard for node in (name, *tree.path(name))} & heard
            for told in (claimed, present)
        )
        hits, said, there = hits + len(ours & theirs), said + len(ours), there + len(theirs)
    assert scores.violations == pytest.approx(alone / pairs)
    assert scores.violations_probability == pytest.approx(louder / pairs)
    assert scores.hierarchical_precision == (pytest.approx(hits / said) if said else None)
    assert scores.hierarchical_recall == (pytest.approx(hits / there) if there else None)
    harmonic = pytest.approx(2 * hits / (said + there)) if there else None
    assert scores.hierarchical_f1 == harmonic


@given(cases())
def test_what_nobody_observed_changes_nothing(case: Case) -> None:
    fine, coarse = (
        np.where(labels.mask, said, 1 - said)
        for said, labels in zip(case.prediction, (case.fine, case.coarse), strict=False)
    )
    other = case._replace(
        prediction=Prediction(fine, coarse),
        fine=Labels(case.fine.target ^ ~case.fine.mask, case.fine.mask),
        coarse=Labels(case.coarse.target ^ ~case.coarse.mask, case.coarse.mask),
    )
    scores, changed = case.scores(), other.scores()
    assert scores == replace(
        changed,
        violations=scores.violations,
        violations_probability=scores.violations_probability,
    )
    labelled = other._replace(prediction=case.prediction)
    assert labelled.scores() == scores


@given(cases())
def test_a_record_survives_json(case: Case) -> None:
    scores = case.scores()
    text = json.dumps(scores.to_dict(), allow_nan=False)
    back = Scores.from_dict(json.loads(text))
    assert back == scores
    assert isinstance(back.fine.unscored, tuple)
    assert all(isinstance(each, TagScores) for each in back.coarse.by_name.values())
    assert json.loads(text) == scores.to_dict()  # plain data: what JSON gives back, no tuples


# --- what can't be scored


def test_a_tag_that_can_not_be_scored_is_named_and_not_averaged() -> None:
    said = np.array([[0.9, 0.9, 0.9], [0.1, 0.2, 0.1], [0.2, 0.7, 0.2]], np.float32)
    target = np.array([[True, True, False], [False, True, False], [False, True, False]])
    mask = np.array([[True, True, False], [True, True, False], [True, True, False]])
    fine = Labels(target, mask)
    prediction = Prediction(said, np.array([[0.9, 0], [0.1, 0], [0.8, 0]], np.float32))
    scores = score(prediction, fine, TREE.lift(fine), taxonomy=TREE, thresholds=HALF)
    assert scores.fine.unscored == ("oboe", "tuba")
    assert scores.fine.by_name["oboe"] == TagScores(3, 0, None, None, None, None, None)
    assert scores.fine.by_name["tuba"] == TagScores(0, 0, None, None, None, None, None)
    means = scores.fine
    assert (means.roc_auc, means.pr_auc, means.f1_both, means.f1_present) == (1, 1, 1, 1)
    # over all six observed cells, the oboe's too, bin by bin: 0.9 twice, 0.1, 0.2 twice, 0.7
    assert means.calibration_error == pytest.approx((2 * 0.1 + 0.1 + abs(0.4 - 1) + 0.3) / 6)
    assert scores.coarse.unscored == ("w", "b")
    assert scores.coarse.f1_both is None
    # there are flute, oboe and w in the first clip, oboe and w in the others; all are claimed but
    # for those of the second
    assert scores.hierarchical_precision == 1.0
    assert scores.hierarchical_recall == 5 / 7


@pytest.mark.parametrize("clips", [0, 3])
def test_where_nobody_observed_anything_nothing_is_scored(clips: int) -> None:
    nothing = Labels(np.ones((clips, 3), bool), np.zeros((clips, 3), bool))
    prediction = Prediction(np.full((clips, 3), 0.6), np.full((clips, 2), 0.4))
    scores = score(prediction, nothing, TREE.lift(nothing), taxonomy=TREE, thresholds=HALF)
    for level, names in ((scores.fine, TREE.tags), (scores.coarse, TREE.groups)):
        assert all(getattr(level, measure) is None for measure in MEASURES)
        assert level.unscored == names
    assert scores.hierarchical_precision is scores.hierarchical_recall is None
    assert scores.hierarchical_f1 is None
    assert scores.violations == scores.violations_probability == (1.0 if clips else None)


def test_a_threshold_between_two_float32_neighbours_parts_them() -> None:
    """Compared in float32, the threshold would be rounded onto one of them."""
    high = np.float32(0.7)
    low = np.nextafter(high, np.float32(0))
    middle = (float(low) + float(high)) / 2
    said = np.array([[high], [low], [high], [low]], np.float32)
    heard = np.ones((4, 1), bool)
    fine = Labels(np.array([[True], [False]] * 2), heard)
    tree = Taxonomy("one", ("hum",), {"low": ("hum",)})
    for threshold in (middle, float(high)):
        thresholds = Thresholds((threshold,), (threshold,))
        found = score(Prediction(said, said), fine, fine, taxonomy=tree, thresholds=thresholds)
        assert found.fine.f1_both == found.coarse.f1_present == 1.0


def test_the_strict_rule_leaves_openmic_no_absent_keyboard(shared: Path) -> None:
    """On the real test labels: no F1 of absent, no ROC, and no mean, may be made up for it."""
    tree = Taxonomy.load("tone7")
    with (shared / "openmic" / "test-labels.csv").open(encoding="utf-8") as file:
        rows = [[int(row[tag]) for tag in tree.tags] for row in csv.DictReader(file)]
    fine = Labels(np.array(rows) > 0, np.array(rows) != 0)
    noise = np.random.default_rng(0)
    said = Prediction(noise.random((len(rows), 20)), noise.random((len(rows), 7)))
    half = Thresholds((0.5,) * 20, (0.5,) * 7)
    scores = score(said, fine, tree.lift(fine, "kleene"), taxonomy=tree, thresholds=half)
    tags = scores.fine.by_name.values()
    assert (sum(tag.present for tag in tags), sum(tag.absent for tag in tags)) == (4517, 6005)
    assert scores.fine.unscored == ()
    assert scores.coarse.unscored == ("plucked_strings", "keyboard")
    absent = {name: group.absent for name, group in scores.coarse.by_name.items()}
    assert (absent["percussion"], absent["woodwind"], absent["brass"]) == (2, 4, 234)
    scored = [group.roc_auc for group in scores.coarse.by_name.values() if group.roc_auc]
    assert len(scored) == 5
    assert scores.coarse.roc_auc == pytest.approx(np.mean(scored))
    lifted = score(said, fine, tree.lift(fine), taxonomy=tree, thresholds=half)
    assert lifted.coarse.unscored == ()


# --- refusals


def ask(**other: object) -> Scores:
    labels = Labels(np.ones((2, 3), bool), np.ones((2, 3), bool))
    asked = {"fine": labels, "coarse": TREE.lift(labels), "taxonomy": TREE, "thresholds": HALF}
    return score(**{"prediction": Prediction(np.ones((2, 3)), np.ones((2, 2)))} | asked | other)


def test_what_does_not_fit_is_refused() -> None:
    ask()
    two, three = np.ones((2, 2)), np.ones((2, 3))
    with pytest.raises(ValueError, match=r"prediction of tags .* \(clips, 3\).* got \(2, 2\)"):
        ask(prediction=Prediction(two, three))
    with pytest.raises(ValueError, match=r"\(clips, 3\).* got \(2, 2\) and \(2, 2\), \(2, 2\)"):
        ask(prediction=Prediction(two, two), fine=Labels(two > 0, two > 0))
    with pytest.raises(ValueError, match=r"prediction of groups .* \(clips, 2\).* got \(3,\)"):
        ask(prediction=Prediction(three, three[0]))
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(2, 3\), \(1, 3\)"):
        ask(fine=Labels(three > 0, three[:1] > 0))
    with pytest.raises(ValueError, match=r"labels of tags are bool.* got int64 and bool"):
        ask(fine=Labels(-three.astype(int), three > 0))
    with pytest.raises(ValueError, match="2 groups need a threshold each; got 3"):
        ask(thresholds=Thresholds(HALF.tags, HALF.tags))
    one = Labels(two[:1] > 0, two[:1] > 0)
    with pytest.raises(ValueError, match="same clips; got 2 clips and 1"):
        ask(prediction=Prediction(three, two[:1]), coarse=one)


@pytest.mark.parametrize("strange", [np.nan, -0.1, 1.5])
def test_what_is_no_probability_is_refused_by_name(strange: float) -> None:
    said = np.ones((2, 3))
    said[1, 2] = strange
    with pytest.raises(ValueError, match=f"clip 1, tuba: {strange} is no probability"):
        ask(prediction=Prediction(said, np.ones((2, 2))))


def test_a_record_of_another_make_is_refused() -> None:
    data = ask().to_dict()
    with pytest.raises(ValueError, match=r"Scores is a table of clips, fine, .* got None"):
        Scores.from_dict(None)
    with pytest.raises(ValueError, match="Scores: entry 'clips' is missing"):
        Scores.from_dict({name: each for name, each in data.items() if name != "clips"})
    with pytest.raises(ValueError, match="LevelScores: entry 'mrr' is unknown"):
        Scores.from_dict(data | {"fine": data["fine"] | {"mrr": 1.0}})
    tags = data["fine"]["by_name"] | {"oboe": {"present": 2}}
    with pytest.raises(ValueError, match="TagScores: entry 'absent' is missing"):
        Scores.from_dict(data | {"fine": data["fine"] | {"by_name": tags}})
