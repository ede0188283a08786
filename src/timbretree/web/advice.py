"""What a person can do about a recording that could not be heard, or only in part."""

ADVICE = {
    "empty": "The copy may have broken off; take the file from where it came from again.",
    "not_audio": "Choose a sound file: wav, flac, mp3, ogg or opus are always understood. If this "
    "is one, it is damaged from its beginning on.",
    "needs_formats": "Who runs this server can add the decoders; or save it as flac or mp3.",
    "no_sound": "Choose a file that has a sound track.",
    "locked": "Choose a copy without protection.",
    "bad_rate": "Save it with a usual sampling rate, such as 44.1 kHz.",
    "too_many_channels": "Mix it down to stereo first.",
    "too_short": "Choose a longer piece; a few seconds are needed to hear an instrument well.",
    "too_long": "What is shown is the beginning. Cut the recording into parts to hear all of it.",
    "truncated": "The end is missing. If you have a whole copy, take that.",
    "corrupt": "What is shown was heard before the damage. If you have a sound copy, take that.",
    "not_finite": "Save it again with the levels within bounds to have all of it heard.",
    "crashed": "Try it again; if it happens again, the file is one that nobody should open.",
    "timed_out": "Try it again when the server is less busy, or cut it into parts.",
    "out_of_memory": "Save it with fewer channels or a lower sampling rate, or cut it into parts.",
    "silent": "Turn the level up, or choose a recording in which something plays.",
}
"""By reason code; who runs the server on files that can't be uploaded needs no advice here."""


def advice(reason: str | None) -> str | None:
    """What to do about a reason, or None where there is nothing to do."""
    return None if reason is None else ADVICE.get(reason)
