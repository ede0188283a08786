"""Drums and cymbals: which key of General MIDI's drum map is which, and what recordings are."""

import re

_SNARE = ("snare", "kick")
_LOW, _HIGH = ("low tom", "high tom", "snare"), ("high tom", "low tom", "snare")
_CLOSED, _OPEN = ("closed hi-hat", "open hi-hat"), ("open hi-hat", "closed hi-hat")
_CRASH, _RIDE = ("crash", "ride"), ("ride", "crash")
KEYS = {
    "drums": {
        **dict.fromkeys((35, 36), ("kick", "snare")),
        **dict.fromkeys((37, 38, 39, 40), _SNARE),  # 37 is on the rim; 39, clapping hands
        **dict.fromkeys((41, 43, 45), _LOW),
        **dict.fromkeys((47, 48, 50), _HIGH),
    },
    "cymbals": {
        **dict.fromkeys((42, 44), _CLOSED),
        46: _OPEN,
        **dict.fromkeys((49, 57), _CRASH),
        **dict.fromkeys((51, 53, 59), _RIDE),
        52: ("china", *_CRASH),
        55: ("splash", *_CRASH),
    },
}
"""What can be struck for each key of each tag, the best first."""
_NEEDED = {
    "drums": (("kick",), ("snare",)),
    "cymbals": (_CLOSED, _CRASH),
}
_KINDS = {
    "": re.compile("loop|roll|chord|riff|spin"),
    "open hi-hat": re.compile("(hat|hh).*open|open.*hat|cymbal_open"),
    "closed hi-hat": re.compile("hat|cymbal_(closed|pedal)"),
    "china": re.compile("china"),
    "splash": re.compile("splash"),
    "ride": re.compile("ride"),
    "crash": re.compile("crash|cym"),
    "snare": re.compile("snare|(^|[_-])sn_"),
    "high tom": re.compile("tom[ _-]?hi?(gh|$|[ _-])"),
    "low tom": re.compile("tom|drum_low"),
    "kick": re.compile("kick|bass.?drum|drum_bass|(^|[_-])bd_"),
}


def heard_as(name: str) -> str:
    """What is struck in a recording, from words in its name; nothing where they don't say it."""
    return next((kind for kind, words in _KINDS.items() if words.search(name.lower())), "")


def complete(tag: str, kinds: set[str]) -> bool:
    """Whether a kit can play its tag: drums have a kick and a snare, cymbals a hi-hat and one that
    is crashed or ridden."""
    return all(kinds & set(choice) for choice in _NEEDED[tag])
