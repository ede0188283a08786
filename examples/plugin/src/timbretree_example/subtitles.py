"""A writer: what plays as subtitles, for any video player."""

from timbretree.spans import spans
from timbretree.tags import Tags
from timbretree.writers import Writer


def write(tags: Tags, explain: bool) -> str:
    """A block for each span, in order of time; a name with ``?`` may play there."""
    blocks = []
    for number, span in enumerate(spans(tags), 1):
        text = span.name.replace("_", " ") + ("?" if span.unsure else "")
        text += f" {span.probability:.0%}" if explain else ""
        blocks.append(f"{number}\n{_clock(span.start)} --> {_clock(span.end)}\n{text}\n")
    return "\n".join(blocks)


def _clock(seconds: float) -> str:
    """00:00:01,500"""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return (
        f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02},{milliseconds % 1000:03}"
    )


SUBTITLES = Writer(".srt", write)
