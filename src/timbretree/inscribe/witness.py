"""The only user of mutagen (GPL; the extra ``tags``): a second reader of all that we write."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from timbretree.inscribe.splice import InscribeError

FIELDS = {
    "title": ("title", "TIT2", "TT2", "\xa9nam", "Title"),
    "artist": ("artist", "TPE1", "TP1", "\xa9ART", "Author", "Artist"),
    "album": ("album", "TALB", "TAL", "\xa9alb", "WM/AlbumTitle", "Album"),
}
"""What the kinds of tags call the same."""
LONGEST = 1000
"""Letters of a field that are read; nobody has a longer title."""
OURS = "INSTRUMENTS"


def read_metadata(path: str | Path) -> dict[str, str] | None:
    """The title, artist and album that a file says it has; those it doesn't say are left out.

    Several artists are parted by a semicolon. None where mutagen is not installed, and for a file
    that it can't read.
    """
    try:
        import mutagen
    except ImportError:
        return None
    try:
        file = mutagen.File(path)
    except Exception:  # mutagen raises whatever a broken file makes it raise
        return None
    if file is None:
        return None
    found = {field: _joined(file.tags, names) for field, names in FIELDS.items()}
    return {field: text for field, text in found.items() if text}


def needs_mutagen() -> bool:
    """Whether mutagen must be installed first."""
    return find_spec("mutagen") is None


def compare(before: Path, after: Path, wants: tuple[str, ...]) -> None:
    """Raise InscribeError unless a second reader finds ``wants`` in one file, and all else as it
    is in the other: every tag, every picture, the length and the form of the sound.
    """
    old, new = _told(before), _told(after)
    if old is None or new is None:
        raise InscribeError("mutagen can't read it, so nobody could check what was written")
    said = new.pop("ours")
    if said != wants and said != ("; ".join(wants),) * bool(wants):
        raise InscribeError(f"mutagen reads {said} where {wants} was written; it is left alone")
    old.pop("ours")
    if old != new:
        raise InscribeError("mutagen reads other tags than before; the file is left alone")


def _told(path: Path) -> dict[str, Any] | None:
    """All that mutagen reads in a file, with what is ours apart."""
    import mutagen

    try:
        file = mutagen.File(path)
    except Exception:  # mutagen raises whatever a broken file makes it raise
        return None
    if file is None:
        return None
    tags: dict[str, Any] = {}
    ours: tuple[str, ...] = ()
    for name, value in _items(file.tags):
        if name.upper().rpartition(":")[2] == OURS and name.upper().startswith(
            (OURS, "TXXX:", "----:COM.APPLE.ITUNES:")
        ):
            ours += tuple(_text(each) for each in getattr(value, "text", value))
        else:
            tags[name] = _plain(value)
    pictures = [_plain(each) for each in getattr(file, "pictures", ())]
    form = {
        name: getattr(file.info, name, None)
        for name in ("length", "sample_rate", "channels", "bits_per_sample")
    }
    return {"ours": ours, "tags": tags, "pictures": pictures, "form": form}


def _items(tags: Any) -> list[tuple[str, Any]]:
    if tags is None:
        return []
    return [(str(name), tags[name]) for name in tags.keys()]  # noqa: SIM118


def _plain(value: Any) -> str:
    """A tag as it can be compared."""
    return repr([bytes(each) if isinstance(each, bytes) else each for each in value]) if isinstance(
        value, list
    ) else repr(getattr(value, "data", b"")) + repr(value)  # fmt: skip


def _joined(tags: Any, names: tuple[str, ...]) -> str:
    for name in names:
        try:
            value = tags[name] if tags is not None else None
        except (KeyError, ValueError):  # not said, or a format without such a name
            continue
        values = getattr(value, "text", value)  # an ID3 frame holds its texts
        texts = [values] if isinstance(values, str) else values or ()
        if joined := "; ".join(filter(None, map(_text, texts))):
            return joined[:LONGEST]
    return ""


def _text(value: Any) -> str:
    whole = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    safe = whole.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(safe.split())
