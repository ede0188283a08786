"""Decoding with FFmpeg through PyAV (extra ``formats``): m4a, wma, webm, the sound of a video.

FFmpeg can also open playlists that name other files and addresses. It is told which kind of file
it reads, gets bytes and no name, and may open nothing else.
"""

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.decoders import ends
from timbretree.decoders.kinds import Kind, locked
from timbretree.decoders.source import HEAD, Source, View
from timbretree.decoders.stretch import BLOCK, Samples, Stretch
from timbretree.reasons import AudioError

LOCKED = ("drms", "enca")
"""How MP4 calls sound that is copy protected."""
PROMISING = {"mov", "matroska", "wv", "tta", "ape", "tak", "flac", "caf", "mpc8", "dsf", "wav"}
PROMISING |= {"ogg", "avi"}
"""Containers that know how long they last. Of others FFmpeg guesses."""
CLOCKED = {"asf", "flv", "matroska"}
"""Containers that tell of each packet when it is to be heard."""
READABLE = {"u8", "s16", "s32", "flt", "dbl"}
"""FFmpeg's types of samples that PyAV shows as arrays."""
MOST_ERRORS = 1000
"""How often reading goes on after a mistake in the container."""


class ByPyav:
    """A file that FFmpeg decodes. Raises AudioError where it can't, or there is no sound."""

    def __init__(self, source: Source, kind: Kind) -> None:
        try:
            import av
        except ImportError:
            raise AudioError("needs_formats", f"{kind.name} file") from None
        self._av = av
        self.source, self.kind = source, kind
        self.reason: str | None = None
        self._seconds, self._torn = 0.0, False
        self._clock = math.inf, -math.inf  # the first and the last packet, in the stream's units
        if locked(source, kind):
            raise AudioError("locked")
        try:
            self._container: Any = av.open(
                View(source),
                format=kind.demuxer,
                buffer_size=HEAD,
                io_open=_open_nothing,
                **_any_metadata(av.__version__),
            )
        except av.FFmpegError as error:
            raise AudioError("truncated" if ends.is_cut(source, kind) else "corrupt") from error
        try:
            self._stream = self._first_sound()
        except AudioError:
            self._container.close()
            raise
        self.rate = int(self._stream.codec_context.sample_rate)
        self.channels = int(self._stream.codec_context.channels)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self.source.close()

    def __iter__(self) -> Iterator[Stretch]:
        shape, fifo = None, self._av.AudioFifo()
        for frame in self._frames():
            frame.pts = None  # a gap in the clock is none in the sound
            this = (frame.format.name, frame.layout.name, frame.sample_rate)
            if shape not in (None, this):
                yield from self._emptied(fifo, 1)
                fifo = self._av.AudioFifo()
            shape = this
            fifo.write(frame)
            yield from self._emptied(fifo, BLOCK // frame.layout.nb_channels)
        yield from self._emptied(fifo, 1)
        if self.source.failed:
            self.reason = "corrupt"
        elif ends.is_cut(self.source, self.kind):
            self.reason = "truncated"
        elif self._torn:
            self.reason = self.reason or "truncated"
        elif self._seconds < 0.995 * self._promised() - 0.1:
            whole = self.kind.name in ends.CONTAINERS
            self.reason = self.reason or ("corrupt" if whole else "truncated")

    def _first_sound(self) -> Any:
        """The first track of sound that can be decoded; the others are not even read."""
        tracks = self._container.streams.audio
        if not tracks:
            raise AudioError("no_sound")
        if any(track.codec_context and track.codec_context.codec_tag in LOCKED for track in tracks):
            raise AudioError("locked")
        found = next((track for track in tracks if track.codec_context), None)
        if found is None:
            raise AudioError("not_audio", "FFmpeg has no decoder for it")
        found.codec_context.thread_count = 1
        for stream in self._container.streams:
            if stream.index != found.index and hasattr(stream, "discard"):
                stream.discard = type(stream.discard).all
        return found

    def _frames(self) -> Iterator[Any]:
        """Frames as FFmpeg decodes them; what it can't decode is left out."""
        for packet in self._packets():
            self._torn = self._torn or packet.is_corrupt
            if packet.pts is not None:
                self._clock = min(self._clock[0], packet.pts), max(self._clock[1], packet.pts)
            try:
                frames = packet.decode()
            except self._av.FFmpegError:
                self._torn = True
                continue
            if frames and self._torn and not packet.is_corrupt:  # it goes on behind the damage
                self.reason, self._torn = "corrupt", False
            for frame in frames:
                yield from self._readable(frame)

    def _readable(self, frame: Any) -> list[Any]:
        """A frame as it is, or as packed floats where PyAV can't show it: samples of 64 bits, and
        more than eight planes, of which it loses count, reads memory that is not there and
        crashes (``benchmarks/fuzz.py`` found both)."""
        many = frame.format.is_planar and frame.layout.nb_channels > 8
        if not many and frame.format.name.removesuffix("p") in READABLE:
            return [frame]
        frame.pts = None
        packer = self._av.AudioResampler("flt", frame.layout, frame.sample_rate)
        return [*packer.resample(frame), *packer.resample(None)]

    def _packets(self) -> Iterator[Any]:
        mistakes = 0
        while mistakes < MOST_ERRORS:
            try:
                yield from self._container.demux(self._stream)
            except self._av.FFmpegError:
                self._torn = True
                mistakes += 1
            except IndexError:  # a track that begins on the way, which PyAV does not know
                continue
            else:
                return

    def _emptied(self, fifo: Any, least: int) -> Iterator[Stretch]:
        """What a queue of frames holds, once that is at least so much."""
        while fifo.samples >= least:
            frame = fifo.read(max(least, BLOCK // 64), partial=True)
            self._seconds += frame.samples / frame.sample_rate
            values = frame.to_ndarray()  # (channels, T), or (1, T times channels)
            samples = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
            yield Stretch(_as_float(samples), frame.sample_rate)

    def _promised(self) -> float:
        """How many seconds of sound the container promises, where that is no guess; or 0."""
        stream, container = self._stream, self._container
        if self.kind.demuxer in PROMISING and stream.time_base is not None:
            if stream.duration is not None:
                return float(stream.duration * stream.time_base)
            if len(container.streams) == 1 and container.duration is not None:
                return float(container.duration / self._av.time_base)
        if self.kind.demuxer not in CLOCKED or stream.time_base is None:
            return 0.0
        return (self._clock[1] - self._clock[0]) * float(stream.time_base)


def _any_metadata(version: str) -> dict[str, Any]:
    """What keeps titles in strange encodings from being an error; from PyAV 19 on they are none."""
    return {"metadata_errors": "ignore"} if int(version.partition(".")[0]) < 19 else {}


def _open_nothing(*_: object) -> io.BytesIO:
    """What a file gets that wants to open another."""
    return io.BytesIO()


def _as_float(samples: NDArray[Any]) -> Samples:
    """Any of FFmpeg's sample types as float32, full scale 1."""
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinite is what it is then
            return samples.astype(np.float32, copy=False)
    if samples.dtype.kind == "u":
        return _as_float(samples.view(np.int8) ^ np.int8(-128))
    scaled: Samples = samples.astype(np.float32)
    scaled /= np.float32(2.0 ** (8 * samples.dtype.itemsize - 1))
    return scaled
