"""Why a recording can't be used, or only partly: a table of codes, and the error with one."""

REFUSED = {
    "missing": "there is no such file",
    "is_folder": "this is a folder; name the files in it",
    "not_a_file": "this is a pipe, a socket or a device, not a file",
    "unreadable": "the file may not be read, or the disk can't read it",
    "empty": "the file holds no bytes",
    "not_audio": "this is no audio or video that can be decoded here",
    "needs_formats": "this can be decoded once PyAV is there: pip install 'timbretree[formats]'",
    "no_sound": "this is a video, or another file, without a track of sound",
    "locked": "the sound is locked by copy protection",
    "bad_rate": "the sampling rate is not between 2 and 768 kHz",
    "too_many_channels": "there are more than 64 channels",
    "too_short": "there is less than 0.1 s of sound",
}
"""Nothing of the file could be used: status failed."""

PARTLY = {
    "too_long": "there is more than 48 h of sound; the rest was left out",
    "truncated": "the file is shorter than its header says",
    "corrupt": "some of the file could not be decoded; it was left out",
    "not_finite": "some samples are no numbers or beyond all bounds; they were taken as silence",
}
"""The good part was used: status partial; or failed, where no 0.1 s of it is good."""

BY_THE_CREW = {
    "crashed": "the process that read the file crashed",
    "timed_out": "reading the file took too long",
    "out_of_memory": "reading the file took too much memory",
}
"""The process that read the file was lost: status failed."""

USED = {
    "silent": "nothing in this file is louder than -80 dB",
}
"""All of the file was used: status ok."""

REASONS = {**REFUSED, **PARTLY, **BY_THE_CREW, **USED}
"""Every reason code with its meaning."""


class AudioError(Exception):
    """A file that can't be used; ``code`` is one of ``REASONS``."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(REASONS[code] + (f" ({detail})" if detail else ""))
        self.code = code
