"""Hearing: the sound of a recording becomes one long spectrogram, heard window after window.

Each frame of it is calculated once, however much the windows overlap. The network, too, runs once
over a stretch of several windows, where its model file can tell them apart. A stretch has a bounded
length, so a long recording takes no more memory than a short one.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.audio import SILENCE
from timbretree.labels import Prediction
from timbretree.melspec import MelSpec, log_mel
from timbretree.modelfile import ModelFile, ModelInfo

Array = NDArray[np.float32]

SHORTEST = 3.0
"""Seconds: anything shorter is followed by silence up to this length, or it would be
answered with more wrong tags (``benchmarks/short_clips.py`` compares)."""
STRETCH = 3
"""So many windows, one after the other, are as long as what the network hears at once."""
CHUNK = 512
"""Frames of the spectrogram that are calculated at once."""


class Heard(NamedTuple):
    """What was heard in one window, between two moments in seconds."""

    start: float
    end: float
    said: Prediction | None
    """Arrays (F,), (C,), (F, C) or None, calibrated. None in silence, which is not shown to the
    network: it was never taught what to say of it."""
    embedding: Array | None
    """(D,): what the network named the tags by; None in silence, and where a model file does not
    tell."""
    pooled: bool
    """Whether it counts for the recording as a whole."""
    shown: bool
    """Whether it is one of the timeline."""


def hear(model: ModelFile, blocks: Iterable[Array], hop: float | None = None) -> Iterator[Heard]:
    """Hear blocks of mono samples (T,) at the model's rate, which follow each other.

    Windows are as long as the model's. Those that are pooled begin every ``info.hop`` seconds,
    those that are shown every ``hop`` (default: the same ones); of each kind the last one ends
    where the recording ends. A recording shorter than a window is one window.
    """
    row = _Row(model, hop or model.info.hop)
    for block in blocks:
        row.sound.add(block)
        yield from row.hear_complete()
    yield from row.hear_rest()


def is_silent(samples: Array) -> bool:
    """Whether samples (T,) are nothing but silence."""
    return not np.abs(samples).max(initial=0.0) >= SILENCE


def fewest_samples(info: ModelInfo) -> int:
    """Anything shorter is followed by silence up to this length: ``SHORTEST``, or a window of a
    model whose windows are shorter still."""
    return math.ceil(min(SHORTEST, info.seconds) * info.melspec.rate)


class _Place(NamedTuple):
    """Where a window is: its first sample; its first frame and the one after its last."""

    begin: int
    first: int
    last: int
    pooled: bool
    shown: bool


class _Row:
    """The windows of a recording, in their order."""

    def __init__(self, model: ModelFile, hop: float) -> None:
        spec = model.info.melspec
        self.model, self.sound, self.hop = model, Spectrogram(spec), spec.hop
        self.rate, self.size = spec.rate, round(model.info.seconds * spec.rate)
        self.frames = spec.frames(self.size)
        self.steps = (model.info.hop * spec.rate / spec.hop, hop * spec.rate / spec.hop)  # frames
        self._turns, self._covered = [0, 0], [0, 0]  # of those that are pooled, that are shown
        self._waiting: list[_Place] = []

    def hear_complete(self) -> Iterator[Heard]:
        """Hear the stretches whose sound is there."""
        while (place := self._coming()).last <= self.sound.frames:
            yield from self._take(place)

    def hear_rest(self) -> Iterator[Heard]:
        """Hear what is left, once all sound is there."""
        sound = self.sound
        sound.finish(fewest_samples(self.model.info))
        while (place := self._coming()).begin + self.size <= sound.samples:
            yield from self._take(place)
        uses = [covered < sound.samples for covered in self._covered]
        if any(uses):
            first, begin = max(0, sound.frames - self.frames), max(0, sound.samples - self.size)
            yield from self._take(_Place(begin, first, sound.frames, *uses))
        yield from self._hear_waiting()

    def _coming(self) -> _Place:
        starts = [round(turn * step) for turn, step in zip(self._turns, self.steps, strict=True)]
        first = min(starts)
        uses = [start == first for start in starts]
        return _Place(first * self.hop, first, first + self.frames, *uses)

    def _take(self, place: _Place) -> Iterator[Heard]:
        """Let a window wait for those that can be heard with it."""
        for use, used in enumerate((place.pooled, place.shown)):
            if used:
                self._turns[use] += 1
                self._covered[use] = place.begin + self.size
        long = STRETCH * self.frames if self.model.info.step else self.frames
        pooled = [each for each in self._waiting if each.pooled]
        if place.pooled and pooled and place.last - pooled[0].first > long:
            yield from self._hear_waiting()
            self.sound.forget(place.first)
        self._waiting.append(place)

    def _hear_waiting(self) -> Iterator[Heard]:
        """Hear those that wait: the pooled ones and what lies among them in one stretch, so that
        it makes no difference to them what else is shown; then the others."""
        places, self._waiting = self._waiting, []
        loud = [place for place in places if not self.sound.is_silent(place.begin, self.size)]
        core = [place for place in loud if place.pooled]
        if len(core) > 1:
            first, last = core[0].first, core[-1].last
            core = [place for place in loud if first <= place.first and place.last <= last]
        said = dict(self._listen(core))
        said |= self._listen([place for place in loud if place not in said])
        for place in places:
            start, end = place.begin, min(place.begin + self.size, self.sound.samples)
            answer, embedding = said.get(place, (None, None))
            seconds = start / self.rate, end / self.rate
            yield Heard(*seconds, answer, embedding, place.pooled, place.shown)

    def _listen(
        self, places: list[_Place]
    ) -> Iterator[tuple[_Place, tuple[Prediction, Array | None]]]:
        if not places:
            return
        first = places[0].first
        mel = self.sound.cut(first, places[-1].last)[None]
        # one alone is heard as a whole: there is nothing beside it
        spans = np.array([place[1:3] for place in places]) - first if len(places) > 1 else None
        (fine, coarse, attention, _), embedding = self.model.listen(mel, spans)
        for row, place in enumerate(places):
            look = None if attention is None else attention[row]
            said = Prediction(fine[row], coarse[row], look)
            yield place, (said, None if embedding is None else embedding[row])


class Spectrogram:
    """The log-mel spectrogram of a stream of samples, as far as it is not forgotten.

    Its frames are those of the whole recording; ``frames`` is how many are there or were,
    ``samples`` how many samples came.
    """

    def __init__(self, spec: MelSpec) -> None:
        self.spec = spec
        self.samples = 0
        self._edge = math.ceil(spec.n_fft / 2 / spec.hop) + 1  # frames that hear beyond an end
        self._first, self._mel = 0, np.zeros((0, spec.mels), np.float32)
        self._peaks = np.zeros(0, np.float32)  # of the samples from each frame to the next
        self._held_from = 0  # the frame at whose middle the held samples begin
        self._held = np.zeros(0, np.float32)
        self._new: list[Array] = []

    @property
    def frames(self) -> int:
        """How many frames from the beginning are calculated."""
        return self._first + len(self._mel)

    def add(self, samples: Array) -> None:
        """Take the samples (T,) that follow."""
        self.samples += len(samples)
        self._new.append(samples)
        if sum(map(len, self._new)) >= CHUNK * self.spec.hop:
            held = self._join()
            last = len(held) // self.spec.hop - self._edge
            self._calculate(held[: (last + self._edge) * self.spec.hop], last)
            kept = max(0, last - self._edge)
            self._held_from, self._held = self._held_from + kept, held[kept * self.spec.hop :]

    def finish(self, fewest: int) -> None:
        """Calculate the frames that hear the end, after silence up to ``fewest`` samples."""
        self._new.append(np.zeros(max(0, fewest - self.samples), np.float32))
        held = self._join()
        self._calculate(held, self.spec.frames(len(held)))
        self._held = np.zeros(0, np.float32)

    def cut(self, first: int, last: int) -> Array:
        """(last - first, mels): some frames."""
        return self._mel[first - self._first : last - self._first]

    def is_silent(self, begin: int, size: int) -> bool:
        """Whether ``size`` samples from ``begin`` on are nothing but silence."""
        first, last = begin // self.spec.hop, math.ceil((begin + size) / self.spec.hop)
        return is_silent(self._peaks[first - self._first : last - self._first])

    def forget(self, first: int) -> None:
        """Let go of all frames before this one."""
        gone = first - self._first
        self._first, self._mel, self._peaks = first, self._mel[gone:], self._peaks[gone:]

    def _join(self) -> Array:
        held = np.concatenate([self._held, *self._new])
        self._new = []
        return held

    def _calculate(self, held: Array, last: int) -> None:
        """Add the frames up to one that is counted from where the samples begin."""
        old, hop = self.frames - self._held_from, self.spec.hop
        new = held[old * hop : last * hop]
        if short := (last - old) * hop - len(new):
            new = np.pad(new, (0, short))
        rows = new.reshape(-1, hop)
        peaks = np.maximum(rows.max(axis=1), -rows.min(axis=1))  # without a copy of all
        self._mel = np.concatenate([self._mel, log_mel(held, self.spec)[old:last]])
        self._peaks = np.concatenate([self._peaks, peaks])
