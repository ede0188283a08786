"""Every kind of file is heard; every bad one is told for what it is, and its good part is heard."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bad_audio import (
    FORMATS,
    GOOD,
    HERTZ,
    RATE,
    SECONDS,
    Case,
    bomb,
    cases,
    cut,
    encoded,
    flipped,
    good,
)
from timbretree.audio import REASONS, AudioError, Recording
from timbretree.decoders import open_sound
from timbretree.decoders.kinds import Kind
from timbretree.decoders.pyav import ByPyav, _any_metadata
from timbretree.decoders.source import Source
from timbretree.reasons import BY_THE_CREW, PARTLY, REFUSED, USED
from timbretree.tagger import Tagger
from timbretree.tags import Tags

CASES = list(cases())
EXAMPLE = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


def write(folder: Path, content: bytes, name: str = "song.mp3") -> Path:
    """A file whose name says nothing true of it."""
    (folder / name).write_bytes(content)
    return folder / name


def heard(path: Path) -> tuple[np.ndarray, Recording]:
    with Recording(path, rate=16_000) as recording:
        return np.concatenate(list(recording)), recording


def tone_in(samples: np.ndarray) -> float:
    """How much of the loudness is the tone of the good files."""
    wave = np.exp(-2j * np.pi * HERTZ * np.arange(len(samples)) / 16_000)
    return float(2 * np.abs((samples * wave).mean()))


@pytest.mark.parametrize("name", [*GOOD, *FORMATS])
def test_every_kind_of_file_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    samples, recording = heard(write(tmp_path, good(name)))
    assert recording.reason is None
    assert recording.seconds == pytest.approx(SECONDS, abs=0.1)
    assert len(samples) == pytest.approx(recording.seconds * 16_000, abs=2)
    sounding = samples[-32_000:-16_000]  # half of one file is silent
    quieter = {"aac 5.1": 0.8, "avi": 0.95, "flv": 0.95}.get(name, 1)  # so their encoders like it
    assert tone_in(sounding) == pytest.approx(0.5 * quieter, rel=0.05)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_files(tmp_path: Path, tagger: Tagger, case: Case) -> None:
    path = write(tmp_path, case.make())
    tags = tagger(path)
    assert (tags.status, tags.reason in case.reasons) == (case.status, True), tags.reason
    assert case.least <= tags.seconds <= case.most
    assert bool(tags.tags) == bool(tags.windows) == (case.status != "failed")
    if case.status != "failed" and case.least > 2 and "two rates" not in case.name:
        samples, _ = heard(path)
        loud = samples[-16_000:-1600]  # what comes last is sound, too
        assert 0.3 < np.abs(loud).max() < 1.2
        assert tone_in(loud[:1600]) > 0.3


@pytest.mark.parametrize("name", ["text", "noise", "zeros", "a list of files"])
@pytest.mark.parametrize("suffix", ["m4a", "wav", "raw", "m3u8", "flac", "mkv", "vox"])
def test_no_name_makes_garbage_audio(tmp_path: Path, name: str, suffix: str) -> None:
    case = next(case for case in CASES if case.name == name)
    with pytest.raises(AudioError, match=REASONS["not_audio"]):
        Recording(write(tmp_path, case.make(), f"song.{suffix}"), rate=RATE)


# --- the same tags as of the good part alone


def same(one: Tags, other: Tags, tolerance: float) -> None:
    assert one.tags
    a, b = ([score.probability for score in tags.tags] for tags in (one, other))
    np.testing.assert_allclose(a, b, atol=tolerance)
    assert [score.present for score in one.tags] == [score.present for score in other.tags]


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return soundfile.read(EXAMPLE, stop=15 * RATE, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC", "W64"])
def test_the_tags_of_a_cut_file_are_those_of_what_is_left(
    tmp_path: Path, tagger: Tagger, music: np.ndarray, kind: str
) -> None:
    whole = encoded(music, RATE, kind)
    broken = tagger(write(tmp_path, cut(whole), "cut"))
    assert (broken.status, broken.reason) == ("partial", "truncated")
    left = music[: round(broken.seconds * RATE)]
    same(broken, tagger(write(tmp_path, encoded(left, RATE, kind), "left")), 0)


def test_the_tags_of_a_flac_with_a_wrong_bit_are_those_of_its_good_frames(
    tmp_path: Path, tagger: Tagger, music: np.ndarray
) -> None:
    broken = tagger(write(tmp_path, flipped(encoded(music, RATE, "FLAC")), "flipped"))
    assert (broken.status, broken.reason) == ("partial", "corrupt")
    decoder = open_sound(tmp_path / "flipped")
    left = np.concatenate([samples.copy() for samples, _ in decoder])
    decoder.close()
    lost = len(music) - len(left)
    assert lost == 4096  # one frame
    written = np.round(music * 2**15).clip(-(2**15), 2**15 - 1) / 2**15
    first = int((np.abs(left - written[: len(left)]).max(axis=1) > 1e-4).argmax())
    kept = np.concatenate([written[:first], written[first + lost :]])
    np.testing.assert_allclose(left, kept, atol=1e-4)
    same(broken, tagger(write(tmp_path, encoded(left, RATE, "FLAC"), "left")), 1e-6)


@pytest.mark.parametrize(("kind", "subtype"), [("MP3", None), ("OGG", None), ("OGG", "OPUS")])
def test_the_tags_of_a_cut_lossy_file_are_those_of_its_beginning(
    tmp_path: Path, tagger: Tagger, music: np.ndarray, kind: str, subtype: str | None
) -> None:
    rate = 48_000 if subtype else RATE
    whole = encoded(music, rate, kind, subtype)
    broken = tagger(write(tmp_path, cut(whole), "cut"))
    assert (broken.status, broken.reason) == ("partial", "truncated")
    decoded, _ = soundfile.read(write(tmp_path, whole, "whole"), always_2d=True)
    left = decoded[: round(broken.seconds * rate)]
    same(broken, tagger(write(tmp_path, encoded(left, rate, "WAV", "FLOAT"), "left")), 1e-3)


@pytest.mark.parametrize("name", ["mp3", "ogg"])
def test_both_parts_of_a_joined_file_are_heard_whole(tmp_path: Path, name: str) -> None:
    one, _ = heard(write(tmp_path, good(name), "one"))
    both, _ = heard(write(tmp_path, good(name) + good(name), "both"))
    np.testing.assert_allclose(both[100 : len(one) - 100], one[100:-100], atol=1e-2)
    np.testing.assert_allclose(both[-len(one) :][100:], one[100:], atol=1e-2)


# --- PyAV


@pytest.mark.parametrize("name", FORMATS)
def test_without_pyav_it_is_said_how_to_mend_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write(tmp_path, good(name))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"pip install 'timbretree\[formats\]'") as caught:
        Recording(path, rate=RATE)
    assert caught.value.code == "needs_formats"


@pytest.mark.parametrize("name", ["text", "zeros", "a list of streams"])
def test_without_pyav_garbage_is_still_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = next(case for case in CASES if case.name == name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=REASONS["not_audio"]):
        Recording(write(tmp_path, case.make()), rate=RATE)


def test_pyav_is_not_loaded_for_files_that_do_not_need_it(tmp_path: Path) -> None:
    path = write(tmp_path, good("mp3"))
    code = (
        "import sys; from timbretree.audio import load\n"
        f"load({str(path)!r}, rate=16000); assert 'av' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_list_opens_no_address_and_no_other_file(tmp_path: Path) -> None:
    """Even where FFmpeg is told that it reads a list, it gets nothing that the list names."""
    write(tmp_path, good("wav"), "other.wav")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        port = server.getsockname()[1]
        streams = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n"
        streams += "#EXT-X-ENDLIST\n"
        files = f"ffconcat version 1.0\nfile {tmp_path / 'other.wav'}\n"
        relative = "ffconcat version 1.0\nfile other.wav\n"
        for demuxer, content in (("hls", streams), ("concat", files), ("concat", relative)):
            path = write(tmp_path, content.encode(), "list.mp3")
            with pytest.raises(AudioError):
                Recording(path, rate=RATE)
            source = Source(path)
            try:
                decoder = ByPyav(source, Kind(demuxer, demuxer))
            except AudioError:
                source.close()
            else:
                assert not list(decoder)
                decoder.close()
        with pytest.raises(TimeoutError):
            server.accept()


# --- what is no file


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_devices_are_not_read(path: str) -> None:
    with pytest.raises(AudioError) as caught:
        Recording(path, rate=RATE)
    assert caught.value.code == "not_a_file"


def test_pipes_and_sockets_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to("pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket must be short
        try:
            server.bind("socket.wav")
        finally:
            os.chdir(here)
        for name in ("pipe.wav", "link.wav", "socket.wav"):
            with pytest.raises(AudioError) as caught:
                Recording(tmp_path / name, rate=RATE)
            assert caught.value.code == "not_a_file"


def test_names(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    (tmp_path / "gone").symlink_to("nowhere")
    for name in ("one", "gone", "x" * 300, "zero\0byte", "nowhere/at/all"):
        with pytest.raises(AudioError) as caught:
            Recording(tmp_path / name, rate=RATE)
        assert caught.value.code == "missing"
    for raw in (b"\xff\xfe\n\t.wav", "ü 𝄞 'quote\".wav".encode(), b"-.wav", b" "):
        path = tmp_path / os.fsdecode(raw)
        shutil.copyfile(write(tmp_path, good("flac")), path)
        assert heard(path)[1].reason is None


def test_what_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, good("wav"))
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(AudioError) as caught:
            Recording(path, rate=RATE)
    finally:
        if root:
            os.seteuid(0)
    assert caught.value.code == "unreadable"


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, good("wav"))

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(AudioError, match="Input/output error") as caught:
            Recording(path, rate=RATE)
    assert caught.value.code == "unreadable"

    monkeypatch.setattr("timbretree.decoders.source.io.BufferedReader", Failing)
    with pytest.raises(AudioError) as caught:
        Recording(path, rate=RATE)
    assert caught.value.code == "unreadable"


def test_a_name_that_is_anothers_by_now(tmp_path: Path) -> None:
    path, other = write(tmp_path, good("wav")), write(tmp_path, good("ogg"), "other")
    source = Source(path)
    descriptor = source.reopen()
    assert descriptor is not None
    assert os.path.sameopenfile(descriptor, source._file.fileno())
    os.close(descriptor)
    other.replace(path)
    assert source.reopen() is None
    path.unlink()
    assert source.reopen() is None
    source.close()


class Failing(io.BufferedReader):
    """A disk that can't read the second half of a file."""

    limit = 0

    def _left(self) -> int:
        if self.tell() >= self.limit:
            raise OSError(5, "Input/output error")
        return self.limit - self.tell()

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, self._left()))

    def readinto(self, buffer: memoryview) -> int:
        return super().readinto(buffer[: self._left()])


@pytest.mark.parametrize("by_itself", [False, True])
@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "m4a, head first"])
def test_a_disk_that_fails_later_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, by_itself: bool
) -> None:
    """What came before is used, and nothing of libsndfile's or FFmpeg's gets out: not where native
    code asks us for bytes, and not where it reads them by itself and gets no more."""
    monkeypatch.setattr("timbretree.decoders.source.io.BufferedReader", Failing)
    monkeypatch.setattr(Failing, "limit", len(good(name)) // 2)
    half = write(tmp_path, good(name)[: len(good(name)) // 2], "half")

    def reopen(_: Source) -> int | None:
        return os.open(half, os.O_RDONLY) if by_itself else None

    monkeypatch.setattr(Source, "reopen", reopen)
    _, recording = heard(write(tmp_path, good(name)))
    assert recording.reason == "corrupt"
    assert 1 < recording.seconds < 5


# --- memory


MEASURE = """
import json, resource, sys
from timbretree.audio import Recording
with Recording(sys.argv[1], rate=32000) as recording:
    sizes = [len(block) for block in recording]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([recording.seconds, recording.reason, sum(sizes), max(sizes), peak]))
"""


def measured(path: Path) -> list[float]:
    run = [sys.executable, "-c", MEASURE, str(path)]
    return json.loads(subprocess.run(run, check=True, capture_output=True).stdout)


def test_a_small_file_that_unpacks_to_gigabytes_does_no_harm(tmp_path: Path) -> None:
    """40 s of it are 0.2 GB; ``benchmarks/fuzz.py`` unpacks an hour, 22 GB."""
    content = bomb(40)
    assert len(content) < 10_000
    *_, small = measured(write(tmp_path, bomb(1), "small"))
    seconds, reason, samples, largest, large = measured(write(tmp_path, content, "large"))
    assert reason is None
    assert seconds == pytest.approx(40, abs=0.4)
    assert samples == pytest.approx(seconds * 32_000, abs=2)
    assert largest < 10_000
    assert large < small + 15


def test_a_long_video_is_read_in_blocks(tmp_path: Path) -> None:
    decoder = open_sound(write(tmp_path, good("mp4")))
    sizes = [samples.size for samples, _ in decoder]
    decoder.close()
    assert len(sizes) > 3
    assert max(sizes) <= 1 << 16


# --- fuzz


def test_mutated_files_neither_crash_nor_hang() -> None:
    """A few of what ``benchmarks/fuzz.py`` does by thousands."""
    fuzz = EXAMPLE.parents[1] / "benchmarks" / "fuzz.py"
    run = [sys.executable, str(fuzz), "--count", "200", "--without-bomb"]
    done = subprocess.run(run, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert result["faults"] == []
    assert (done.returncode, result["files"]) == (0, 200)
    assert {"ok", "partial corrupt", "partial truncated"} <= set(result["counts"])
    assert result["open_files_at_the_end"] < 10


# --- reasons


def test_every_reason_is_in_one_table_and_on_the_page() -> None:
    parts = (REFUSED, PARTLY, BY_THE_CREW, USED)
    assert sum(map(len, parts)) == len(REASONS)
    page = (EXAMPLE.parents[1] / "docs" / "audio.md").read_text("utf-8")
    for code in REASONS:
        assert f"| `{code}` |" in page


@pytest.mark.parametrize(
    ("version", "told"), [("14.0.0", True), ("18.1.0rc1", True), ("19.0.2", False)]
)
def test_pyav_is_told_of_strange_titles_as_long_as_it_listens(version: str, told: bool) -> None:
    """From 19 on it raises TypeError where it is told, and nothing where titles are strange."""
    assert (_any_metadata(version) == {"metadata_errors": "ignore"}) == told
