"""Render the example recording: the Ode to Joy for piano, then violin, then trumpet and drums."""

import argparse
from pathlib import Path
from typing import NamedTuple

import fluidsynth
import numpy as np
import soundfile

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"  # where Debian puts it
RATE, SECONDS, FADE, PEAK = 44_100, 28, 0.6, 10 ** (-1 / 20)
QUARTER, MARCH = 60 / 96, 60 / 132  # seconds a beat; the march is the quicker
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
DRUMS = {"kick": 36, "snare": 38, "hat": 42, "crash": 49}
INSTRUMENTS = {  # channel, bank, program, volume, pan
    "piano": (0, 0, 0, 112, 60),
    "violin": (1, 0, 40, 98, 44),
    "trumpet": (2, 0, 56, 112, 80),
    "drums": (9, 128, 0, 127, 64),
}

# A step is a note, or several joined by +; it lasts one unit, or as many as follow the colon.
OPENING = "F#5 F#5 G5 A5  A5 G5 F#5 E5  D5 D5 E5 F#5  F#5:1.5 E5:.5 E5:2"
CLOSING = "F#5 F#5 G5 A5  A5 G5 F#5 E5  D5 D5 E5 F#5  E5:1.5 D5:.5 D5:2"
CHORDS = {"D": "D2 F#3 A3 D4", "A7": "A2 E3 G3 C#4", "Bm": "B2 F#3 B3 D4", "G": "G2 G3 B3 D4",
          "Em": "E2 G3 B3 E4", "D/A": "A2 F#3 A3 D4", "A": "A2 E3 A3 C#4"}  # fmt: skip
BASS, BROKEN, OFFBEAT = "{0}:4 ", "{1} {3} {2} {3} ", "{0} {1}+{2}+{3} {0} {1}+{2}+{3} "
BEAT = "kick+hat hat snare+hat hat kick+hat kick+hat snare+hat hat "
FILL = "kick+hat hat snare snare:.5 snare:.5 kick+crash:4"


def accompany(chords: str, figure: str) -> str:
    """Play each chord for half a bar, four quavers, as the figure says."""
    return "".join(figure.format(*CHORDS[chord].split()) for chord in chords.split())


SCORE = (  # instrument, velocity, first second, seconds a unit, steps
    ("piano", 116, 0, QUARTER, OPENING),
    ("piano", 58, 0, QUARTER / 2, accompany("D A7 D Bm G Em D/A A", BROKEN)),
    ("piano", 58, 0, QUARTER / 2, accompany("D A7 D Bm G Em D/A A", BASS)),
    ("violin", 95, 10, QUARTER, CLOSING),
    ("piano", 76, 10, QUARTER / 2, accompany("D A7 D Bm G Em A7 D", BROKEN)),
    ("piano", 76, 10, QUARTER / 2, accompany("D A7 D Bm G Em A7 D", BASS)),
    ("trumpet", 101, 20, MARCH, CLOSING),
    ("piano", 74, 20, MARCH / 2, accompany("D A7 D Bm G Em A7", OFFBEAT) + "D2+A2+D3+A3+D4+F#4:7"),
    ("drums", 104, 20, MARCH / 2, BEAT.replace("hat", "crash", 1) + 2 * BEAT + FILL),
)


class Move(NamedTuple):
    """A key going down at some second, or up where the velocity is 0."""

    second: float
    velocity: int
    channel: int
    key: int


def perform() -> list[Move]:
    """Play the score as a person would: a little early or late, a little louder or softer."""
    rng, moves = np.random.default_rng(0), []
    for instrument, velocity, start, unit, steps in SCORE:
        channel, *_ = INSTRUMENTS[instrument]
        for step in steps.split():
            names, _, count = step.partition(":")
            lasts = unit * float(count or 1)
            for key in map(key_of, names.split("+")):
                down = start + rng.uniform(0, 0.016)
                moves.append(Move(down, velocity + int(rng.integers(-6, 7)), channel, key))
                moves.append(Move(down + 0.92 * lasts, 0, channel, key))
            start += lasts
    return sorted(moves)


def key_of(name: str) -> int:
    """The MIDI key of a drum, or of a note such as F#5."""
    if name in DRUMS:
        return DRUMS[name]
    return 12 * (int(name[-1]) + 1) + SEMITONES[name[0]] + ("#" in name)


def render(moves: list[Move], soundfont: Path) -> np.ndarray:
    """The performance as a waveform, (samples, 2), as loud as the synthesizer makes it."""
    synth = fluidsynth.Synth(0.5, RATE, **{"synth.reverb.room-size": 0.6, "synth.chorus.active": 0})
    font = synth.sfload(str(soundfont))
    if font < 0:
        raise SystemExit(f"{soundfont}: not a SoundFont that can be read; give one by --soundfont")
    for name, (channel, bank, program, volume, pan) in INSTRUMENTS.items():
        if synth.program_select(channel, font, bank, program) < 0:
            raise SystemExit(f"{soundfont}: has no {name}; give a General MIDI SoundFont")
        for control, level in ((7, volume), (10, pan), (91, 50)):  # 91 is the share of reverb
            synth.cc(channel, control, level)
    pieces, done = [], 0
    for move in moves:
        pieces.append(synth.get_samples(round(move.second * RATE) - done))
        done = round(move.second * RATE)
        synth.noteon(move.channel, move.key, move.velocity)
    pieces.append(synth.get_samples(SECONDS * RATE - done))
    synth.delete()
    return np.concatenate(pieces).reshape(-1, 2) / 2**15


def main() -> None:
    """Write the recording with its peak at -1 dB and its end faded."""
    beside = Path(__file__).with_name("ode_to_joy.ogg")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=beside, help="default: %(default)s")
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT, help="default: %(default)s")
    parser.add_argument("--force", action="store_true", help="overwrite OUT")
    options = parser.parse_args()
    if options.out.exists() and not options.force:
        parser.error(f"{options.out} is there already; give --force to overwrite it")
    waveform = render(perform(), options.soundfont)
    waveform[-int(FADE * RATE) :] *= np.linspace(1, 0, int(FADE * RATE))[:, None]
    waveform *= PEAK / np.abs(waveform).max()
    soundfile.write(options.out, waveform, RATE, format="OGG", compression_level=0.72)


if __name__ == "__main__":
    main()
