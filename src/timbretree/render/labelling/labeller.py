"""Plays OpenMIC's labelling: which cells people were asked about, and what came of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbretree.labels import Labels
from timbretree.render.labelling.listeners import Answers, ask, audible, mistakable
from timbretree.render.labelling.openmic_facts import LABELS, LABELS_A_CLIP
from timbretree.render.labelling.quota import choose, fit, share_out
from timbretree.render.labelling.truth import Truth

FAINT = 0.6
"""How readily people are asked about what can hardly be heard, where a loud one is 1."""
UNLIKE = 0.1
"""How readily people are asked about what is silent, and like nothing that sounds, where 1 is one
that is nearly the same. OpenMIC asked about what a network guessed."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What people said of N clips and K tags."""

    relevance: NDArray[np.float64]
    """(N, K): from 0, all say no, to 1, all say yes; 0.5 is undecided, nan where none was asked."""
    responses: NDArray[np.int64]
    """(N, K): how many answered."""
    answers: Answers | None = None
    """Those of the cells asked about; None where nobody was asked, but the truth told."""

    @property
    def labels(self) -> Labels:
        """What ``read_openmic`` makes of it, (N, K)."""
        present, absent = self.relevance > 0.5, self.relevance < 0.5
        return Labels(present, present | absent)


@dataclass(frozen=True)
class Shortfall:
    """A kind of label that is rarer than it would be in OpenMIC."""

    split: str
    tag: str
    present: bool
    """Or absent."""
    wanted: int
    got: int


def label(truth: Truth, *, splits: tuple[str, ...], rng: np.random.Generator) -> Observed:
    """Label clips as OpenMIC's were: few cells of each, most by three people who mostly agree.

    Labels a clip, and present and absent labels of each tag, are as many as in OpenMIC's ``train``
    and ``test``, scaled to the clips of each; of a tag that sounds too seldom there are what there
    are, and more of the others. Whoever is asked hears short and faint sounds less often, and takes
    an instrument for another where they are alike; and instruments that sound, or are like one that
    does, are asked about more than any.

    What people would say is drawn for every cell; then, which cells they are asked about. Those
    where a tag sounds and those where it doesn't are taken in such a proportion that the answers
    come to the counts wanted, so labels are as often wrong as people are. Raises ValueError for
    splits other than train and test, and for tags that aren't OpenMIC's.
    """
    _check(truth, splits)
    would_say = ask(truth, rng)
    relevance = would_say.relevance()
    said = np.select([relevance > 0.5, relevance < 0.5], [0, 1], 2)
    present = truth.present
    weight = np.where(
        present,
        FAINT + (1 - FAINT) * audible(truth),
        UNLIKE + (1 - UNLIKE) * mistakable(truth),
    )
    asked = np.zeros(present.shape, dtype=bool)
    for split in LABELS:
        rows = np.flatnonzero(np.array(splits) == split)
        if len(rows):
            cells = _Cells(split, truth.tags, present[rows], said[rows], weight[rows])
            asked[rows] = _choose(cells, rng)
    given = would_say.given & asked[:, :, None]
    answers = Answers(given, would_say.yes, would_say.worker, would_say.trust)
    return Observed(np.where(asked, relevance, np.nan), given.sum(axis=2), answers)


def complete(truth: Truth) -> Observed:
    """Label every cell with the truth, as if one had said it who knows."""
    present = truth.present
    return Observed(present.astype(np.float64), np.ones(present.shape, dtype=np.int64))


def noise(truth: Truth, observed: Observed) -> float:
    """The share of labels that contradict the truth; nan where there is no label."""
    target, mask = observed.labels
    return float((target != truth.present)[mask].mean()) if mask.any() else float("nan")


def shortfalls(truth: Truth, *, splits: tuple[str, ...], observed: Observed) -> list[Shortfall]:
    """Of which labels there are fewer than OpenMIC would have of so many clips."""
    _check(truth, splits)
    target, mask = observed.labels
    found = []
    for split in LABELS:
        rows = np.array(splits) == split
        if not rows.any():
            continue
        want = _wanted(split, truth.tags, int(_amounts(split, rows.sum()).sum()))
        got = np.stack([(target & mask)[rows].sum(axis=0), (~target & mask)[rows].sum(axis=0)])
        for kind, tag in np.argwhere(got < want).tolist():
            amounts = int(want[kind, tag]), int(got[kind, tag])
            found.append(Shortfall(split, truth.tags[tag], kind == 0, *amounts))
    return found


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells (N, K) of a split."""

    split: str
    tags: tuple[str, ...]
    present: NDArray[np.bool_]
    said: NDArray[np.int64]
    """0 present, 1 absent, 2 undecided."""
    weight: NDArray[np.float64]
    """How readily people are asked about it, among those that are present, or absent."""


def _choose(cells: _Cells, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which cells people are asked about."""
    amount = rng.permutation(_amounts(cells.split, len(cells.said)))
    ideal = _wanted(cells.split, cells.tags, int(amount.sum()))
    want = fit(ideal, _most(cells, ideal))
    weight = cells.weight * np.where(cells.present, *_rates(cells, want))
    chosen = choose(weight, said=cells.said, amount=amount, want=want, rng=rng)
    decided = np.where(cells.said < 2, weight, 0).sum(axis=0)
    odds = weight * (want.sum(axis=0) / np.maximum(decided, 1e-9))
    undecided = (cells.said == 2) & (rng.random(odds.shape) < odds)  # asked as often as the others
    return np.asarray(chosen | undecided)


def _sums(cells: _Cells) -> list[list[NDArray[np.float64]]]:
    """Weights (K,) of what people say is present, or absent; of each, what is, and what isn't."""
    return [
        [
            np.where((cells.said == said) & (cells.present == present), cells.weight, 0).sum(axis=0)
            for present in (True, False)
        ]
        for said in (0, 1)
    ]


def _rates(
    cells: _Cells, want: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often (K,) to ask where a tag sounds and where it doesn't, for the labels wanted.

    Two unknowns and two equations a tag. Where they ask for less than nothing, it is next to
    nothing: then people are wrong so often that the wanted labels are had from one side alone.
    """
    (right_yes, wrong_yes), (wrong_no, right_no) = _sums(cells)
    yes, no = want
    whole = np.maximum(right_yes * right_no - wrong_yes * wrong_no, 1e-9)
    least = want.sum(axis=0) / np.maximum(cells.weight.sum(axis=0), 1e-9) * 1e-3 + 1e-9
    sounds = (yes * right_no - no * wrong_yes) / whole
    silent = (no * right_yes - yes * wrong_no) / whole
    silent = np.where(right_yes > 0, silent, no / np.maximum(right_no, 1e-9))
    sounds = np.where(right_no > 0, sounds, yes / np.maximum(right_yes, 1e-9))
    return np.maximum(sounds, least), np.maximum(silent, least)


def _most(cells: _Cells, want: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, K): how many labels there are of each kind.

    All right ones count, and of the wrong ones as many as come with asking for what is right on the
    other side: a tag that never sounds isn't said to be present time and again.
    """
    (right_yes, wrong_yes), (wrong_no, right_no) = _sums(cells)
    come_along = np.stack([
        want[1] * wrong_yes / np.maximum(right_no, 1e-9),
        want[0] * wrong_no / np.maximum(right_yes, 1e-9),
    ])  # fmt: skip
    right = np.stack([
        ((cells.said == 0) & cells.present).sum(axis=0),
        ((cells.said == 1) & ~cells.present).sum(axis=0),
    ])  # fmt: skip
    there = np.stack([(cells.said == kind).sum(axis=0) for kind in (0, 1)])
    return np.asarray(np.minimum(right + np.floor(come_along), there), dtype=np.int64)


def _amounts(split: str, clips: int) -> NDArray[np.int64]:
    """(N,): how many labels clips have, the fewest first."""
    parts = LABELS_A_CLIP[split]
    return np.repeat(np.arange(1, len(parts) + 1), share_out(clips, parts))


def _wanted(split: str, tags: tuple[str, ...], total: int) -> NDArray[np.int64]:
    """(2, K): how many present and absent labels of each tag OpenMIC would have."""
    parts = np.array([LABELS[split][tag] for tag in tags]).T
    return share_out(total, parts.ravel()).reshape(parts.shape)


def _check(truth: Truth, splits: tuple[str, ...]) -> None:
    if len(splits) != len(truth.keys):
        raise ValueError(f"there are {len(truth.keys)} clips, but {len(splits)} splits")
    if unknown := sorted({*splits} - {*LABELS}):
        raise ValueError(f"expected clips in {' or '.join(LABELS)}, got {unknown[0]!r}")
    if strangers := [tag for tag in truth.tags if tag not in LABELS["train"]]:
        raise ValueError(
            f"{strangers[0]!r} is no tag of OpenMIC, so how often it was labelled is not known; "
            "label such clips completely"
        )
