"""A server on loopback that does as it is told: it breaks off, stalls, and lies."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from timbretree.fetch.transfer import BLOCK

CONTENT = np.random.default_rng(0).bytes(5 * BLOCK + 1234)
SIZE, HALF = len(CONTENT), 3 * BLOCK
WRONG = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])


class Visit(BaseHTTPRequestHandler):
    """One request, answered by the next of the server's answers."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.sent = 0
        self.close_connection = True
        self.server.visits.append(self)
        answer = self.server.answers[0]
        if len(self.server.answers) > 1:
            del self.server.answers[0]
        answer(self)

    def log_message(self, *_: object) -> None:
        pass

    @property
    def range(self) -> str | None:
        return self.headers["Range"]

    @property
    def start(self) -> int:
        return int(self.range.removeprefix("bytes=").removesuffix("-")) if self.range else 0

    def say(self, status: int, headers: dict[str, object], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.give(body)

    def give(self, body: bytes) -> None:
        self.wfile.write(body)
        self.sent += len(body)

    def wait(self) -> None:
        self.stalled = True
        self.server.free.wait(20)
        self.stalled = False


class Server(ThreadingHTTPServer):
    """On loopback; ``play`` sets its answers, the last of which it repeats."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.free = threading.Event()
        self.play(good)

    def play(self, *answers: Callable[[Visit], None]) -> None:
        self.answers, self.visits = list(answers), list[Visit]()

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up is what many of these tests are about

    def url(self, path: str = "/file") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    @property
    def ranges(self) -> list[str | None]:
        return [visit.range for visit in self.visits]


Answer = Callable[[Visit], None]


def part(visit: Visit, content: bytes = CONTENT, upto: int | None = None) -> None:
    """What an honest server sends, up to where it breaks off."""
    start, size = visit.start, len(content)
    if start >= size:
        return visit.say(416, {"Content-Range": f"bytes */{size}", "Content-Length": 0})
    headers: dict[str, object] = {"Content-Length": size - start}
    if visit.range:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return visit.say(206 if visit.range else 200, headers, content[start:upto])


def good(visit: Visit) -> None:
    part(visit)


def wrong(visit: Visit) -> None:
    part(visit, WRONG)


def breaks_at(byte: int) -> Answer:
    return lambda visit: part(visit, upto=max(byte, visit.start))


def stalls_at(byte: int) -> Answer:
    def answer(visit: Visit) -> None:
        part(visit, upto=byte)
        visit.wait()

    return answer


def ignores_range(visit: Visit) -> None:
    visit.say(200, {"Content-Length": SIZE}, CONTENT)


def says(status: int, body: bytes = b"", **headers: object) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda visit: visit.say(status, {"Content-Length": len(body), **named}, body)


def chunked(content: bytes, upto: int | None = None) -> Answer:
    """No length at all; with ``upto``, broken off within a chunk."""

    def answer(visit: Visit) -> None:
        visit.say(200, {"Transfer-Encoding": "chunked"})
        visit.give(b"%x\r\n" % len(content) + content[:upto])
        if upto is None:
            visit.give(b"\r\n0\r\n\r\n")

    return answer


def hangs_up(visit: Visit) -> None:
    visit.connection.close()
