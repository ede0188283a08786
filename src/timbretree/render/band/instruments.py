"""What each of OpenMIC's instruments can play: its range, how many notes at once, in what role."""

from dataclasses import dataclass

ROLES = ("melody", "inner", "bass", "chords", "rhythm")


@dataclass(frozen=True)
class Instrument:
    """One of the 20 tags as a composer knows it."""

    low: int
    """The lowest and the highest note it sounds, as MIDI keys; of drums and cymbals, General
    MIDI's drum map."""
    high: int
    comfort: tuple[int, int]
    """Where its melodies mostly lie."""
    voices: int
    """How many notes at once it can play."""
    can: tuple[str, ...]
    """The roles it can take, of ROLES."""
    breath: bool = False
    """Whether its player must breathe between phrases."""


_LINE = ("melody", "inner")
_KEYS = ("melody", "inner", "bass", "chords")
_PLUCKED = ("melody", "inner", "chords")

# Sounding pitches. Where a tag means several instruments, what the usual ones share: saxophone is
# the alto's range, of which all but the top is the tenor's too; mallet percussion the vibraphone's,
# which the marimba has as well; voice goes from a bass to a soprano.
INSTRUMENTS = {
    "accordion": Instrument(36, 93, (58, 84), 6, ("melody", "inner", "chords")),
    "banjo": Instrument(50, 84, (57, 79), 4, _PLUCKED),  # five strings, the lowest D3
    "bass": Instrument(28, 67, (33, 57), 1, ("melody", "bass")),  # E1, A1, D2, G2
    "cello": Instrument(36, 81, (45, 72), 2, ("melody", "inner", "bass")),  # C2, G2, D3, A3
    "clarinet": Instrument(50, 91, (55, 82), 1, _LINE, breath=True),  # in B flat
    "cymbals": Instrument(35, 81, (35, 81), 4, ("rhythm",)),
    "drums": Instrument(35, 81, (35, 81), 4, ("rhythm",)),
    "flute": Instrument(60, 96, (65, 90), 1, _LINE, breath=True),
    "guitar": Instrument(40, 86, (55, 77), 6, _PLUCKED),  # E2, A2, D3, G3, B3, E4
    "mallet_percussion": Instrument(53, 89, (60, 84), 4, _PLUCKED),
    "mandolin": Instrument(55, 91, (62, 84), 4, _PLUCKED),  # tuned as a violin: G3, D4, A4, E5
    "organ": Instrument(24, 96, (60, 84), 8, _KEYS),  # with the pedals' 16 feet
    "piano": Instrument(21, 108, (60, 86), 8, _KEYS),
    "saxophone": Instrument(49, 80, (53, 75), 1, _LINE, breath=True),
    "synthesizer": Instrument(28, 103, (57, 84), 8, _KEYS),
    "trombone": Instrument(40, 74, (46, 67), 1, ("melody", "inner", "bass"), breath=True),
    "trumpet": Instrument(52, 84, (58, 79), 1, _LINE, breath=True),
    "ukulele": Instrument(60, 84, (62, 81), 4, ("melody", "chords")),  # G4, C4, E4, A4
    "violin": Instrument(55, 100, (60, 88), 2, _LINE),  # G3, D4, A4, E5
    "voice": Instrument(41, 84, (55, 76), 1, ("melody", "inner", "bass"), breath=True),
}


def able(role: str) -> tuple[str, ...]:
    """The tags that can take a role."""
    return tuple(tag for tag, instrument in INSTRUMENTS.items() if role in instrument.can)
