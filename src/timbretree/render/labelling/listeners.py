"""People who listen to clips, and are asked whether they hear an instrument."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.render.labelling.openmic_facts import ALIKE
from timbretree.render.labelling.truth import Truth

HEARD = 0.95
"""How often one hears an instrument that is loud and long enough."""
MISHEARD = (0.03, 0.17)
"""How often one hears an instrument that isn't there: in any case, and the more for one alike."""
FULL, GONE = -15.0, -45.0
"""From which loudness on, in dB against the mix, all of that counts, and where nothing is left."""
LONG = 2.0
"""Seconds of sound that are as good as more."""
ANSWERS = {2: 0.03, 3: 0.92, 4: 0.03, 5: 0.02}
"""How many people answer a question. OpenMIC's excerpts have three each; twos and fours, of which
halves disagree, are as many as give about OpenMIC's share of undecided cells, 266 in 41,534."""
TRUST = (0.7, 1.0)
"""Of the people: their share of right answers where the answer is known."""
PEOPLE = 2500


@dataclass(frozen=True, eq=False)
class Answers:
    """What people said; each cell (clip, tag) has up to M answers, and the rest is empty."""

    given: NDArray[np.bool_]
    """(N, K, M): which of them there are."""
    yes: NDArray[np.bool_]
    """(N, K, M)."""
    worker: NDArray[np.int16]
    """(N, K, M): the number of who answers, no two the same in a cell."""
    trust: NDArray[np.float64]
    """(W,): of each worker, to four decimals."""

    def relevance(self) -> NDArray[np.float64]:
        """(N, K): what OpenMIC makes of the answers to a question."""
        trust = self.trust[self.worker] * self.given
        return relevance((trust * self.yes).sum(axis=2), trust.sum(axis=2), self._halves())

    def _halves(self) -> NDArray[np.bool_]:
        """(N, K): where as many say yes as no."""
        return np.asarray(2 * (self.yes & self.given).sum(axis=2) == self.given.sum(axis=2))


def relevance(
    yes: NDArray[np.float64], total: NDArray[np.float64], halves: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """From the trust of those who say yes, and of all, to a number from 0 (no) to 1 (yes).

    It is 0.5 where ``halves`` of the people disagree, and else half of the winners' share away from
    that, so that nothing lies between 0.25 and 0.75: two yes of three people come to about 0.83.
    So OpenMIC's authors made it from shares of four decimals (parse_aggregated_results.py in the
    repository cosmir/openmic-2018).
    """
    share = yes / total
    confidence = np.round(np.maximum(share, 1 - share), 4)
    return np.where(halves, 0.5, 0.5 + np.where(share > 0.5, 0.5, -0.5) * confidence)


def audible(truth: Truth) -> NDArray[np.float64]:
    """(N, K): how well each tag can be heard, 0 where it is silent and 1 where nobody misses it."""
    loud = np.clip((truth.loudness - GONE) / (FULL - GONE), 0, 1)
    return np.asarray(loud * np.sqrt(np.minimum(truth.seconds / LONG, 1)))


def mistakable(truth: Truth) -> NDArray[np.float64]:
    """(N, K): how readily each tag is heard in another that sounds, from 0 to 1."""
    place = {tag: column for column, tag in enumerate(truth.tags)}
    sound, most = audible(truth), np.zeros(truth.seconds.shape)
    for (one, other), alike in ALIKE.items():
        if one in place and other in place:
            for heard, real in ((place[one], place[other]), (place[other], place[one])):
                most[:, heard] = np.maximum(most[:, heard], alike * sound[:, real])
    return most


def ask(truth: Truth, rng: np.random.Generator) -> Answers:
    """What people would answer if they were asked about every cell."""
    mistaken = MISHEARD[0] + MISHEARD[1] * mistakable(truth)
    chance = 1 - (1 - HEARD * audible(truth)) * (1 - mistaken)
    most = max(ANSWERS)
    number = rng.choice(list(ANSWERS), size=chance.shape, p=list(ANSWERS.values()))
    first = rng.integers(PEOPLE, size=chance.shape)
    step = rng.integers(1, PEOPLE // most, size=chance.shape)  # so that nobody is asked twice
    worker = (first[..., None] + step[..., None] * np.arange(most)) % PEOPLE
    return Answers(
        np.arange(most) < number[..., None],
        rng.random((*chance.shape, most)) < chance[..., None],
        worker.astype(np.int16),
        np.round(rng.uniform(*TRUST, size=PEOPLE), 4),
    )
