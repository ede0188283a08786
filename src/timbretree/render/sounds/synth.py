"""Notes played by FluidSynth on a preset of a SoundFont."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from ctypes import c_int, c_uint, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbretree.render.music import RATE, Notes

BLOCK = 64
"""Samples that FluidSynth renders at once: notes begin and end on this grid of 1.5 ms."""
GAIN = 0.5
KEPT = 64
"""Presets whose samples stay in memory: those that were played last."""
SETTINGS: dict[str, int] = {
    "synth.dynamic-sample-loading": 1,  # only the samples of presets that are played or kept
    "synth.reverb.active": 0,
    "synth.chorus.active": 0,
    "synth.polyphony": 256,
    "synth.cpu-cores": 1,
    "synth.lock-memory": 0,
}
POLYPHONIC = 2
"""FluidSynth's number for a channel that plays chords."""


class SynthError(ValueError):
    """FluidSynth is missing, or can't play this; the message says what to do."""


def play_preset(
    font: Path, preset: tuple[int, int], notes: Notes, *, seconds: float
) -> NDArray[np.float32]:
    """Play notes (seconds) on one preset, named by bank and program: (2, T) at RATE.

    No reverb, no chorus; what is louder than 1 stays so. The same bits whatever was played before.
    Raises SynthError where FluidSynth is missing, and for a preset that the font does not have.
    """
    return _player().play(font, preset, notes, round(seconds * RATE))


def load_font(font: Path) -> None:
    """Make sure that a SoundFont can be played. Raises SynthError where it can't."""
    _player().font(font)


@lru_cache(maxsize=1)
def _player() -> "_Player":
    """What this process has loaded."""
    return _Player()


class _Player:
    """Plays each part on a synthesizer of its own, and keeps the fonts from one to the next.

    A synthesizer that has played before begins a note otherwise than a new one: its voices move
    from the loudness and place of what they played last. A new one costs less than 1 ms.
    """

    def __init__(self) -> None:
        self.library = _library()
        self.holder = self._new()
        self.fonts: dict[Path, int] = {}
        """The address of each SoundFont."""
        self.kept: dict[tuple[Path, tuple[int, int]], None] = {}

    def play(
        self, font: Path, preset: tuple[int, int], notes: Notes, length: int
    ) -> NDArray[np.float32]:
        blocks = -(-length // BLOCK)
        audio = np.zeros((2, blocks * BLOCK), dtype=np.float32)
        with self._with(font) as (synth, number):
            if synth.program_select(0, number, *preset):
                raise SynthError(f"{font}: it has no bank {preset[0]}, program {preset[1]}")
            self._call("pin_preset", synth, number, *preset)
            here = 0
            for block, key, velocity in _events(notes, blocks):
                self._render(synth, audio, here, block)
                here = block
                if velocity:
                    synth.noteon(0, key, velocity)
                else:
                    synth.noteoff(0, key)
            self._render(synth, audio, here, blocks)
        self._keep(font, preset)
        return audio[:, :length]

    def _new(self) -> Any:
        """A synthesizer without a font; its channels are shut, so that it loads none by itself."""
        synth = self.library.Synth(gain=GAIN, samplerate=float(RATE), channels=16, **SETTINGS)
        self._call("reset_basic_channel", synth, -1)
        return synth

    @contextmanager
    def _with(self, path: Path) -> Iterator[tuple[Any, int]]:
        """A new synthesizer with a font, and the font's number in it."""
        font = self.font(path)
        synth = self._new()
        number = self._call("add_sfont", synth, font)
        self._call("set_basic_channel", synth, 0, POLYPHONIC, 1)
        try:
            yield synth, number
        finally:
            self._call("reset_basic_channel", synth, -1)
            self._call("remove_sfont", synth, font)
            synth.delete()

    def font(self, path: Path) -> int:
        """A SoundFont, loaded once: where it is in memory."""
        if path not in self.fonts:
            number = self.holder.sfload(str(path))
            if number < 0:
                raise SynthError(f"{path}: FluidSynth can't read it; is the file whole?")
            self.fonts[path] = self._call("get_sfont", self.holder, 0)
        return self.fonts[path]

    def _keep(self, font: Path, preset: tuple[int, int]) -> None:
        """Keep what was just played; let go of what was not played for longest."""
        self.kept.pop((font, preset), None)
        self.kept[font, preset] = None
        if len(self.kept) > KEPT:
            font, preset = next(iter(self.kept))
            del self.kept[font, preset]
            with self._with(font) as (synth, number):
                self._call("unpin_preset", synth, number, *preset)

    def _render(self, synth: Any, audio: NDArray[np.float32], first: int, end: int) -> None:
        # what pyfluidsynth offers is 16 bits, with a dither that depends on what was played before
        if end > first:
            left, right = (side[first * BLOCK :].ctypes.data for side in audio)
            length = (end - first) * BLOCK
            self._call("write_float", synth, length, left, 0, 1, right, 0, 1)

    def _call(self, name: str, synth: Any, *values: int) -> int:
        """Call what pyfluidsynth has no name for."""
        result, takes = FUNCTIONS[name]
        arguments = [(f"a{place}", kind, 1) for place, kind in enumerate((c_void_p, *takes))]
        function = self.library.cfunc(f"fluid_synth_{name}", result, *arguments)
        if function is None:
            raise SynthError("this FluidSynth is too old; playing SoundFonts takes 2.2 or later")
        return int(function(synth.synth, *values) or 0)


FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "add_sfont": (c_int, (c_void_p,)),
    "remove_sfont": (c_int, (c_void_p,)),
    "get_sfont": (c_void_p, (c_uint,)),
    "pin_preset": (c_int, (c_int, c_int, c_int)),
    "unpin_preset": (c_int, (c_int, c_int, c_int)),
    "reset_basic_channel": (c_int, (c_int,)),
    "set_basic_channel": (c_int, (c_int, c_int, c_int)),
    "write_float": (c_int, (c_int, c_void_p, c_int, c_int, c_void_p, c_int, c_int)),
}
"""Result and arguments, after the synthesizer, of functions of FluidSynth."""


def _library() -> Any:
    try:
        with redirect_stdout(sys.stderr):  # where CI is set, it prints what it found
            import fluidsynth
    except ModuleNotFoundError as error:
        raise SynthError(
            "playing SoundFonts takes pyfluidsynth: pip install 'timbretree[render]'"
        ) from error
    except ImportError as error:
        raise SynthError(
            f"{error} Playing SoundFonts takes FluidSynth 2: apt install libfluidsynth3, "
            "brew install fluid-synth, or see https://www.fluidsynth.org/download/"
        ) from error
    return fluidsynth


def _events(notes: Notes, blocks: int) -> list[tuple[int, int, int]]:
    """Block, key and velocity of what happens, in order; velocity 0 is the end of a note.

    A note ends where its key is struck again, or else its end would break off the second one.
    """
    begin = np.maximum(np.rint(notes.onset * RATE / BLOCK), 0).astype(np.int64)
    end = np.rint((notes.onset + notes.length) * RATE / BLOCK).astype(np.int64)
    events: list[tuple[int, int, int]] = []
    again: dict[int, int] = {}
    for note in np.argsort(begin, kind="stable")[::-1].tolist():
        key, first = int(notes.pitch[note]), int(begin[note])
        if first >= blocks or again.get(key) == first:
            continue
        last = min(max(int(end[note]), first + 1), again.get(key, blocks))
        again[key] = first
        events += [(first, key, int(notes.velocity[note])), (last, key, 0)]
    return sorted(events, key=lambda event: (event[0], event[2] > 0, event[1]))
