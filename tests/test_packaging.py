"""What is built, what is in it, and what the Dockerfile says."""

import email
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import time
import tomllib
import venv
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "src")
"""All that a wheel is made of; the Dockerfile copies the same."""


def tracked(*under: str) -> list[str]:
    """The files that belong to the project, whether committed yet or not."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under]
    try:
        told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return sorted(name for name in told.split("\0") if name and (ROOT / name).exists())


def build(source: Path, out: Path, kind: str) -> Path:
    words = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", out, source]
    subprocess.run(words, check=True, capture_output=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the checkout."""
    return copy(tracked(), ROOT, tmp_path_factory.mktemp("checkout"))


def copy(names: list[str], source: Path, target: Path) -> Path:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((source / name).read_bytes())
    return target


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(checkout, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of nothing but what a wheel needs."""
    needed = copy(tracked(*NEEDED), checkout, tmp_path_factory.mktemp("needed"))
    return build(needed, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone in an environment of its own; its Python."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps"]
    subprocess.run([*pip, "--no-index", wheel], check=True)
    return python


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_package_and_nothing_else(wheel: Path) -> None:
    found = {name for name in contents(wheel) if ".dist-info/" not in name}
    assert found == {name.removeprefix("src/") for name in tracked("src/timbretree")}
    for needed in (
        "py.typed",
        "models/shipped.onnx",
        "taxonomies/tone7.json",
        "audioset_classes.json",
        "web/static/index.html",
        "web/static/vendor/wavesurfer.LICENSE.txt",
    ):
        assert f"timbretree/{needed}" in found


def test_the_sdist_makes_the_same_wheel(
    wheel: Path, unpacked: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = build(unpacked, tmp_path_factory.mktemp("again"), "wheel")
    assert contents(again) == contents(wheel)


def test_the_sdist_has_tests_and_docs_and_nothing_made(unpacked: Path) -> None:
    found = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    wanted = {name for name in tracked() if not name.startswith(".ci/")}
    assert found == wanted | {"PKG-INFO"}


def test_what_the_package_says_of_itself(wheel: Path) -> None:
    found = contents(wheel)
    (name,) = (name for name in found if name.endswith("/METADATA"))
    told = email.message_from_string(found[name].decode("utf-8"))
    assert told["Name"] == "timbretree"
    assert told["Version"] == PROJECT["version"]
    assert told["Requires-Python"] == ">=3.11"
    assert told["License-Expression"] == "MIT"
    assert told["Description-Content-Type"] == "text/markdown"
    assert told.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()
    assert set(told.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert "Typing :: Typed" in told.get_all("Classifier")
    licences = {f"{Path(name).parent}/licenses/{each}" for each in told.get_all("License-File")}
    assert licences <= set(found)
    assert {Path(each).name for each in licences} >= {"LICENSE", "shipped.LICENSES.txt"}
    entry = found[str(Path(name).with_name("entry_points.txt"))].decode()
    assert "timbretree = timbretree.cli:main" in entry


def test_its_types_are_seen_from_outside(environment: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from timbretree import Tagger\n"
        'tags = Tagger()("song.mp3")\n'
        "print(tags.present, reveal_type(tags.groups[0].attention))\n"
    )
    words = ["--strict", "--cache-dir", tmp_path / "cache", "--python-executable", environment]
    command = [sys.executable, "-m", "mypy", *words, program]

    def told() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert told().returncode == 0, told().stdout
    assert re.search(r'Revealed type is ".*[dD]ict\[.*str, .*float\]', told().stdout), told().stdout
    program.write_text("from timbretree import Tagger\nTagger()(1.5).presence\n")
    assert 'has no attribute "presence"' in told().stdout
    assert 'incompatible type "float"' in told().stdout


def test_the_lowest_versions_are_those_that_were_tried() -> None:
    """pyproject.toml claims no version that ``benchmarks/install_matrix.py`` did not see work."""
    results = json.loads((ROOT / "benchmarks" / "install_matrix.json").read_text("utf-8"))
    optional = PROJECT["optional-dependencies"]
    extras = ["base", *(name for name in optional if name != "dev")]
    for name in [*extras, "all"]:
        for versions in ("oldest", "tested", "newest"):
            assert results["results"][name][versions]["trouble"] is None, (name, versions)
    for name in extras:
        tried = results["results"][name]["oldest"]
        for requirement in PROJECT["dependencies"] if name == "base" else optional[name]:
            match = re.match(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)", requirement)
            assert match, f"{requirement} names no lowest version"
            there = tried["packages"][match[1]].partition("+")[0]
            assert _same(match[2], there), f"{requirement}: tried with {there}"


def test_the_versions_of_python_are_those_that_were_tried() -> None:
    results = json.loads((ROOT / "benchmarks" / "install_matrix.json").read_text("utf-8"))
    tried = {results["python"].split()[1].rpartition(".")[0]}
    for version, extras in results["others"].items():
        assert all(each["trouble"] is None for name in extras.values() for each in name.values())
        tried.add(version.rpartition(".")[0])
    claimed = "Programming Language :: Python :: 3."
    assert {
        each.rpartition(" ")[2] for each in PROJECT["classifiers"] if each.startswith(claimed)
    } == tried


def test_the_pages_are_filled_from_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import installing_page

    pages = {page for page, _, _ in installing_page.FILLS.values()}
    written = {page: (ROOT / "docs" / page).read_text("utf-8") for page in pages}
    for page, text in written.items():
        (tmp_path / page).write_text(text, "utf-8")
    monkeypatch.setattr(installing_page, "DOCS", tmp_path)
    installing_page.fill()
    for page, text in written.items():
        found = (tmp_path / page).read_text("utf-8")
        assert found == text, "run python benchmarks/installing_page.py"


def _same(one: str, other: str) -> bool:
    """Whether 1.26 is 1.26.0."""
    return re.sub(r"(\.0)+$", "", one) == re.sub(r"(\.0)+$", "", other)


# --- the Dockerfile


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in order, with lines that go on joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


def last(name: str) -> str:
    return [rest for instruction, rest in instructions() if instruction == name][-1]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path from the engine: its last pattern that fits decides."""
    answer = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.lstrip("!")
        if line and not line.startswith("#") and any(
            fnmatch(part, pattern.removeprefix("**/") if pattern.startswith("**/") else pattern)
            for part in (_parts(path) if not pattern.startswith("**/") else path.split("/"))
        ):  # fmt: skip
            answer = not line.startswith("!")
    return answer


def _parts(path: str) -> list[str]:
    """A path and the folders above it."""
    return [path, *(str(above) for above in Path(path).parents)][:-1]


def test_the_dockerfile_copies_what_is_there_and_what_a_wheel_needs() -> None:
    copied: list[str] = []
    for instruction, rest in instructions():
        if instruction == "COPY" and not rest.startswith("--from=build"):
            copied += rest.split()[:-1]
    assert set(copied) == {*NEEDED, "constraints.txt"}
    for name in copied:
        assert (ROOT / name).exists()
        assert not ignored(name)
    assert not ignored("src/timbretree/models/shipped.onnx")


@pytest.mark.parametrize(
    "path", [".git/config", ".venv/bin/python", ".venv-dev/ready", "shared/x", "tests/toy.py",
             "docs/page.md", "runs/a", "src/timbretree/__pycache__/x.pyc"]
)  # fmt: skip
def test_the_engine_is_sent_nothing_else(path: str) -> None:
    assert ignored(path)


def test_the_image_runs_as_nobody_in_particular_with_the_versions_that_are_tested() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK"}
    assert {name for name, _ in instructions()} == known | {"ENTRYPOINT", "CMD"}
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert f"--uid {user} " in last("RUN")
    assert "-c /tmp/constraints.txt" in last("RUN")
    assert json.loads(last("VOLUME")) == ["/data"]
    assert "XDG_DATA_HOME=/data" in last("ENV")
    after = [name for name, _ in instructions()]
    assert after.index("USER") > max(n for n, name in enumerate(after) if name in ("RUN", "COPY"))
    assert "TIMBRETREE_TOKEN" not in last("ENV")  # a secret in an image is none


@pytest.fixture
def contained(tmp_path: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """The image's own command and check of health, at a port that is free; and its variables."""
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))
        port = str(free.getsockname()[1])
    assert last("EXPOSE") in last("CMD")
    assert last("EXPOSE") in last("HEALTHCHECK")
    (entry,) = json.loads(last("ENTRYPOINT"))
    beside = Path(sys.executable).parent
    command = [str(beside / entry), *json.loads(last("CMD").replace(last("EXPOSE"), port))]
    check = last("HEALTHCHECK").partition("CMD ")[2].replace(last("EXPOSE"), port)
    variables = dict(each.split("=", 1) for each in last("ENV").split())
    environment = {**os.environ, **variables, "XDG_DATA_HOME": str(tmp_path)}
    environment.pop("TIMBRETREE_TOKEN", None)
    return command, [sys.executable, *json.loads(check)[1:]], environment


def test_without_a_token_the_container_says_what_to_do(
    contained: tuple[list[str], list[str], dict[str, str]],
) -> None:
    command, check, environment = contained
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "a token is needed" in ended.stderr
    assert subprocess.run(check, capture_output=True, env=environment, check=False).returncode


def test_the_container_is_well_once_it_serves_and_not_before_or_after(
    contained: tuple[list[str], list[str], dict[str, str]],
) -> None:
    command, check, environment = contained
    environment |= {"TIMBRETREE_TOKEN": "a-token-for-the-test", "http_proxy": "http://127.0.0.1:9"}

    def well() -> bool:
        done = subprocess.run(check, capture_output=True, timeout=60, env=environment, check=False)
        return done.returncode == 0

    assert not well()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("http://0.0.0.0:")
        while not well():
            assert server.poll() is None
            time.sleep(0.2)
        environment["TIMBRETREE_TOKEN"] = "another-token-altogether"
        assert not well()
    finally:
        server.terminate()
        assert server.wait(60) == 0
    environment["TIMBRETREE_TOKEN"] = "a-token-for-the-test"
    assert not well()
