"""Mixes made anew for each batch out of the bank, with the labels that they truly have."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from bank import BANDS, FLOOR, FRAMES, TAGS, Bank, Stem
from torch import Tensor

COMMON = {"guitar": 1.5, "piano": 1.5, "voice": 1.5, "violin": 1.2, "ukulele": 0.7, "mandolin": 0.7}
"""How often tags are drawn, where not once; in music that is played together the band decides."""
LINES = 120
"""How many stems there are of a source with 20 notes or more."""
CONFUSED = {"ukulele": ("guitar",), "mandolin": ("guitar",)}
"""What may as well be said of the stems of a tag: they were played on guitars made smaller."""


@dataclass(frozen=True)
class Recipe:
    """What is mixed; each field that an ablation may turn off."""

    frames: int = 500
    """Of a clip: 5 s."""
    coherent: float = 0.35
    """The share of clips whose instruments play the same piece."""
    others: float = 0.08
    """The share of clips with speech or noise and nothing else."""
    tracks: float = 0.15
    """The share of clips that are real music, for which the start is the teacher."""
    counts: tuple[float, ...] = (0.04, 0.32, 0.24, 0.20, 0.12, 0.08)
    """How often 0, 1, 2, ... instruments are put together that play different pieces."""
    recorded: float = 0.7
    """How often a source with 20 recorded notes or more is drawn for each time that a font is; one
    with fewer notes is drawn less often, or those few would be heard again and again."""
    worn: bool = True
    """Equalisers, noise, narrow bands, other levels."""
    gated: float = 0.2
    """How often an instrument plays for a part of the clip only."""
    interference: bool = False
    """Whether sounds also cancel and reinforce each other by chance: it made no difference."""


@dataclass(frozen=True)
class Mixed:
    """A batch: log-mel (B, frames, bands) and, all (B, F), what is in it and what is known."""

    mel: Tensor
    target: Tensor
    known: Tensor
    track: Tensor
    """(B,): whether it is real music without labels."""


@dataclass
class Mixer:
    """Makes batches out of a bank; the same seed makes the same ones."""

    bank: Bank
    recipe: Recipe
    seed: int
    _by_tag: dict[str, tuple[list[list[int]], np.ndarray]] = field(default_factory=dict)
    """Of each tag the stems of each origin, and how often it is drawn."""
    _by_kind: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    _pieces: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        origins: dict[str, dict[str, list[int]]] = {}
        pieces: dict[str, list[int]] = {}
        for index, stem in enumerate(self.bank.stems):
            if stem.kind != "music":
                self._by_kind.setdefault(stem.kind, {}).setdefault(stem.origin, []).append(index)
                continue
            if stem.piece:
                pieces.setdefault(stem.piece, []).append(index)
            origins.setdefault(stem.tags[0], {}).setdefault(stem.origin, []).append(index)
        self._pieces = [rows for rows in pieces.values() if len(rows) > 1]
        for tag, found in origins.items():
            weights = np.array([self._weight(rows) for rows in found.values()])
            self._by_tag[tag] = list(found.values()), weights / weights.sum()
        self._tags = [tag for tag in TAGS if tag in self._by_tag]
        weights = np.array([COMMON.get(tag, 1.0) for tag in self._tags])
        self._weights = weights / weights.sum()
        self._others = [kind for kind in self._by_kind if kind != "track"]

    def batch(self, size: int) -> Mixed:
        """So many clips."""
        return _stack([self._clip() for _ in range(size)])

    def _clip(self) -> tuple[Tensor, Tensor, Tensor, bool]:
        rng, recipe = self.rng, self.recipe
        chance = rng.random()
        if chance < recipe.tracks and "track" in self._by_kind:
            return self._alone("track")
        chance -= recipe.tracks
        if chance < recipe.others and self._others:
            return self._alone(self._others[rng.integers(len(self._others))])
        together = rng.random() < recipe.coherent and self._pieces
        rows = self._band() if together else self._crowd()
        first = int(rng.integers(FRAMES - recipe.frames + 1))
        loudness = rng.uniform(-14, 0, len(rows))
        if len(rows):
            loudness -= loudness.max()
        parts = [
            self._part(row, first if together else None, level)
            for row, level in zip(rows, loudness, strict=True)
        ]
        backdrop = torch.zeros(recipe.frames, BANDS)
        if not parts or (self._others and rng.random() < 0.15):
            level = rng.uniform(-30, -8) if parts else 0.0
            backdrop = self._backdrop(level)
        return *self._together([self.bank.stems[row] for row in rows], parts, backdrop), False

    def _alone(self, kind: str) -> tuple[Tensor, Tensor, Tensor, bool]:
        row = _pick(self._by_kind[kind], self.rng)
        part = self._part(row, None, 0.0)
        mel, target, known = self._together([], [], part)
        return mel, target, known & (kind != "track"), kind == "track"

    def _band(self) -> list[int]:
        """Some of those that play a piece, each instrument once."""
        rows = self._pieces[self.rng.integers(len(self._pieces))]
        by_tag: dict[str, list[int]] = {}
        for row in rows:
            by_tag.setdefault(self.bank.stems[row].tags[0], []).append(row)
        tags = list(by_tag)
        keep = max(1, len(tags) - int(self.rng.integers(0, 3)))
        chosen = self.rng.permutation(len(tags))[: min(keep, 6)]
        picked = (by_tag[tags[i]] for i in chosen)
        return [rows[self.rng.integers(len(rows))] for rows in picked]

    def _crowd(self) -> list[int]:
        """Some instruments that have nothing to do with each other."""
        counts = np.array(self.recipe.counts)
        count = int(self.rng.choice(len(counts), p=counts / counts.sum()))
        tags = self.rng.choice(len(self._tags), size=count, replace=False, p=self._weights)
        return [self._stem(self._tags[i]) for i in tags]

    def _weight(self, rows: list[int]) -> float:
        recorded = not self.bank.stems[rows[0]].piece
        return self.recipe.recorded * min(1, len(rows) / LINES) if recorded else 1.0

    def _stem(self, tag: str) -> int:
        """A stem of some origin."""
        by_origin, weights = self._by_tag[tag]
        chosen = int(self.rng.choice(len(weights), p=weights))
        return by_origin[chosen][int(self.rng.integers(len(by_origin[chosen])))]

    def _part(self, row: int, first: int | None, decibels: float) -> Tensor:
        """(frames, bands) of power: a stem from somewhere, at a level, through an equaliser."""
        rng, recipe = self.rng, self.recipe
        if first is None:
            first = int(rng.integers(FRAMES - recipe.frames + 1))
        part = self.bank.power(row, first, recipe.frames)
        if recipe.worn:
            decibels = decibels + _equaliser(rng, 3.0)
        part *= torch.as_tensor(10 ** (np.float32(decibels) / 10), dtype=torch.float32)
        if rng.random() < recipe.gated:
            part *= _gate(rng, recipe.frames)[:, None]
        return part

    def _backdrop(self, decibels: float) -> Tensor:
        if self._others and self.rng.random() < 0.5:
            kind = self._others[self.rng.integers(len(self._others))]
            return self._part(_pick(self._by_kind[kind], self.rng), None, decibels)
        return _hiss(self.rng, self.recipe.frames, decibels)

    def _together(
        self, stems: list[Stem], parts: list[Tensor], backdrop: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        rng = self.rng
        if self.recipe.worn and rng.random() < 0.4:
            backdrop = backdrop + _hiss(rng, self.recipe.frames, rng.uniform(-55, -20))
        every = [*parts, backdrop]
        whole = torch.stack(every).sum(dim=0)
        gain = torch.ones(())
        if self.recipe.worn:
            curve = _equaliser(rng, 4.0) + rng.uniform(-22, 4)
            gain = torch.as_tensor(10 ** (_narrowed(curve, rng) / 10), dtype=torch.float32)
        target, known = _labels(stems, [part * gain for part in parts], whole * gain)
        if self.recipe.interference and len(every) > 1:
            whole = _interfered(every, whole, rng)
        return (torch.log(whole * gain + FLOOR) + 4.5) / 5, target, known


def _labels(stems: Sequence[Stem], parts: Sequence[Tensor], whole: Tensor) -> tuple[Tensor, Tensor]:
    """What is heard, and where that is certain: (F,) and (F,).

    An instrument is heard where it stands out (by -3 dB of all else) for 0.15 s and in 0.3 % of all
    cells of time and pitch; it is not where it makes up less than 1/10,000 of the power or stands
    out for 0.02 s at most. In between nobody can tell.
    """
    target, known = (
        torch.zeros(len(TAGS), dtype=torch.bool),
        torch.ones(len(TAGS), dtype=torch.bool),
    )
    for stem, part in zip(stems, parts, strict=True):
        out = (part > 0.5 * (whole - part)) & (part > 3 * FLOOR)
        frames = int((out.sum(dim=1) >= 2).sum())
        heard = frames >= 15 and out.float().mean() >= 0.003
        hidden = frames <= 2 or part.sum() < 1e-4 * whole.sum()
        for tag in stem.tags:
            target[TAGS.index(tag)] |= heard
            known[TAGS.index(tag)] &= heard or hidden
            for other in CONFUSED.get(tag, ()):
                known[TAGS.index(other)] &= hidden or bool(target[TAGS.index(other)])
        for tag in stem.unsure:
            known[TAGS.index(tag)] = False
    return target, known | target


def _interfered(parts: Sequence[Tensor], whole: Tensor, rng: np.random.Generator) -> Tensor:
    """Where two sounds are about as loud, their sum depends on their phases: less where many
    frequencies share a band."""
    squares = torch.stack([part.square() for part in parts]).sum(dim=0)
    cross = (2 * (whole.square() - squares).clamp_min(0)).sqrt()
    bins = np.clip(np.linspace(0.6, 12, BANDS), 1, None)
    phase = torch.from_numpy(_chance("phase", rng, len(whole)))
    share = torch.as_tensor(1 / np.sqrt(bins), dtype=torch.float32)
    return torch.maximum(whole + cross * phase * share, 0.02 * whole)


def _equaliser(rng: np.random.Generator, decibels: float) -> np.ndarray:
    """(bands,) in dB: a smooth curve."""
    place = np.linspace(0, 1, BANDS)
    waves = [np.cos(np.pi * k * place + rng.uniform(0, 2 * np.pi)) / k for k in range(1, 5)]
    return (np.stack(waves).T @ rng.normal(0, decibels, 4)).astype(np.float32)


def _narrowed(curve: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Now and then without the heights, or without the lows, as cheap equipment leaves them out."""
    place = np.arange(BANDS)
    if rng.random() < 0.2:
        curve = curve - np.clip(place - rng.integers(70, BANDS), 0, None) * rng.uniform(1, 6)
    if rng.random() < 0.08:
        curve = curve - np.clip(rng.integers(5, 35) - place, 0, None) * rng.uniform(0.5, 3)
    return np.maximum(curve, -90).astype(np.float32)


@cache
def _grain(kind: str) -> np.ndarray:
    """(8192, bands) of chance, drawn once: of noise's power, or of the cosine of phases."""
    rng = np.random.default_rng(0)
    drawn = rng.gamma(3.0, 1 / 3, (8192, BANDS)) if kind == "power" else np.cos(
        rng.uniform(0, np.pi, (8192, BANDS)))  # fmt: skip
    return drawn.astype(np.float32)


def _chance(kind: str, rng: np.random.Generator, frames: int) -> np.ndarray:
    first = int(rng.integers(8192 - frames))
    return _grain(kind)[first : first + frames]


def _hiss(rng: np.random.Generator, frames: int, decibels: float) -> Tensor:
    """Steady noise of some colour, (frames, bands) of power."""
    power = _chance("power", rng, frames)
    colour = _equaliser(rng, 6.0) + rng.uniform(-20, 20) * (np.linspace(0, 1, BANDS) - 0.5)
    return torch.from_numpy(power * (10 ** ((decibels + colour) / 10)).astype(np.float32))


def _gate(rng: np.random.Generator, frames: int) -> Tensor:
    """(frames,): 1 while an instrument plays, 0 before or after it."""
    edges = np.sort(rng.uniform(0, frames, 2)).astype(int)
    edges = [(0, edges[1]), (edges[0], frames), tuple(edges)][rng.integers(3)]
    gate = np.zeros(frames, np.float32)
    gate[edges[0] : edges[1]] = 1
    return torch.from_numpy(gate)


def _pick(by_origin: dict[str, list[int]], rng: np.random.Generator) -> int:
    """A stem of some origin; those with many are drawn more often, but not as much more."""
    weights = np.sqrt([len(rows) for rows in by_origin.values()])
    rows = list(by_origin.values())[int(rng.choice(len(weights), p=weights / weights.sum()))]
    return rows[int(rng.integers(len(rows)))]


def _stack(clips: Sequence[tuple[Tensor, Tensor, Tensor, bool]]) -> Mixed:
    mel, target, known = (torch.stack([clip[i] for clip in clips]) for i in range(3))
    return Mixed(mel, target, known, torch.tensor([clip[3] for clip in clips]))
