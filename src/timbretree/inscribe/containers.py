"""The only user of mutagen (GPL; the extra ``tags``): Ogg and MP4 files, and what all files say."""

from pathlib import Path
from typing import Any

NAMES = {
    "title": ("title", "TIT2", "TT2", "Title", "\xa9nam"),
    "artist": ("artist", "TPE1", "TP1", "Author", "\xa9ART"),
    "album": ("album", "TALB", "TAL", "WM/AlbumTitle", "\xa9alb"),
}
"""What the kinds of tags call the same."""


def read_metadata(path: str | Path) -> dict[str, Any] | None:
    """What a file says of itself: ``title``, ``artist``, ``album`` (text or None) and ``duration``
    (seconds or None).

    None where mutagen is not installed, and where it can't read the file.
    """
    try:
        import mutagen
    except ImportError:
        return None
    try:
        file = mutagen.File(path)
        if file is None:
            return None
        length = getattr(file.info, "length", None)
        found: dict[str, Any] = {what: _text(file.tags, keys) for what, keys in NAMES.items()}
        return found | {"duration": float(length) if length else None}
    except Exception:  # mutagen raises whatever a broken file makes it raise
        return None


def _text(tags: Any, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        try:
            value = tags[key]
        except (KeyError, TypeError, ValueError):
            continue
        values = getattr(value, "text", value)  # an ID3 frame has its texts within
        texts = [str(each) for each in ([values] if isinstance(values, str) else values)]
        if joined := "; ".join(filter(None, texts)):
            return joined
    return None
