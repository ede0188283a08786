"""What an instrument can be played on, in training and in the test, and playing it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.music import RATE, Notes
from timbretree.render.sounds.division import divide, share
from timbretree.render.sounds.presets import presets
from timbretree.render.sounds.samples import (
    Instrument,
    SamplesError,
    play_recordings,
    read_instruments,
)
from timbretree.render.sounds.soundfont import SoundFont, families, in_order
from timbretree.render.sounds.strokes import KEYS
from timbretree.render.sounds.synth import play_preset
from timbretree.render.sounds.twins import groups

Key = tuple[Path, int, int]


class SoundsError(ValueError):
    """Notes that can't be played, or a tag that nothing plays."""


@dataclass(frozen=True)
class Sound:
    """What one part is played on."""

    tag: str
    name: str
    """Such as "FluidR3_GM.sf2 16:25 Mandolin" or "samples vcsl marimba"."""
    origin: str
    """The font or source that it is of: each is chosen equally often."""
    weight: float
    """How often it is chosen among those of its origin."""
    preset: Key | None = None
    """The font with bank and program, or else"""
    instrument: Instrument | None = None
    """the recordings that it is played on."""


class Sounds:
    """All sounds of some SoundFonts and a folder of recordings, divided into training and test.

    Fonts that share recordings are on one side together, as are all recordings of one source. It is
    small, and reads no sound before it plays. Raises SamplesError.
    """

    shared: dict[str, str]
    """Tags that both sides play on the same sounds, or that have none, each with the reason."""
    borrowed: dict[str, str]
    """Tags that fonts play on another instrument's recordings only, each with the instrument."""
    lacking: dict[str, tuple[str, ...]]
    """The tags that a font has no preset for, by the font's name."""

    def __init__(self, fonts: Sequence[SoundFont], samples: Path | None) -> None:
        fonts = _distinct(fonts)
        instruments = read_instruments(samples) if samples else ()
        if samples and not instruments:
            raise SamplesError(
                f"nothing can be played on the recordings in {samples}: an instrument takes single "
                "notes whose pitch is certain, close enough for an octave; drums a kick and a "
                "snare; cymbals a hi-hat, and a crash or a ride; add some, or leave --samples out"
            )
        made_of = {(font.path, *key): used for font in fonts for key, used in font.made_of.items()}
        parts = [_of_fonts(family) for family in families(fonts)]
        for sources in groups(instruments):
            parts.append([_of_samples(each) for each in instruments if each.source in sources])
        parts = [part for part in parts if part]
        held = divide([_count(part) for part in parts])
        self._offered: dict[tuple[str, str], list[Sound]] = {}
        self.shared = {}
        for tag in INSTRUMENTS:
            sides: tuple[list[Sound], list[Sound]] = [], []
            for part, test in zip(parts, held, strict=True):
                sides[test].extend(each for each in part if each.tag == tag)
            if not all(sides):
                sides = self._halve(tag, sides[0] + sides[1], made_of)
            for split, offered in zip(("train", "test"), sides, strict=True):
                self._offered[tag, split] = sorted(offered, key=lambda each: each.name)
        self.lacking = {
            font.path.name: without
            for font in fonts
            if (without := tuple(tag for tag in INSTRUMENTS if not presets(font, tag)))
        }
        self.borrowed = _borrowed([each for part in parts for each in part], made_of)

    def offered(self, tag: str, split: str) -> list[Sound]:
        """The sounds of a tag in ``train`` or ``test``, by name."""
        return list(self._offered[tag, split])

    def choose(self, tag: str, split: str, rng: np.random.Generator) -> Sound:
        """One of them; fonts and sources are equally likely. Raises SoundsError for a tag that has
        none."""
        offered = self._offered[tag, split]
        if not offered:
            raise SoundsError(
                f"no SoundFont and no recording has a {tag}; name another font, such as "
                "FluidR3_GM.sf2, which has all instruments"
            )
        total: dict[str, float] = {}
        for each in offered:
            total[each.origin] = total.get(each.origin, 0.0) + each.weight
        chance = np.array([each.weight / total[each.origin] for each in offered])
        return offered[int(rng.choice(len(offered), p=chance / chance.sum()))]

    def play(self, sound: Sound, notes: Notes, *, seconds: float) -> NDArray[np.float32]:
        """Play notes (in seconds): (2, T) at RATE, as loud as it comes.

        Raises SoundsError for strokes that are none of the tag's, SynthError and SamplesError.
        """
        if strange := sorted(set(notes.pitch.tolist()) - set(KEYS.get(sound.tag, range(128)))):
            raise SoundsError(f"the keys {strange} are none of {sound.tag}")
        if not len(notes):
            return np.zeros((2, round(seconds * RATE)), dtype=np.float32)
        if sound.instrument:
            return play_recordings(sound.instrument, notes, seconds=seconds)
        assert sound.preset
        font, bank, program = sound.preset
        if sound.tag == "drums" and bank != 128:  # a kit by name; some have but one bass drum
            one = np.where(notes.pitch == 35, 36, notes.pitch)
            notes = Notes(notes.onset, notes.length, one, notes.velocity)
        return play_preset(font, (bank, program), notes, seconds=seconds)

    def _halve(
        self, tag: str, sounds: list[Sound], made_of: Mapping[Key, frozenset[str]]
    ) -> tuple[list[Sound], list[Sound]]:
        """Sounds that would be on one side only, on both: no recording twice, if that can be."""
        if not sounds:
            self.shared[tag] = "there is no sound of it"
            return [], []
        clusters = _clusters(sounds, made_of)
        if len(clusters) == 1:
            origins = ", ".join(sorted({_origin(each) for each in sounds}))
            self.shared[tag] = f"all of it is the same recordings, from {origins}"
        return share(clusters)


def _distinct(fonts: Iterable[SoundFont]) -> list[SoundFont]:
    """The fonts without those that are another one again, such as an .sf2 packed into an .sf3."""
    found: list[SoundFont] = []
    for font in in_order(fonts):
        same = (other for other in found if other.samples == font.samples)
        if not any(dict(other.presets) == dict(font.presets) for other in same):
            found.append(font)
    return found


def _of_fonts(fonts: Iterable[SoundFont]) -> list[Sound]:
    found = []
    for font in fonts:
        for tag in INSTRUMENTS:
            for (bank, program), weight in sorted(presets(font, tag).items()):
                name = f"{font.path.name} {bank}:{program} {font.presets[bank, program]}"
                key = font.path, bank, program
                found.append(Sound(tag, name, str(font.path), weight, preset=key))
    return found


def _of_samples(instrument: Instrument) -> Sound:
    name = f"samples {instrument.source} {instrument.name}".strip()
    return Sound(instrument.tag, name, instrument.source, 1.0, instrument=instrument)


def _origin(sound: Sound) -> str:
    return sound.preset[0].name if sound.preset else f"samples {sound.origin}"


def _count(sounds: Iterable[Sound]) -> dict[tuple[str, str], int]:
    """How many fonts and sources have each tag, by kind."""
    kinds: tuple[Literal["font"], Literal["samples"]] = "font", "samples"
    pairs = {(kinds[each.preset is None], each.tag, each.origin) for each in sounds}
    found: dict[tuple[str, str], int] = {}
    for kind, tag, _ in pairs:
        found[kind, tag] = found.get((kind, tag), 0) + 1
    return found


def _clusters(sounds: Sequence[Sound], made_of: Mapping[Key, frozenset[str]]) -> list[list[Sound]]:
    """Put together what is played on the same recordings; what a font is made of may be unknown."""
    clusters: list[list[Sound]] = []
    for sound in sounds:
        near = [part for part in clusters if any(_akin(sound, each, made_of) for each in part)]
        joined = [each for part in near for each in part] + [sound]
        clusters = [part for part in clusters if part not in near] + [joined]
    return sorted(clusters, key=lambda part: part[0].name)


def _akin(one: Sound, other: Sound, made_of: Mapping[Key, frozenset[str]]) -> bool:
    if one.preset is None or other.preset is None:
        return False
    mine, theirs = made_of.get(one.preset), made_of.get(other.preset)
    return not mine or not theirs or bool(mine & theirs)


def _borrowed(sounds: Sequence[Sound], made_of: Mapping[Key, frozenset[str]]) -> dict[str, str]:
    """Tags of which all sounds are made of recordings that others' are made of, mostly."""
    found = {}
    for tag in INSTRUMENTS:
        lenders: set[str] = set()
        for sound in (each for each in sounds if each.tag == tag):
            used = made_of.get(sound.preset, frozenset()) if sound.preset else frozenset()
            of = {
                each.tag
                for each in sounds
                if each.preset
                and each.origin == sound.origin
                and {each.tag, tag} not in ({tag}, set(KEYS))
                and 2 * len(used & made_of.get(each.preset, frozenset())) > len(used)
            }
            if not of:
                break
            lenders |= of
        else:
            if lenders:
                found[tag] = ", ".join(sorted(lenders))
    return found
