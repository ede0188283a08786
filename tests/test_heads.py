"""The heads: that each computes what its row of the paper's Table 1 says, and no more."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from conftest import trees
from timbretree.backbones import Cnn14
from timbretree.heads import (
    HEADS,
    GroupedMax,
    GroupedMean,
    LevelWise,
    LinearProjection,
    MaxConstraint,
    ResAtt,
    TopDown,
)
from timbretree.labels import Prediction
from timbretree.taxonomy import Taxonomy

D = 12
"""Length of the embeddings here."""
NAMED = [Taxonomy.load("tone7"), Taxonomy.load("hornbostel_sachs")]
ANY_TREE = st.sampled_from(NAMED) | trees()
ANY_HEAD = st.sampled_from(sorted(HEADS))


def made(head: str, tree: Taxonomy, seed: int = 0) -> nn.Module:
    """A head away from its flat start, so that every layer has its say."""
    torch.manual_seed(seed)
    net = HEADS[head](D, tree)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0, 0.7)
    return net


def clips(seed: int, number: int = 4) -> Tensor:
    return torch.randn(number, D, generator=torch.Generator().manual_seed(seed))


def linear(layer: nn.Linear, embedding: Tensor) -> np.ndarray:
    """A linear layer in numpy and float64."""
    weight, bias = (each.detach().double().numpy() for each in (layer.weight, layer.bias))
    return embedding.double().numpy() @ weight.T + bias


def sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def below(tree: Taxonomy, group: str) -> list[int]:
    return [tree.tags.index(tag) for tag in tree.below(group)]


# --- all heads


@settings(max_examples=60)
@given(ANY_TREE, ANY_HEAD, st.integers(0, 9))
def test_probabilities_of_all_tags_and_groups(tree: Taxonomy, name: str, seed: int) -> None:
    said = made(name, tree, seed)(100 * clips(seed))
    assert said.fine.shape == (4, len(tree.tags))
    assert said.coarse.shape == (4, len(tree.groups))
    for each in said[:2]:
        assert each.isfinite().all()
        assert each.min() >= 0
        assert each.max() <= 1
    assert (said.own is not None) == (name == "mcm")  # a head is in training mode when made
    if name in ("levelwise", "topdown", "lp", "mcm"):
        assert said.attention is None
    else:
        assert said.attention.shape == (4, len(tree.tags), len(tree.groups))
        np.testing.assert_allclose(said.attention.detach().sum(dim=1), 1, rtol=1e-5)
        heard = torch.einsum("bfc,bf->bc", said.attention, said.fine)
        torch.testing.assert_close(said.coarse, heard, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("count", [1, 10, 20, 26])
def test_rounding_makes_nothing_more_than_certain(name: str, count: int) -> None:
    """Weights that sum to 1 + 1e-7 would; binary cross-entropy refuses it in mid-training."""
    tags = tuple(f"t{number}" for number in range(count))
    head = made(name, Taxonomy("all", tags, {"all": tags}))
    with torch.no_grad():
        head.fine.bias.fill_(40.0)
    said = head(clips(9, 200))
    assert said.fine.max() <= 1
    assert said.coarse.max() <= 1


@settings(max_examples=40)
@given(ANY_TREE, ANY_HEAD)
def test_alone_as_in_company(tree: Taxonomy, name: str) -> None:
    head, embedding = made(name, tree).eval(), clips(1)
    together = head(embedding)
    alone = [head(embedding[clip : clip + 1]) for clip in range(4)]
    for level in (0, 1):
        torch.testing.assert_close(
            together[level], torch.cat([each[level] for each in alone]), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("name", HEADS)
def test_autocast_does_not_coarsen_the_answer(name: str) -> None:
    head, embedding = made(name, NAMED[0]), clips(2)
    exact = head(embedding)
    with torch.autocast("cpu", torch.bfloat16):
        said = head(embedding)
        from_half = head(embedding.bfloat16())
    assert all(each.dtype == torch.float32 for each in (*said, *from_half) if each is not None)
    for level in (0, 1):
        torch.testing.assert_close(said[level], exact[level], rtol=0, atol=0)


@settings(max_examples=30)
@given(ANY_TREE, ANY_HEAD)
def test_the_tags_are_a_linear_layer_and_a_sigmoid(tree: Taxonomy, name: str) -> None:
    if name == "topdown":
        return  # there the tags are given their groups: see below
    head, embedding = made(name, tree), clips(3)
    wanted = sigmoid(linear(head.fine, embedding))
    np.testing.assert_allclose(head(embedding).fine.detach(), wanted, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_every_layer_learns_from_the_groups_or_the_tags(name: str) -> None:
    head = made(name, NAMED[1])
    said: Prediction = head(clips(4))
    (said.fine.square().sum() + said.coarse.square().sum()).backward()
    for label, parameter in head.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.abs().max() > 1e-6, label


@pytest.mark.parametrize("name", HEADS)
def test_the_tree_is_no_weight(name: str) -> None:
    """Files hold weights; the tables of the tree are made anew from the tree."""
    head = made(name, NAMED[0])
    assert set(head.state_dict()) == {label for label, _ in head.named_parameters()}


@pytest.mark.parametrize("name", HEADS)
def test_what_is_learnt_is_what_is_used(name: str) -> None:
    """No head has a rule for learning and another one for use."""
    head, embedding = made(name, NAMED[1]), clips(10)
    learnt, used = head.train()(embedding), head.eval()(embedding)
    assert torch.equal(learnt.fine, used.fine)
    assert torch.equal(learnt.coarse, used.coarse)


def test_the_networks_are_about_equally_large() -> None:
    """Within half a percent of the paper's trunk, so no row of Table 1 wins by its size."""
    with torch.device("meta"):
        sizes = [size(Cnn14()) + size(make(2048, NAMED[0])) for make in HEADS.values()]
    assert max(sizes) / min(sizes) < 1.005


def size(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


# --- level-wise (a)


def test_level_wise_is_two_classifiers_apart() -> None:
    head, embedding = made("levelwise", NAMED[1]), clips(5)
    assert isinstance(head, LevelWise)
    said = head(embedding)
    np.testing.assert_allclose(
        said.coarse.detach(), sigmoid(linear(head.coarse, embedding)), atol=1e-6
    )
    said.coarse.sum().backward()
    assert head.fine.weight.grad is None


# --- max constraint (C-HMCNN)


def own_words(head: nn.Module, tree: Taxonomy, embedding: Tensor) -> dict[str, np.ndarray]:
    """What the classifier of each node says by itself, clip by clip."""
    own = dict(zip(tree.groups, sigmoid(linear(head.coarse, embedding)).T, strict=True))
    return own | dict(zip(tree.tags, sigmoid(linear(head.fine, embedding)).T, strict=True))


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_max_constraint_is_the_loudest_of_all_below(tree: Taxonomy, seed: int) -> None:
    head, embedding = made("mcm", tree, seed), clips(seed)
    assert isinstance(head, MaxConstraint)
    said, own = head(embedding), own_words(head, tree, embedding)
    for column, group in enumerate(tree.groups):
        below = [own[name] for name in own if group in (name, *tree.path(name))]
        np.testing.assert_allclose(said.coarse[:, column].detach(), np.max(below, 0), atol=1e-6)
        np.testing.assert_allclose(said.own[:, column].detach(), own[group], atol=1e-6)


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_max_constraint_no_node_is_above_the_one_it_hangs_from(tree: Taxonomy, seed: int) -> None:
    said = made("mcm", tree, seed)(10 * clips(seed, 8))
    value = dict(zip(tree.groups, said.coarse.detach().T, strict=True))
    value |= dict(zip(tree.tags, said.fine.detach().T, strict=True))
    for name in value:
        for group in tree.path(name):
            assert (value[name] <= value[group]).all()


def test_the_groups_own_words_are_for_training_alone() -> None:
    """So what is exported is the same for every head."""
    head, embedding = made("mcm", NAMED[1]), clips(5)
    heard, listening = head.eval()(embedding), head.train()(embedding)
    assert heard.own is None
    assert listening.own is not None
    assert torch.equal(heard.coarse, listening.coarse)
    assert (listening.own < listening.coarse).any()


# --- top-down (b)


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_top_down_is_the_product_along_the_path(tree: Taxonomy, seed: int) -> None:
    head, embedding = made("topdown", tree, seed), clips(seed)
    assert isinstance(head, TopDown)
    own = own_words(head, tree, embedding)
    said = head(embedding)
    for names, values in ((tree.groups, said.coarse), (tree.tags, said.fine)):
        for column, name in enumerate(names):
            wanted = np.prod([own[each] for each in (name, *tree.path(name))], axis=0)
            np.testing.assert_allclose(values[:, column].detach(), wanted, rtol=1e-4, atol=1e-7)


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9), st.sampled_from([1.0, 10.0, 100.0]))
def test_top_down_no_node_is_above_the_one_it_hangs_from(
    tree: Taxonomy, seed: int, scale: float
) -> None:
    said = made("topdown", tree, seed)(scale * clips(seed, 8))
    value = dict(zip(tree.groups, said.coarse.detach().T, strict=True))
    value |= dict(zip(tree.tags, said.fine.detach().T, strict=True))
    for name in (*tree.tags, *tree.groups):
        for group in tree.path(name):
            assert (value[name] <= value[group] * (1 + 1e-6)).all()


def test_top_down_learns_from_an_unlikely_path() -> None:
    head = TopDown(1, Taxonomy("deep", ("t",), {"a": ("b",), "b": ("c",), "c": ("t",)}))
    with torch.no_grad():
        head.coarse.weight.fill_(-15.0)
        head.fine.weight.fill_(-15.0)
    said = head(torch.ones(1, 1))
    assert said.fine.item() == pytest.approx(np.exp(-60), rel=1e-3)
    (-said.fine.log()).sum().backward()
    # every sigmoid far below 1: each logit wants up by 1
    np.testing.assert_allclose(head.coarse.bias.grad, -1, rtol=1e-4)
    np.testing.assert_allclose(head.fine.bias.grad, -1, rtol=1e-4)


# --- pooling (c1, c2, c3)


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_gap_is_the_mean_of_the_group(tree: Taxonomy, seed: int) -> None:
    head = made("gap", tree, seed)
    assert isinstance(head, GroupedMean)
    said = head(clips(seed))
    for column, group in enumerate(tree.groups):
        wanted = said.fine[:, below(tree, group)].mean(dim=1)
        torch.testing.assert_close(said.coarse[:, column], wanted, rtol=1e-5, atol=1e-6)


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_gmp_is_the_loudest_of_the_group(tree: Taxonomy, seed: int) -> None:
    head = made("gmp", tree, seed)
    assert isinstance(head, GroupedMax)
    said = head(clips(seed))
    for column, group in enumerate(tree.groups):
        wanted = said.fine[:, below(tree, group)].amax(dim=1)
        torch.testing.assert_close(said.coarse[:, column], wanted, rtol=0, atol=0)


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_gmp_looks_at_one_tag_of_the_group(tree: Taxonomy, seed: int) -> None:
    look = made("gmp", tree, seed)(clips(seed)).attention
    assert set(look.unique().tolist()) <= {0.0, 1.0}
    np.testing.assert_array_equal(look.sum(dim=1), 1)
    outside = torch.from_numpy(~tree.members)
    assert not look[:, outside].any()


def test_gmp_looks_at_one_tag_where_all_are_alike() -> None:
    head = GroupedMax(D, NAMED[1])
    with torch.no_grad():
        head.fine.weight.zero_()
    said = head(clips(0))
    np.testing.assert_array_equal(said.attention.sum(dim=1), 1)
    assert set(said.attention.unique().tolist()) == {0.0, 1.0}
    assert (said.coarse == 0.5).all()


@settings(max_examples=40)
@given(ANY_TREE, st.integers(0, 9))
def test_gmp_learns_as_torch_max_learns(tree: Taxonomy, seed: int) -> None:
    """Only the loudest tag of a group hears what the group's label says."""
    head, embedding = made("gmp", tree, seed), clips(seed)
    weigh = torch.randn(4, len(tree.groups))
    (head(embedding).coarse * weigh).sum().backward()
    logits = nn.functional.linear(embedding, head.fine.weight, head.fine.bias).detach()
    logits.requires_grad_()
    fine = logits.sigmoid()
    loudest = [fine[:, below(tree, group)].max(dim=1).values for group in tree.groups]
    (torch.stack(loudest, dim=1) * weigh).sum().backward()
    torch.testing.assert_close(
        head.fine.weight.grad, logits.grad.T @ embedding, atol=1e-6, rtol=1e-5
    )
    torch.testing.assert_close(head.fine.bias.grad, logits.grad.sum(dim=0), atol=1e-6, rtol=1e-5)


@settings(max_examples=30)
@given(ANY_TREE, st.integers(0, 9))
def test_lp_is_a_linear_layer_on_the_tags(tree: Taxonomy, seed: int) -> None:
    head, embedding = made("lp", tree, seed), clips(seed)
    assert isinstance(head, LinearProjection)
    said = head(embedding)
    wanted = sigmoid(linear(head.coarse, said.fine.detach()))
    np.testing.assert_allclose(said.coarse.detach(), wanted, atol=1e-5)


def test_lp_contains_gap() -> None:
    """With GAP's map for weights it ranks as GAP does: its collapse is a failure of training."""
    tree, embedding = NAMED[0], clips(6, 50)
    lp, gap = made("lp", tree), made("gap", tree)
    gap.load_state_dict({"fine.weight": lp.fine.weight, "fine.bias": lp.fine.bias})
    members = torch.from_numpy(tree.members).float()
    with torch.no_grad():
        lp.coarse.weight.copy_((members / members.sum(dim=0)).T)
        lp.coarse.bias.zero_()
        torch.testing.assert_close(lp(embedding).coarse.logit(), gap(embedding).coarse)


# --- residual attention (d)


@settings(max_examples=30)
@given(ANY_TREE, st.integers(0, 9))
def test_resatt_is_equation_1(tree: Taxonomy, seed: int) -> None:
    head, embedding = made("resatt", tree, seed), clips(seed)
    assert isinstance(head, ResAtt)
    said = head(embedding)
    fine = sigmoid(linear(head.fine, embedding))
    for clip, row in enumerate(linear(head.attention, embedding)):
        scores = np.exp(row.reshape(len(tree.tags), len(tree.groups)))
        attention = scores / scores.sum(axis=0)
        np.testing.assert_allclose(said.attention[clip].detach(), attention, atol=1e-5)
        np.testing.assert_allclose(said.coarse[clip].detach(), attention.T @ fine[clip], atol=1e-5)


@settings(max_examples=30)
@given(ANY_TREE, st.integers(0, 9))
def test_resatt_sums_to_one_and_stays_below_the_loudest_tag(tree: Taxonomy, seed: int) -> None:
    said = made("resatt", tree, seed)(clips(seed))
    np.testing.assert_allclose(said.attention.detach().sum(dim=1), 1, rtol=1e-5)
    assert (said.coarse <= said.fine.amax(dim=1, keepdim=True) + 1e-6).all()
    assert (said.coarse >= said.fine.amin(dim=1, keepdim=True) - 1e-6).all()


def test_resatt_may_look_beyond_the_group() -> None:
    """So a group may be less probable than one of its own tags."""
    tree = NAMED[0]
    said = made("resatt", tree)(clips(7, 50))
    assert (said.attention[:, torch.from_numpy(~tree.members)] > 0).all()
    loudest = [said.fine[:, below(tree, group)].amax(dim=1) for group in tree.groups]
    assert (said.coarse < torch.stack(loudest, dim=1) - 0.1).any()


def test_resatt_has_to_find_the_families_by_itself() -> None:
    """The same weights, and each tag in another family: to ResAtt it is all one."""
    tree, embedding = NAMED[0], clips(11)
    moved = dict(zip(tree.tags, tree.tags[1:] + tree.tags[:1], strict=True))
    groups = {group: tuple(moved[tag] for tag in below) for group, below in tree.children.items()}
    blind = set()
    for name in HEADS:
        here, there = made(name, tree), made(name, Taxonomy("moved", tree.tags, groups))
        there.load_state_dict(here.state_dict())
        if all(torch.equal(*pair) for pair in zip(here(embedding)[:2], there(embedding)[:2],
                                                  strict=True)):  # fmt: skip
            blind.add(name)
    assert blind == {"resatt", "lp", "levelwise"}


def test_resatt_starts_as_a_look_at_everything() -> None:
    torch.manual_seed(0)
    head = ResAtt(512, NAMED[0])
    np.testing.assert_allclose(head(torch.zeros(1, 512)).attention.detach(), 1 / 20, rtol=1e-5)
    embedding = nn.functional.normalize(torch.randn(8, 512))
    attention = head(embedding).attention
    assert attention.min() > 0.03
    assert attention.max() < 0.07
    assert attention.std() > 1e-3  # but it depends on the recording from the start


def test_resatt_teaches_its_attention() -> None:
    head = ResAtt(D, NAMED[0])
    head(clips(8)).coarse.sum().backward()
    assert head.attention.weight.grad.abs().max() > 1e-4
    assert head.fine.weight.grad.abs().max() > 1e-4
