"""One clip, from its number to its sound."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbretree.render.band.arranger import Arrangement, arrange
from timbretree.render.band.ensembles import Band, choose
from timbretree.render.band.instruments import INSTRUMENTS
from timbretree.render.band.performer import perform
from timbretree.render.music import Part, Piece
from timbretree.render.scores.corpus import Entry, ScoreError, load, pieces
from timbretree.render.sounds.bank import Sound, Sounds
from timbretree.render.sounds.soundfont import read_soundfont
from timbretree.render.sounds.synth import load_font
from timbretree.render.studio.loudness import Heard
from timbretree.render.studio.mixing import Mix, Stem, mix

SECONDS = 10.0
"""Of every clip, as in OpenMIC."""
ATTEMPTS = 5
"""Times a clip is begun anew where nothing could be heard of it, or no score could be read."""
FITTING = {
    "classical": ("quartet", "piano", "song"),
    "church": ("chorale", "madrigal"),
    "folk": ("tune", "song"),
    "bluegrass": ("tune",),
    "jazz": ("rag", "song", "tune"),
}
"""The kinds of pieces that a style is mostly played from; the others take any."""
LIKELIER = 5.0
"""How much likelier a fitting piece is than another one."""


class RenderError(ValueError):
    """A data set that can't be rendered; the message says why and how to mend it."""


@dataclass(frozen=True)
class Materials:
    """What music is made of: SoundFonts, a folder of recorded notes, scores."""

    soundfonts: tuple[Path, ...]
    samples: Path | None
    scores: Path
    """Where scores that were read once are kept."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A rendered clip and all that is known of it."""

    audio: NDArray[np.float32]
    """(2, T) at RATE."""
    heard: dict[str, Heard]
    """Each tag that sounds."""
    sounds: dict[str, str]
    """By tag, what it was played on."""
    record: dict[str, object]
    """How it came about, in plain data."""


class Workshop:
    """Makes clips out of materials.

    Raises SoundFontError, SynthError and SamplesError, and RenderError where nothing can be played.
    """

    def __init__(self, materials: Materials, seed: int) -> None:
        self.materials, self.seed = materials, seed
        fonts = [read_soundfont(path) for path in materials.soundfonts]
        for font in fonts:
            load_font(font.path)
        self.sounds = Sounds(fonts, materials.samples)
        if not any(self._playable(tag) for tag in INSTRUMENTS):
            names = ", ".join(path.name for path in materials.soundfonts)
            raise RenderError(f"there is no instrument in {names or materials.samples}; "
                              "name another SoundFont, such as FluidR3_GM.sf2")  # fmt: skip

    def make(self, number: int, split: str) -> Clip:
        """Make the clip of a number: always the same, whatever was made before.

        ``split`` decides which pieces and sounds it may be made of. Raises RenderError where no
        attempt brought a clip in which anything is heard.
        """
        unread: list[str] = []
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng([self.seed, number, attempt])
            try:
                clip = self._attempt(split, rng)
            except ScoreError as error:
                unread.append(str(error))
                continue
            if clip.heard:
                clip.record["unread"] = unread
                return clip
        why = f": {unread[-1]}" if unread else ", all of them were silent"
        raise RenderError(f"clip {number} could not be made in {ATTEMPTS} attempts{why}")

    def _attempt(self, split: str, rng: np.random.Generator) -> Clip:
        band = self._band(rng)
        piece = load(_pick(split, band, rng), cache=self.materials.scores)
        arrangement = arrange(piece, band, seconds=SECONDS, rng=rng)
        parts = perform(
            arrangement.parts,
            tempo=arrangement.tempo, style=band.style, seconds=SECONDS, rng=rng,
        )  # fmt: skip
        played = self._sounds(parts, split, rng)
        stems = [
            Stem(part.tag, part.role, self.sounds.play(sound, part.notes, seconds=SECONDS))
            for part, sound in zip(parts, played, strict=True)
        ]
        mixed = mix(stems, rng=rng)
        names: dict[str, list[str]] = {}
        for sound in played:
            names.setdefault(sound.tag, []).append(sound.name)
        sounds = {tag: " + ".join(dict.fromkeys(names[tag])) for tag in mixed.heard}
        return Clip(mixed.audio, mixed.heard, sounds, _record(piece, band, arrangement, mixed))

    def _band(self, rng: np.random.Generator) -> Band:
        """A band whose instruments there are sounds of."""
        while True:
            band = choose(rng)
            if all(self._playable(tag) for tag in band.tags):
                return band

    def _playable(self, tag: str) -> bool:
        return bool(self.sounds.offered(tag, "train"))  # then there are some for the test, too

    def _sounds(self, parts: tuple[Part, ...], split: str, rng: np.random.Generator) -> list[Sound]:
        """A sound for each part; drums and cymbals are of one kit where there is such a one."""
        found: list[Sound] = []
        for part in parts:
            sound = self.sounds.choose(part.tag, split, rng)
            kit = [each.name for each in found if each.tag in ("drums", "cymbals")]
            twins = [s for s in self.sounds.offered(part.tag, split) if s.name in kit]
            found.append(twins[0] if part.tag in ("drums", "cymbals") and twins else sound)
        return found


def _pick(split: str, band: Band, rng: np.random.Generator) -> Entry:
    entries = pieces(split)
    fitting = FITTING.get(band.style, ())
    weights = np.array([LIKELIER if entry.kind in fitting else 1.0 for entry in entries])
    return entries[int(rng.choice(len(entries), p=weights / weights.sum()))]


def _record(piece: Piece, band: Band, arrangement: Arrangement, mixed: Mix) -> dict[str, object]:
    return {
        "piece": piece.name,
        "group": piece.group,
        "composer": piece.composer,
        "band": band.name,
        "style": band.style,
        "tempo": round(float(arrangement.tempo), 2),
        "mix": mixed.settings,
    }
