"""Decoding with FFmpeg through PyAV (extra ``formats``): m4a, wma, webm, the sound of a video.

FFmpeg can also open playlists that name other files and addresses. It is told which kind of file
it reads, gets bytes and no name, and may open nothing else.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from timbretree.decoders import ends
from timbretree.decoders.kinds import Kind, locked
from timbretree.decoders.source import HEAD, Source, View
from timbretree.decoders.stretch import BLOCK, Samples, Stretch
from timbretree.reasons import AudioError

LOCKED = ("drms", "enca")
"""How MP4 calls sound that is copy protected."""


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
        self._seconds = 0.0
        if locked(source, kind):
            raise AudioError("locked")
        try:
            self._container: Any = av.open(
                View(source),
                format=kind.demuxer,
                metadata_errors="ignore",
                buffer_size=HEAD,
                io_open=_open_nothing,
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
            yield from self._emptied(fifo, BLOCK // 2)
        yield from self._emptied(fifo, 1)
        if self.reason is None and self._is_short():
            self.reason = "truncated"

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
                stream.discard = "all"
        return found

    def _frames(self) -> Iterator[Any]:
        """Frames as FFmpeg decodes them; what it can't decode is left out."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except self._av.InvalidDataError:
                self.reason = "corrupt"
            except self._av.FFmpegError:
                self.reason = "corrupt"
                return
            else:
                yield from frames

    def _emptied(self, fifo: Any, least: int) -> Iterator[Stretch]:
        """What a queue of frames holds, once that is at least so much."""
        while fifo.samples >= least:
            frame = fifo.read(BLOCK // 2, partial=True)
            self._seconds += frame.samples / frame.sample_rate
            values = frame.to_ndarray()  # (channels, T), or (1, T times channels)
            samples = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
            yield Stretch(_as_float(samples), frame.sample_rate)

    def _is_short(self) -> bool:
        """Whether the file breaks off, by what its container says or promises."""
        if ends.is_cut(self.source, self.kind):
            return True
        if self._stream.duration is not None and self._stream.time_base is not None:
            promised = float(self._stream.duration * self._stream.time_base)
        elif len(self._container.streams) == 1 and self._container.duration is not None:
            promised = self._container.duration / self._av.time_base
        else:
            return False
        return self._seconds < 0.98 * promised - 1.0


def _open_nothing(*_: object, **__: object) -> NoReturn:
    raise PermissionError("a sound file may not open other files")


def _as_float(samples: NDArray[Any]) -> Samples:
    """Any of FFmpeg's sample types as float32, full scale 1."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    if samples.dtype.kind == "u":
        return _as_float(samples.view(np.int8) ^ np.int8(-128))
    scaled: Samples = samples.astype(np.float32)
    scaled /= np.float32(2.0 ** (8 * samples.dtype.itemsize - 1))
    return scaled
