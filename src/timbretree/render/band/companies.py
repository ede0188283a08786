"""The kinds of company that musicians keep: who may sit on each chair, and how often.

The weights are such that each tag is in a fair share of the clips, and that none can be guessed
from its company; the tests of the ensembles hold them to it.
"""

from dataclasses import dataclass

from timbretree.render.band.instruments import INSTRUMENTS


@dataclass(frozen=True)
class Place:
    """A chair in an ensemble: what may sit on it."""

    role: str
    tags: dict[str, float]
    """How likely each is."""
    chance: float = 1.0
    """How often the chair is taken; of each company's first chair always."""


@dataclass(frozen=True)
class Ensemble:
    """A kind of company."""

    name: str
    weight: float
    """How often it plays, against the others."""
    styles: tuple[str, ...]
    places: tuple[Place, ...]
    sections: bool = False
    """Whether several players may have the same instrument."""


def _place(role: str, tags: str, chance: float = 1.0) -> Place:
    """From a line such as ``violin*3 flute``: tags, each with its weight unless that is 1."""
    pairs = [f"{tag}*1".split("*")[:2] for tag in tags.split()]
    return Place(role, {tag: float(weight) for tag, weight in pairs}, chance)


_WINDS = "flute clarinet saxophone trumpet trombone"
_SINGERS = f"violin cello voice {_WINDS}"
_ALONE = (
    "accordion banjo*1.3 bass*.5 cello clarinet*.7 cymbals*.5 drums*.7 flute guitar*1.5 "
    "mallet_percussion mandolin*1.3 organ piano*1.5 saxophone synthesizer trombone*.7 trumpet "
    "ukulele*1.3 violin voice"
)
_ANY = " ".join(tag for tag in INSTRUMENTS if "melody" in INSTRUMENTS[tag].can)
_HARMONY = "piano guitar organ accordion synthesizer mallet_percussion banjo mandolin ukulele"

ENSEMBLES = (
    Ensemble("solo", 17, ("classical", "folk", "jazz", "pop", "rock"), (_place("melody", _ALONE),)),
    Ensemble(
        "string quartet", 3, ("classical",), (
            _place("melody", "violin*6 flute clarinet"),
            _place("inner", "violin*4 cello clarinet"),
            _place("inner", "violin*2 cello*2"),
            _place("bass", "cello"),
        ), sections=True,
    ),
    Ensemble(
        "strings with piano", 3, ("classical", "classical", "pop"), (
            _place("melody", "violin*3 cello*2 clarinet"),
            _place("inner", "violin*2 cello clarinet trumpet", 0.5),
            _place("bass", "cello*3 trombone", 0.5),
            _place("chords", "piano"),
        ),
    ),
    Ensemble(
        "sonata", 6, ("classical", "classical", "jazz", "pop"), (
            _place("melody", f"{_SINGERS} mandolin accordion"),
            _place("chords", "piano*4 organ guitar*2 accordion synthesizer mallet_percussion"),
        ),
    ),
    Ensemble(
        "woodwind trio", 3, ("classical", "classical", "jazz"), (
            _place("melody", "flute*3 clarinet saxophone"),
            _place("inner", "clarinet*2 saxophone*2 flute"),
            _place("inner", "clarinet saxophone", 0.7),
            _place("bass", "cello trombone bass", 0.4),
        ),
    ),
    Ensemble(
        "brass", 4, ("classical", "classical", "church", "jazz"), (
            _place("melody", "trumpet*5 trombone"),
            _place("inner", "trumpet*2 trombone*2", 0.8),
            _place("bass", "trombone"),
            _place("chords", "organ*2 piano", 0.2),
            _place("rhythm", "drums cymbals*2", 0.3),
        ), sections=True,
    ),
    Ensemble(
        "jazz combo", 7, ("jazz",), (
            _place("melody", "saxophone*3 trumpet*2 trombone*2 clarinet*2 guitar voice flute"),
            _place("melody", f"{_WINDS} mallet_percussion violin", 0.35),
            _place("chords", "piano*4 guitar*2 organ mallet_percussion*2", 0.85),
            _place("bass", "bass", 0.75),
            _place("rhythm", "drums", 0.6),
            _place("rhythm", "cymbals", 0.7),
        ),
    ),
    Ensemble(
        "big band", 4.5, ("jazz", "latin"), (
            _place("melody", "saxophone*2 trumpet*2 voice clarinet"),
            _place("inner", "trombone*2 saxophone trumpet"),
            _place("inner", "trumpet saxophone clarinet", 0.8),
            _place("melody", "clarinet voice flute violin", 0.4),
            _place("chords", "piano*3 guitar*2 mallet_percussion"),
            _place("bass", "bass", 0.8),
            _place("rhythm", "drums", 0.85),
            _place("rhythm", "cymbals", 0.8),
        ),
    ),
    Ensemble(
        "bluegrass", 6, ("bluegrass",), (
            _place("melody", "banjo*2 violin mandolin*2 voice*2 guitar"),
            _place("melody", "violin mandolin banjo", 0.4),
            _place("chords", "banjo*2 guitar*2 mandolin*2"),
            _place("chords", "guitar mandolin", 0.3),
            _place("bass", "bass*3 cello", 0.5),
        ),
    ),
    Ensemble(
        "folk", 6, ("folk",), (
            _place("melody", "flute*2 violin*2 accordion*2 voice*2 mandolin clarinet"),
            _place("melody", "flute violin accordion mandolin banjo", 0.4),
            _place("chords", "guitar*2 accordion banjo*2 mandolin*2 ukulele piano", 0.75),
            _place("bass", "bass cello", 0.2),
            _place("rhythm", "drums", 0.15),
        ),
    ),
    Ensemble(
        "pop band", 5, ("pop",), (
            _place("melody", "voice*5 saxophone violin flute trumpet"),
            _place("chords", "guitar*2 piano*2 synthesizer*2 organ ukulele"),
            _place("chords", "synthesizer guitar piano organ", 0.4),
            _place("bass", "bass*4 synthesizer", 0.75),
            _place("rhythm", "drums", 0.8),
            _place("rhythm", "cymbals", 0.6),
        ),
    ),
    Ensemble(
        "rock band", 4, ("rock",), (
            _place("melody", "voice*3 guitar*2 saxophone synthesizer"),
            _place("chords", "guitar*3 organ piano"),
            _place("chords", "organ synthesizer piano", 0.3),
            _place("bass", "bass", 0.85),
            _place("rhythm", "drums", 0.9),
            _place("rhythm", "cymbals", 0.75),
        ),
    ),
    Ensemble(
        "singer-songwriter", 5, ("pop", "folk"), (
            _place("melody", "voice"),
            _place("chords", "guitar*2 ukulele*2 piano banjo mandolin accordion"),
            _place("melody", "violin cello clarinet flute trombone", 0.25),
            _place("bass", "bass", 0.15),
            _place("rhythm", "cymbals drums", 0.15),
        ),
    ),
    Ensemble(
        "electronic", 5, ("electronic",), (
            _place("melody", "synthesizer*3 voice mallet_percussion flute trumpet"),
            _place("chords", "synthesizer*2 piano organ", 0.7),
            _place("bass", "synthesizer*2 bass", 0.6),
            _place("rhythm", "drums", 0.6),
            _place("rhythm", "cymbals", 0.4),
        ),
    ),
    Ensemble(
        "church", 4, ("church",), (
            _place("melody", "voice*4 trumpet violin trombone"),
            _place("chords", "organ*5 piano"),
            _place("inner", "voice trumpet trombone", 0.2),
        ),
    ),
    Ensemble(
        "choir", 3, ("church", "classical"), (
            _place("melody", "voice"),
            _place("inner", "voice"),
            _place("inner", "voice", 0.7),
            _place("bass", "voice*3 trombone cello", 0.9),
            _place("chords", "organ*2 piano", 0.4),
        ), sections=True,
    ),
    Ensemble(
        "mallets", 4, ("latin", "jazz", "classical"), (
            _place("melody", "mallet_percussion"),
            _place("chords", "mallet_percussion guitar piano ukulele synthesizer", 0.6),
            _place("bass", "bass cello", 0.3),
            _place("rhythm", "cymbals*2 drums", 0.4),
        ), sections=True,
    ),
    Ensemble(
        "polka", 5, ("folk", "latin"), (
            _place("melody", "accordion*4 clarinet trumpet"),
            _place("melody", "clarinet trumpet violin flute mandolin saxophone", 0.5),
            _place("chords", "accordion*3 guitar banjo", 0.6),
            _place("bass", "bass trombone", 0.5),
            _place("rhythm", "drums cymbals", 0.35),
        ),
    ),
    Ensemble(
        "klezmer", 4, ("folk", "jazz"), (
            _place("melody", "clarinet*4 violin"),
            _place("melody", "violin trumpet flute trombone mandolin", 0.5),
            _place("chords", "accordion*2 piano guitar banjo", 0.8),
            _place("bass", "trombone bass cello", 0.4),
            _place("rhythm", "drums cymbals", 0.3),
        ),
    ),
    Ensemble(
        "latin", 4, ("latin",), (
            _place("melody", "trumpet*2 flute*2 voice trombone*2 saxophone guitar clarinet"),
            _place("inner", "trombone trumpet saxophone", 0.4),
            _place("chords", "piano guitar ukulele mallet_percussion accordion"),
            _place("bass", "bass", 0.6),
            _place("rhythm", "drums", 0.5),
            _place("rhythm", "cymbals", 0.3),
        ),
    ),
    Ensemble(
        "island", 6, ("folk", "pop", "latin"), (
            _place("melody", "ukulele*2 voice guitar mallet_percussion trumpet flute clarinet"),
            _place("chords", "ukulele*5 guitar"),
            _place("bass", "bass", 0.3),
            _place("rhythm", "cymbals drums", 0.3),
        ),
    ),
    Ensemble(
        "odd chamber", 8, ("classical", "folk", "pop", "jazz"), (
            _place("melody", _ANY),
            _place("inner", "violin cello clarinet*2 trombone*2 mandolin accordion", 0.6),
            _place("chords", _HARMONY, 0.8),
            _place("bass", "cello trombone bass organ", 0.3),
        ),
    ),
    Ensemble(
        "orchestra", 4.5, ("classical",), (
            _place("melody", "violin*3 flute trumpet"),
            _place("melody", "flute clarinet trumpet", 0.7),
            _place("inner", "clarinet trombone violin", 0.8),
            _place("inner", "trumpet trombone voice", 0.5),
            _place("bass", "cello*3 trombone"),
            _place("rhythm", "cymbals", 0.5),
            _place("chords", "mallet_percussion organ piano", 0.3),
            _place("rhythm", "drums", 0.3),
        ),
    ),
    Ensemble(
        "percussion", 3, ("rock", "latin", "jazz"), (
            _place("rhythm", "drums*2 cymbals"),
            _place("rhythm", "cymbals", 0.5),
            _place("melody", "mallet_percussion banjo trombone accordion clarinet", 0.4),
        ),
    ),
    Ensemble(
        "swells", 4, ("electronic", "church", "jazz", "classical"), (
            _place("rhythm", "cymbals"),
            _place("chords", "synthesizer*2 organ piano guitar accordion", 0.6),
            _place("melody", f"{_SINGERS} mandolin banjo ukulele mallet_percussion", 0.7),
        ),
    ),
)  # fmt: skip
"""Every kind of company there is."""
