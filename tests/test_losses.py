"""The losses: means over the cells somebody listened to, and what the tree demands of all cells."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from conftest import trees
from timbretree.heads import HEADS, LevelWise, MaxConstraint
from timbretree.labels import Labels, Prediction
from timbretree.losses import (
    JointLoss,
    Mean,
    child_above_parent,
    masked_bce,
    mcm,
    parent_above_children,
    total,
)
from timbretree.objective import Objective
from timbretree.taxonomy import Taxonomy

LOUD = torch.tensor([[0.9, 0.2, 0.5], [0.4, 0.7, 0.1]])
PLAYS = torch.tensor([[True, False, True], [False, True, False]])
HEARD = torch.tensor([[True, True, False], [False, True, False]])
WIND = Taxonomy("", ("flute", "oboe", "cello"), {"wind": ("flute", "oboe"), "bowed": ("cello",)})
SEEDS = st.integers(0, 99)
OBJECTIVES = st.builds(
    Objective, st.sampled_from([0.0, 0.7, 1.0]), st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from(["bce", "mcm"]),
)  # fmt: skip


@st.composite
def scored(draw: st.DrawFn) -> tuple[Tensor, Labels]:
    """Some probabilities and any labels, at least one cell observed."""
    clips, tags = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cells = st.lists(st.booleans(), min_size=clips * tags, max_size=clips * tags)
    target, mask = (torch.tensor(draw(cells)).reshape(clips, tags) for _ in "tm")
    mask[draw(st.integers(0, clips - 1)), draw(st.integers(0, tags - 1))] = True
    noise = torch.Generator().manual_seed(draw(SEEDS))
    return torch.rand(clips, tags, generator=noise) * 0.98 + 0.01, Labels(target, mask)


def said_of(tree: Taxonomy, seed: int, clips: int = 4) -> tuple[Prediction, Labels, Labels]:
    """What an MCM head in training says of some clips, and any labels."""
    torch.manual_seed(seed)
    tags, groups = len(tree.tags), len(tree.groups)
    head = MaxConstraint(6, tree)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    fine, coarse = (
        Labels(torch.rand(clips, columns) < 0.5, torch.rand(clips, columns) < 0.7)
        for columns in (tags, groups)
    )
    return head(torch.randn(clips, 6)), fine, coarse


def taken(labels: Labels, rows: slice) -> Labels:
    return Labels(labels.target[rows], labels.mask[rows])


def node(prediction: Prediction, tree: Taxonomy, clip: int) -> dict[str, float]:
    """The probability of each tag and group of one clip."""
    values = torch.cat([prediction.fine[clip], prediction.coarse[clip]]).double().tolist()
    return dict(zip((*tree.tags, *tree.groups), values, strict=True))


def gradient(probability: Tensor, labels: Labels) -> Tensor:
    leaf = probability.clone().requires_grad_()
    masked_bce(leaf, labels).value.backward()
    assert leaf.grad is not None
    return leaf.grad


# --- cross-entropy over observed cells


def test_by_hand() -> None:
    wanted = -(math.log(0.9) + math.log(1 - 0.2) + math.log(0.7)) / 3
    loss = masked_bce(LOUD, Labels(PLAYS, HEARD))
    assert loss.count == 3
    assert loss.sum.item() == pytest.approx(3 * wanted, rel=1e-6)
    assert loss.value.item() == pytest.approx(wanted, rel=1e-6)


@given(scored())
def test_cell_by_cell(pair: tuple[Tensor, Labels]) -> None:
    probability, labels = pair
    told = [
        math.log(p if plays else 1 - p)
        for p, plays, heard in zip(
            probability.double().flatten().tolist(),
            labels.target.flatten().tolist(),
            labels.mask.flatten().tolist(),
            strict=True,
        )
        if heard
    ]
    loss = masked_bce(probability, labels).value.item()
    assert loss == pytest.approx(-sum(told) / len(told), rel=1e-5)


@given(scored())
def test_what_nobody_heard_teaches_nothing(pair: tuple[Tensor, Labels]) -> None:
    probability, labels = pair
    learnt = gradient(probability, labels)
    assert (learnt[~labels.mask] == 0).all()
    assert (learnt[labels.mask] != 0).all()
    other = torch.where(labels.mask, probability, 1 - probability)
    elsewhere = Labels(labels.target ^ ~labels.mask, labels.mask)
    assert masked_bce(other, elsewhere) == masked_bce(probability, labels)
    torch.testing.assert_close(gradient(other, elsewhere), learnt, rtol=0, atol=0)


def test_nan_where_nobody_heard_does_no_harm() -> None:
    probability = torch.where(HEARD, LOUD, torch.nan)
    labels = Labels(PLAYS, HEARD)
    assert masked_bce(probability, labels) == masked_bce(LOUD, labels)
    torch.testing.assert_close(gradient(probability, labels), gradient(LOUD, labels))


@given(scored(), st.integers(1, 30))
def test_unlabelled_cells_do_not_dilute(pair: tuple[Tensor, Labels], more: int) -> None:
    probability, labels = pair
    clips = len(probability)
    wider = torch.cat([probability, torch.full((clips, more), 0.5)], dim=1)
    none = torch.zeros(clips, more, dtype=torch.bool)
    diluted = Labels(*(torch.cat([each, none], dim=1) for each in labels))
    loss, alone = masked_bce(wider, diluted), masked_bce(probability, labels)
    torch.testing.assert_close(loss.value, alone.value)
    torch.testing.assert_close(
        gradient(wider, diluted)[:, : labels.mask.shape[1]], gradient(probability, labels)
    )


def test_nothing_heard_is_no_loss() -> None:
    labels = Labels(PLAYS, torch.zeros_like(PLAYS))
    assert masked_bce(LOUD, labels).value.item() == 0
    np.testing.assert_array_equal(gradient(LOUD, labels), 0)


@pytest.mark.parametrize("certain", [0.0, 1.0])
@pytest.mark.parametrize("plays", [True, False])
def test_certainty_is_finite(certain: float, plays: bool) -> None:
    probability = torch.tensor([[certain, 0.5]])
    labels = Labels(torch.tensor([[plays, True]]), torch.tensor([[True, True]]))
    wrong = plays != bool(certain)
    wanted = ((100 if wrong else 0) + math.log(2)) / 2
    assert masked_bce(probability, labels).value.item() == pytest.approx(wanted)
    learnt = gradient(probability, labels)
    assert learnt.isfinite().all()
    assert learnt[0, 1] == pytest.approx(-1.0)


def test_autocast_stops_before_the_logarithms(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU torch refuses this function under autocast, whatever the type of its arguments."""
    whole = functional.binary_cross_entropy

    def watched(*given: Any, **named: Any) -> Tensor:
        assert not torch.is_autocast_enabled("cpu")
        return whole(*given, **named)

    monkeypatch.setattr(functional, "binary_cross_entropy", watched)
    said, fine, coarse = said_of(WIND, 0)
    for group_loss in ("bce", "mcm"):
        loss = JointLoss(Objective(0.7, 1.0, group_loss), WIND)
        exact = total(loss(said, fine, coarse))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(total(loss(said, fine, coarse)), exact)


# --- the tree: our two consistency terms


@settings(max_examples=40)
@given(trees(), SEEDS)
def test_child_above_parent_pair_by_pair(tree: Taxonomy, seed: int) -> None:
    """L_v of levels that know nothing of each other."""
    said = LevelWise(6, tree)(5 * torch.randn(3, 6, generator=torch.Generator().manual_seed(seed)))
    terms = [
        max(0.0, value[child] - value[group]) ** 2
        for clip in range(3)
        for value in [node(said, tree, clip)]
        for group, below in tree.children.items()
        for child in below
    ]
    loss = child_above_parent(said, torch.from_numpy(tree.edges))
    assert loss.count == len(terms) == 3 * len(tree.parents)
    assert loss.value.item() == pytest.approx(sum(terms) / len(terms), rel=1e-4, abs=1e-9)


@settings(max_examples=40)
@given(trees(), SEEDS)
def test_parent_above_children_group_by_group(tree: Taxonomy, seed: int) -> None:
    """L_u of levels that know nothing of each other; only direct children answer for a group."""
    said = LevelWise(6, tree)(5 * torch.randn(3, 6, generator=torch.Generator().manual_seed(seed)))
    terms = [
        max(0.0, value[group] - max(value[child] for child in below)) ** 2
        for clip in range(3)
        for value in [node(said, tree, clip)]
        for group, below in tree.children.items()
    ]
    loss = parent_above_children(said, JointLoss(Objective(), tree).direct)
    assert loss.count == len(terms) == 3 * len(tree.groups)
    assert loss.value.item() == pytest.approx(sum(terms) / len(terms), rel=1e-4, abs=1e-9)


def test_consistency_by_hand() -> None:
    said = Prediction(torch.tensor([[0.9, 0.3, 0.2]]), torch.tensor([[0.5, 0.6]]))
    loss = JointLoss(Objective(), WIND)
    above = child_above_parent(said, loss.edges)  # the flute above the winds, by 0.4, of 3 pairs
    assert above.value.item() == pytest.approx(0.4**2 / 3)
    above = parent_above_children(said, loss.direct)  # bowed above the cello, by 0.4, of 2 groups
    assert above.value.item() == pytest.approx(0.4**2 / 2)


@settings(max_examples=30)
@given(trees(), SEEDS)
def test_heads_that_keep_the_tree_have_nothing_to_mend(tree: Taxonomy, seed: int) -> None:
    loss = JointLoss(Objective(), tree)
    torch.manual_seed(seed)
    said = {name: make(6, tree)(torch.randn(3, 6)) for name, make in HEADS.items()}
    for name in ("topdown", "gmp", "mcm"):
        assert child_above_parent(said[name], loss.edges).value.item() < 1e-12
    assert parent_above_children(said["gmp"], loss.direct).value.item() < 1e-12


def test_consistency_pulls_both_ways() -> None:
    fine = torch.tensor([[0.9, 0.3, 0.2]], requires_grad=True)
    coarse = torch.tensor([[0.5, 0.6]], requires_grad=True)
    loss = JointLoss(Objective(), WIND)
    child_above_parent(Prediction(fine, coarse), loss.edges).value.backward()
    np.testing.assert_allclose(fine.grad, [[0.8 / 3, 0, 0]], rtol=1e-5)
    np.testing.assert_allclose(coarse.grad, [[-0.8 / 3, 0]], rtol=1e-5)
    fine.grad = coarse.grad = None
    parent_above_children(Prediction(fine, coarse), loss.direct).value.backward()
    np.testing.assert_allclose(fine.grad, [[0, 0, -0.4]], rtol=1e-5)
    np.testing.assert_allclose(coarse.grad, [[0, 0.4]], rtol=1e-5)


# --- C-HMCNN's loss


@settings(max_examples=60)
@given(trees(), SEEDS)
def test_mcm_cell_by_cell(tree: Taxonomy, seed: int) -> None:
    said, fine, coarse = said_of(tree, seed)
    names = (*tree.tags, *tree.groups)
    own = torch.cat([said.fine, said.own], dim=1).double().tolist()
    target, mask = (
        torch.cat([of_tags, of_groups], dim=1).tolist()
        for of_tags, of_groups in zip(fine, coarse, strict=True)
    )
    terms = []
    for clip in range(4):
        h, y, observed = (dict(zip(names, rows[clip], strict=True)) for rows in (own, target, mask))
        for group in filter(observed.get, tree.groups):
            below = [name for name in names if group in (name, *tree.path(name))]
            if y[group]:
                terms.append(-math.log(max(h[b] for b in below if y[b] and observed[b])))
            else:
                terms.append(-math.log(1 - max(h[b] for b in below)))
    loss = mcm(said, fine, coarse, JointLoss(Objective(), tree).below)
    assert loss.count == len(terms)
    assert loss.sum.item() == pytest.approx(sum(terms), rel=1e-3, abs=1e-6)


def learnt_from(fine: Labels, coarse: Labels) -> tuple[Tensor, Tensor]:
    """Which of the own words .3 (flute), .8 (oboe), .1 (cello) and .2, .2 (groups) would move: the
    gradient of their logits, which of -log(h) is h - 1 and of -log(1 - h) is h."""
    head = MaxConstraint(1, WIND)
    with torch.no_grad():
        head.fine.bias.copy_(torch.tensor([0.3, 0.8, 0.1]).logit())
        head.coarse.bias.copy_(torch.tensor([0.2, 0.2]).logit())
    below = JointLoss(Objective(), WIND).below
    mcm(head(torch.zeros(1, 1)), fine, coarse, below).value.backward()
    assert head.fine.bias.grad is not None
    assert head.coarse.bias.grad is not None
    return head.fine.bias.grad, head.coarse.bias.grad


ALL = torch.ones(1, 3, dtype=torch.bool)
FLUTE = Labels(torch.tensor([[True, False, False]]), ALL)
ONLY_WIND = Labels(torch.tensor([[True, False]]), torch.tensor([[True, False]]))


def test_a_present_group_is_taught_by_the_child_that_plays() -> None:
    """The oboe is louder and absent; a plain maximum would push it up."""
    tags, groups = learnt_from(FLUTE, ONLY_WIND)
    np.testing.assert_allclose(tags, [0.3 - 1, 0, 0], rtol=1e-5)
    np.testing.assert_array_equal(groups, 0)


def test_an_absent_group_pushes_down_its_loudest() -> None:
    absent = Labels(torch.zeros_like(ONLY_WIND.target), ONLY_WIND.mask)
    tags, groups = learnt_from(Labels(~ALL, ALL), absent)
    np.testing.assert_allclose(tags, [0, 0.8, 0], rtol=1e-5)
    np.testing.assert_array_equal(groups, 0)


def test_where_no_child_is_known_to_play_the_group_speaks_for_itself() -> None:
    """The oboe's target is True, but nobody listened for it."""
    unheard = Labels(torch.tensor([[False, True, False]]), torch.tensor([[True, False, True]]))
    tags, groups = learnt_from(unheard, ONLY_WIND)
    np.testing.assert_array_equal(tags, 0)
    np.testing.assert_allclose(groups, [0.2 - 1, 0], rtol=1e-5)


@settings(max_examples=30)
@given(trees(), SEEDS)
def test_a_group_nobody_observed_has_no_part(tree: Taxonomy, seed: int) -> None:
    said, fine, coarse = said_of(tree, seed)
    below = JointLoss(Objective(), tree).below
    other = Labels(coarse.target ^ ~coarse.mask, coarse.mask)
    assert mcm(said, fine, other, below) == mcm(said, fine, coarse, below)
    nobody = Labels(coarse.target, torch.zeros_like(coarse.mask))
    assert mcm(said, fine, nobody, below).value.item() == 0


def test_mcm_needs_the_groups_own_words() -> None:
    loss = JointLoss(Objective(group_loss="mcm"), WIND)
    for head in (LevelWise(6, WIND), MaxConstraint(6, WIND).eval()):
        with pytest.raises(ValueError, match="the mcm head in training mode"):
            loss(head(torch.randn(1, 6)), FLUTE, ONLY_WIND)


# --- all together


def test_the_parts_of_a_mean_add_up() -> None:
    mean = Mean(torch.tensor(6.0), 4)
    assert mean.value.item() == 1.5
    assert Mean(torch.tensor(6.0), torch.tensor(4)).value.item() == 1.5
    assert Mean(torch.tensor(0.0), 0).value.item() == 0


@settings(max_examples=40)
@given(trees(), SEEDS, OBJECTIVES, st.integers(1, 4))
def test_two_halves_make_the_whole(
    tree: Taxonomy, seed: int, objective: Objective, cut: int
) -> None:
    """However unevenly the labels fall on them; so do several devices."""
    loss = JointLoss(objective, tree)
    said, fine, coarse = said_of(tree, seed, clips=5)
    whole = loss(said, fine, coarse)
    halves = []
    for begin, end in pairwise((0, cut, 5)):
        rows = slice(begin, end)
        part = Prediction(said.fine[rows], said.coarse[rows], own=said.own[rows])
        halves.append(loss(part, taken(fine, rows), taken(coarse, rows)))
    added = []
    for (weight, mean), (_, first), (_, second) in zip(whole, *halves, strict=True):
        assert first.count + second.count == mean.count
        added.append((weight, Mean(first.sum + second.sum, first.count + second.count)))
    torch.testing.assert_close(total(added), total(whole))


@pytest.mark.parametrize("share", [0.7, 0.8, 0.9, 0.5])
def test_equation_2(share: float) -> None:
    tree = Taxonomy("", ("a", "b", "c"), {"x": ("a",), "y": ("b",), "z": ("c",)})
    fine, coarse = Labels(PLAYS, HEARD), Labels(~PLAYS, ~HEARD)
    said = Prediction(LOUD, 1 - LOUD / 2)
    tags, groups = masked_bce(said.fine, fine).value, masked_bce(said.coarse, coarse).value
    terms = JointLoss(Objective(share), tree)(said, fine, coarse)
    assert [weight for weight, _ in terms] == [share, 1 - share]
    torch.testing.assert_close(total(terms), share * tags + (1 - share) * groups)


@settings(max_examples=40)
@given(trees(), SEEDS, OBJECTIVES)
def test_every_term_with_its_weight(tree: Taxonomy, seed: int, objective: Objective) -> None:
    said, fine, coarse = said_of(tree, seed)
    loss = JointLoss(objective, tree)
    tags = masked_bce(said.fine, fine).value
    groups = (
        mcm(said, fine, coarse, loss.below)
        if objective.group_loss == "mcm"
        else masked_bce(said.coarse, coarse)
    ).value
    broken = (
        child_above_parent(said, loss.edges).value + parent_above_children(said, loss.direct).value
    )
    share = objective.fine_weight
    wanted = share * tags + (1 - share) * groups + objective.consistency * broken
    torch.testing.assert_close(total(loss(said, fine, coarse)), wanted)


@pytest.mark.parametrize(("share", "silent"), [(1.0, "coarse"), (0.0, "fine")])
def test_the_ends_of_equation_2(share: float, silent: str) -> None:
    tree = Taxonomy("", ("a", "b", "c"), {"x": ("a",), "y": ("b",), "z": ("c",)})
    said = Prediction(LOUD.clone().requires_grad_(), LOUD.clone().requires_grad_())
    labels = Labels(PLAYS, HEARD)
    total(JointLoss(Objective(share), tree)(said, labels, labels)).backward()
    assert (getattr(said, silent).grad == 0).all()
    heard = said.coarse if silent == "fine" else said.fine
    assert heard.grad.abs().max() > 0


@pytest.mark.parametrize("group_loss", ["bce", "mcm"])
def test_with_lambda_1_no_layer_of_groups_learns(group_loss: str) -> None:
    head = MaxConstraint(6, WIND)
    said = head(torch.randn(1, 6))
    coarse = Labels(torch.tensor([[False, True]]), torch.tensor([[True, True]]))
    total(JointLoss(Objective(1.0, group_loss=group_loss), WIND)(said, FLUTE, coarse)).backward()
    assert (head.coarse.weight.grad == 0).all()
    wanted = gradient(said.fine.detach(), FLUTE) * (said.fine * (1 - said.fine)).detach()
    torch.testing.assert_close(head.fine.bias.grad, wanted[0])


def test_the_flat_baseline_learns_nothing_from_groups() -> None:
    """Whatever is said of the groups: the gradient is the same to the last bit."""
    said, fine, coarse = said_of(WIND, 1)
    learnt = []
    for labels in (coarse, Labels(~coarse.target, coarse.mask)):
        leaf = said.fine.detach().requires_grad_()
        groups = torch.stack([leaf[:, :2].amax(dim=1), leaf[:, 2]], dim=1)
        total(JointLoss(Objective(1.0), WIND)(Prediction(leaf, groups), fine, labels)).backward()
        learnt.append(leaf.grad)
    assert torch.equal(*learnt)
    wanted = gradient(said.fine.detach(), fine)
    torch.testing.assert_close(learnt[0], wanted, rtol=0, atol=0)


def test_the_tree_goes_where_the_loss_goes() -> None:
    loss = JointLoss(Objective(), WIND)
    assert not loss.state_dict()
    assert {name for name, _ in loss.named_buffers()} == {"edges", "direct", "below"}
    assert all(buffer.is_meta for buffer in loss.to("meta").buffers())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fine_weight": 1.1}, "lambda .* between 0 and 1, got 1.1"),
        ({"fine_weight": -0.1}, "lambda"),
        ({"fine_weight": math.nan}, "lambda"),
        ({"consistency": -1.0}, "consistency is 0 or more, got -1"),
        ({"consistency": math.inf}, "consistency"),
        ({"consistency": math.nan}, "consistency"),
        ({"group_loss": "hinge"}, "bce or mcm, got 'hinge'"),
    ],
)
def test_objectives_that_are_none(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Objective(**wrong)
