"""Who plays together, and how often."""

import numpy as np
import pytest

from timbretree.render.band.companies import ENSEMBLES
from timbretree.render.band.ensembles import choose
from timbretree.render.band.instruments import INSTRUMENTS, ROLES

TAGS = tuple(INSTRUMENTS)


@pytest.fixture(scope="module")
def draws() -> np.ndarray:
    """(20000, 20): which tags are in each of 20,000 bands."""
    rng = np.random.default_rng(1)
    return np.array([[tag in band.tags for tag in TAGS] for band in map(choose, [rng] * 20_000)])


def test_each_tag_is_in_its_share_of_the_clips(draws: np.ndarray) -> None:
    shares = dict(zip(TAGS, draws.mean(axis=0), strict=True))
    assert min(shares.values()) >= 0.08, shares
    assert max(shares.values()) <= 0.40, shares


def test_bands_are_of_all_sizes(draws: np.ndarray) -> None:
    sizes = draws.sum(axis=1)
    assert sizes.min() == 1
    assert sizes.max() == 8
    assert 2.8 <= sizes.mean() <= 3.5
    assert 0.1 <= (sizes == 1).mean() <= 0.2


def test_no_tag_can_be_guessed_from_another(draws: np.ndarray) -> None:
    links = np.corrcoef(draws.T.astype(float))
    for a in range(len(TAGS)):
        for b in range(a):
            most = 0.75 if {TAGS[a], TAGS[b]} == {"drums", "cymbals"} else 0.55
            assert abs(links[a, b]) < most, (TAGS[a], TAGS[b])
            assert (draws[:, a] & draws[:, b]).sum() >= 20, (TAGS[a], TAGS[b])
            assert (draws[:, a] & ~draws[:, b]).sum() >= 20
            assert (draws[:, b] & ~draws[:, a]).sum() >= 20


def test_all_play_what_they_can() -> None:
    rng = np.random.default_rng(2)
    for _ in range(3000):
        band = choose(rng)
        assert band.seats
        for seat in band.seats:
            assert seat.role in INSTRUMENTS[seat.tag].can, band


def test_the_tables_know_only_tags_and_roles_there_are() -> None:
    for instrument in INSTRUMENTS.values():
        assert set(instrument.can) <= set(ROLES)
        assert instrument.low <= instrument.comfort[0] < instrument.comfort[1] <= instrument.high
        assert instrument.high - instrument.low >= 23
    for ensemble in ENSEMBLES:
        assert ensemble.places[0].chance == 1.0
        for place in ensemble.places:
            assert set(place.tags) <= set(INSTRUMENTS), ensemble.name
            assert place.role in ROLES
