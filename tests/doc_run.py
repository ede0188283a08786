"""Doing what a page says, from top to bottom."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from command import Command as Serving
from doc_pages import ROOT, Code, Command, File, Item
from doc_scene import Scene
from doc_seen import given, is_spoken_of, programs, see_verb, with_words, words
from timbretree.fetch import RESOURCES

RUN = ("timbretree", "python", "curl", "tensorboard")
"""The programs that are run; any other is in ``Rules.apart``."""
SYNTHESIZER = re.compile(r"timbretree render |python examples/make_example")
"""Commands that need FluidSynth's library."""
HERE = "http://127.0.0.1:8765"
"""Where pages say that the server is."""
NUMBER = re.compile(r"\d+(?:\.\d+)?%?")


@dataclass(frozen=True)
class Apart:
    """What no test can run, why, and what is seen to instead."""

    pattern: str
    why: str
    see: Callable[[Any, Path], None]
    """Called with the command or the code, and the folder that a command is given in."""


@dataclass(frozen=True)
class Rules:
    """What is done with commands that can't be run as they stand."""

    apart: tuple[Apart, ...]
    added: tuple[tuple[str, str, str], ...]
    """A pattern, the words added, and why."""


class LackingError(Exception):
    """A program that this machine doesn't have."""


class Reader:
    """Follows a page in a scene."""

    def __init__(self, scene: Scene, rules: Rules) -> None:
        self.scene, self.rules = scene, rules
        self._where = Path()
        self._before: set[str] = set()
        self._serving: Serving | None = None
        self._job = ""

    def follow(self, found: list[Item]) -> list[Exception | None]:
        """What went wrong with each thing that a page holds."""
        try:
            return [self._try(item) for item in found]
        finally:
            self._end_serving()

    def _try(self, item: Item) -> Exception | None:
        try:
            self._do(item)
        except Exception as error:  # it is this item's, whatever it is; the page goes on
            return error
        return None

    def _do(self, item: Item) -> None:
        if isinstance(item, File):
            path = self.scene.folder / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(item.text, "utf-8")
        elif isinstance(item, Code):
            self._code(item)
        elif not (item.inline and item.text in self._before):
            self._before.add(item.text)
            self._command(item)

    def _apart(self, item: Code | Command) -> bool:
        """Whether it was seen to without being run."""
        for rule in self.rules.apart:
            if re.match(rule.pattern, item.text):
                rule.see(item, ROOT / self._where)
                return True
        return False

    def _code(self, code: Code) -> None:
        if not self._apart(code):
            (self.scene.folder / "block.py").write_text(code.text, "utf-8")
            done = self.scene.run("python block.py")
            assert done.code == 0, done.printed

    def _command(self, command: Command) -> None:
        program = words(command.text)[0]
        if self._apart(command):
            return None
        if is_spoken_of(command):
            return see_verb(command, ROOT)
        if program == "cd":
            self._where /= words(command.text)[1]
            assert (ROOT / self._where).is_dir(), f"there is no folder {self._where}"
            return None
        assert program in RUN, f"nothing is known of {program}: add it to the tables"
        for each in (program, *programs(command.text)[1:]):
            if shutil.which(each, path=self.scene.environment["PATH"]) is None:
                raise LackingError(f"there is no {each} here")
        if SYNTHESIZER.match(command.text) and find_library("fluidsynth") is None:
            raise LackingError("there is no FluidSynth here")
        if program == "tensorboard":
            return self._ask_tensorboard(self._with_added(command.text))
        if command.text.startswith("timbretree serve"):
            return self._serve(self._with_added(command.text))
        return self._run(command)

    def _with_added(self, text: str) -> str:
        fonts = " ".join(f"--soundfont {path}" for path in self.scene.world.fonts)
        whole = text
        for pattern, added, _ in self.rules.added:
            if re.match(pattern, text):
                whole = with_words(whole, added.format(fonts=fonts, gm=self.scene.world.gm))
        return whole

    def _run(self, command: Command) -> None:
        text = self._with_added(command.text)
        made = self._made(text)
        if made and made.first and not made.goes_on:
            shutil.rmtree(made.first, ignore_errors=True)
            made.first.unlink(missing_ok=True)
        if text.startswith("curl "):
            text = self._asked(text)
        done = self.scene.run(text, where=self._where)
        assert done.code == 0, f"{text}\nended with {done.code}:\n{done.printed}"
        assert not command.shows or says_the_same(command.shows, done.printed), (
            f"the page shows\n{command.shows}\nit printed\n{done.printed}"
        )
        if made and made.left:
            assert made.left.exists(), f"{text}\nleft no {made.left}:\n{done.printed}"
        if target := re.search(r"(?<![\"'\w])> ?(\S+)$", text):
            assert (self.scene.folder / self._where / target[1]).stat().st_size
        if '"id"' in done.printed and text.startswith("curl "):
            self._job = json.loads(done.printed).get("id", "")

    # --- what is made

    def _made(self, text: str) -> "Made | None":
        if words(text)[0] != "timbretree" or (*words(text), "-")[1].startswith("-"):
            return None
        verb, told = words(text)[1], given(text)
        place = self.scene.folder / self._where

        def at(path: object) -> Path:
            return place / str(path).replace("~", str(self.scene.home), 1)

        match verb:
            case "train":
                run = at(told["run"])
                return Made(run, run / "best.safetensors", goes_on=told["resume"])
            case "export":
                return Made(at(told["model"]), at(told["model"]))
            case "reproduce":
                report = at(told["out"]) / "report" / "report.html"
                return Made(at(told["out"]), None if told["plan"] else report)
            case "render":
                return Made(at(told["out"]), at(told["out"]) / "truth.csv")
            case "evaluate" if told["out"]:
                return Made(at(told["out"]), at(told["out"]) / "scores.json")
            case "pull":
                name = told["repository"].rpartition("/")[2]
                found = at(told["out"] or f"{name}.onnx")
                return Made(found, found)
            case "fetch":
                resource = RESOURCES[told["name"]]
                cache = self.scene.home / ".cache/timbretree/weights"
                found = place / resource.top if resource.top else cache / resource.file
                return Made(found, found)
            case "tag" if told["out"]:
                return Made(None, at(told["out"]))
        return None

    # --- what is served

    def _serve(self, text: str) -> None:
        """Start the server, ask it for its page, and leave it for what comes."""
        self._end_serving()
        library = self.scene.home / ".local/share/timbretree/library.db"
        if not library.exists():  # people have scanned before
            library.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.scene.folder / "library.db", library)
        self._serving = Serving(self.scene.start(text), self.scene.folder)
        with self._serving.client() as client:
            answer = client.get("/")
        assert answer.status_code == 200
        assert "timbretree" in answer.text

    def _end_serving(self) -> None:
        if self._serving is not None:
            self._serving.process.terminate()
            _, said = self._serving.process.communicate(timeout=60)
            assert self._serving.process.returncode == 0, said
            self._serving = None

    def _asked(self, text: str) -> str:
        """A line for curl as it must be while this server runs, and of the job that runs."""
        assert self._serving, "the page starts no server before it asks one"
        if "/ID/result" in text:
            busy = ("waiting", "hearing")
            with self._serving.client() as client:
                while client.get(f"/api/jobs/{self._job}").json()["state"] in busy:
                    time.sleep(0.05)
        here = f"http://127.0.0.1:{self._serving.port}"
        return text.replace(HERE, here).replace("/ID", f"/{self._job}")

    def _ask_tensorboard(self, text: str) -> None:
        """Start it, and see that it finds a run."""
        with self._started(text) as process:
            assert process.stderr is not None
            address = None
            while address is None:
                line = process.stderr.readline()
                assert line, "it ended without an address"
                address = re.search(r"http://localhost:\d+/", line)
            for _ in range(300):
                if runs := httpx.get(f"{address[0]}data/runs", trust_env=False).json():
                    break
                time.sleep(0.1)
            assert runs, "it shows no run"

    @contextmanager
    def _started(self, text: str) -> Iterator["subprocess.Popen[str]"]:
        process = self.scene.start(text)
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


@dataclass(frozen=True)
class Made:
    """What a command makes."""

    first: Path | None
    """What is taken away before, for most verbs refuse to replace it."""
    left: Path | None
    """What must be there afterwards."""
    goes_on: bool = False


def says_the_same(shown: str, printed: str) -> bool:
    """Word for word, but for the last digits of numbers; a line of dots is any lines."""
    lines = []
    for line in shown.rstrip().splitlines():
        dots = line.strip() in ("...", "…")
        lines.append(r"(?:.*\n)*?" if dots else _pattern(line.rstrip()) + r"[ \t]*\n")
    found = re.fullmatch("".join(lines), printed.rstrip() + "\n")
    return found is not None and all(map(_near, NUMBER.findall(shown), found.groups()))


def _near(shown: str, printed: str) -> bool:
    if shown.endswith("%") and printed.endswith("%"):
        return abs(float(shown[:-1]) - float(printed[:-1])) <= 2
    if "." in shown:
        return abs(float(shown) - float(printed)) <= 0.02 * max(1.0, float(shown))
    return shown == printed


def _pattern(line: str) -> str:
    return rf"({NUMBER.pattern})".join(map(re.escape, NUMBER.split(line)))
