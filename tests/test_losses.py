"""The loss: a mean over the cells somebody listened to, and over no others."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from timbretree.labels import Labels, Prediction
from timbretree.losses import joint_bce, masked_bce

LOUD = torch.tensor([[0.9, 0.2, 0.5], [0.4, 0.7, 0.1]])
PLAYS = torch.tensor([[True, False, True], [False, True, False]])
HEARD = torch.tensor([[True, True, False], [False, True, False]])


@st.composite
def scored(draw: st.DrawFn) -> tuple[Tensor, Labels]:
    """Some probabilities and any labels, at least one cell observed."""
    clips, tags = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cells = st.lists(st.booleans(), min_size=clips * tags, max_size=clips * tags)
    target, mask = (torch.tensor(draw(cells)).reshape(clips, tags) for _ in "tm")
    mask[draw(st.integers(0, clips - 1)), draw(st.integers(0, tags - 1))] = True
    noise = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return torch.rand(clips, tags, generator=noise) * 0.98 + 0.01, Labels(target, mask)


def gradient(probability: Tensor, labels: Labels) -> Tensor:
    leaf = probability.clone().requires_grad_()
    masked_bce(leaf, labels).backward()
    assert leaf.grad is not None
    return leaf.grad


def test_by_hand() -> None:
    wanted = -(math.log(0.9) + math.log(1 - 0.2) + math.log(0.7)) / 3
    assert masked_bce(LOUD, Labels(PLAYS, HEARD)).item() == pytest.approx(wanted, rel=1e-6)


@settings(deadline=None)
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
    loss = masked_bce(probability, labels).item()
    assert loss == pytest.approx(-sum(told) / len(told), rel=1e-5)


@settings(deadline=None)
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


@settings(deadline=None)
@given(scored(), st.integers(1, 30))
def test_unlabelled_cells_do_not_dilute(pair: tuple[Tensor, Labels], more: int) -> None:
    """PaSST and EfficientAT divide by all cells: a sparse batch then takes tiny steps."""
    probability, labels = pair
    clips = len(probability)
    wider = torch.cat([probability, torch.full((clips, more), 0.5)], dim=1)
    none = torch.zeros(clips, more, dtype=torch.bool)
    diluted = Labels(*(torch.cat([each, none], dim=1) for each in labels))
    torch.testing.assert_close(masked_bce(wider, diluted), masked_bce(probability, labels))
    torch.testing.assert_close(
        gradient(wider, diluted)[:, : labels.mask.shape[1]], gradient(probability, labels)
    )


def test_nothing_heard_is_no_loss() -> None:
    labels = Labels(PLAYS, torch.zeros_like(PLAYS))
    assert masked_bce(LOUD, labels).item() == 0
    np.testing.assert_array_equal(gradient(LOUD, labels), 0)


@pytest.mark.parametrize("certain", [0.0, 1.0])
@pytest.mark.parametrize("plays", [True, False])
def test_certainty_is_finite(certain: float, plays: bool) -> None:
    probability = torch.tensor([[certain, 0.5]])
    labels = Labels(torch.tensor([[plays, True]]), torch.tensor([[True, True]]))
    wrong = plays != bool(certain)
    wanted = ((100 if wrong else 0) + math.log(2)) / 2
    assert masked_bce(probability, labels).item() == pytest.approx(wanted)
    learnt = gradient(probability, labels)
    assert learnt.isfinite().all()
    assert learnt[0, 1] == pytest.approx(-1.0)


@pytest.mark.parametrize("share", [0.7, 0.8, 0.9, 0.5])
def test_equation_2(share: float) -> None:
    fine, coarse = Labels(PLAYS, HEARD), Labels(~PLAYS, ~HEARD)
    said = Prediction(LOUD, 1 - LOUD / 2)
    wanted = share * masked_bce(said.fine, fine) + (1 - share) * masked_bce(said.coarse, coarse)
    torch.testing.assert_close(joint_bce(said, fine, coarse, share), wanted)


@pytest.mark.parametrize(("share", "silent"), [(1.0, "coarse"), (0.0, "fine")])
def test_the_ends_of_equation_2(share: float, silent: str) -> None:
    said = Prediction(LOUD.clone().requires_grad_(), LOUD.clone().requires_grad_())
    labels = Labels(PLAYS, HEARD)
    joint_bce(said, labels, labels, share).backward()
    assert (getattr(said, silent).grad == 0).all()
    heard = said.coarse if silent == "fine" else said.fine
    assert heard.grad.abs().max() > 0
