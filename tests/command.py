"""``timbretree serve`` in a process of its own, as people start it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil


class Command:
    """A server that listens: where, and its process."""

    def __init__(self, process: "subprocess.Popen[str]", uploads: Path) -> None:
        self.process, self.uploads = process, uploads
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()
        assert self.url, process.stderr and process.stderr.read()
        self.port = int(self.url.partition("?")[0].rstrip("/").rpartition(":")[2])

    def client(self, name: str = "me") -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Timbretree-Client": name},
            trust_env=False,
            timeout=30,
        )

    def send(self, raw: bytes, *, wait: float = 3.0, pause: float = 0.0) -> bytes:
        """Send bytes as they are, and give back what comes until the server hangs up, or until
        nothing came for so long. With a ``pause`` the body, or the head where there is no body,
        goes a byte at a time."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as wire:
            with suppress(OSError):
                head, end, body = raw.rpartition(b"\r\n\r\n") if pause else (raw, b"", b"")
                wire.sendall(head + end)
                for byte in body:
                    wire.sendall(bytes([byte]))
                    time.sleep(pause)
            with suppress(OSError):
                while block := wire.recv(4096):
                    answer += block
        return answer

    @property
    def memory(self) -> int:
        """Bytes that the server itself takes, without its workers."""
        return psutil.Process(self.process.pid).memory_info().rss

    @property
    def left(self) -> list[Path]:
        """Uploads that are on disk."""
        return [path for path in self.uploads.rglob("*") if path.parent != self.uploads]


@contextmanager
def command(uploads: Path, *options: str, end: int = 0) -> Iterator[Command]:
    """Start it on a free port with its uploads below a folder; ended, it leaves nothing there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "timbretree", "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(uploads), "OMP_NUM_THREADS": "1"},
    )
    try:
        yield Command(process, uploads)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
        assert process.returncode == end, said
        assert "Traceback" not in said, said
        assert not [path for path in uploads.iterdir() if path.is_dir()]
