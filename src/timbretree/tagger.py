"""A recording in, tags out: windows, probabilities, thresholds, and words where they disagree."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbretree.audio import (
    REASONS,
    AudioError,
    Clip,
    Limits,
    Recording,
    resample,
    without_damage,
)
from timbretree.calibration import Calibrated
from timbretree.hearing import fewest_samples, hear, is_silent
from timbretree.labels import Prediction
from timbretree.melspec import log_mel
from timbretree.modelfile import SHIPPED, ModelFile
from timbretree.tags import GroupScore, Tags, TagScore, WindowScores, disagreements
from timbretree.taxonomy import Taxonomy

Array = NDArray[np.float32]

Progress = Callable[[float], None]

SHORTEST_HOP = 0.1
"""Seconds: a timeline is not denser than this; the network tells no finer."""
BEST = 4
"""A file's probability is the mean over the best 1 in 4 of its windows."""


class Tagger:
    """Hears which instruments play in a recording, with a model file.

    >>> tags = Tagger()("song.mp3")

    ``model`` is a path to a model file (default: the one that ships with timbretree).
    ``taxonomy`` groups the same tags in another tree than the model's own: a group's probability
    is then that of its most probable tag. ``hop`` is the seconds from one window of the timeline
    to the next, from 0.1 to a window's length (default: the model's own); what is said of the
    recording as a whole does not depend on it. Raises ModelFileError, and ValueError where the two
    do not have the same tags and for another hop.

    The network's trunk runs once over each moment, in pieces of some windows' length, and its
    answers for the windows are taken from that, so one hears a little beyond its window's ends.
    ``docs/model-file.md`` tells how far these answers are from those of windows heard apart.
    """

    def __init__(
        self,
        model: str | Path | ModelFile = SHIPPED,
        *,
        taxonomy: Taxonomy | None = None,
        hop: float | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.model = model if isinstance(model, ModelFile) else ModelFile(model)
        self.info = self.model.info
        self.taxonomy = self.info.taxonomy if taxonomy is None else taxonomy
        self.hop = hop
        if hop is not None and not SHORTEST_HOP <= hop <= self.info.seconds:
            raise ValueError(
                f"expected a hop from {SHORTEST_HOP} to {self.info.seconds:g} seconds, the length "
                f"of a window of model {self.info.name!r}, got {hop}"
            )
        self.regrouped = self.taxonomy.children != self.info.taxonomy.children
        if self.taxonomy.tags != self.info.taxonomy.tags:
            strange = sorted(set(self.taxonomy.tags) ^ set(self.info.taxonomy.tags))
            raise ValueError(
                f"taxonomy {self.taxonomy.name!r} must have the tags of model {self.info.name!r} "
                f"in their order; they differ in {', '.join(strange) or 'the order'}"
            )

    def __call__(self, recording: str | Path | Clip, on_progress: Progress | None = None) -> Tags:
        """Tag a file, or a Clip in memory. Bad audio raises nothing: ``Tags.status`` tells.

        ``on_progress`` is called with the seconds heard so far, every few windows.
        """
        if isinstance(recording, Clip):
            return self._tag_clip(recording, on_progress)
        try:
            with Recording(recording, rate=self.info.melspec.rate, limits=self.limits) as file:
                heard = self._hear_all(file, on_progress)
            return self._conclude(str(recording), heard, file.seconds, file.reason)
        except AudioError as error:
            return self._failed(str(recording), error.code, str(error))

    def hear(self, samples: Array) -> Prediction:
        """Hear one window of mono samples (T,) at the model's rate: arrays (F,), (C,), (F, C).

        Silence is not shown to the network, which was never taught what to say of it.
        """
        if is_silent(samples):
            return self._nothing()
        spec = self.info.melspec
        short = max(0, fewest_samples(self.info) - len(samples))
        fine, coarse, attention, _ = self.model.run(
            log_mel(np.pad(samples, (0, short)), spec)[None]
        )
        return self._regroup(
            Prediction(fine[0], coarse[0], None if attention is None else attention[0])
        )

    def _nothing(self) -> Prediction:
        tree = self.taxonomy
        return Prediction(np.zeros(len(tree.tags), "f4"), np.zeros(len(tree.groups), "f4"))

    def _regroup(self, said: Prediction) -> Prediction:
        """What one window is in the groups of another tree than the model's."""
        if not self.regrouped:
            return said
        tree = self.taxonomy
        below = np.where(tree.members, said.fine[:, None], -1.0)  # (F, C)
        look = np.eye(len(tree.tags), dtype=np.float32)[:, below.argmax(axis=0)]
        return Prediction(said.fine, below.max(axis=0), look)

    def _tag_clip(self, clip: Clip, on_progress: Progress | None) -> Tags:
        if clip.seconds < Limits().min_seconds:
            return self._failed("", "too_short", REASONS["too_short"])
        mended = without_damage(clip.samples)
        reason = None if mended is clip.samples else "not_finite"
        samples = resample(Clip(mended, clip.rate), self.info.melspec.rate).samples
        return self._conclude("", self._hear_all([samples], on_progress), clip.seconds, reason)

    def _failed(self, file: str, code: str, message: str) -> Tags:
        return Tags(file, self.info.name, self.taxonomy, "failed", code, message)

    def _hear_all(self, blocks: Iterable[Array], on_progress: Progress | None) -> "_Story":
        story = _Story()
        for heard in hear(self.model, blocks, self.hop):
            said = self._nothing() if heard.said is None else self._regroup(heard.said)
            window = WindowScores(heard.start, heard.end, *said[:3])
            if heard.pooled:
                story.pooled.append(window)
                if heard.embedding is not None:
                    story.embeddings += 1
                    story.embedding = story.embedding + heard.embedding
            if heard.shown:
                story.show(window)
            if on_progress is not None:
                on_progress(heard.end)
        return story

    def _conclude(self, file: str, story: "_Story", seconds: float, reason: str | None) -> Tags:
        heard = story.pooled
        status = "ok" if reason is None else "partial"
        if reason is None and not any(window.tags.any() for window in heard):
            reason = "silent"
        bands = Calibrated.of(self.info)
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
            windows=tuple(story.shown),
            notes=tuple(notes),
            tag_bands=bands.tag_bands,
            group_bands=None if self.regrouped else bands.group_bands,
            embedding=story.mean_embedding(),
        )

    def _tag_scores(self, heard: list[WindowScores]) -> tuple[TagScore, ...]:
        probabilities = np.stack([window.tags for window in heard])  # (W, F)
        best = self._best(probabilities)
        pooled = np.take_along_axis(probabilities, best, axis=0).mean(axis=0)
        answers = (each.tolist() for each in Calibrated.of(self.info).tag_bands.read(pooled))
        rows = zip(self.taxonomy.tags, pooled.tolist(), *answers, strict=True)
        return tuple(TagScore(*row) for row in rows)

    def _group_scores(
        self, heard: list[WindowScores], tags: tuple[TagScore, ...]
    ) -> tuple[GroupScore, ...]:
        probabilities = np.stack([window.groups for window in heard])  # (W, C)
        best = self._best(probabilities)
        pooled = np.take_along_axis(probabilities, best, axis=0).mean(axis=0)
        if self.regrouped:
            told = np.array([(score.present, score.unsure) for score in tags])  # (F, 2)
            present, unsure = told.T @ self.taxonomy.members
            unsure &= ~present
        else:
            present, unsure = Calibrated.of(self.info).group_bands.read(pooled)
        return tuple(
            GroupScore(
                group,
                float(pooled[c]),
                bool(present[c]),
                self._attention([heard[w] for w in best[:, c]], c),
                bool(unsure[c]),
            )
            for c, group in enumerate(self.taxonomy.groups)
        )

    def _best(self, probabilities: Array) -> NDArray[np.intp]:
        return best_windows(probabilities, overlap=self.info.hop < self.info.seconds)

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


def best_windows(probabilities: Array, *, overlap: bool) -> NDArray[np.intp]:
    """(W, ...) probabilities to the rows of the best quarter of windows for each column.

    Not the maximum, or a long recording would collect one false alarm after another; not the mean,
    or a solo in a symphony would be lost. Of windows that overlap, and are shorter evidence, two at
    least.
    """
    count = math.ceil(len(probabilities) / BEST)
    if overlap:
        count = max(count, min(2, len(probabilities)))
    return np.argsort(-probabilities, axis=0, kind="stable")[:count]


@dataclass
class _Story:
    """All that was heard in a recording."""

    pooled: list[WindowScores] = field(default_factory=list)
    """What counts for the recording as a whole."""
    shown: list[WindowScores] = field(default_factory=list)
    """The timeline: what is shown of each moment once, where windows overlap."""
    embedding: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    """The sum of so many:"""
    embeddings: int = 0

    def show(self, window: WindowScores) -> None:
        """Let each window tell of what is nearer to its middle than to its neighbours'."""
        if self.shown:
            before = self.shown[-1]
            meet = (window.start + before.end) / 2
            self.shown[-1] = replace(before, end=meet)
            window = replace(window, start=meet)
        self.shown.append(window)

    def mean_embedding(self) -> Array | None:
        """(D,), or None."""
        if not self.embeddings:
            return None
        return (self.embedding / self.embeddings).astype(np.float32)
