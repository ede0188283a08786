"""Tags inside sound files: what their owners say there, and what was heard, written there."""

from timbretree.inscribe.editing import Change, look
from timbretree.inscribe.records import Records
from timbretree.inscribe.splice import InscribeError
from timbretree.inscribe.witness import read_metadata
from timbretree.inscribe.writing import Undone, inscribe, is_ours, undo

__all__ = [
    "Change",
    "InscribeError",
    "Records",
    "Undone",
    "inscribe",
    "is_ours",
    "look",
    "read_metadata",
    "undo",
]
