"""Writing files whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then put it there: a kill leaves the old one or the new one.

    Text is written as UTF-8.
    """
    half_written = path.with_name(path.name + ".part")
    half_written.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(half_written, path)
