"""Which presets of a SoundFont are which of OpenMIC's instruments."""

import re

from timbretree.render.sounds.soundfont import SoundFont

RARE = 0.2
"""The weight of a preset that is the instrument, but seldom heard so."""
GENERAL_MIDI: dict[str, dict[int, float]] = {
    "accordion": {21: 1, 23: 1},
    "banjo": {105: 1},
    "bass": {32: 1, 33: 1, 34: 1, 35: 1, 36: 1, 37: 1, 43: RARE},
    "cello": {42: 1},
    "clarinet": {71: 1},
    "flute": {73: 1},
    "guitar": {24: 1, 25: 1, 26: 1, 27: 1, 29: 1, 30: 1},
    "mallet_percussion": {9: 1, 11: 1, 12: 1, 13: 1, 14: RARE},
    "organ": {16: 1, 17: 1, 18: 1, 19: 1, 20: 1},
    "piano": {0: 2, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1},
    "saxophone": {64: 1, 65: 1, 66: 1, 67: 1},
    "synthesizer": dict.fromkeys((80, 81, 82, 83, 84, 86, 87, 88, 89, 90, 93, 94, 95), 1),
    "trombone": {57: 1},
    "trumpet": {56: 1, 59: RARE},
    "violin": {40: 1, 110: RARE},
    "voice": {52: 1, 53: 1},
}
"""The programs of bank 0, each with its weight."""
VARIATIONS: dict[str, dict[tuple[int, int], str]] = {
    "accordion": {(8, 21): "accord"},
    "guitar": {(8, 25): "12.?string", (8, 27): "chorus", (8, 28): "funk"},
    "mandolin": {(16, 25): "mandolin"},
    "organ": {(8, 16): "organ", (8, 17): "organ", (8, 19): "organ"},
    "piano": {(8, 0): "piano|grand", (8, 4): r"\bep\b", (8, 5): r"\bep\b"},
    "synthesizer": {(8, 80): "sine", (20, 81): "saw"},
    "ukulele": {(8, 24): "ukulele"},
    "violin": {(8, 40): "violin"},
}
"""Those of other banks, and what their names must say: not all fonts number them like Roland's GS.

Sections of strings are none: MuseScore_General's are those of VSCO 2, which many folders of
recordings have as well.
"""
HALF = 64
"""Presets in bank 0 from which on a font follows General MIDI; of others, the names decide."""
NAMES = {
    "accordion": "accordi[oa]n|bandoneon",
    "banjo": "banjo",
    "bass": r"\b(bass|contrabass)\b",
    "cello": "cello",
    "clarinet": "clarinet",
    "flute": r"\bflute",
    "guitar": "guitar",
    "mallet_percussion": "vibraphone|marimba|xylophone|glockenspiel",
    "mandolin": "mandolin",
    "organ": r"\borgan",
    "piano": "piano",
    "saxophone": r"\bsax|sax\b|saxophone",
    "synthesizer": "synth",
    "trombone": "trombone",
    "trumpet": "trumpet",
    "ukulele": "ukulele",
    "violin": r"\bviolin\b|fiddle",
    "voice": "choir|voice|aahs|oohs",
    "drums": r"\bkit\b|drum ?(kit|set)|\dpc\b",
}
KITS = frozenset([*range(20), 24, 25, *range(32, 37), 40, 41, 42])
"""Kits of bank 128 that have drums and cymbals; the orchestra's has timpani for toms."""
NO_KIT = re.compile("sfx|orch|march|metronome|click|cymbals|bass|tenor")
CHIPS = re.compile(r"\bopl.?[23]\b")
"""Fonts of frequency modulation chips, whose "violin" is a synthesizer, as is all they have."""


def presets(font: SoundFont, tag: str) -> dict[tuple[int, int], float]:
    """The presets of a font that are an instrument, by bank and program, each with its weight.

    Where the font has none there are none: nothing is played on what is not meant for it.
    """
    if CHIPS.search(font.name.lower().replace("_", " ")) and tag != "synthesizer":
        return {}
    if tag in ("drums", "cymbals"):
        found = {key: 1.0 for key, name in font.presets.items() if _is_kit(*key, name)}
        return found if _follows(font) else found | _by_name(font, "drums")
    if not _follows(font):
        return _by_name(font, tag)
    plain = GENERAL_MIDI.get(tag, {}).items()
    found = {(0, program): weight for program, weight in plain if (0, program) in font.presets}
    for key, words in VARIATIONS.get(tag, {}).items():
        if re.search(words, font.presets.get(key, "").lower()):
            found[key] = RARE if tag in GENERAL_MIDI else 1.0
    return found


def _follows(font: SoundFont) -> bool:
    return sum(bank == 0 for bank, _ in font.presets) >= HALF


def _is_kit(bank: int, program: int, name: str) -> bool:
    return bank == 128 and program in KITS and not NO_KIT.search(name.lower())


def _by_name(font: SoundFont, tag: str) -> dict[tuple[int, int], float]:
    """Those whose name is of this tag and of no other."""
    found = {}
    for key, name in font.presets.items():
        plain = re.sub("[_-]", " ", name.lower())
        if [other for other, words in NAMES.items() if re.search(words, plain)] == [tag]:
            found[key] = 1.0
    return found
