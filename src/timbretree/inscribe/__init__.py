"""Tags inside sound files: what their owners say there, and what was heard, written there."""

from timbretree.inscribe.witness import read_metadata

__all__ = ["read_metadata"]
