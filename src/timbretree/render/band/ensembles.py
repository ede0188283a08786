"""Who plays together: a band of a kind that is found in music, now and then in odd company."""

from dataclasses import dataclass, replace

import numpy as np

from timbretree.render.band.companies import ENSEMBLES
from timbretree.render.band.instruments import INSTRUMENTS, able

MOST = 8
"""How many different tags a clip has at most."""
ODD = 0.23
"""How often a band is in odd company: somebody is replaced or joins who can play the role."""
STRANGE = dict.fromkeys(INSTRUMENTS, 1.0) | {
    "accordion": 1.5, "clarinet": 1.5, "trombone": 1.5, "banjo": 1.3, "mandolin": 1.3,
    "ukulele": 1.5, "cymbals": 1.6, "bass": 0.5, "drums": 0.5,
}  # fmt: skip
"""How likely each tag is to be the odd one."""


@dataclass(frozen=True)
class Seat:
    """One player of a band."""

    tag: str
    role: str


@dataclass(frozen=True)
class Band:
    """An ensemble that has met to play; a section may have several players of one tag."""

    name: str
    style: str
    seats: tuple[Seat, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """What is played in it, each tag once."""
        return tuple(dict.fromkeys(seat.tag for seat in self.seats))


def choose(rng: np.random.Generator) -> Band:
    """A band that has met by chance: one to eight different tags, in one style."""
    weights = np.array([ensemble.weight for ensemble in ENSEMBLES])
    ensemble = ENSEMBLES[int(rng.choice(len(ENSEMBLES), p=weights / weights.sum()))]
    seats: list[Seat] = []
    for place in ensemble.places:
        taken = () if ensemble.sections else {seat.tag for seat in seats}
        free = {tag: weight for tag, weight in place.tags.items() if tag not in taken}
        if rng.random() < place.chance and free:
            seats.append(_seat(_draw(free, rng), place.role))
    style = ensemble.styles[int(rng.integers(len(ensemble.styles)))]
    if rng.random() < ODD:
        seats = _odd(seats, rng)
    return Band(ensemble.name, style, tuple(seats))


def _seat(tag: str, role: str) -> Seat:
    """Where a role is none for it, as a melody for drums, it takes the first that it can."""
    can = INSTRUMENTS[tag].can
    return Seat(tag, role if role in can else can[0])


def _odd(seats: list[Seat], rng: np.random.Generator) -> list[Seat]:
    """The same company with somebody in it who is not usually there."""
    tags = {seat.tag for seat in seats}
    if len(seats) > 1 and (len(tags) == MOST or rng.random() < 0.5):
        number = int(rng.integers(len(seats)))
        options = {tag: STRANGE[tag] for tag in able(seats[number].role) if tag not in tags}
        if not options:
            return seats
        stranger = replace(seats[number], tag=_draw(options, rng))
        return [*seats[:number], stranger, *seats[number + 1 :]]
    stranger_tag = _draw({tag: w for tag, w in STRANGE.items() if tag not in tags}, rng)
    can = INSTRUMENTS[stranger_tag].can
    return [*seats, Seat(stranger_tag, can[int(rng.integers(len(can)))])]


def _draw(options: dict[str, float], rng: np.random.Generator) -> str:
    weights = np.array(list(options.values()))
    return list(options)[int(rng.choice(len(options), p=weights / weights.sum()))]
