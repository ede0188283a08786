"""Sound files of every kind that can hold tags, with the tags that people have in them."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import mutagen.aiff
import mutagen.apev2
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import mutagen.ogg
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import numpy as np
import soundfile
from mutagen.id3 import APIC, COMM, PRIV, TIT2, TPE1, TXXX, TYER, UFID
from mutagen.ogg import OggPage

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
RATE = 16000


def sound(seconds: float = 1.0) -> np.ndarray:
    moments = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 0.05, len(moments))
    return (0.3 * np.sin(2 * np.pi * 440 * moments) + noise).astype("f")


def written(path: Path, format: str, subtype: str) -> Path:
    soundfile.write(path, sound(), RATE, format=format, subtype=subtype)
    return path


def encoded(path: Path, codec: str, rate: int = 48000, **options: str) -> Path:
    """A file that FFmpeg writes."""
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound(1.2)[None, :], format="fltp", layout="mono")
        frame.rate = RATE
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        queue = av.audio.fifo.AudioFifo()
        for part in resampler.resample(frame):
            queue.write(part)
        while part := queue.read(960 if codec == "libopus" else 1024):
            file.mux(stream.encode(part))
        file.mux(stream.encode())
    return path


def id3_frames(tags: mutagen.id3.ID3) -> None:
    for frame in (
        TIT2(encoding=3, text=["Adagio – 琴"]),
        TPE1(encoding=1, text=["Dvořák", "Clara"]),
        APIC(encoding=0, mime="image/png", type=3, desc="front", data=PICTURE),
        COMM(encoding=0, lang="eng", desc="", text=["a\nb"]),
        TXXX(encoding=0, desc="MOOD", text=["slow"]),
        PRIV(owner="x", data=b"\xff\xe0\x00\xff"),
        UFID(owner="http://musicbrainz.org", data=b"1234"),
    ):
        tags.add(frame)


def mp3(path: Path, version: int | None = 4, padding: int = 300) -> Path:
    written(path, "MP3", "MPEG_LAYER_III")
    mutagen.id3.ID3(path).delete(path) if path.read_bytes()[:3] == b"ID3" else None
    if version is not None:
        tags = mutagen.id3.ID3()
        id3_frames(tags)
        if version == 3:
            tags.update_to_v23()
            tags.add(TYER(encoding=0, text=["1893"]))
        tags.save(path, v2_version=version, padding=lambda info: padding)
    return path


def mp3_old(path: Path) -> Path:
    """With ID3v2.3, ID3v1 and APE, as they gather in the course of years."""
    mp3(path, 3)
    ape = mutagen.apev2.APEv2()
    ape["Instruments"] = ["lute"]
    ape.save(path)
    with path.open("ab") as file:
        file.write(b"TAG" + b"Adagio".ljust(30, b"\0") + bytes(94) + b"\x0c")
    return path


def mp3_first(path: Path) -> Path:
    """With a tag of version 2.2, unsynchronised as a whole."""
    mp3(path, None)
    picture = b"\0PNG\x03\0" + b"\xff\xe0\xff\x00" * 50
    body = b"TT2" + (7).to_bytes(3, "big") + b"\0Adagio"
    body += b"PIC" + len(picture).to_bytes(3, "big") + picture
    body = body.replace(b"\xff\x00", b"\xff\x00\x00").replace(b"\xff\xe0", b"\xff\x00\xe0")
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x02\x00\x80" + size + body + path.read_bytes())
    return path


def mp3_itunes(path: Path) -> Path:
    """Version 2.4 with the sizes of 2.3, as old iTunes wrote it."""
    mp3(path, None)
    data = b"\0" + b"x" * 300
    body = b"TIT2" + len(data).to_bytes(4, "big") + b"\0\0" + data
    body += b"TALB" + (4).to_bytes(4, "big") + b"\0\0\0abc" + bytes(20)
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x04\x00\x00" + size + body + path.read_bytes())
    return path


def vorbis_tags(file: mutagen.FileType) -> None:
    file["title"] = ["Adagio – 琴"]
    file["artist"] = ["Dvořák", "Clara"]
    file["comment"] = ["a\nb=c"]
    picture = mutagen.flac.Picture()
    picture.data, picture.type, picture.mime = PICTURE, 3, "image/png"
    if isinstance(file, mutagen.flac.FLAC):
        file.add_picture(picture)
    else:
        import base64

        file["metadata_block_picture"] = [base64.b64encode(picture.write()).decode()]


def flac(path: Path, tagged: bool = True, padding: int = 500) -> Path:
    written(path, "FLAC", "PCM_16")
    file = mutagen.flac.FLAC(path)
    if tagged:
        vorbis_tags(file)
        file.save(padding=lambda info: padding)
    else:
        file.delete()
        file.save(padding=lambda info: padding)
    return path


def flac_after_id3(path: Path) -> Path:
    """With a tag before it that no FLAC file should have, as some programs put there."""
    flac(path)
    front = mp3(path.with_suffix(".mp3"), padding=0)
    tag = front.read_bytes()
    path.write_bytes(tag[: mutagen.id3.ID3(front).size] + path.read_bytes())
    front.unlink()
    return path


def flac_bare(path: Path) -> Path:
    """Nothing but the sound and what it is."""
    data = written(path, "FLAC", "PCM_16").read_bytes()
    place = 4
    while not data[place] & 128:
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    path.write_bytes(data[:4] + bytes([128]) + data[5:42] + data[place:])
    return path


def ogg(path: Path, tagged: bool = True) -> Path:
    written(path, "OGG", "VORBIS")
    if tagged:
        file = mutagen.oggvorbis.OggVorbis(path)
        vorbis_tags(file)
        file.save()
    return path


def ogg_full(path: Path) -> Path:
    """With pages of comments that have no room for a byte more."""
    ogg(path)
    with path.open("rb+") as file:
        pages = [OggPage(file)]
        while len(pages) < 2 or not pages[-1].complete or len(OggPage.to_packets(pages[1:])) < 2:
            pages.append(OggPage(file))
        comments, setup = OggPage.to_packets(pages[1:])
        free = 2 * 255 - sum(len(packet) // 255 + 1 for packet in (comments, setup))
        new = OggPage.from_packets(
            [comments + bytes(255 * free + 254 - len(comments) % 255), setup],
            sequence=1,
            default_size=255 * 255,
        )
        OggPage.replace(file, pages[1:], new)
    assert [len(page.packets) and page.size > 65_000 for page in new] == [True, True]
    return path


def opus(path: Path, tagged: bool = True) -> Path:
    encoded(path, "libopus")
    if tagged:
        file = mutagen.oggopus.OggOpus(path)
        vorbis_tags(file)
        file.save()
    return path


def chained(path: Path) -> Path:
    """Two streams one after the other, as radio stations send them."""
    one, two = ogg(path.with_suffix(".1"), tagged=False), ogg(path.with_suffix(".2"))
    path.write_bytes(one.read_bytes() + two.read_bytes())
    one.unlink()
    two.unlink()
    return path


def m4a(path: Path, tagged: bool = True, **options: str) -> Path:
    encoded(path, "aac", 44100, **options)
    if tagged:
        file = mutagen.mp4.MP4(path)
        file["\xa9nam"] = ["Adagio – 琴"]
        file["\xa9ART"] = ["Dvořák"]
        file["covr"] = [mutagen.mp4.MP4Cover(PICTURE, mutagen.mp4.MP4Cover.FORMAT_PNG)]
        file["----:com.apple.iTunes:MOOD"] = [b"slow"]
        file["trkn"] = [(1, 4)]
        file.save(padding=lambda info: 0 if options else 400)
    return path


def atom(data: bytes, name: bytes) -> tuple[int, int]:
    """Where the one atom of a name begins and ends."""
    assert data.count(name) == 1
    place = data.index(name) - 4
    return place, place + int.from_bytes(data[place : place + 4], "big")


def m4a_without(path: Path, name: bytes, **options: str) -> Path:
    """One whose atom of a name is free room instead."""
    data = m4a(path, tagged=False, **options).read_bytes()
    place, _ = atom(data, name)
    path.write_bytes(data[: place + 4] + b"free" + data[place + 8 :])
    return path


def m4a_wide(path: Path) -> Path:
    """With sizes of eight bytes, as files of more than 4 GB have them."""
    data = m4a(path, tagged=False).read_bytes()
    for name, more in ((b"udta", 8), (b"moov", 16)):
        place, end = atom(data, name)
        size = (end - place + more).to_bytes(8, "big")
        data = data[:place] + b"\0\0\0\1" + name + size + data[place + 8 :]
    path.write_bytes(data)
    return path


def m4a_to_the_end(path: Path, name: bytes, **options: str) -> Path:
    """One whose last atom has no size, as what was written to a pipe."""
    data = m4a(path, tagged=False, **options).read_bytes()
    place, end = atom(data, name)
    assert end == len(data)
    path.write_bytes(data[:place] + bytes(4) + data[place + 4 :])
    return path


def wav(path: Path, tagged: bool = True, odd: bool = False) -> Path:
    written(path, "WAV", "PCM_16")
    data = path.read_bytes()
    info = b"INFOINAM" + struct.pack("<I", 7) + b"Adagio\0\0"
    data += b"LIST" + struct.pack("<I", len(info)) + info
    if odd:
        data += b"junk" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:])
    if tagged:
        file = mutagen.wave.WAVE(path)
        file.add_tags()
        id3_frames(file.tags)
        file.save()
    return path


def aiff(path: Path, tagged: bool = True) -> Path:
    written(path, "AIFF", "PCM_16")
    if tagged:
        file = mutagen.aiff.AIFF(path)
        file.add_tags()
        id3_frames(file.tags)
        file.save()
    return path


FILES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "mp3 2.4": (".mp3", mp3),
    "mp3 2.4, no room": (".mp3", lambda path: mp3(path, 4, 0)),
    "mp3 2.3": (".mp3", lambda path: mp3(path, 3)),
    "mp3 2.3, no room": (".mp3", lambda path: mp3(path, 3, 0)),
    "mp3 2.2": (".mp3", mp3_first),
    "mp3 of old iTunes": (".mp3", mp3_itunes),
    "mp3 with all tags": (".mp3", mp3_old),
    "mp3 without tags": (".mp3", lambda path: mp3(path, None)),
    "flac": (".flac", flac),
    "flac, no room": (".flac", lambda path: flac(path, padding=0)),
    "flac without tags": (".flac", lambda path: flac(path, tagged=False)),
    "flac, bare": (".flac", flac_bare),
    "flac after a tag": (".flac", flac_after_id3),
    "ogg": (".ogg", ogg),
    "ogg without tags": (".ogg", lambda path: ogg(path, tagged=False)),
    "ogg, full page": (".ogg", ogg_full),
    "ogg, chained": (".ogg", chained),
    "opus": (".opus", opus),
    "opus without tags": (".opus", lambda path: opus(path, tagged=False)),
    "flac in ogg": (".oga", lambda path: encoded(path, "flac", RATE)),
    "m4a": (".m4a", m4a),
    "m4a without tags": (".m4a", lambda path: m4a(path, tagged=False)),
    "m4a, tags first": (".m4a", lambda path: m4a(path, movflags="faststart")),
    "m4a, bare, tags first": (
        ".m4a",
        lambda path: m4a(path, tagged=False, movflags="faststart"),
    ),
    "m4a without a list": (".m4a", lambda path: m4a_without(path, b"ilst")),
    "m4a without meta": (".m4a", lambda path: m4a_without(path, b"meta")),
    "m4a without udta": (".m4a", lambda path: m4a_without(path, b"udta")),
    "m4a without udta, sound last": (
        ".m4a",
        lambda path: m4a_without(path, b"udta", movflags="faststart"),
    ),
    "m4a, wide": (".m4a", m4a_wide),
    "m4a, to the end": (".m4a", lambda path: m4a_to_the_end(path, b"moov")),
    "m4a, sound to the end": (
        ".m4a",
        lambda path: m4a_to_the_end(path, b"mdat", movflags="faststart"),
    ),
    "mp4": (".mp4", lambda path: m4a(path)),
    "wav": (".wav", wav),
    "wav without tags": (".wav", lambda path: wav(path, tagged=False)),
    "wav, odd": (".wav", lambda path: wav(path, odd=True)),
    "aiff": (".aiff", aiff),
    "aifc": (".aifc", lambda path: written(path, "AIFF", "FLOAT")),
    "aiff without tags": (".aiff", lambda path: aiff(path, tagged=False)),
}


def make(kind: str, folder: Path) -> Path:
    """A file of one kind."""
    suffix, maker = FILES[kind]
    return maker(folder / f"song{suffix}")


def payload(path: Path) -> bytes:
    """The sound itself, as packets that a demuxer finds."""
    if path.read_bytes().count(b"\x01vorbis") > 1:
        return soundfile.read(path)[0].tobytes()  # PyAV can't follow a chain of streams
    whole = io.BytesIO()
    with av.open(str(path)) as file:
        for packet in file.demux(audio=0):
            whole.write(bytes(packet))
    return whole.getvalue()
