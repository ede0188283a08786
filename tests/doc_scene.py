"""A place where the commands of the pages can be run: music, labels, a data set, weights, a hub."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch
from scipy.signal import fftconvolve

from hub_server import TOKEN, Hub
from loopback import Server, Visit, part, says
from published import PANNS
from timbretree import checkpoint
from timbretree.fetch import RESOURCES
from timbretree.modelfile import SHIPPED
from timbretree.taxonomy import Taxonomy
from tinyfont import ALL, write_font

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "ode_to_joy.ogg"
RATE = 44_100
TUNE = ((55, 0.5), (59, 0.5), (62, 0.5), (67, 1.0), (66, 0.5), (64, 0.5), (62, 1.0), (59, 0.5),
        (60, 0.5), (57, 0.5), (55, 1.5))  # fmt: skip
"""MIDI keys, and how many seconds each lasts."""
HEARD = """
timbretree scan ~/Music --library library.db &&
timbretree tag music --out tags.parquet &&
timbretree tag ode_to_joy.ogg --format jams > ode_to_joy.ogg.jams
"""
TRAINED = "timbretree train labels.csv run --start none --epochs 1"
"""What has been done before in every scene, for pages that begin where others end."""


@dataclass(frozen=True)
class Timbre:
    """How an imagined instrument sounds: what the shipped model hears as the real one."""

    even: float
    """How loud the even harmonics are beside the odd."""
    falls: float
    """How fast harmonics get softer: as their number to this power."""
    vibrato: float
    breath: float
    lower: int
    """Semitones."""
    room: float
    """How loud the sound itself is beside the room."""
    dampened: float
    """How fast the room falls silent."""


CLARINET = Timbre(even=0.02, falls=1.8, vibrato=0.0, breath=0.012, lower=0, room=15.0, dampened=4.0)
CELLO = Timbre(even=1.0, falls=1.0, vibrato=0.6, breath=0.01, lower=15, room=8.0, dampened=7.0)


def played(timbre: Timbre, voices: int = 1) -> np.ndarray:
    """(T,) The tune, in a room."""
    noise = np.random.default_rng(0)
    wave = sum(np.roll(_line(timbre, 0.08 * voice, noise), 300 * voice) for voice in range(voices))
    length = int(0.8 * RATE)
    echo = noise.normal(size=length) * np.exp(-np.arange(length) / RATE * timbre.dampened)
    echo[0] = timbre.room
    wave = fftconvolve(wave, echo)
    return wave / np.abs(wave).max() / 1.5


def _line(timbre: Timbre, sharp: float, noise: np.random.Generator) -> np.ndarray:
    notes = []
    for key, seconds in TUNE:
        hertz = 440 * 2 ** ((key - timbre.lower + sharp - 69) / 12)
        time = np.arange(int(seconds * RATE)) / RATE
        phase = 2 * np.pi * hertz * time
        phase += timbre.vibrato * hertz / 200 * np.sin(2 * np.pi * 5.5 * time)
        wave = sum(
            (1 if number % 2 else timbre.even) / number**timbre.falls
            * np.sin(number * phase + noise.uniform(0, 6))
            for number in range(1, 30)
            if hertz * number < 15_000
        )  # fmt: skip
        wave += timbre.breath * noise.normal(size=len(time))
        notes.append(wave * np.minimum(1, time / 0.1) * np.minimum(1, (seconds - time) / 0.05))
    return np.concatenate(notes)


def with_music(folder: Path) -> None:
    """Songs, in the folder and below others."""
    clarinet = played(CLARINET)
    soundfile.write(folder / "song.mp3", clarinet, RATE)
    for name in ("home/Music/Mozart", "music", "archive", "examples"):
        (folder / name).mkdir(parents=True)
    soundfile.write(folder / "home/Music/Mozart/clarinet.mp3", np.tile(clarinet, 4), RATE)
    cello = np.tile(played(CELLO, voices=2), 18)  # over two minutes
    with soundfile.SoundFile(folder / "home/Music/cello.ogg", "w", RATE, 1) as file:
        for start in range(0, len(cello), RATE):  # in one piece Vorbis overflows the stack
            file.write(cello[start : start + RATE])
    soundfile.write(folder / "archive/one.flac", clarinet, RATE)
    soundfile.write(folder / "archive/two.flac", cello[: 3 * RATE], RATE)
    for name in ("ode_to_joy.ogg", "music/ode_to_joy.ogg", "home/Music/ode_to_joy.ogg"):
        shutil.copy(EXAMPLE, folder / name)


def with_labels(folder: Path, name: str, tags: tuple[str, ...] = ("piano", "violin")) -> None:
    """A table of twelve clips of a second, four of each split, which the tags play in turn."""
    noise = np.random.default_rng(0)
    (folder / "clips").mkdir(exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "split", *tags))
        for number in range(12):
            plays = number % len(tags)
            wave = 0.3 * np.sin(2 * np.pi * 300 * 2**plays * np.arange(16_000) / 16_000)
            clip = f"clips/{number}.wav"
            soundfile.write(folder / clip, wave + noise.normal(0, 0.01, 16_000), 16_000)
            split = ("train", "valid", "test")[number // 4]
            table.writerow((clip, split, *(int(plays == place) for place in range(len(tags)))))


def with_weights(folder: Path) -> None:
    """Files in the forms of PANNs and EfficientAT, without anything learned in them."""
    torch.manual_seed(0)
    trunk = checkpoint._EFFICIENTAT.make().state_dict()
    theirs = {checkpoint._EFFICIENTAT.their_name(ours): each for ours, each in trunk.items()}
    width = trunk["embed.weight"].shape[0]
    theirs |= {
        "classifier.5.weight": torch.zeros(527, width),
        "classifier.5.bias": torch.zeros(527),
    }
    torch.save(theirs, folder / RESOURCES["mn04-as"].file)
    plain = {
        name: torch.tensor(float(name.endswith(("running_var", "bn0.weight")))).expand(shape)
        for name, shape in PANNS.items()
    }
    plain |= {name: torch.tensor(1) for name, shape in PANNS.items() if shape == ()}
    torch.save({"model": plain}, folder / RESOURCES["cnn14-16k"].file)


@dataclass
class World:
    """What all scenes share: two servers, what they offer, and how a scene looks first."""

    folder: Path
    server: Server
    hub: Hub
    offered: dict[str, bytes] = field(default_factory=dict)

    @property
    def fonts(self) -> list[Path]:
        """Two that know nothing of each other."""
        return [self.folder / "one.sf2", self.folder / "two.sf2"]

    @property
    def gm(self) -> Path:
        """One with the players of the example, at their places in General MIDI."""
        return self.folder / "gm.sf2"

    @property
    def first(self) -> Path:
        return self.folder / "first"

    def build(self, openmic: Path) -> None:
        """Make all that the pages name."""
        first = self.first
        first.mkdir()
        with_music(first)
        for name in ("labels.csv", "mine.csv"):
            with_labels(first, name)
        tags = Taxonomy.load("tone7").tags
        for name in ("tree.json", "mine.json"):
            Taxonomy("mine", tags, {"one": tags[:9], "other": tags[9:]}).save(first / name)
        for name in ("openmic-2018", "rendered"):
            shutil.copytree(openmic, first / name)
        shutil.copy(SHIPPED, first / "mine.onnx")
        for path in self.fonts:
            write_font(path, ALL)
        players = {(0, 0): "Piano", (0, 40): "Violin", (0, 56): "Trumpet", (128, 0): "Standard"}
        write_font(self.gm, players)
        self._offer(openmic)
        self.hub.repositories["you/your-model"] = {"model.onnx": SHIPPED.read_bytes()}
        with ThreadPoolExecutor(2) as pool:
            for done in pool.map(Scene(self, first).run, (HEARD, TRAINED)):
                assert done.code == 0, done.printed

    def _offer(self, openmic: Path) -> None:
        cache = self.first / "home/.cache/timbretree/weights"
        cache.mkdir(parents=True)
        with_weights(cache)
        archive = self.folder / RESOURCES["openmic"].file
        with tarfile.open(archive, "w:gz") as file:
            file.add(openmic, "openmic-2018")
        made = {}
        for name, resource in RESOURCES.items():
            content = ((self.folder if resource.top else cache) / resource.file).read_bytes()
            self.offered[f"/{name}"] = content
            digest = hashlib.sha256(content).hexdigest()
            made[name] = (self.server.url(f"/{name}"), len(content), digest)
        (self.folder / "resources.json").write_text(json.dumps(made), "utf-8")
        self.server.play(self.answer)

    def answer(self, visit: Visit) -> None:
        content = self.offered.get(visit.path)
        part(visit, content) if content else says(404)(visit)

    def scene(self, name: str) -> "Scene":
        """A scene of its own, with all in it."""
        folder = self.folder / name
        shutil.copytree(self.first, folder)
        return Scene(self, folder)


@dataclass
class Scene:
    """A folder to run commands in, and a home."""

    world: World
    folder: Path

    def __post_init__(self) -> None:
        tools = self.folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "timbretree").write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "tests/doc_timbretree.py"}" "$@"\n'
        )
        (tools / "timbretree").chmod(0o755)
        if not (self.folder / ".venv").exists():
            (self.folder / ".venv").mkdir()
            (self.folder / ".venv/bin").symlink_to(tools)
        (self.home / ".curlrc").write_text("fail\nsilent\nshow-error\n")
        for path in (ROOT / "examples").iterdir():
            copy = shutil.copytree if path.is_dir() else shutil.copy
            if not (self.folder / "examples" / path.name).exists():
                copy(path, self.folder / "examples" / path.name)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """Without what is this machine's own; nothing but loopback can be asked."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("TIMBRETREE_", "XDG_", "HF_"))}  # fmt: skip
        asks = {"https_proxy": "http://", "no_proxy": "127.0.0.1,localhost"}
        return kept | asks | {name.upper(): value for name, value in asks.items()} | {
            "PATH": os.pathsep.join(
                (str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])
            ),
            "HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
            "DOC_RESOURCES": str(self.world.folder / "resources.json"),
            "HF_ENDPOINT": self.world.hub.address,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(self.home / "hf"),
            "HF_HUB_DISABLE_XET": "1",
        }  # fmt: skip

    def run(self, text: str, *, where: Path = Path(), seconds: float = 1500) -> "Done":
        """Run a line as a shell does, which stays: what asks for its shell finds it."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{text}\nexit $?"],
            cwd=self.folder / where, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=seconds, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"))

    def start(self, text: str) -> "subprocess.Popen[str]":
        """Start a line that goes on until it is ended."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {text}"], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a command ended, and all that it printed."""

    code: int
    printed: str
