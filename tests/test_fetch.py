"""Fetching: from servers that break off, stall, lie and send wrong bytes, and from good ones."""

import email.utils
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopback import (
    CONTENT,
    HALF,
    SIZE,
    WRONG,
    Answer,
    Server,
    Visit,
    breaks_at,
    chunked,
    good,
    hangs_up,
    ignores_range,
    part,
    says,
    stalls_at,
    wrong,
)
from timbretree import __version__, checkpoint, files
from timbretree.fetch import (
    RESOURCES,
    FetchError,
    Patience,
    Resource,
    cost,
    download,
    find_weights,
    weights_folder,
)
from timbretree.fetch.transfer import BLOCK

QUICK = Patience(read=9.0, tries=3, pause=0.0, longest=0.0)
IMPATIENT = replace(QUICK, read=1.0)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, Server() as server:
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.free.set()
        server.shutdown()


@pytest.fixture
def server(running: Server) -> Server:
    running.play(good)
    return running


def resource(*urls: str, exact: bool = True, size: int = SIZE) -> Resource:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Resource("toy", "a toy", "toy.bin", urls, size, exact, "sha256", digest, "CC0")


def get(server: Server, folder: Path, *, exact: bool = True) -> Path:
    return download(resource(server.url(), exact=exact), folder, patience=QUICK)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_whole(path: Path, folder: Path) -> None:
    assert path == folder / "toy.bin"
    assert path.read_bytes() == CONTENT
    assert names(folder) == {"toy.bin"}


# --- a good server


@pytest.mark.parametrize("exact", [True, False])
def test_a_file_is_fetched_and_only_once(server: Server, tmp_path: Path, exact: bool) -> None:
    folder = tmp_path / "new" / "folder"
    seen: list[tuple[int, int | None]] = []
    wanted = resource(server.url(), exact=exact)
    path = download(wanted, folder, progress=lambda *at: seen.append(at), patience=QUICK)
    assert_whole(path, folder)
    done = [at for at, _ in seen]
    assert done == sorted(set(done))
    assert done[-1] == SIZE
    assert {end for _, end in seen} == {SIZE}
    assert download(wanted, folder) == path
    assert len(server.visits) == 1


def test_the_client_has_a_name(server: Server, tmp_path: Path) -> None:
    server.play(says(302, Location="/else"), breaks_at(HALF), says(302, Location="/else"), good)
    get(server, tmp_path)
    agents = [visit.headers["User-Agent"] for visit in server.visits]
    assert [visit.path for visit in server.visits] == ["/file", "/else"] * 2
    assert all(re.fullmatch(rf"timbretree/{__version__} \(\+.+\)", agent) for agent in agents)
    assert server.ranges == [None, None, *[f"bytes={HALF}-"] * 2]


def test_bytes_are_taken_as_they_are_sent(server: Server, tmp_path: Path) -> None:
    server.play(says(200, CONTENT, Content_Encoding="gzip"))  # what some servers say of any .tgz
    assert_whole(get(server, tmp_path), tmp_path)
    assert server.visits[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("exact", [True, False])
def test_a_length_need_not_be_said(server: Server, tmp_path: Path, exact: bool) -> None:
    server.play(chunked(CONTENT))
    assert_whole(get(server, tmp_path, exact=exact), tmp_path)


def test_where_no_length_is_said_the_size_tells_what_is_missing(
    server: Server, tmp_path: Path
) -> None:
    server.play(chunked(CONTENT[:HALF]), good)
    assert_whole(get(server, tmp_path), tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_what_has_come_is_on_the_disk_at_once(server: Server, tmp_path: Path) -> None:
    def in_bits(visit: Visit) -> None:
        visit.say(200, {"Transfer-Encoding": "chunked"})
        for start in range(0, SIZE, 999):
            bit = CONTENT[start : start + 999]
            visit.give(b"%x\r\n%b\r\n" % (len(bit), bit))
        visit.give(b"0\r\n\r\n")

    seen: list[tuple[int, int]] = []

    def look(done: int, _: int | None) -> None:
        seen.append((done, (tmp_path / "toy.bin.part").stat().st_size))

    server.play(in_bits)
    download(resource(server.url()), tmp_path, progress=look, patience=QUICK)
    assert len(seen) > SIZE // 1000
    assert all(done == there for done, there in seen)


def test_either_digest(server: Server, tmp_path: Path) -> None:
    md5 = replace(resource(server.url()), algorithm="md5", digest=hashlib.md5(CONTENT).hexdigest())
    for _ in range(2):
        assert_whole(download(md5, tmp_path, patience=QUICK), tmp_path)


# --- what breaks is mended


@pytest.mark.parametrize("exact", [True, False])
def test_a_broken_download_goes_on_where_it_broke(
    server: Server, tmp_path: Path, exact: bool
) -> None:
    server.play(breaks_at(HALF), breaks_at(HALF + 7), good)
    assert_whole(get(server, tmp_path, exact=exact), tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-", f"bytes={HALF + 7}-"]
    assert sum(visit.sent for visit in server.visits) == SIZE


def test_a_later_call_goes_on_where_an_earlier_gave_up(server: Server, tmp_path: Path) -> None:
    server.play(breaks_at(HALF))
    with pytest.raises(FetchError, match=rf"{HALF:,} bytes are kept in .*toy\.bin\.part; run"):
        get(server, tmp_path)
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[:HALF]
    assert names(tmp_path) == {"toy.bin.part"}
    server.play(good)
    assert_whole(get(server, tmp_path), tmp_path)
    assert server.ranges == [f"bytes={HALF}-"]


def test_it_gives_up_only_when_nothing_new_comes(server: Server, tmp_path: Path) -> None:
    server.play(*(breaks_at(byte) for byte in range(BLOCK, SIZE, BLOCK // 4)), good)
    assert_whole(get(server, tmp_path), tmp_path)
    server.play(breaks_at(HALF))
    with pytest.raises(FetchError, match=f"broke off at byte {HALF:,} .* 3 tries"):
        get(server, tmp_path / "other")
    assert len(server.visits) == 3


def test_breaking_off_without_range_ends_too(server: Server, tmp_path: Path) -> None:
    def starts_over(byte: int) -> Answer:
        return lambda visit: visit.say(200, {"Content-Length": SIZE}, CONTENT[:byte])

    server.play(*(starts_over(byte) for byte in [HALF, BLOCK, HALF] * 9), good)
    with pytest.raises(FetchError, match="3 tries in a row ended so"):
        get(server, tmp_path)
    assert len(server.visits) == 3


@pytest.mark.parametrize("exact", [True, False])
def test_a_server_may_ignore_range(server: Server, tmp_path: Path, exact: bool) -> None:
    server.play(breaks_at(HALF), ignores_range)
    assert_whole(get(server, tmp_path, exact=exact), tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_a_stalled_server_is_left(server: Server, tmp_path: Path) -> None:
    server.play(stalls_at(HALF), good)
    assert_whole(download(resource(server.url()), tmp_path, patience=IMPATIENT), tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert server.visits[0].stalled


def test_a_slow_server_is_not_left(server: Server, tmp_path: Path) -> None:
    def trickles(visit: Visit) -> None:
        visit.say(200, {"Content-Length": SIZE}, CONTENT[:-30])
        for byte in CONTENT[-30:]:
            time.sleep(0.05)  # in all it takes longer than it may for any one byte
            visit.give(bytes([byte]))

    server.play(trickles)
    assert_whole(download(resource(server.url()), tmp_path, patience=IMPATIENT), tmp_path)
    assert len(server.visits) == 1


@pytest.mark.parametrize(
    "trouble", [says(429), says(500), says(503), hangs_up, chunked(CONTENT, 9)]
)
def test_trouble_passes(server: Server, tmp_path: Path, trouble: Answer) -> None:
    server.play(trouble, trouble, good)
    assert_whole(get(server, tmp_path), tmp_path)
    assert len(server.visits) == 3


def test_it_waits_longer_each_time_and_as_long_as_it_is_asked(
    server: Server, tmp_path: Path
) -> None:
    at = email.utils.formatdate(time.time() + 50, usegmt=True)
    asked = ["7", "", "0", "3600", at, "soon", "²"]
    server.play(*(says(429, Retry_After=text) if text else says(503) for text in asked), good)
    slept: list[float] = []
    told: list[str] = []
    patience = Patience(tries=9, pause=1.0, longest=60.0, sleep=slept.append, told=told.append)
    download(resource(server.url()), tmp_path, patience=patience)
    assert [*slept[:4], *slept[5:]] == [7, 2, 4, 60, 32, 60]
    assert 40 < slept[4] <= 50
    assert len(told) == len(slept)
    assert "answers 429" in told[0]
    assert told[0].endswith("trying again in 7 s")


def test_a_pause_is_short_again_after_new_bytes(server: Server, tmp_path: Path) -> None:
    server.play(says(500), says(500), breaks_at(HALF), says(500), good)
    slept: list[float] = []
    download(resource(server.url()), tmp_path, patience=Patience(pause=1.0, sleep=slept.append))
    assert slept == [1, 2, 1, 2]


# --- what lies is refused


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(404), "answers 404 Not Found"),
        (says(403), "answers 403"),
        (says(416), "answers 416"),
        (says(204), "answers 204"),
        (says(200, CONTENT[:-9]), f"promises {SIZE - 9:,} bytes, not exactly {SIZE:,}"),
        (says(200, CONTENT + b"?"), f"promises {SIZE + 1:,} bytes, not exactly {SIZE:,}"),
        (says(200, CONTENT, Content_Type="text/html; charset=utf-8"), "web page.*login"),
        (chunked(CONTENT + b"?"), f"sends more than the {SIZE:,} bytes it may"),
        (wrong, "sent wrong bytes: expected sha256 .*, got "),
        (chunked(WRONG), "sent wrong bytes"),
        (says(302, Location="/file"), "redirects"),
        (says(302, Location="ftp://127.0.0.1/file"), "No connection adapters"),
        (says(206, CONTENT), "asked for the bytes from 0 on, and sends 'no Content-Range'"),
    ],
)
def test_a_fault_is_named_with_its_mirror(
    server: Server, tmp_path: Path, answer: Answer, words: str
) -> None:
    server.play(answer)
    with pytest.raises(FetchError, match=words) as caught:
        get(server, tmp_path)
    assert f"\n{server.url()}: " in str(caught.value)
    assert "toy.bin" not in names(tmp_path)


@pytest.mark.parametrize(
    "told",
    [f"bytes 0-{SIZE - 1}/{SIZE}", f"bytes {HALF + 1}-{SIZE - 1}/{SIZE}", "", "bytes */9", "pages"],
)
def test_a_range_that_was_not_asked_for_is_refused(
    server: Server, tmp_path: Path, told: str
) -> None:
    server.play(breaks_at(HALF), says(206, CONTENT[HALF:], Content_Range=told))
    with pytest.raises(
        FetchError, match=rf"asked for the bytes from {HALF:,} on, and sends '{re.escape(told)}'"
    ):
        get(server, tmp_path)
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[:HALF]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            says(200, b"?" * (SIZE // 2 - 1)),
            f"promises {SIZE // 2 - 1:,} bytes, not about {SIZE:,}",
        ),
        (says(200, b"?" * (2 * SIZE + 1)), f"promises {2 * SIZE + 1:,} bytes, not about {SIZE:,}"),
        (chunked(CONTENT * 2 + b"?"), f"sends more than the {2 * SIZE:,} bytes it may"),
        (says(200, CONTENT[:-9]), "sent wrong bytes"),
    ],
)
def test_where_the_size_is_known_about(
    server: Server, tmp_path: Path, answer: Answer, words: str
) -> None:
    server.play(answer)
    with pytest.raises(FetchError, match=words):
        get(server, tmp_path, exact=False)
    assert "toy.bin" not in names(tmp_path)


def test_more_bytes_than_the_range_are_refused(server: Server, tmp_path: Path) -> None:
    told = f"bytes {HALF}-{SIZE - 1}/{SIZE}"
    server.play(breaks_at(HALF), says(206, CONTENT[HALF:] + b"?", Content_Range=told))
    with pytest.raises(FetchError, match=f"sends more than the {SIZE:,} bytes"):
        get(server, tmp_path, exact=False)


@pytest.mark.parametrize(
    "end", [good, says(416), says(416, Content_Range=f"bytes */{SIZE}"), ignores_range]
)
def test_a_length_that_was_too_long(server: Server, tmp_path: Path, end: Answer) -> None:
    """All bytes are there, but more were promised: the next answer tells that there are no more."""
    server.play(lambda visit: visit.say(200, {"Content-Length": SIZE + 99}, CONTENT), end)
    assert_whole(get(server, tmp_path, exact=False), tmp_path)
    assert server.ranges == [None, f"bytes={SIZE}-"]


def test_a_login_page_costs_nothing_that_was_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:HALF])
    for page in (says(200, b"<html>", Content_Type="text/html"), says(200, b"<html>")):
        server.play(page)
        for exact in (True, False):
            with pytest.raises(FetchError):
                get(server, tmp_path, exact=exact)
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[:HALF]


def test_a_416_that_can_not_be_true_costs_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:HALF])
    server.play(says(416, Content_Range=f"bytes */{SIZE}"))
    with pytest.raises(FetchError, match="answers 416"):
        get(server, tmp_path)
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[:HALF]


# --- what was there before


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("left", "requests"),
    [
        (
            b"?" * HALF,
            [f"bytes={HALF}-", None],
        ),  # another file's: the digest tells, once it is here
        (CONTENT[: SIZE - 1], [f"bytes={SIZE - 1}-"]),
        (b"", [None]),
        (b"?" * (3 * SIZE), [None]),
    ],
)
def test_a_part_from_before(
    server: Server, tmp_path: Path, exact: bool, left: bytes, requests: list[str | None]
) -> None:
    (tmp_path / "toy.bin.part").write_bytes(left)
    assert_whole(get(server, tmp_path, exact=exact), tmp_path)
    assert server.ranges == requests


def test_a_whole_part_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT)  # killed before it got its name
    assert_whole(get(server, tmp_path), tmp_path)
    assert not server.visits
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "toy.bin.part").write_bytes(WRONG)
    assert_whole(get(server, tmp_path / "other"), tmp_path / "other")


def test_a_part_longer_than_the_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT + b"?")
    assert_whole(get(server, tmp_path, exact=False), tmp_path)
    assert server.ranges == [f"bytes={SIZE + 1}-", None]


def test_another_file_of_that_name_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin").write_bytes(WRONG)
    with pytest.raises(FetchError, match=r"toy\.bin is there but is not toy: expected .* move it"):
        get(server, tmp_path)
    assert not server.visits
    assert (tmp_path / "toy.bin").read_bytes() == WRONG
    assert names(tmp_path) == {"toy.bin"}


def test_what_the_disk_refuses(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin").mkdir()
    with pytest.raises(FetchError, match=r"toy\.bin: Is a directory; mend"):
        get(server, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match=r"file: File exists; mend"):
        get(server, tmp_path / "file")
    (tmp_path / "sub" / "toy.bin.part").mkdir(parents=True)
    with pytest.raises(FetchError, match=r"toy\.bin\.part: Is a directory; mend"):
        get(server, tmp_path / "sub")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")
def test_a_full_disk(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").symlink_to("/dev/full")
    with pytest.raises(FetchError, match="No space left on device; mend"):
        get(server, tmp_path, exact=False)


# --- mirrors


def mirrors(server: Server) -> Resource:
    return resource(*(server.url(f"/{number}") for number in range(3)))


def test_the_next_mirror_goes_on_with_the_same_bytes(server: Server, tmp_path: Path) -> None:
    server.play(breaks_at(HALF), says(404), says(403), good)
    assert_whole(download(mirrors(server), tmp_path, patience=QUICK), tmp_path)
    assert [visit.path for visit in server.visits] == ["/0", "/0", "/1", "/2"]
    assert server.ranges == [None, *[f"bytes={HALF}-"] * 3]


def test_wrong_bytes_are_not_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.play(wrong, good)
    assert_whole(download(mirrors(server), tmp_path, patience=QUICK), tmp_path)
    assert [(visit.path, visit.range) for visit in server.visits] == [("/0", None), ("/1", None)]


def test_a_mirror_is_not_blamed_for_the_bytes_of_another(server: Server, tmp_path: Path) -> None:
    def lies(visit: Visit) -> None:
        part(visit, b"?" * SIZE, upto=HALF)

    server.play(lies, says(404), good)
    assert_whole(download(mirrors(server), tmp_path, patience=QUICK), tmp_path)
    assert [(visit.path, visit.range) for visit in server.visits] == [
        ("/0", None), ("/0", f"bytes={HALF}-"), ("/1", f"bytes={HALF}-"), ("/1", None)
    ]  # fmt: skip


def test_when_all_fail_each_is_named(server: Server, tmp_path: Path) -> None:
    server.play(says(404), wrong, says(500))
    with pytest.raises(FetchError) as caught:
        download(mirrors(server), tmp_path, patience=QUICK)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert "toy" in lines[0]
    for number, words in enumerate(["404", "wrong bytes", "500 Internal Server Error; 3 tries"]):
        assert lines[1 + number].startswith(server.url(f"/{number}: "))
        assert words in lines[1 + number]
    assert "nothing was kept" in lines[4]
    assert names(tmp_path) == set()


def test_nobody_answers(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Visit) as unheard:
        port = unheard.server_port
    with pytest.raises(FetchError, match=r"no answer .*; 3 tries"):
        download(resource(f"http://127.0.0.1:{port}/"), tmp_path, patience=QUICK)


# --- whatever happens

HARMLESS = [
    breaks_at(1), breaks_at(HALF), breaks_at(HALF + 1), breaks_at(SIZE - 1),
    ignores_range, hangs_up, says(429, Retry_After=9), says(503), chunked(CONTENT),
    chunked(CONTENT, HALF), good,
]  # fmt: skip
HARMFUL = [
    wrong, says(404), says(416), says(200, b"<html>"), says(206, CONTENT), chunked(WRONG),
    says(200, WRONG), says(200, CONTENT[:-1]), chunked(CONTENT + b"?"), chunked(b"?" * HALF),
    lambda visit: part(visit, CONTENT * 2), lambda visit: part(visit, b"?" * SIZE, HALF),
    says(206, CONTENT[HALF:], Content_Range=f"bytes {HALF}-{SIZE - 1}/{SIZE}"),
    says(416, Content_Range="bytes */1"),
]  # fmt: skip
LEFT = st.sampled_from([b"", CONTENT[:1], CONTENT[:HALF], CONTENT, WRONG, b"?" * BLOCK, WRONG * 3])


@settings(max_examples=60)
@given(st.lists(st.sampled_from(HARMLESS), max_size=6), LEFT, st.booleans())
def test_what_is_harmless_is_overcome(
    running: Server, answers: list[Answer], left: bytes, exact: bool
) -> None:
    running.play(*answers, good)
    patient = replace(QUICK, tries=8)
    with TemporaryDirectory() as name:
        (Path(name) / "toy.bin.part").write_bytes(left)
        found = download(resource(running.url(), exact=exact), name, patience=patient)
        assert_whole(found, Path(name))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(HARMLESS + HARMFUL), min_size=1, max_size=6), LEFT, st.booleans())
def test_wrong_bytes_never_get_the_name(
    running: Server, answers: list[Answer], left: bytes, exact: bool
) -> None:
    running.play(*answers)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "toy.bin.part").write_bytes(left)
        try:
            assert_whole(get(running, folder, exact=exact), folder)
        except FetchError:
            assert names(folder) <= {"toy.bin.part"}
            running.play(good)
            assert_whole(get(running, folder, exact=exact), folder)


# --- two processes, and one that is killed

CHILD = (
    "import sys\n"
    "from timbretree.fetch import Resource, download\n"
    "download(Resource('toy', '', 'toy.bin', (sys.argv[1],), int(sys.argv[2]), True, 'sha256',"
    " sys.argv[3], ''), sys.argv[4])"
)


def until(happened: Callable[[], bool]) -> None:
    for _ in range(3000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 30 s")


@pytest.fixture
def child(server: Server, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has received half of the file and waits for the rest."""
    server.play(stalls_at(HALF), good)
    wanted = resource(server.url())
    command = [sys.executable, "-c", CHILD, server.url(), str(SIZE), wanted.digest, str(tmp_path)]
    with subprocess.Popen(command) as process:
        try:
            half = tmp_path / "toy.bin.part"
            until(lambda: half.exists() and half.stat().st_size == HALF)
            yield process
        finally:
            process.kill()


def test_two_processes_do_not_mix(
    server: Server, tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(FetchError, match=r"another process is making .*toy\.bin; wait"):
        get(server, tmp_path)
    assert len(server.visits) == 1
    assert (tmp_path / "toy.bin.part").read_bytes() == CONTENT[:HALF]


def test_a_kill_loses_nothing(
    server: Server, tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert names(tmp_path) == {"toy.bin.part", "toy.bin.lock"}
    assert_whole(get(server, tmp_path), tmp_path)
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_another_process_may_finish_just_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finishes_first(*_: object) -> None:
        (tmp_path / "toy.bin").write_bytes(CONTENT)

    monkeypatch.setattr(files.fcntl, "lockf", finishes_first)
    assert_whole(get(server, tmp_path), tmp_path)
    assert not server.visits


def test_a_lock_that_its_last_holder_removed_is_none(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "toy.bin.lock"
    for remains in (path.unlink, lambda: (path.unlink(), path.touch())):
        monkeypatch.setattr(files.fcntl, "lockf", lambda *_, remains=remains: remains())
        with pytest.raises(FetchError, match="another process"):
            get(server, tmp_path)
    assert not server.visits


def test_without_locks(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "fcntl", None)  # Windows
    assert_whole(get(server, tmp_path), tmp_path)


# --- what it costs, and where it lies


def with_room(monkeypatch: pytest.MonkeyPatch, free: int) -> list[Path]:
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=free)

    monkeypatch.setattr("timbretree.fetch.resources.shutil.disk_usage", usage)
    return asked


def test_what_it_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = with_room(monkeypatch, 80_000_000_000)
    openmic, folder = RESOURCES["openmic"], tmp_path / "not" / "yet"
    text = str(cost(openmic, folder))
    assert asked == [tmp_path]
    assert "to download: about 2.6 GB; unpacked, about 2.6 GB more\n" in text
    assert f"free in {folder}: 80 GB\n" in text
    assert "CC BY 4.0" in text
    assert "Humphrey, Durand, McFee" in text
    folder.mkdir(parents=True)
    half = folder / "openmic-2018-v1.0.0.tgz.part"
    with half.open("wb") as file:
        file.truncate(1_000_000_000)
    found = cost(openmic, folder)
    assert (found.download, found.there, found.unpacked) == (
        1_600_000_000,
        1_000_000_000,
        2_600_000_000,
    )
    assert "about 1.6 GB (1.0 GB are there already); unpacked, about 2.6 GB more\n" in str(found)
    half.rename(folder / "openmic-2018-v1.0.0.tgz")
    half.write_bytes(b"?")
    found = cost(openmic, folder)
    assert (found.download, found.there, found.unpacked) == (0, 0, 2_600_000_000)
    (folder / "openmic-2018").mkdir()
    assert cost(openmic, folder).unpacked == 0
    assert "to download: 4.1 MB\n" in str(cost(RESOURCES["mn04-as"], folder))
    assert "to download: about 323 MB\n" in str(cost(RESOURCES["cnn14-16k"], folder))


def test_what_can_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_room(monkeypatch, 5_199_999_999)
    with pytest.raises(FetchError, match=r"openmic needs 5.2 GB in .*, but only 5.2 GB are free"):
        cost(RESOURCES["openmic"], tmp_path)
    (tmp_path / "openmic-2018-v1.0.0.tgz.part").write_bytes(b"?")
    assert cost(RESOURCES["openmic"], tmp_path).free == 5_199_999_999
    with_room(monkeypatch, 4_066_512)
    with pytest.raises(FetchError, match="make room, or choose"):
        cost(RESOURCES["mn04-as"], tmp_path)


def test_the_register() -> None:
    assert list(RESOURCES) == ["openmic", "cnn14-16k", "mn04-as"]
    for name, found in RESOURCES.items():
        assert found.name == name
        assert len(found.digest) == 2 * hashlib.new(found.algorithm).digest_size
        assert all(url.startswith("https://") for url in found.urls)
    assert RESOURCES["cnn14-16k"].digest == checkpoint.CNN14_16K_SHA256
    assert RESOURCES["mn04-as"].digest == checkpoint.MN04_SHA256


def test_weights_lie_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / name)
    assert weights_folder() == tmp_path / "timbretree" / "weights"
    assert find_weights("mn04-as") is None
    weights_folder().mkdir(parents=True)
    (weights_folder() / "mn04_as_mAP_432.pt.part").touch()
    assert find_weights("mn04-as") is None
    (weights_folder() / "mn04_as_mAP_432.pt").touch()
    assert find_weights("mn04-as") == weights_folder() / "mn04_as_mAP_432.pt"
    assert find_weights("cnn14-16k") is None
    for name in ("openmic", "mn05"):
        with pytest.raises(FetchError, match=f"expected one of cnn14-16k, mn04-as, got '{name}'"):
            find_weights(name)


def test_the_shared_weights_are_those_of_the_register(shared: Path) -> None:
    mn04 = RESOURCES["mn04-as"]
    path = shared / "weights" / "mn04_as" / mn04.file
    assert path.stat().st_size == mn04.size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == mn04.digest
