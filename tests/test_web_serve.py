"""``timbretree serve`` as people start it: what it says, what it refuses, how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command import command

SONG = Path(__file__).parents[1] / "examples" / "ode_to_joy.ogg"


def serve(*options: str, code: str = "") -> subprocess.CompletedProcess[str]:
    starts = code + "from timbretree.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", starts, "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env={name: value for name, value in os.environ.items() if name != "TIMBRETREE_TOKEN"},
    )


def test_beyond_this_machine_it_needs_a_token_and_offers_one() -> None:
    ended = serve("--host", "0.0.0.0", "--port", "0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "a token is needed; here is one that nobody has: --token " in ended.stderr
    assert len(ended.stderr.split("--token ")[1].strip()) >= 30
    assert "16 plain letters" in serve("--token", "short").stderr


def test_a_port_in_use_is_said_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = serve("--port", port)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"can't listen at 127.0.0.1, port {port}: Address already in use" in ended.stderr


def test_a_library_that_is_none_is_refused(tmp_path: Path) -> None:
    ended = serve("--port", "0", "--library", str(tmp_path / "none.db"))
    assert ended.returncode == 2
    assert "there is no library" in ended.stderr
    assert "timbretree scan" in ended.stderr


@pytest.mark.parametrize("gone", ["fastapi", "uvicorn"])
def test_without_the_extra_it_says_how_to_install(gone: str) -> None:
    hide = (
        "import importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *more: None if name == {gone!r} else find(name, *more)\n"
    )
    ended = serve(code=hide)
    assert ended.returncode == 2
    assert "pip install 'timbretree[serve]'" in ended.stderr


def test_a_token_is_in_the_address_it_prints(tmp_path: Path) -> None:
    with command(tmp_path, "--jobs", "1", "--token", "letters-and-more") as server:
        assert server.url.endswith("/?token=letters-and-more")
        with server.client() as client:
            assert client.get("/api/health").status_code == 401
            opened = client.get("/", params={"token": "letters-and-more"})
            assert opened.status_code == 200


def test_what_is_too_long_is_heard_in_part(tmp_path: Path) -> None:
    with command(tmp_path, "--jobs", "1", "--max-hours", "0.005") as server:
        with server.client() as client:
            job = client.post("/api/jobs", content=SONG.read_bytes()).json()
            while job["state"] != "done":
                time.sleep(0.05)
                job = client.get(f"/api/jobs/{job['id']}").json()
        assert (job["status"], job["reason"], job["heard"]) == ("partial", "too_long", 18.0)
        assert job["message"].startswith("there is more than 0.005 h of sound")


def test_it_ends_at_once_with_uploads_in_hand_and_leaves_nothing(tmp_path: Path) -> None:
    with command(tmp_path, "--jobs", "1") as server:
        with server.client() as client:
            for _ in range(3):
                assert client.post("/api/jobs", content=SONG.read_bytes()).status_code == 201
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0


def test_a_killed_server_s_uploads_are_removed_by_the_next(tmp_path: Path) -> None:
    with pytest.raises(AssertionError), command(tmp_path, "--jobs", "1") as server:
        server.process.kill()
    assert [path for path in tmp_path.iterdir() if path.is_dir()]
    with command(tmp_path, "--jobs", "1") as server, server.client() as client:
        assert client.get("/api/health").status_code == 200
        assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
