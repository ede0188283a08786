"""What a file is, told by its bytes and never by its name."""

from collections.abc import Callable
from typing import NamedTuple

from timbretree.decoders.frames import adts_chain, mpeg_chain
from timbretree.decoders.source import HEAD, Source


class Kind(NamedTuple):
    """A kind of file: its name, FFmpeg's reader of it, and whether libsndfile may know it."""

    name: str
    demuxer: str
    libsndfile: bool = False


WAV = Kind("wav", "wav", True)
AIFF = Kind("aiff", "aiff", True)
FLAC = Kind("flac", "flac", True)
OGG = Kind("ogg", "ogg", True)
MP3 = Kind("mp3", "mp3", True)
MP4 = Kind("mp4", "mov")
MATROSKA = Kind("matroska", "matroska")
ASF = Kind("asf", "asf")
AVI = Kind("avi", "avi")
AAC = Kind("aac", "aac")

MAGIC: list[tuple[int, bytes, Kind]] = [
    (0, b"fLaC", FLAC),
    (0, b"OggS", OGG),
    (8, b"WAVE", WAV),
    (8, b"AIFF", AIFF),
    (8, b"AIFC", AIFF),
    (0, bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000"), Kind("w64", "w64", True)),
    (0, b"caff", Kind("caf", "caf", True)),
    (0, b".snd", Kind("au", "au", True)),
    (4, b"ftyp", MP4),
    (4, b"moov", MP4),
    (4, b"mdat", MP4),
    (4, b"wide", MP4),
    (4, b"free", MP4),
    (0, b"\x1a\x45\xdf\xa3", MATROSKA),
    (0, bytes.fromhex("3026b275 8e66cf11 a6d900aa 0062ce6c"), ASF),
    (8, b"AVI ", AVI),
    (0, b"FLV\x01", Kind("flv", "flv")),
    (0, b"\x00\x00\x01\xba", Kind("mpeg", "mpeg")),
    (0, b".RMF", Kind("realmedia", "rm")),
    (0, b"wvpk", Kind("wavpack", "wv")),
    (0, b"MAC ", Kind("monkey's audio", "ape")),
    (0, b"TTA1", Kind("tta", "tta")),
    (0, b"MPCK", Kind("musepack", "mpc8")),
    (0, b"MP+", Kind("musepack", "mpc")),
    (0, b"tBaK", Kind("tak", "tak")),
    (0, b"DSD ", Kind("dsf", "dsf")),
    (0, b"#!AMR", Kind("amr", "amr")),
]
"""Where in a file which bytes tell what it is."""

RIFF = (b"RIFF", b"RIFX", b"RF64", b"BW64")


def _transport_stream(head: bytes) -> bool:
    return len(head) > 188 * 4 and all(head[188 * number] == 0x47 for number in range(5))


def _ac3(head: bytes) -> bool:
    return head[:2] == b"\x0b\x77" and head.count(b"\x0b\x77") > 2


CHAINS: list[tuple[Callable[[bytes], bool], Kind]] = [
    (_transport_stream, Kind("mpeg transport stream", "mpegts")),
    (_ac3, Kind("ac3", "ac3")),
    (adts_chain, AAC),
    (lambda head: mpeg_chain(head) is not None, MP3),
]
"""Kinds without a magic number, told by several frames that follow each other."""


def kind_of(source: Source) -> Kind | None:
    """What a file is, or None where nothing in it tells."""
    head, tagged = source.head, False
    start = 0
    while head[:3] == b"ID3" and len(head) > 10 and start < source.size:
        tagged = True  # a tag, perhaps with a picture, goes before
        start += 10 + _unpacked(head[6:10])
        head = source.read_at(start, HEAD)
    found = _told_by(head)
    return MP3 if found is None and tagged else found


def _told_by(head: bytes) -> Kind | None:
    for place, magic, kind in MAGIC:
        if head[place:].startswith(magic):
            if place == 8 and head[:4] not in (RIFF if kind is not AIFF else (b"FORM",)):
                continue
            return kind
    return next((kind for is_it, kind in CHAINS if is_it(head)), None)


def _unpacked(size: bytes) -> int:
    """The size of a tag, of which each byte holds seven bits."""
    return sum((byte & 127) << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=True))


LOCKS = (
    bytes.fromhex("fbb31122 23bdd211 b4b700a0 c955fc6e"),
    bytes.fromhex("14e68a29 2226174c b935dae0 7ee9289c"),
)
"""The objects in the head of an ASF file that say it is copy protected."""


def locked(source: Source, kind: Kind) -> bool:
    """Whether a Windows Media file says that it is copy protected."""
    return kind is ASF and any(lock in source.head for lock in LOCKS)
