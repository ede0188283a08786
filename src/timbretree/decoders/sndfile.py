"""Decoding with libsndfile: wav, flac, mp3, ogg, opus, aiff and other old friends.

libsndfile stops where the first stream ends, where its guess of an MP3's length ends, and where a
bit is wrong. So each stop is looked at: where sound goes on behind it, the file is opened anew from
there.
"""

from collections.abc import Iterator

import numpy as np
import soundfile

from timbretree.decoders import ends, frames
from timbretree.decoders.kinds import FLAC, MP3, OGG, Kind
from timbretree.decoders.source import HEAD, Source, View, Whole
from timbretree.decoders.stretch import BLOCK, Samples, Stretch

GAP = 0.03
"""Seconds that may be missing at the end of a stream before it is said."""


ENDLESS = 1 << 62
"""Frames of a file whose head does not know how many there are."""
MOST_LINKS = 10_000
"""How often a file is opened anew, so that a made-up one can't keep us busy."""


class Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A SoundFile that only goes forward.

    Otherwise soundfile seeks after every read, which decodes some of an MP3 twice, and believes
    the header's length.
    """

    def seekable(self) -> bool:
        """It is not."""
        return False


class ByLibsndfile:
    """A file that libsndfile decodes. Raises soundfile.LibsndfileError where it can't."""

    def __init__(self, source: Source, kind: Kind | None) -> None:
        self.source, self.kind = source, kind
        self.reason: str | None = None
        self._broken = False
        self._done = 0
        descriptor = source.reopen()
        self._view = View(source) if descriptor is None else Whole(source, descriptor)
        try:
            self._file = Forward(self._view if descriptor is None else descriptor)
        except soundfile.LibsndfileError:
            start = None if kind is not MP3 else frames.next_mpeg(source, 0)
            if start is None:
                raise
            self._view = View(source, start)
            self._file = Forward(self._view)
        self.rate, self.channels = self._file.samplerate, self._file.channels

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.source.close()

    def __iter__(self) -> Iterator[Stretch]:
        yield from self._link()
        for _ in range(MOST_LINKS):
            view = self._behind()
            if view is None:
                break
            try:
                file = Forward(view)
            except soundfile.LibsndfileError:
                self.reason = self.reason or "corrupt"
                continue
            self._file.close()
            self._file = file
            yield from self._link()
        if self.source.failed:
            self.reason = "corrupt"
        elif self.kind is not None and self.reason is None and self._is_cut(self.kind):
            self.reason = "truncated"

    def _link(self) -> Iterator[Stretch]:
        """What libsndfile decodes without being asked twice."""
        file, rate = self._file, self._file.samplerate
        buffer = np.empty((max(1, BLOCK // file.channels), file.channels), np.float32)
        left = file.frames if file.frames > 0 else ENDLESS
        self._broken = False
        while left > 0 and not self._broken:
            asked = buffer[: min(left, len(buffer))]
            asked.fill(np.nan)  # to see how far it came where it breaks off
            try:
                read = file.read(out=asked)
            except soundfile.LibsndfileError:
                read, self._broken = asked[: _written(asked)], True
            if not len(read):
                break
            left -= len(read)
            self._done += len(read)
            yield Stretch(read, rate)
        if self._broken:
            self.reason = "corrupt"
        elif GAP * rate < left < ENDLESS // 2:
            self.reason = self.reason or self._why_short()

    def _is_cut(self, kind: Kind) -> bool:
        if kind is MP3 and frames.mpeg_index(self.source, self._view.start).frames is None:
            return frames.ends_within_mpeg(self.source)
        return ends.is_cut(self.source, kind)

    def _why_short(self) -> str | None:
        """Why less was decoded than the header says."""
        if self.kind is OGG:
            return None if ends.is_cut(self.source, OGG) else "corrupt"
        if self.kind is not MP3:
            return "truncated"
        index = frames.mpeg_index(self.source, self._view.start)
        if index.frames is None:
            return None  # no header said anything; libsndfile guessed
        if index.end is None or index.end > self.source.size:
            return "truncated"
        return None if frames.is_unbroken(self.source, self._view.start) else "corrupt"

    def _behind(self) -> View | None:
        """What follows where libsndfile stopped, if that looks like more sound."""
        if self._view.reached >= self.source.size:
            if self._broken and self.kind is FLAC:
                self.reason = "truncated"
            if not (self.kind is OGG and frames.ends_with_another(self.source, self._view.start)):
                return None
        searches = {MP3: self._next_mp3, OGG: self._next_ogg, FLAC: self._next_flac}
        search = searches.get(self.kind) if self.kind else None
        view = None if search is None else search()
        self._view = view or self._view
        return view

    def _next_mp3(self) -> View | None:
        start = max(self._view.reached, self._view.start + 1)
        end = frames.mpeg_index(self.source, self._view.start).end
        if end is not None and 0 < end - start < HEAD // 8:
            start = end  # what fills the last frames is no sound
        place = frames.next_mpeg(self.source, start)
        return None if place is None else View(self.source, place)

    def _next_ogg(self) -> View | None:
        found = frames.next_ogg(self.source, self._view.start)
        if found is None:
            return None
        place, ended = found
        if not ended:
            self.reason = "corrupt"
        return View(self.source, place)

    def _next_flac(self) -> View | None:
        """Another file behind the first; or the next good frame, behind the head it needs."""
        start = max(self._view.start + 4, self._view.reached - HEAD)
        if not self._broken:
            place = frames.next_marker(self.source, start, b"fLaC\x00\x00\x00\x22")
            return None if place is None else View(self.source, place)
        begins = self.source.head.find(b"fLaC")
        if begins < 0:
            return None
        head = bytearray(self.source.read_at(begins, 42))
        found = frames.next_flac(self.source, start, self._done, int.from_bytes(head[8:10]))
        if found is None:
            return None
        place, self._done = found
        head[4] |= 0x80  # no other block of metadata follows
        head[21] &= 0xF0
        head[22:42] = bytes(20)  # neither the length nor the sum of all are right any more
        return View(self.source, place, bytes(head))


def _written(block: Samples) -> int:
    """How many frames of a block were written over its NaNs."""
    empty = np.isnan(block).all(axis=1)
    return int(empty.argmax()) if empty.any() else len(block)
