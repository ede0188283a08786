"""What was heard, written into the files themselves; and what they say already."""

from timbretree.inscribe.containers import read_metadata as read_metadata
