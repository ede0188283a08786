"""Maker of sound files in every container, and of all the ways in which they go bad."""

import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SECONDS, RATE, HERTZ = 6, 44_100, 440.0
"""What each good file lasts and holds: a tone with some noise, so that no codec makes it tiny."""


def sound(
    rate: int = RATE, *, channels: int = 1, hertz: float = HERTZ, seconds: float = SECONDS
) -> np.ndarray:
    """(T, channels): a tone with some noise."""
    time = np.arange(round(seconds * rate)) / rate
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(time))
    wave = 0.5 * np.sin(2 * np.pi * hertz * time) + noise
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encoded(samples: np.ndarray, rate: int, kind: str, subtype: str | None = None) -> bytes:
    """A file as libsndfile writes it."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, samples.shape[1], subtype, format=kind) as out:
        for start in range(0, len(samples), rate):  # in one piece Vorbis overflows the stack
            out.write(samples[start : start + rate])
    return file.getvalue()


def contained(
    samples: np.ndarray | None,
    rate: int,
    container: str,
    codec: str,
    *,
    video: bool = False,
    **kw: str,
) -> bytes:
    """A file as FFmpeg writes it; ``kw`` are options of its writer."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with av.open(str(path), "w", format=container, options=kw) as out:
            pictures = out.add_stream("mpeg4", rate=10) if video else None
            if pictures is not None:
                pictures.width = pictures.height = 64
                pictures.pix_fmt = "yuv420p"
            if samples is not None:
                _add_sound(out, samples, rate, codec)
            if pictures is not None:
                for number in range(SECONDS * 10):
                    picture = av.VideoFrame(64, 64, "yuv420p")
                    picture.pts = number
                    out.mux(pictures.encode(picture))
                out.mux(pictures.encode(None))
        return path.read_bytes()


def _add_sound(out: Any, samples: np.ndarray, rate: int, codec: str) -> None:
    import av

    layout = {1: "mono", 2: "stereo", 6: "5.1", 16: "hexadecagonal"}[samples.shape[1]]
    stream = out.add_stream(codec, rate=rate, layout=layout, bit_rate=128_000)
    convert = av.AudioResampler(stream.format, stream.layout, rate)
    for start in range(0, len(samples), 4096):
        part = samples[start : start + 4096].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, "flt", layout)
        frame.rate, frame.pts = rate, start
        for converted in convert.resample(frame):
            out.mux(stream.encode(converted))
    out.mux(stream.encode(None))


GOOD: dict[str, Callable[[], bytes]] = {
    "wav": lambda: encoded(sound(), RATE, "WAV"),
    "wav 24 bit": lambda: encoded(sound(), RATE, "WAV", "PCM_24"),
    "wav float64": lambda: encoded(sound(), RATE, "WAV", "DOUBLE"),
    "wav 8 bit": lambda: encoded(sound(), RATE, "WAV", "PCM_U8"),
    "wav adpcm": lambda: encoded(sound(), RATE, "WAV", "MS_ADPCM"),
    "wavex": lambda: encoded(sound(channels=6), RATE, "WAVEX"),
    "rf64": lambda: encoded(sound(), RATE, "RF64"),
    "w64": lambda: encoded(sound(), RATE, "W64"),
    "aiff": lambda: encoded(sound(), RATE, "AIFF"),
    "au": lambda: encoded(sound(), RATE, "AU"),
    "caf": lambda: encoded(sound(), RATE, "CAF"),
    "caf alac": lambda: encoded(sound(), RATE, "CAF", "ALAC_16"),
    "flac": lambda: encoded(sound(), RATE, "FLAC"),
    "flac 8 channels": lambda: encoded(sound(96_000, channels=8), 96_000, "FLAC", "PCM_24"),
    "ogg": lambda: encoded(sound(), RATE, "OGG"),
    "opus": lambda: encoded(sound(48_000), 48_000, "OGG", "OPUS"),
    "mp3": lambda: encoded(sound(), RATE, "MP3"),
    "mp3 22 kHz": lambda: encoded(sound(22_050), 22_050, "MP3"),
    "mp3 vbr": lambda: vbr(sound()),
}
"""Files that soundfile decodes."""

FORMATS: dict[str, Callable[[], bytes]] = {
    "m4a": lambda: contained(sound(channels=2), RATE, "ipod", "aac"),
    "m4a, head first": lambda: contained(sound(), RATE, "ipod", "aac", movflags="faststart"),
    "m4a in fragments": lambda: contained(
        sound(), RATE, "mp4", "aac", movflags="frag_keyframe+empty_moov"
    ),
    "alac": lambda: contained(sound(channels=2), RATE, "ipod", "alac"),
    "aac": lambda: contained(sound(), RATE, "adts", "aac"),
    "aac 5.1": lambda: contained(sound(48_000, channels=6), 48_000, "adts", "aac"),
    "wma": lambda: contained(sound(channels=2), RATE, "asf", "wmav2"),
    "webm": lambda: contained(sound(48_000), 48_000, "webm", "libopus"),
    "mka": lambda: contained(sound(), RATE, "matroska", "flac"),
    "wav of 64 bits": lambda: contained(sound(), RATE, "wav", "pcm_s64le"),
    "mp4": lambda: contained(sound(), RATE, "mp4", "aac", video=True),
    "mov": lambda: contained(sound(), RATE, "mov", "pcm_s16be", video=True),
    "mkv": lambda: contained(sound(), RATE, "matroska", "aac", video=True),
    "avi": lambda: contained(sound(), RATE, "avi", "libmp3lame", video=True),
    "flv": lambda: contained(sound(), RATE, "flv", "libmp3lame"),
    "transport stream": lambda: contained(sound(), RATE, "mpegts", "aac"),
    "wavpack": lambda: contained(sound(), RATE, "wv", "wavpack"),
    "wavpack 16 channels": lambda: contained(sound(channels=16), RATE, "wv", "wavpack"),
    "tta": lambda: contained(sound(), RATE, "tta", "tta"),
    "ac3": lambda: contained(sound(channels=2), RATE, "ac3", "ac3"),
    "ogg flac": lambda: contained(sound(), RATE, "ogg", "flac"),
    "wav with wma in it": lambda: contained(sound(), RATE, "wav", "wmav2"),
}
"""Files that need PyAV."""


def vbr(samples: np.ndarray, rate: int = RATE) -> bytes:
    """An MP3 of varying bitrate: half of it is silent."""
    half = samples.copy()
    half[: len(half) // 2] = 0
    file = io.BytesIO()
    soundfile.write(file, half, rate, format="MP3", bitrate_mode="VARIABLE")
    return file.getvalue()


@cache
def good(name: str) -> bytes:
    """A good file, made once."""
    return ({**GOOD, **FORMATS})[name]()


def cut(content: bytes, part: float = 0.5) -> bytes:
    """A download that broke off."""
    return content[: int(len(content) * part)]


def flipped(content: bytes, places: float = 0.5, *, bit: int = 4) -> bytes:
    """One wrong bit."""
    changed = bytearray(content)
    changed[int(len(content) * places)] ^= 1 << bit
    return bytes(changed)


def hole(content: bytes, size: int, *, noise: bool = False) -> bytes:
    """A part in the middle that a disk or a download left empty, or filled with something else."""
    start = len(content) // 2
    filling = np.random.default_rng(0).bytes(size) if noise else bytes(size)
    return content[:start] + filling + content[start + size :]


def id3(size: int, content: bytes | None = None) -> bytes:
    """A tag in front of an MP3, as large as a cover."""
    size_bytes = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    body = np.random.default_rng(0).bytes(size) if content is None else content
    return b"ID3\x03\x00\x00" + size_bytes + body


def xing(content: bytes, frames: int | None) -> bytes:
    """An MP3 whose index tells another number of frames; None: without an index."""
    place = content.find(b"Xing")
    changed = bytearray(content)
    if frames is None:
        changed[place : place + 4] = bytes(4)
    else:
        changed[place + 8 : place + 12] = struct.pack(">I", frames)
    return bytes(changed)


def locked_wma() -> bytes:
    """A WMA that says it is copy protected: one more object in its head."""
    content = bytearray(good("wma"))
    size, objects = struct.unpack("<QI", content[16:28])
    content[16:28] = struct.pack("<QI", size + 40, objects + 1)
    lock = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + struct.pack("<Q", 40) + bytes(16)
    return bytes(content[:30] + lock + content[30:])


def damaged(bad: float, kind: str = "FLOAT") -> bytes:
    """A WAV with ten samples that are no numbers or far too loud."""
    samples = sound().astype(np.float64)
    samples[30_000:30_010] = bad
    return encoded(samples, RATE, "WAV", kind)


def bomb(seconds: float) -> bytes:
    """A FLAC of silence at 192 kHz in eight channels: 110 bytes become six megabytes, a minute
    takes 7 kB and becomes 370 MB."""
    rate, block = 192_000, 65_535
    total = round(seconds * rate) // block * block
    info = struct.pack(">HH", block, block) + bytes(6)
    info += (rate << 44 | 7 << 41 | 15 << 36 | total).to_bytes(8) + bytes(16)
    frames = (_silent_frame(number, block) for number in range(total // block))
    return b"fLaC" + b"\x80\x00\x00\x22" + info + b"".join(frames)


def _silent_frame(number: int, block: int) -> bytes:
    head = b"\xff\xf8\x73\x78" + _utf8(number) + struct.pack(">H", block - 1)
    frame = head + bytes([_crc(head, 8, 0x07)]) + bytes(3) * 8
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _utf8(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass")


@cache
def _table(bits: int, polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        remainder = byte << bits - 8
        for _ in range(8):
            top = remainder >> bits - 1
            remainder = (remainder << 1 ^ (polynomial if top else 0)) & ((1 << bits) - 1)
        table.append(remainder)
    return table


def _crc(content: bytes, bits: int, polynomial: int) -> int:
    table, remainder = _table(bits, polynomial), 0
    for byte in content:
        remainder = (remainder << 8 & ((1 << bits) - 1)) ^ table[(remainder >> bits - 8) ^ byte]
    return remainder


@dataclass(frozen=True)
class Case:
    """A bad file, and what must be said of it."""

    name: str
    make: Callable[[], bytes]
    status: str
    reasons: tuple[str | None, ...]
    least: float = 0.0
    """Seconds of it that must be heard."""
    most: float = SECONDS + 0.1
    pyav: bool = False


def cases() -> Iterator[Case]:
    """Every way to go bad, each with what must be said."""
    yield from _told_by_libsndfile()
    yield from _mp3()
    yield from _joined()
    yield from _of_formats()
    yield from _refused()


def _told_by_libsndfile() -> Iterator[Case]:
    for name in ("wav", "wav 24 bit", "rf64", "w64", "aiff", "au", "flac", "ogg", "opus"):
        yield Case(f"cut {name}", lambda n=name: cut(good(n)), "partial", ("truncated",), 1.9, 3.1)
    for part in (0.1, 0.5, 0.9):
        yield Case(
            f"flac, a bit wrong at {part}",
            lambda p=part: flipped(good("flac"), p),
            "partial",
            ("corrupt",),
            5.8,
        )
    for name in ("flac", "ogg", "opus"):
        hurt = lambda n=name: hole(good(n), 8000)  # noqa: E731
        yield Case(f"{name} with a hole", hurt, "partial", ("corrupt",), 2.9)
        ends = lambda n=name: good(n) + bytes(100_000)  # noqa: E731
        yield Case(f"{name}, zeros behind", ends, "ok", (None,), 5.9)
        half = lambda n=name: cut(good(n)) + bytes(len(good(n)) // 2)  # noqa: E731
        yield Case(f"{name}, half zeros", half, "partial", ("truncated", "corrupt"), 1.9, 3.1)
    for bad in (np.nan, np.inf, -np.inf, 1e30):
        yield Case(f"wav with {bad}", lambda b=bad: damaged(b), "partial", ("not_finite",), 6)
    yield Case("wav with 1e300", lambda: damaged(1e300, "DOUBLE"), "partial", ("not_finite",), 6)
    far = lambda: good("w64")[:56] + b"\xff" * 7 + b"\x7f" + good("w64")[64:]  # noqa: E731
    yield Case(
        "w64 whose next part is far away", far, "failed", ("corrupt", "truncated"), pyav=True
    )
    piped = lambda: good("wav")[:40] + b"\xff\xff\xff\xff" + good("wav")[44:]  # noqa: E731
    yield Case("wav written into a pipe", piped, "ok", (None,), 6)


def _mp3() -> Iterator[Case]:
    whole = lambda: good("mp3")  # noqa: E731
    yield Case("cut mp3", lambda: cut(whole()), "partial", ("truncated",), 2.8, 3.1)
    yield Case("cut to a tenth", lambda: cut(whole(), 0.1), "partial", ("truncated",), 0.4, 0.7)
    yield Case(
        "cut mp3 without index", lambda: cut(xing(whole(), None)), "partial", ("truncated",), 2.8
    )
    yield Case("mp3 without index", lambda: xing(whole(), None), "ok", (None,), 5.9)
    yield Case("vbr without index", lambda: xing(good("mp3 vbr"), None), "ok", (None,), 5.8)
    for frames in (0, 77, 2300, 2**32 - 1):
        wrong = lambda f=frames: xing(whole(), f)  # noqa: E731
        yield Case(f"index of {frames} frames", wrong, "ok", (None,), 5.8)
    for size in (500, 5000, 20_000):
        for noise in (False, True):
            hurt = lambda s=size, n=noise: hole(whole(), s, noise=n)  # noqa: E731
            name = f"mp3 with a hole of {size} {'noise' if noise else 'zeros'}"
            yield Case(name, hurt, "partial", ("corrupt",), 5.8 - size / 8000)
    yield Case("mp3, zeros behind", lambda: whole() + bytes(200_000), "ok", (None,), 5.9)
    yield Case("mp3, zeros before", lambda: bytes(9000) + whole(), "ok", (None,), 5.9)
    yield Case("mp3, tag behind", lambda: whole() + b"TAG" + bytes(125), "ok", (None,), 5.9)
    yield Case("mp3 with a cover of 5 MB", lambda: id3(5_000_000) + whole(), "ok", (None,), 5.9)
    yield Case("two tags", lambda: id3(100) + id3(50) + whole(), "ok", (None,), 5.9)
    lies = lambda: id3(5_000_000, bytes(100)) + whole()  # noqa: E731
    yield Case("tag that says it is longer than the file", lies, "ok", (None,), 5.9)


def _joined() -> Iterator[Case]:
    """Files that are several files: all of them are heard."""
    long = 2 * SECONDS
    for name in ("mp3", "ogg", "opus", "flac"):
        two = lambda n=name: good(n) + good(n)  # noqa: E731
        yield Case(f"{name} twice", two, "ok", (None,), long - 0.1, long + 0.1)
    other = lambda: good("mp3") + good("mp3 22 kHz")  # noqa: E731
    yield Case("mp3 of two rates", other, "ok", (None,), long - 0.1, long + 0.1)
    other = lambda: good("ogg") + encoded(sound(22_050, channels=2), 22_050, "OGG")  # noqa: E731
    yield Case("ogg of two rates", other, "ok", (None,), long - 0.1, long + 0.1)
    torn = lambda: cut(good("ogg")) + good("ogg")  # noqa: E731
    yield Case("cut ogg before another", torn, "partial", ("corrupt",), SECONDS + 2, long + 0.1)
    other = lambda: good("aac") + contained(sound(22_050), 22_050, "adts", "aac")  # noqa: E731
    yield Case("aac of two rates", other, "ok", (None,), long - 0.2, long + 0.2, pyav=True)


def _of_formats() -> Iterator[Case]:
    for name in ("m4a", "alac", "mp4", "mov"):  # what is missing tells where the sound is
        yield Case(f"cut {name}", lambda n=name: cut(good(n)), "failed", ("truncated",), pyav=True)
    names = ("m4a, head first", "m4a in fragments", "aac", "mka", "mkv", "webm", "avi", "wavpack")
    for name in (*names, "wma", "tta", "transport stream", "ogg flac"):
        torn = lambda n=name: cut(good(n), 0.4711)  # noqa: E731
        yield Case(f"cut {name}", torn, "partial", ("truncated",), 1.0, 3.4, pyav=True)
    for name in ("m4a", "aac", "mkv", "mp4", "wma", "alac", "avi"):
        hurt = lambda n=name: hole(good(n), 6000)  # noqa: E731
        yield Case(f"{name} with a hole", hurt, "partial", ("corrupt",), 3, pyav=True)
    silent = lambda: contained(None, RATE, "mp4", "", video=True)  # noqa: E731
    yield Case("video without sound", silent, "failed", ("no_sound",), pyav=True)
    for lock in (b"drms", b"enca"):
        yield Case(
            f"m4a locked by {lock.decode()}",
            lambda x=lock: good("m4a").replace(b"mp4a", x),
            "failed",
            ("locked",),
            pyav=True,
        )
    yield Case("wma locked", locked_wma, "failed", ("locked",), pyav=True)


def _refused() -> Iterator[Case]:
    listing = b"ffconcat version 1.0\nfile /etc/passwd\n"
    stream = (
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    nothing: dict[str, bytes] = {
        "text": b"This is a text file named like a song.\n" * 50,
        "noise": np.random.default_rng(0).bytes(300_000),
        "zeros": bytes(300_000),
        "ones": b"\xff" * 300_000,
        "raw samples": (sound() * 30_000).astype("<i2").tobytes(),
        "a list of files": listing,
        "a list of streams": stream,
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
        "a page": b"<!doctype html><html><body>404 Not Found</body></html>" * 9,
        "an archive": b"PK\x03\x04" + np.random.default_rng(1).bytes(3000),
        "one byte": b"R",
    }
    for name, content in nothing.items():
        yield Case(name, lambda c=content: c, "failed", ("not_audio",))
    yield Case("no byte", lambda: b"", "failed", ("empty",))
    for name, seconds in (("no sample", 0), ("one sample", 1 / RATE), ("0.09 s", 0.09)):
        for kind in ("WAV", "FLAC", "OGG"):
            short = lambda s=seconds, k=kind: encoded(sound(seconds=s), RATE, k)  # noqa: E731
            yield Case(f"{name} of {kind}", short, "failed", ("too_short", "empty"))
    for rate in (1, 2_100_000_000):
        absurd = lambda r=rate: encoded(sound(), r, "WAV") if r > 1 else one_hertz()  # noqa: E731
        yield Case(f"{rate} Hz", absurd, "failed", ("bad_rate",))
    wide = lambda: encoded(np.zeros((9000, 65), np.float32), 8000, "WAV")  # noqa: E731
    yield Case("65 channels", wide, "failed", ("too_many_channels",))
    yield Case(
        "only the head of a wav", lambda: good("wav")[:44], "failed", ("too_short", "truncated")
    )
    yield Case(
        "half the head of a wav",
        lambda: good("wav")[:22],
        "failed",
        ("corrupt", "truncated"),
        pyav=True,
    )


def one_hertz() -> bytes:
    """A WAV that says one sample lasts a second."""
    content = bytearray(encoded(sound(), RATE, "WAV"))
    content[24:28] = struct.pack("<I", 1)
    return bytes(content)
