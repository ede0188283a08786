"""Decoders of sound files, chosen by what is in a file and never by its name."""

from pathlib import Path

import soundfile

from timbretree.decoders.kinds import kind_of
from timbretree.decoders.pyav import ByPyav
from timbretree.decoders.sndfile import ByLibsndfile
from timbretree.decoders.source import Source
from timbretree.decoders.stretch import Decoder
from timbretree.reasons import AudioError


def open_sound(path: Path) -> Decoder:
    """Open a file with the decoder that can read it: libsndfile, or else PyAV where it is there.

    Raises AudioError, with a reason, where none can.
    """
    source = Source(path)
    try:
        return _decoder(source)
    except AudioError:
        source.close()
        raise


def _decoder(source: Source) -> Decoder:
    kind = kind_of(source)
    if kind is None or kind.libsndfile:
        try:
            return ByLibsndfile(source, kind)
        except soundfile.LibsndfileError as error:
            if kind is None:
                raise AudioError("not_audio") from error
    return ByPyav(source, kind)
