"""Model files pushed to a hub and pulled from it; the hub is a stand-in on loopback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hub_server import TOKEN, Hub, serving
from timbretree.hub import CARD, MODEL, HubError, pull, push
from timbretree.modelfile import SHIPPED, ModelFileError

NAME = "somebody/ears"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    # the stand-in takes files the plain way; Xet's chunked storage is the hub library's own affair
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with serving() as server:
        yield server


def send(hub: Hub, model: Path = SHIPPED) -> str:
    return push(model, NAME, token=TOKEN, endpoint=hub.address)


def test_what_was_pushed_comes_back_whole_with_its_card(hub: Hub, tmp_path: Path) -> None:
    assert send(hub).startswith(f"{hub.address}/{NAME}/commit/")
    files = hub.repositories[NAME]
    assert set(files) == {MODEL, CARD}
    out = tmp_path / "new" / "ears.onnx"
    info = pull(NAME, out, endpoint=hub.address)
    assert out.read_bytes() == SHIPPED.read_bytes()
    assert len(info.taxonomy.tags) == 20


def test_the_card_has_what_machines_look_for_and_the_thresholds(hub: Hub) -> None:
    send(hub)
    _, head, text = hub.repositories[NAME][CARD].decode().split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["library_name"] == "timbretree"
    assert found["license"] == "other"
    assert found["license_name"].startswith("MIT (weights)")
    assert "hears        5 s at a time" in text
    assert f"timbretree pull {NAME}" in text
    assert text.count("```") == 4


def test_nothing_is_sent_of_a_file_that_is_no_good(hub: Hub, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(SHIPPED.read_bytes()[:5000])
    with pytest.raises(ModelFileError):
        send(hub, bad)
    assert not hub.repositories


def test_a_pulled_file_that_is_damaged_is_refused_and_the_old_one_stays(
    hub: Hub, tmp_path: Path
) -> None:
    send(hub)
    hub.repositories[NAME][MODEL] = SHIPPED.read_bytes()[:-10_000]
    out = tmp_path / "ears.onnx"
    out.write_bytes(b"old")
    with pytest.raises(ModelFileError, match=f"{NAME}/{MODEL} is no model file"):
        pull(NAME, out, endpoint=hub.address)
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["ears.onnx"]


@pytest.mark.parametrize(
    ("repository", "revision", "says"),
    [
        ("nobody/nothing", None, "nobody/nothing: "),
        (NAME, "v9", "Revision Not Found"),
        ("a/b/c", None, "expected OWNER/NAME, got 'a/b/c'"),
    ],
)
def test_what_is_not_there_is_named(
    hub: Hub, tmp_path: Path, repository: str, revision: str | None, says: str
) -> None:
    send(hub)
    with pytest.raises(HubError, match=says):
        pull(repository, tmp_path / "x.onnx", revision=revision, endpoint=hub.address)
    assert not (tmp_path / "x.onnx").exists()


def test_strangers_may_not_push(hub: Hub) -> None:
    with pytest.raises(HubError, match="401"):
        push(SHIPPED, NAME, token="wrong", endpoint=hub.address)
    assert not hub.repositories


def test_no_hub_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(HubError) as told:
        pull(NAME, tmp_path / "x.onnx", endpoint="http://127.0.0.1:9")
    assert "\n" not in str(told.value)


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"timbretree\[hub\]"):
        pull(NAME, tmp_path / "x.onnx")


def test_the_commands(hub: Hub, tmp_path: Path) -> None:
    settings = {
        "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "timbretree", *words],
            env=os.environ | settings, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    pushed = run("push", str(SHIPPED), NAME)
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout == f"{hub.address}/{NAME}/commit/{'c' * 40}\n"
    pulled = run("pull", NAME)
    assert pulled.returncode == 0, pulled.stderr
    assert (tmp_path / "ears.onnx").read_bytes() == SHIPPED.read_bytes()
    again = run("pull", NAME)
    assert again.returncode == 2
    assert "ears.onnx exists already" in again.stderr
    assert run("pull", NAME, "--force").returncode == 0
    lost = run("pull", "nobody/nothing")
    assert (lost.returncode, lost.stderr.count("\n")) == (2, 1), lost.stderr
