"""A recording in, tags out: windows, probabilities, thresholds, and words where they disagree."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbretree.audio import (
    REASONS,
    SILENCE,
    AudioError,
    Clip,
    Limits,
    Recording,
    Window,
    resample,
    windows,
    without_damage,
)
from timbretree.labels import Prediction
from timbretree.melspec import log_mel
from timbretree.modelfile import SHIPPED, ModelFile
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores, disagreements
from timbretree.taxonomy import Taxonomy

Array = NDArray[np.float32]

SHORTEST = 3.0
"""Seconds: anything shorter is followed by silence up to this length, or it would be
answered with more wrong tags (``benchmarks/short_clips.py`` compares)."""
BEST = 4
"""A file's probability is the mean over the best 1 in 4 of its windows."""


class Tagger:
    """Hears which instruments play in a recording, with a model file.

    >>> tags = Tagger()("song.mp3")

    ``model`` is a path to a model file (default: the one that ships with timbretree).
    ``taxonomy`` groups the same tags in another tree than the model's own: a group's probability
    is then that of its most probable tag. Raises ModelFileError, and ValueError where the two do
    not have the same tags.
    """

    def __init__(
        self, model: str | Path | ModelFile = SHIPPED, *, taxonomy: Taxonomy | None = None
    ) -> None:
        self.model = model if isinstance(model, ModelFile) else ModelFile(model)
        self.info = self.model.info
        self.taxonomy = self.info.taxonomy if taxonomy is None else taxonomy
        self.regrouped = self.taxonomy.children != self.info.taxonomy.children
        if self.taxonomy.tags != self.info.taxonomy.tags:
            strange = sorted(set(self.taxonomy.tags) ^ set(self.info.taxonomy.tags))
            raise ValueError(
                f"taxonomy {self.taxonomy.name!r} must have the tags of model {self.info.name!r} "
                f"in their order; they differ in {', '.join(strange) or 'the order'}"
            )

    def __call__(self, recording: str | Path | Clip) -> Tags:
        """Tag a file, or a Clip in memory. Bad audio raises nothing: ``Tags.status`` tells."""
        if isinstance(recording, Clip):
            return self._tag_clip(recording)
        try:
            with Recording(recording, rate=self.info.melspec.rate) as file:
                heard = self._hear_all(file)
            return self._conclude(str(recording), heard, file.seconds, file.reason)
        except AudioError as error:
            return self._failed(str(recording), error.code, str(error))

    def hear(self, samples: Array) -> Prediction:
        """Hear one window of mono samples (T,) at the model's rate: arrays (F,), (C,), (F, C).

        Silence is not shown to the network, which was never taught what to say of it.
        """
        tree = self.taxonomy
        if _silent(samples):
            nothing = np.zeros(len(tree.tags), np.float32), np.zeros(len(tree.groups), np.float32)
            return Prediction(*nothing)
        spec = self.info.melspec
        short = max(0, math.ceil(SHORTEST * spec.rate) - len(samples))
        heard = self.model.run(log_mel(np.pad(samples, (0, short)), spec)[None])
        fine, coarse = heard.fine[0], heard.coarse[0]
        attention = None if heard.attention is None else heard.attention[0]
        if self.regrouped:
            below = np.where(tree.members, fine[:, None], -1.0)  # (F, C)
            coarse, look = below.max(axis=0), below.argmax(axis=0)
            attention = np.eye(len(tree.tags), dtype=np.float32)[:, look]
        return Prediction(fine, coarse, attention)

    def _tag_clip(self, clip: Clip) -> Tags:
        if clip.seconds < Limits().min_seconds:
            return self._failed("", "too_short", REASONS["too_short"])
        mended = without_damage(clip.samples)
        reason = None if mended is clip.samples else "not_finite"
        samples = resample(Clip(mended, clip.rate), self.info.melspec.rate).samples
        return self._conclude("", self._hear_all([samples]), clip.seconds, reason)

    def _failed(self, file: str, code: str, message: str) -> Tags:
        return Tags(file, self.info.name, self.taxonomy, "failed", code, message)

    def _hear_all(self, blocks: Iterable[Array]) -> list[WindowScores]:
        size = round(self.info.seconds * self.info.melspec.rate)
        return [self._score(window) for window in windows(iter(blocks), size)]

    def _score(self, window: Window) -> WindowScores:
        rate = self.info.melspec.rate
        end = window.start + len(window.samples)
        heard = self.hear(window.samples)
        return WindowScores(
            window.start / rate, end / rate, heard.fine, heard.coarse, heard.attention
        )

    def _conclude(
        self, file: str, heard: list[WindowScores], seconds: float, reason: str | None
    ) -> Tags:
        status = "ok" if reason is None else "partial"
        if reason is None and not any(window.tags.any() for window in heard):
            reason = "silent"
        tags = self._tag_scores(heard)
        groups = self._group_scores(heard, tags)
        notes = [*disagreements(self.taxonomy, tags, groups)]
        if self.regrouped:
            notes.append(
                f"the families of {self.taxonomy.name or 'this taxonomy'} were not learned by the "
                "model: each is as probable as the most probable of its instruments"
            )
        return Tags(
            file=file,
            model=self.info.name,
            taxonomy=self.taxonomy,
            status=status,
            reason=reason,
            message=None if reason is None else REASONS[reason],
            seconds=seconds,
            tags=tags,
            groups=groups,
            windows=tuple(heard),
            notes=tuple(notes),
        )

    def _tag_scores(self, heard: list[WindowScores]) -> tuple[TagScore, ...]:
        probabilities = np.stack([window.tags for window in heard])  # (W, F)
        pooled = np.take_along_axis(probabilities, _best(probabilities), axis=0).mean(axis=0)
        rows = zip(self.taxonomy.tags, pooled.tolist(), self.info.tag_thresholds, strict=True)
        return tuple(TagScore(tag, value, value >= threshold) for tag, value, threshold in rows)

    def _group_scores(
        self, heard: list[WindowScores], tags: tuple[TagScore, ...]
    ) -> tuple[GroupScore, ...]:
        probabilities = np.stack([window.groups for window in heard])  # (W, C)
        best = _best(probabilities)
        pooled = np.take_along_axis(probabilities, best, axis=0).mean(axis=0).tolist()
        if self.regrouped:
            here = np.array([score.present for score in tags])
            present = (self.taxonomy.members & here[:, None]).any(axis=0).tolist()
        else:
            thresholds = self.info.group_thresholds
            present = [value >= low for value, low in zip(pooled, thresholds, strict=True)]
        return tuple(
            GroupScore(
                group, pooled[c], present[c], self._attention([heard[w] for w in best[:, c]], c)
            )
            for c, group in enumerate(self.taxonomy.groups)
        )

    def _attention(self, heard: list[WindowScores], group: int) -> dict[str, float]:
        """The attention of one group over some windows, each counting as it was heard."""
        looks = [
            (window.groups[group], window.attention[:, group])
            for window in heard
            if window.attention is not None
        ]
        total = sum(weight for weight, _ in looks)
        if not total > 0:
            return {}
        attention = sum(weight * look for weight, look in looks) / total  # (F,)
        return dict(zip(self.taxonomy.tags, attention.tolist(), strict=True))


def _best(probabilities: Array) -> NDArray[np.intp]:
    """(W, K) probabilities to the rows of the best quarter of windows for each column, at least 1.

    Not the maximum, or a long recording would collect one false alarm after another; not the mean,
    or a solo in a symphony would be lost.
    """
    count = math.ceil(len(probabilities) / BEST)
    return np.argsort(-probabilities, axis=0, kind="stable")[:count]


def _silent(samples: Array) -> bool:
    return not np.abs(samples).max(initial=0.0) >= SILENCE
