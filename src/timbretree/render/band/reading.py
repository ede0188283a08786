"""A score as an arranger sees it: the tune, the bass, what is between."""

from dataclasses import dataclass

from timbretree.render.band.excerpt import melody_voice
from timbretree.render.band.lines import merge, skyline, sounding
from timbretree.render.music import Notes

BUSY = 0.4
"""Share of the time in which a line sounds that is worth a player."""
SPLITS = 3
"""Lines at most that one voice with chords is split into."""


@dataclass(frozen=True, eq=False)
class Score:
    """The lines of an excerpt; each has one note at a time."""

    melody: Notes
    inner: tuple[Notes, ...]
    """From the highest to the lowest; perhaps none."""
    bass: Notes | None
    """None for a mere tune."""
    below: Notes | None
    """All but the melody, with all its chords. None for a mere tune."""


def read(voices: tuple[Notes, ...], beats: float) -> Score:
    """Tell the lines of some voices apart: at least one voice, each with notes."""
    top = melody_voice(voices, beats)
    melody, left = skyline(top)
    rest = [voice for voice in (*(v for v in voices if v is not top), left) if len(voice)]
    worth = [voice for voice in rest if _share(voice, beats) >= BUSY]
    if not worth:
        return Score(melody, (), None, None)
    lowest = min(worth, key=lambda voice: float(voice.pitch.mean()))
    bass, between = skyline(lowest, top=False)
    inner = [
        line
        for voice in (*(v for v in worth if v is not lowest), between)
        for line in _lines(voice, beats)
    ]
    inner.sort(key=lambda line: -float(line.pitch.mean()))
    return Score(melody, tuple(inner), bass, merge(*rest))


def _lines(voice: Notes, beats: float) -> list[Notes]:
    """A voice with chords as single lines, from the top."""
    found = []
    for _ in range(SPLITS):
        if not len(voice) or _share(voice, beats) < BUSY:
            break
        line, voice = skyline(voice)
        if _share(line, beats) >= BUSY:
            found.append(line)
    return found


def _share(voice: Notes, beats: float) -> float:
    return sounding(voice, beat=1.0, seconds=beats, ring=0.0) / beats
