"""Three hundred uploads that mean harm, and requests that are none, to the real command."""

import contextlib
import gzip
import io
import json
import random
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from command import Command, command
from timbretree.reasons import REASONS

SONG = (Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg").read_bytes()
EACH = 25
MEGABYTES = 4
PLACE = "POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTimbretree-Client: raw\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    uploads = tmp_path_factory.mktemp("uploads")
    options = ("--jobs", "2", "--max-megabytes", str(MEGABYTES), "--patience", "1")
    with command(uploads, *options) as running:
        yield running


def sound(seconds: float, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, round(8000 * seconds))
    soundfile.write(file, noise, 8000, format=kind, **how)
    return file.getvalue()


def bomb(chance: random.Random) -> bytes:
    """Little that unpacks to much."""
    file = io.BytesIO()
    if chance.random() < 0.4:
        return gzip.compress(bytes(8_000_000))
    if chance.random() < 0.5:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.wav", bytes(8_000_000))
        return file.getvalue()
    soundfile.write(file, np.zeros(8000 * 600, np.float32), 8000, format="flac")  # ten minutes
    return file.getvalue()


def wrong_type(chance: random.Random) -> bytes:
    heads = (
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        b"MZ",
        b"\x7fELF",
        b"<html><script>",
        b"PK\x03\x04",
        b"#!/bin/sh\n",
    )
    return chance.choice(heads) + chance.randbytes(chance.randrange(5000))


def lying_header(chance: random.Random) -> bytes:
    """A wav file that says it has more channels, samples or a higher rate than can be."""
    channels, rate = chance.choice([(65535, 44100), (1, 0), (0, 44100), (2, 2**32 - 1), (1, 8000)])
    form = struct.pack(
        "<HHIIHH", chance.choice([1, 3, 0xFFFE]), channels, rate, rate * 2 & 0xFFFFFFFF, 2, 16
    )
    data = chance.randbytes(1000)
    size = chance.choice([2**32 - 1, 2**31, 10])
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def cut(chance: random.Random) -> bytes:
    return SONG[: chance.randrange(1, 30_000)]


def mutated(chance: random.Random) -> bytes:
    file = bytearray(chance.choice(SHORT))
    for _ in range(chance.randrange(1, 60)):
        file[chance.randrange(len(file))] = chance.randrange(256)
    return bytes(file)


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 20_000))


def too_large(chance: random.Random) -> bytes:
    return bytes((MEGABYTES << 20) + chance.randrange(1, 1000))


SHORT = [sound(1.0, "flac"), sound(1.0, "ogg"), sound(1.0, "mp3"), sound(1.0, "wav")]
BODIES = (bomb, wrong_type, lying_header, cut, mutated, noise, too_large)
NAMES = (
    *("../../../../etc/passwd", "..\\..\\boot.ini", "/dev/zero", "%2e%2e%2f", "a\0b.mp3", "con"),
    *("|rm -rf", "\u202egpj.exe", "<script>alert(1)</script>", "a" * 1000, "\r\nSet-Cookie: a=b"),
    *("", "; DROP TABLE tracks", "${jndi:ldap://x}", "~/.ssh/id_rsa"),
)


def upload(server: Command, number: int, body: Callable[[random.Random], bytes]) -> str:
    """Send a body and wait for what becomes of it: the code it was refused with, or its status."""
    chance = random.Random(number)
    with server.client(f"c{number}") as client:
        name = NAMES[number % len(NAMES)]
        content = body(chance)
        while True:
            chunks = iter([content[:70_000], content[70_000:]])
            answer = client.post(
                "/api/jobs", content=chunks if number % 2 else content, params={"name": name}
            )
            if answer.status_code != 429:
                break
            time.sleep(0.2)
        if answer.status_code != 201:
            assert 400 <= answer.status_code < 500
            return str(answer.json()["error"])
        job = answer.json()
        while job["state"] != "done":
            time.sleep(0.05)
            job = client.get(f"/api/jobs/{job['id']}").json()
        assert job["reason"] is None or job["reason"] in REASONS
        view = client.get(f"/api/jobs/{job['id']}/view")
        assert view.status_code == 200
        assert "/" not in job["name"]
        client.delete(f"/api/jobs/{job['id']}")
        return str(job["reason"] or job["status"])


def raw_requests(chance: random.Random) -> Iterator[bytes]:
    """Requests that lie about their length, break off, or are no HTTP at all."""
    body = chance.randbytes(chance.randrange(10, 3000))
    size = len(body)
    for length in (size * 100, size // 2, -1, "1e9", "9" * 30, "0x10", f"{size}, {size + 1}"):
        yield f"{PLACE}Content-Length: {length}\r\n\r\n".encode() + body
    yield f"{PLACE}Content-Length: {size}\r\nContent-Length: {size + 5}\r\n\r\n".encode() + body
    yield (
        f"{PLACE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n".encode()
        + body
    )
    yield f"{PLACE}Transfer-Encoding: chunked\r\n\r\nnothex\r\n".encode() + body
    yield f"{PLACE}X: {'a' * 100_000}\r\n\r\n".encode()
    yield (PLACE + "".join(f"X{n}: y\r\n" for n in range(5000)) + "\r\n").encode()
    yield b"GET /" + b"a" * 50_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    yield b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    yield b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    yield b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    yield b"POST /api/jobs HTTP/1.1\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    yield b"GET /\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500)
    yield chance.randbytes(2000)
    yield b"\0" * 5000


def test_three_hundred_uploads_that_mean_harm(server: Command) -> None:
    with server.client() as client:
        client.get("/api/openapi.json")
        before = server.memory
        tasks = [(number, body) for body in BODIES for number in range(EACH)]
        with ThreadPoolExecutor(8) as people:
            became = [*people.map(lambda task: upload(server, *task), tasks)]
        told = dict(zip((f"{body.__name__} {n}" for n, body in tasks), became, strict=True))
        raw = [request for seed in range(6) for request in raw_requests(random.Random(seed))]
        assert len(tasks) + len(raw) >= 300
        with ThreadPoolExecutor(16) as people:
            answers = [*people.map(server.send, raw)]
        assert client.get("/api/health").json()["status"] == "ok"
        while client.get("/api/health").json()["hearing"]:
            time.sleep(0.05)
        assert server.memory - before < 100 << 20
    assert set(became[-EACH:]) == {"too_large"}
    assert "ok" not in {told[f"wrong_type {n}"] for n in range(EACH)}, told
    assert not [path for path in server.left if path.is_file()]
    for answer in answers:
        assert b"root:" not in answer
        assert b" 500 " not in answer.split(b"\r\n")[0], answer
        assert b"Traceback" not in answer


def test_slow_clients_are_cut_off_and_keep_nobody_waiting(server: Command) -> None:
    slow = [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 1000, 0.05),
        (b"G", 0.01),
        (b"", 0.0),
        (f"{PLACE}Content-Length: 1000\r\n\r\n".encode() + b"0" * 1000, 0.02),
        (f"{PLACE}Content-Length: 1000\r\n\r\n".encode(), 0.0),
        (f"{PLACE}Content-Length: 999999999\r\n\r\n".encode() + b"0" * 4000, 0.0005),
    ]
    with ThreadPoolExecutor(24) as people, server.client() as client:
        answers = [people.submit(server.send, raw, pause=pause, wait=8) for raw, pause in slow * 4]
        job = client.post("/api/jobs", content=SONG, params={"name": "song.ogg"}).json()
        while job["state"] != "done":
            time.sleep(0.05)
            job = client.get(f"/api/jobs/{job['id']}").json()
        assert job["status"] == "ok"
        view = client.get(f"/api/jobs/{job['id']}/view").json()
        assert "violin" in json.dumps(view["headline"]).lower()
        began = time.monotonic()
        for number, answer in enumerate(answers):
            said = answer.result(30)
            kind = number % len(slow)
            assert (b" 408 " in said) == (kind in (3, 4)), (kind, said)
        assert time.monotonic() - began < 60  # none was held for ever
    assert not [path for path in server.left if path.is_file()]


def test_who_does_not_take_the_answer_is_cut_off(server: Command) -> None:
    asks = b"GET /vendor/wavesurfer.esm.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 400
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect(("127.0.0.1", server.port))
        wire.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            wire.sendall(asks)
        assert hung_up(wire)
    with server.client() as client:
        assert client.get("/api/health").status_code == 200


def hung_up(wire: socket.socket) -> bool:
    """Whether the server hangs up within some seconds, though nothing is read."""
    for _ in range(60):
        time.sleep(0.1)
        try:
            wire.send(b"G")
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_ten_people_upload_at_once_and_all_are_served_in_turn(server: Command) -> None:
    done: list[tuple[float, int]] = []

    def person(number: int) -> None:
        with server.client(f"person{number}") as client:
            jobs = [client.post("/api/jobs", content=SHORT[0]) for _ in range(3)]
            assert {answer.status_code for answer in jobs} == {201}
            open_now = {answer.json()["id"] for answer in jobs}
            while open_now:
                told = client.get("/api/jobs", params={"id": [*open_now]}).json()["jobs"]
                for job in told:
                    if job["state"] == "done":
                        open_now.discard(job["id"])
                        done.append((time.monotonic(), number))
                time.sleep(0.03)

    with ThreadPoolExecutor(10) as people:
        for each in [people.submit(person, number) for number in range(10)]:
            each.result(60)
    assert len(done) == 30
    first = [number for _, number in sorted(done)][:15]
    assert len(set(first)) >= 7  # nobody has had all three before most had one


def test_what_is_refused_is_said_to_who_sends_without_asking(server: Command) -> None:
    """A browser sends all of a body before it reads the answer: it must not find a closed door."""
    with server.client() as client:
        answer = client.post("/api/jobs", content=bytes(16 << 20))
        assert answer.status_code == 413
        assert isinstance(answer, httpx.Response)
