"""A recording in, tags out: windows, probabilities, thresholds, and words where they disagree."""

import math
from collections.abc import Iterable
from dataclasses import replace
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
from timbretree.calibration import Calibrated
from timbretree.labels import Prediction
from timbretree.melspec import MelSpec, log_mel
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
        return self._hear(Window(0, samples), _Spectra(self.info.melspec))

    def _hear(self, window: Window, spectra: "_Spectra") -> Prediction:
        tree = self.taxonomy
        if _silent(window.samples):
            nothing = np.zeros(len(tree.tags), np.float32), np.zeros(len(tree.groups), np.float32)
            return Prediction(*nothing)
        heard = self.model.run(spectra.of(window)[None])
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
        rate, spectra = self.info.melspec.rate, _Spectra(self.info.melspec)
        size, step = round(self.info.seconds * rate), round(self.info.hop * rate)
        found: list[WindowScores] = []
        for window in windows(iter(blocks), size, step):
            heard = self._hear(window, spectra)
            start, end = window.start / rate, (window.start + len(window.samples)) / rate
            if found:  # each tells of what is nearer to its middle than to its neighbours'
                start = (start + found[-1].end) / 2
                found[-1] = replace(found[-1], end=start)
            found.append(WindowScores(start, end, *heard[:3]))
        return found

    def _conclude(
        self, file: str, heard: list[WindowScores], seconds: float, reason: str | None
    ) -> Tags:
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
            windows=tuple(heard),
            notes=tuple(notes),
            tag_bands=bands.tag_bands,
            group_bands=None if self.regrouped else bands.group_bands,
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


class _Spectra:
    """Log-mels of windows that follow each other; where they overlap, calculated once."""

    def __init__(self, spec: MelSpec) -> None:
        self.spec = spec
        self.edge = math.ceil(spec.n_fft / 2 / spec.hop) + 1
        """Frames at an end that hear beyond it."""
        self._start, self._mel = 0, np.zeros((0, spec.mels), np.float32)

    def of(self, window: Window) -> Array:
        """(frames, mels) of a window."""
        spec, samples = self.spec, window.samples
        short = max(0, math.ceil(SHORTEST * spec.rate) - len(samples))
        samples = np.pad(samples, (0, short))
        old, beside = divmod(window.start - self._start, spec.hop)
        known = self._mel[old : len(self._mel) - self.edge]
        if beside or old <= 0 or len(known) <= self.edge:
            self._mel = log_mel(samples, spec)
        else:
            first = (len(known) - self.edge) * spec.hop
            self._mel = np.concatenate([known, log_mel(samples[first:], spec)[self.edge :]])
        self._start = window.start
        return self._mel


def _silent(samples: Array) -> bool:
    return not np.abs(samples).max(initial=0.0) >= SILENCE
