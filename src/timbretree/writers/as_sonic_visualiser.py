"""What was heard as a layer of regions for Sonic Visualiser: when each instrument plays."""

import csv
import io

from timbretree.spans import spans
from timbretree.tags import Tags
from timbretree.writers.outline import in_order
from timbretree.writers.words import named, percent


def write(tags: Tags, explain: bool) -> str:
    """A heading, which Sonic Visualiser knows, and a row for each span, in order of time.

    Each instrument has a height of its own, in the order of the tree, whose first is on top. A name
    with ``?`` may play there; ``explain`` adds the probability.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("TIME", "VALUE", "DURATION", "LABEL"))
    heights = {tag: height for height, tag in enumerate(reversed(in_order(tags.taxonomy)), start=1)}
    for span in spans(tags):
        label = named(span.name) + ("?" if span.unsure else "")
        label += f" {percent(span.probability)}" if explain else ""
        table.writerow((f"{span.start:.6f}", heights[span.name], f"{span.seconds:.6f}", label))
    return text.getvalue()
