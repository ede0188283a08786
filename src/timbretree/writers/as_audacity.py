"""What was heard as labels for Audacity: when each instrument plays."""

from timbretree.spans import spans
from timbretree.tags import Tags
from timbretree.writers.words import named


def write(tags: Tags, explain: bool) -> str:
    """A line for each span: start, end and name between tabs, in order of time.

    A name with ``?`` may play there; ``explain`` adds the probability. Nothing where nothing plays.
    """
    lines = []
    for span in spans(tags):
        label = named(span.name) + ("?" if span.unsure else "")
        label += f" {span.probability:.2f}" if explain else ""
        lines.append(f"{span.start:.6f}\t{span.end:.6f}\t{label}\n")
    return "".join(lines)
