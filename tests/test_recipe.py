"""The recipe of the shipped model: the bank of stems, and mixes with the labels that they have."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "recipe"))
from bank import BANDS, FLOOR, FRAMES, RATE, TAGS, Bank, Stem, power, write_shard
from mixer import Mixer, Recipe
from ship import between

from timbretree.melspec import MN04, log_mel

PLAIN = Recipe(worn=False, gated=0.0, coherent=0.0, others=0.0, tracks=0.0)


def tone(hertz: float, amplitude: float = 0.3) -> np.ndarray:
    time = np.arange(10 * RATE) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype("f4")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("bank")
    stems = [
        (Stem(("piano",), "font", "p1"), power(tone(440))),
        (Stem(("violin",), "font", "p1"), power(tone(3000))),
        (Stem(("ukulele",), "font", "p2"), power(tone(700))),
        (Stem(("drums",), "kit", "", ("cymbals",)), power(tone(100))),
        (Stem((), "street", kind="noise"), power(tone(1500))),
        (Stem((), "song", kind="track"), power(tone(2200))),
    ]
    assert write_shard(folder / "one", stems[:3]) == 3
    assert write_shard(folder / "two", stems[3:]) == 3
    return Bank([folder])


def test_a_bank_gives_back_the_power_it_was_given(bank: Bank) -> None:
    assert [stem.tags for stem in bank.stems[:3]] == [("piano",), ("violin",), ("ukulele",)]
    wanted = np.exp(5 * log_mel(tone(440), MN04) - 4.5) - FLOOR
    found = bank.power(0, 100, 50).numpy()
    assert found.shape == (50, BANDS)
    np.testing.assert_allclose(found, wanted[100:150], rtol=0.005, atol=1e-6)


def test_a_mix_of_power_is_nearly_that_of_the_sound(bank: Bank) -> None:
    together = log_mel(tone(440) + tone(3000), MN04)
    whole = bank.power(0, 0, FRAMES) + bank.power(1, 0, FRAMES)
    found = (torch.log(whole + FLOOR) + 4.5) / 5
    np.testing.assert_allclose(found[10:-10], together[10:-10], atol=0.15)


@pytest.mark.parametrize("counts", [(0, 1), (0, 0, 1)])
def test_what_plays_is_labelled_and_the_rest_is_absent(bank: Bank, counts: tuple[int, ...]) -> None:
    mixed = Mixer(bank, Recipe(**{**vars(PLAIN), "counts": counts}), 0).batch(40)
    assert mixed.mel.shape == (40, PLAIN.frames, BANDS)
    assert not mixed.track.any()
    target, known = mixed.target, mixed.known
    assert (target.sum(dim=1) == len(counts) - 1).all()
    cymbals, drums = TAGS.index("cymbals"), TAGS.index("drums")
    assert (known[:, cymbals] == ~target[:, drums]).all()  # drums may come with cymbals
    guitar, ukulele = TAGS.index("guitar"), TAGS.index("ukulele")
    assert (known[:, guitar] == ~target[:, ukulele]).all()
    known[:, [cymbals, guitar]] = True
    assert known.all()


def test_real_music_is_unknown_and_noise_holds_nothing(bank: Bank) -> None:
    tracks = Mixer(bank, Recipe(**{**vars(PLAIN), "tracks": 1.0}), 0).batch(4)
    assert tracks.track.all()
    assert not tracks.known.any()
    noise = Mixer(bank, Recipe(**{**vars(PLAIN), "others": 1.0}), 0).batch(4)
    assert noise.known.all()
    assert not noise.target.any()
    assert not noise.track.any()


@pytest.mark.parametrize(
    ("frames", "answer"), [(200, (True, True)), (8, (False, False)), (1, (False, True))]
)
def test_what_is_heard_for_a_moment_only_is_unknown(
    bank: Bank, frames: int, answer: tuple[bool, bool]
) -> None:
    piano, violin = bank.power(0, 0, 500), bank.power(1, 0, 500)
    violin[frames:] = 0
    backdrop = torch.zeros(500, BANDS)
    _, target, known = Mixer(bank, PLAIN, 0)._together(bank.stems[:2], [piano, violin], backdrop)
    row = TAGS.index("violin")
    assert (bool(target[row]), bool(known[row])) == answer


def test_the_same_seed_makes_the_same_mixes(bank: Bank) -> None:
    one, same, other = (
        Mixer(bank, Recipe(counts=(1, 2, 1)), seed).batch(8).mel for seed in (3, 3, 4)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_between_the_start_and_what_was_taught() -> None:
    start, taught = (
        {"a": torch.zeros(2), "n": torch.tensor(3)},
        {"a": torch.ones(2), "n": torch.tensor(9)},
    )
    found = between(start, taught, 0.7)
    assert found["a"].tolist() == pytest.approx([0.7, 0.7])
    assert found["n"] == 9


def test_the_card_in_the_package_is_the_page_in_the_docs() -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs" / "model.md").read_text("utf-8")
    assert page == (root / "src/timbretree/models/shipped.card.md").read_text("utf-8")
