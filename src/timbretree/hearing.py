"""Hearing: the sound of a recording becomes one long spectrogram, heard window after window.

Each frame of it is calculated once, however much the windows overlap. The trunk of the network
hears each moment once, too: it runs over pieces that follow each other, and a window that lies in
two of them is pooled from the moments of both. Pieces have a bounded length, so a long recording
takes no more memory than a short one.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timbretree.audio import SILENCE
from timbretree.labels import Prediction
from timbretree.melspec import MOMENT, MelSpec, log_mel
from timbretree.modelfile import Listened, ModelFile, ModelInfo

Array = NDArray[np.float32]

SHORTEST = 3.0
"""Seconds: anything shorter is followed by silence up to this length, or it would be
answered with more wrong tags (``benchmarks/short_clips.py`` compares)."""
PIECE = 4
"""So many windows, one after the other, are as long as a piece; the last one takes up to half of
another with it, so that it isn't too short to be understood."""
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
        self._overlap = model.slides and model.info.step is not None
        self._length = round(PIECE * self.frames / MOMENT) * MOMENT
        self._before = self._begin = 0  # where the last piece began; where the next one does
        self._moments: Array | None = None  # of the last piece, where it was heard

    def hear_complete(self) -> Iterator[Heard]:
        """Hear the windows whose sound is there, and that of their piece."""
        while (place := self._coming()).last <= self.sound.frames:
            self._take(place)
        yield from self._hear_pieces() if self._overlap else self._hear_apart()

    def hear_rest(self) -> Iterator[Heard]:
        """Hear what is left, once all sound is there."""
        sound = self.sound
        sound.finish(fewest_samples(self.model.info))
        while (place := self._coming()).begin + self.size <= sound.samples:
            self._take(place)
        uses = [covered < sound.samples for covered in self._covered]
        if any(uses):
            first, begin = max(0, sound.frames - self.frames), max(0, sound.samples - self.size)
            self._take(_Place(begin, first, sound.frames, *uses))
        if self._overlap and (self._begin or len(self._waiting) > 1):
            yield from self._hear_pieces()
            yield from self._hear_piece(sound.frames)
        else:
            yield from self._hear_apart()

    def _coming(self) -> _Place:
        starts = [round(turn * step) for turn, step in zip(self._turns, self.steps, strict=True)]
        first = min(starts)
        uses = [start == first for start in starts]
        return _Place(first * self.hop, first, first + self.frames, *uses)

    def _take(self, place: _Place) -> None:
        """Let a window wait until it is heard."""
        for use, used in enumerate((place.pooled, place.shown)):
            if used:
                self._turns[use] += 1
                self._covered[use] = place.begin + self.size
        self._waiting.append(place)

    def _hear_apart(self) -> Iterator[Heard]:
        """Hear each window that waits for itself, as if there were nothing around it."""
        for place in self._waiting:
            mel = self.sound.cut(place.first, place.last)[None]
            row = None if self._is_silent(place) else 0
            yield self._tell(place, None if row is None else self.model.listen(mel), row)
        if self._waiting:
            self.sound.forget(self._waiting[-1].first)
        self._waiting = []

    def _hear_pieces(self) -> Iterator[Heard]:
        """Hear the pieces that are not the last one."""
        while self._begin + 3 * self._length // 2 <= self.sound.frames:
            yield from self._hear_piece(self._begin + self._length)

    def _hear_piece(self, end: int) -> Iterator[Heard]:
        """Hear the piece up to a frame, and tell of the windows that end in it."""
        places = [place for place in self._waiting if place.last <= end]
        self._waiting = self._waiting[len(places) :]
        loud = [place for place in places if not self._is_silent(place)]
        said = self._listen(loud, end) if loud else None
        rows = {place: row for row, place in enumerate(loud)}
        for place in places:
            yield self._tell(place, said, rows.get(place))
        self._before, self._begin = self._begin, end
        self._moments = None if said is None else said.moments
        self.sound.forget(self._before)

    def _listen(self, places: list[_Place], end: int) -> Listened:
        """Hear the piece up to a frame, with as much of the last one as the windows reach into."""
        begin, past = self._begin, None
        if (reach := math.ceil((begin - places[0].first) / MOMENT)) > 0:
            past = self._last_moments()[:, :, -reach:]
            begin -= reach * MOMENT
        spans = np.array([place[1:3] for place in places]) - begin
        return self.model.listen(self.sound.cut(self._begin, end)[None], spans, past)

    def _last_moments(self) -> Array:
        """Those of the last piece; if nobody asked of it yet, it is heard now."""
        if self._moments is None:
            mel = self.sound.cut(self._before, self._begin)[None]
            self._moments = self.model.listen(mel, np.array([(0, self.frames)])).moments
        assert self._moments is not None, "files that slide tell moments"
        return self._moments

    def _is_silent(self, place: _Place) -> bool:
        return self.sound.is_silent(place.begin, self.size)

    def _tell(self, place: _Place, said: Listened | None, row: int | None) -> Heard:
        end = min(place.begin + self.size, self.sound.samples)
        seconds = place.begin / self.rate, end / self.rate
        if said is None or row is None:
            return Heard(*seconds, None, None, place.pooled, place.shown)
        fine, coarse, attention, _ = said.prediction
        look = None if attention is None else attention[row]
        embedding = None if said.embedding is None else said.embedding[row]
        answer = Prediction(fine[row], coarse[row], look)
        return Heard(*seconds, answer, embedding, place.pooled, place.shown)


class Spectrogram:
    """The log-mel spectrogram of a stream of samples, as far as it is not forgotten.

    Its frames are those of the whole recording; ``frames`` is how many from the beginning were
    calculated, ``samples`` how many samples came.
    """

    def __init__(self, spec: MelSpec) -> None:
        self.spec = spec
        self.samples = 0
        self._edge = math.ceil(spec.n_fft / 2 / spec.hop) + 1  # frames that hear beyond an end
        self.frames = 0
        self._first = 0  # the first frame that is not forgotten
        self._mel: deque[Array] = deque()  # as it was calculated: joined where it is cut
        self._peaks = np.zeros(0, np.float32)  # of the samples from each frame to the next
        self._held_from = 0  # the frame at whose middle the held samples begin
        self._room = np.zeros(2 * CHUNK * spec.hop, np.float32)  # the held samples, and more room
        self._fill = 0  # how many there are

    def add(self, samples: Array) -> None:
        """Take the samples (T,) that follow."""
        self.samples += len(samples)
        held, hop = self._hold(samples), self.spec.hop
        if len(held) >= (CHUNK + 2 * self._edge) * hop:
            last = len(held) // hop - self._edge
            self._calculate(held[: (last + self._edge) * hop], last)
            kept = max(0, last - self._edge)
            self._held_from, self._fill = self._held_from + kept, len(held) - kept * hop
            self._room[: self._fill] = held[kept * hop :]

    def finish(self, fewest: int) -> None:
        """Calculate the frames that hear the end, after silence up to ``fewest`` samples."""
        held = self._hold(np.zeros(max(0, fewest - self.samples), np.float32))
        self._calculate(held, self.spec.frames(len(held)))
        self._fill = 0

    def cut(self, first: int, last: int) -> Array:
        """(last - first, mels): some frames."""
        parts, at = [], self._first
        for part in self._mel:
            parts.append(part[max(0, first - at) : max(0, last - at)])
            at += len(part)
        return np.concatenate(parts)

    def is_silent(self, begin: int, size: int) -> bool:
        """Whether ``size`` samples from ``begin`` on are nothing but silence."""
        first, last = begin // self.spec.hop, math.ceil((begin + size) / self.spec.hop)
        return is_silent(self._peaks[first - self._first : last - self._first])

    def forget(self, first: int) -> None:
        """Let go of what was calculated at once and is all before this frame."""
        while self._mel and self._first + len(self._mel[0]) <= first:
            gone = len(self._mel.popleft())
            self._first, self._peaks = self._first + gone, self._peaks[gone:]

    def _hold(self, samples: Array) -> Array:
        """All samples that are held, these behind them."""
        old, self._fill = self._fill, self._fill + len(samples)
        if self._fill > len(self._room):
            self._room = np.pad(self._room, (0, self._fill))
        self._room[old : self._fill] = samples
        return self._room[: self._fill]

    def _calculate(self, held: Array, last: int) -> None:
        """Add the frames up to one that is counted from where the samples begin."""
        old, hop = self.frames - self._held_from, self.spec.hop
        new = held[old * hop : last * hop]
        if short := (last - old) * hop - len(new):
            new = np.pad(new, (0, short))
        rows = new.reshape(-1, hop)
        peaks = np.maximum(rows.max(axis=1), -rows.min(axis=1))  # without a copy of all
        self._mel.append(log_mel(held, self.spec)[old:last])
        self._peaks = np.concatenate([self._peaks, peaks])
        self.frames += last - old
